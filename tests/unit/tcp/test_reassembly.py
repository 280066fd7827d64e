from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import PeerError
from ftpfw.tcp.reassembly import MAX_PIECES, OutOfWindow, Stream
from ftpfw.tcp.serial import add
from tests.unit.table import table

NEAR_WRAP = 0xFFFFFFF8


def test_in_order() -> None:
    stream = Stream(1000)
    assert stream.feed(1000, b"PORT ") == b"PORT "
    assert stream.feed(1005, b"1,2\r\n") == b"1,2\r\n"
    assert (stream.next, stream.gap) == (1010, False)


def test_over_the_wrap() -> None:
    stream = Stream(0xFFFFFFFE)
    assert stream.feed(0xFFFFFFFE, b"PORT ") == b"PORT "
    assert stream.next == 3
    assert stream.feed(3, b"1") == b"1"


def test_a_retransmission_gives_nothing() -> None:
    stream = Stream(0)
    stream.feed(0, b"PORT 1")
    assert stream.feed(0, b"PORT 1") == b""
    assert stream.feed(2, b"RT") == b""
    assert stream.next == 6


def test_a_longer_retransmission_gives_what_is_new() -> None:
    stream = Stream(0)
    stream.feed(0, b"PORT")
    assert stream.feed(0, b"PORT 1") == b" 1"


def test_what_lies_behind_a_hole_waits() -> None:
    stream = Stream(0)
    assert stream.feed(4, b" 1") == b""
    assert (stream.next, stream.gap) == (0, True)
    assert stream.feed(0, b"PORT") == b"PORT 1"
    assert (stream.next, stream.gap) == (6, False)


def test_two_holes() -> None:
    stream = Stream(0)
    assert stream.feed(2, b"R") == b""
    assert stream.feed(4, b" ") == b""
    assert stream.feed(0, b"PO") == b"POR"
    assert stream.gap
    assert stream.feed(3, b"T") == b"T "
    assert not stream.gap


def test_no_payload_changes_nothing() -> None:
    stream = Stream(0)
    assert stream.feed(0, b"") == b""
    assert stream.feed(5, b"") == b""
    assert stream.feed(0xFFFFFFFF, b"") == b""
    assert (stream.next, stream.gap) == (0, False)


FIRST_COPY = [
    # id                        segments in the order they come             stream
    ("read before", [(0, b"AAAA"), (2, b"bbbb")], b"AAAAbb"),
    ("kept, covered", [(2, b"AA"), (0, b"bbbbbb")], b"bbAAbb"),
    ("kept, front overlaps", [(2, b"AA"), (1, b"bb"), (0, b"c")], b"cbAA"),
    ("kept, back overlaps", [(1, b"AA"), (2, b"bb"), (0, b"c")], b"cAAb"),
    ("kept, inside", [(1, b"AAAA"), (2, b"bb"), (0, b"c")], b"cAAAA"),
    ("kept, joins two", [(1, b"AA"), (5, b"BB"), (2, b"cccc"), (0, b"d")], b"dAAccBB"),
    ("kept, same place", [(1, b"AA"), (1, b"bbbb"), (0, b"c")], b"cAAbb"),
]


@pytest.mark.parametrize(("segments", "whole"), **table(FIRST_COPY))
def test_the_first_copy_of_a_byte_wins(segments: list[tuple[int, bytes]], whole: bytes) -> None:
    stream = Stream(NEAR_WRAP)
    assert b"".join(stream.feed(add(NEAR_WRAP, at), data) for at, data in segments) == whole


def test_skip_gap_goes_on_at_the_first_kept_segment() -> None:
    stream = Stream(0)
    stream.feed(6, b"B")
    stream.feed(2, b"AA")
    assert stream.skip_gap() == b"AA"
    assert (stream.next, stream.gap) == (4, True)
    assert stream.skip_gap() == b"B"
    assert (stream.next, stream.gap) == (7, False)


def test_skip_gap_without_a_gap() -> None:
    stream = Stream(5)
    assert stream.skip_gap() == b""
    assert stream.next == 5


def test_what_was_skipped_comes_too_late() -> None:
    stream = Stream(0)
    stream.feed(2, b"AA")
    stream.skip_gap()
    assert stream.feed(0, b"bb") == b""


WINDOW = [
    # id                        seq, bytes, at a limit of 8 and 100 next    inside
    ("ends at the limit", 104, b"AAAA", True),
    ("ends past the limit", 105, b"AAAA", False),
    ("starts past the limit", 109, b"", False),
    ("in order, longer than the limit", 100, b"A" * 20, True),
    ("reaches back, longer than the limit", 95, b"A" * 20, True),
    ("starts at the limit behind", 92, b"A", True),
    ("starts past the limit behind", 91, b"A", False),
    ("half way round", 100 + 0x80000000, b"A", False),
]


@pytest.mark.parametrize(("seq", "payload", "inside"), **table(WINDOW))
def test_window(seq: int, payload: bytes, inside: bool) -> None:
    stream = Stream(100, limit=8)
    if inside:
        stream.feed(seq, payload)
    else:
        with pytest.raises(OutOfWindow):
            stream.feed(seq, payload)
        assert (stream.next, stream.gap) == (100, False)


def test_the_window_moves_with_the_stream() -> None:
    stream = Stream(0, limit=8)
    for seq in range(0, 400, 4):
        assert stream.feed(seq, b"AAAA") == b"AAAA"
    with pytest.raises(OutOfWindow):
        stream.feed(0, b"AAAA")


def test_holes_are_bounded() -> None:
    stream = Stream(0)
    for piece in range(MAX_PIECES):
        stream.feed(2 * piece + 1, b"A")
    with pytest.raises(OutOfWindow):
        stream.feed(2 * MAX_PIECES + 1, b"A")
    assert stream.feed(2, b"b") == b""
    assert stream.feed(0, b"c") == b"cAbA"


def test_the_error_says_what_came_and_what_was_expected() -> None:
    with pytest.raises(PeerError, match=r"^segment at 70000 refused: 0 comes next$"):
        Stream(0).feed(70000, b"A")


seqs = st.integers(0, 0xFFFFFFFF) | st.integers(-40, 40).map(lambda n: n & 0xFFFFFFFF)


@given(seqs, st.binary(max_size=60), st.data())
def test_any_order_overlap_and_duplication_gives_the_stream(
    start_seq: int, whole: bytes, data: st.DataObject
) -> None:
    """Segments that together cover the stream, shuffled among more that repeat parts of it."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))) | {0, len(whole)})
    cover = list(pairwise(cuts))
    places = st.tuples(st.integers(0, len(whole)), st.integers(0, len(whole)))
    more = data.draw(st.lists(places.filter(lambda place: place[0] <= place[1]), max_size=8))
    stream = Stream(start_seq)
    got = b""
    for first, last in data.draw(st.permutations(cover + more)):
        got += stream.feed(add(start_seq, first), whole[first:last])
        assert whole.startswith(got)
        assert stream.next == add(start_seq, len(got))
    assert got == whole
    assert not stream.gap


@given(seqs, st.lists(st.tuples(st.integers(-10, 40), st.binary(max_size=12)), max_size=12))
def test_equals_a_map_from_position_to_first_byte(
    start_seq: int, segments: list[tuple[int, bytes]]
) -> None:
    limit = 16
    stream = Stream(start_seq, limit)
    first_copy: dict[int, int] = {}
    position = 0
    for at, payload in segments:
        ahead = at - position
        refused = ahead < -limit or (ahead > 0 and ahead + len(payload) > limit)
        if refused:
            with pytest.raises(OutOfWindow):
                stream.feed(add(start_seq, at), payload)
            continue
        for offset, byte in enumerate(payload, at):
            if offset >= position:
                first_copy.setdefault(offset, byte)
        wanted = b""
        while position in first_copy:
            wanted += bytes([first_copy[position]])
            position += 1
        assert stream.feed(add(start_seq, at), payload) == wanted
        assert stream.gap == any(place > position for place in first_copy)
