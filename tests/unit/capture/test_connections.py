from __future__ import annotations

from ftpfw.capture.connections import Connection, Connections
from ftpfw.conntrack.model import Direction
from ftpfw.tcp.segment import ACK, SYN, Segment

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"


def segment(seq: int = 0, length: int = 0, flags: int = ACK, *, back: bool = False) -> Segment:
    ends = (B, A, 2, 1) if back else (A, B, 1, 2)
    return Segment(*ends, seq, 0, flags, 20, 40, 40 + length, b"")


def opened(table: Connections[None], first: Segment, number: int = 1) -> Connection[None]:
    connection, _ = table.open(number, first, Direction.ORIGINAL, 0.0, None)
    return connection


def test_both_directions_find_it() -> None:
    table = Connections[None](8)
    connection = opened(table, segment(flags=SYN))
    assert table.current(segment()) == (connection, Direction.ORIGINAL)
    assert table.current(segment(back=True)) == (connection, Direction.REPLY)


def test_a_repeated_syn_is_no_new_connection_but_another_isn_is() -> None:
    table = Connections[None](8)
    connection = opened(table, segment(7, flags=SYN))
    assert table.current(segment(7, flags=SYN)) == (connection, Direction.ORIGINAL)
    assert table.current(segment(8, flags=SYN)) is None
    assert table.current(segment(8, flags=SYN, back=True)) is None
    _, left = table.open(2, segment(8, flags=SYN), Direction.ORIGINAL, 1.0, None)
    assert left == [connection]


def test_bytes_count_once_and_holes_count() -> None:
    connection = opened(Connections[None](8), segment(flags=SYN))
    take = connection.take
    take(Direction.ORIGINAL, segment(2**32 - 50, 100), 1.0)
    take(Direction.ORIGINAL, segment(2**32 - 50, 100), 2.0)
    take(Direction.ORIGINAL, segment(150, 100), 3.0)
    take(Direction.ORIGINAL, segment(50, 100), 4.0)
    take(Direction.REPLY, segment(9, 5), 5.0)
    assert connection.bytes == [300, 5]
    assert connection.ended == 5.0


def test_a_wild_sequence_number_is_no_data() -> None:
    connection = opened(Connections[None](8), segment(flags=SYN))
    connection.take(Direction.ORIGINAL, segment(1, 10), 1.0)
    connection.take(Direction.ORIGINAL, segment(2**31, 10), 2.0)
    assert connection.bytes == [10, 0]


def test_the_stalest_leaves_a_full_table() -> None:
    table = Connections[None](2)
    ends = [Segment(A, B, port, 2, 0, 0, SYN, 20, 40, 40, b"") for port in range(3)]
    first, second = (opened(table, end, number) for number, end in enumerate(ends[:2]))
    assert table.current(ends[0]) == (first, Direction.ORIGINAL)
    _, left = table.open(2, ends[2], Direction.ORIGINAL, 0.0, None)
    assert left == [second]
    assert table.current(ends[1]) is None
    assert [one.number for one in table] == [0, 2]
