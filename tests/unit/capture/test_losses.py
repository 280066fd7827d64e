from __future__ import annotations

import pytest

from ftpfw.capture.losses import LONGEST, Losses, filler
from ftpfw.conntrack.model import Direction
from ftpfw.tcp.segment import ACK, FIN, parse_segment, rebuild

from .traffic import CLIENT, SERVER, Traffic

CLIENTS, SERVERS = Direction.ORIGINAL, Direction.REPLY


def packet(seq: int, payload: bytes = b"", ack: int = 0, flags: str = "PA") -> bytes:
    traffic = Traffic()
    wire = traffic.wire(CLIENT, 40000, SERVER, 21)
    wire._seq = [seq, ack]
    wire._send(0, flags, payload)
    return traffic.packets[0][1]


def before(losses: Losses, way: Direction, seq: int, length: int = 0, ack: int = 0) -> int:
    return losses.before(way, parse_segment(packet(seq, b"x" * length, ack)))


def test_a_hole_that_the_peer_has_acknowledged_is_lost() -> None:
    losses = Losses()
    assert before(losses, CLIENTS, 100, 10) == 0
    assert before(losses, SERVERS, 500, ack=120) == 0
    assert before(losses, CLIENTS, 120, 10) == 10
    assert before(losses, CLIENTS, 130, 10) == 0


def test_a_hole_that_nobody_has_acknowledged_may_be_late() -> None:
    losses = Losses()
    before(losses, CLIENTS, 100, 10)
    before(losses, SERVERS, 500, ack=110)
    assert before(losses, CLIENTS, 120, 10) == 0
    assert before(losses, CLIENTS, 110, 10) == 0


def test_numbers_wrap() -> None:
    losses = Losses()
    before(losses, CLIENTS, 2**32 - 20, 10)
    before(losses, SERVERS, 500, ack=5)
    assert before(losses, CLIENTS, 5, 10) == 15


def test_a_hole_beyond_the_bound_is_not_filled() -> None:
    losses = Losses()
    before(losses, CLIENTS, 100, 10)
    before(losses, SERVERS, 500, ack=110 + LONGEST + 1)
    assert before(losses, CLIENTS, 110 + LONGEST + 1, 10) == 0


@pytest.mark.parametrize("length", [1, 2, 500])
def test_the_filler_ends_where_the_segment_begins(length: int) -> None:
    raw = packet(1000, b"NOOP\r\n", flags="FPA")
    made = parse_segment(filler(raw, parse_segment(raw), length))
    assert (made.seq, len(made.payload)) == (1000 - length, length)
    assert made.flags & ACK
    assert not made.flags & FIN
    assert made.payload.startswith(b"\0")
    assert rebuild(raw, parse_segment(raw), made.payload)
