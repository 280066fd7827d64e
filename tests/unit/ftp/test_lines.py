from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.ftp.lines import MAX_LINE, Line, LineReader, TooLong
from tests.unit.table import table

Event = Line | TooLong

# Short bounds and a small alphabet make every kind of event common.
BOUND = 6
streams = st.lists(st.sampled_from([b"A", b" ", b"\r", b"\n", b"\r\n", b"1,", b"\xff"])).map(
    b"".join
)


def feed(pieces: list[bytes], bound: int = MAX_LINE) -> list[Event]:
    reader = LineReader(bound)
    return [event for piece in pieces for event in reader.feed(piece)]


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    return [stream[a:b] for a, b in pairwise([0, *sorted(cuts), len(stream)])]


WHOLE_LINES = [
    # id                   stream                       lines
    ("CRLF", b"NOOP\r\n", [Line(0, b"NOOP\r\n")]),
    ("bare LF", b"NOOP\n", [Line(0, b"NOOP\n")]),
    ("pipelined", b"NOOP\r\nPORT 1\r\n", [Line(0, b"NOOP\r\n"), Line(6, b"PORT 1\r\n")]),
    ("LF, then CRLF", b"A\nB\r\n", [Line(0, b"A\n"), Line(2, b"B\r\n")]),
    ("empty lines", b"\r\n\n", [Line(0, b"\r\n"), Line(2, b"\n")]),
    ("CR inside", b"A\rB\r\n", [Line(0, b"A\rB\r\n")]),
    ("NUL inside", b"A\r\0B\n", [Line(0, b"A\r\0B\n")]),
    ("no terminator", b"NOOP\r", []),
    ("nothing", b"", []),
]


@pytest.mark.parametrize(("stream", "lines"), **table(WHOLE_LINES))
def test_whole_lines(stream: bytes, lines: list[Event]) -> None:
    assert feed([stream]) == lines


TEXTS = [
    ("CRLF", b"NOOP\r\n", b"NOOP"),
    ("bare LF", b"NOOP\n", b"NOOP"),
    ("only one CR goes", b"NOOP\r\r\n", b"NOOP\r"),
    ("CRLF alone", b"\r\n", b""),
    ("LF alone", b"\n", b""),
]


@pytest.mark.parametrize(("data", "text"), **table(TEXTS))
def test_text_is_the_line_without_its_terminator(data: bytes, text: bytes) -> None:
    assert Line(0, data).text == text


def test_a_line_in_pieces() -> None:
    reader = LineReader()
    assert reader.feed(b"NOOP\r\nPO") == [Line(0, b"NOOP\r\n")]
    assert (reader.partial, reader.partial_offset) == (b"PO", 6)
    assert reader.feed(b"RT 1\r") == []
    assert (reader.partial, reader.partial_offset) == (b"PORT 1\r", 6)
    assert reader.feed(b"\nX") == [Line(6, b"PORT 1\r\n")]
    assert (reader.partial, reader.partial_offset) == (b"X", 14)


def test_an_over_long_line_is_told_once_and_skipped() -> None:
    reader = LineReader(BOUND)
    assert reader.feed(b"AAAAAA") == []
    assert reader.feed(b"A") == [TooLong(0)]
    assert (reader.skipping, reader.partial, reader.partial_offset) == (True, b"", 7)
    assert reader.feed(b"AAAAAAAAAAAA") == []
    assert (reader.skipping, reader.partial_offset) == (True, 19)
    assert reader.feed(b"A\nB\n") == [Line(21, b"B\n")]
    assert not reader.skipping


BOUNDS = [
    # id                          stream                events at a bound of 6
    ("as long as the bound", b"AAAA\r\n", [Line(0, b"AAAA\r\n")]),
    ("one byte more", b"AAAAA\r\n", [TooLong(0)]),
    ("no terminator yet", b"AAAAAA", []),
    ("no terminator, one more", b"AAAAAAA", [TooLong(0)]),
    ("then a good line", b"AAAAAAA\nB\n", [TooLong(0), Line(8, b"B\n")]),
    ("twice", b"AAAAAAA\nAAAAAAAA", [TooLong(0), TooLong(8)]),
]


@pytest.mark.parametrize(("stream", "events"), **table(BOUNDS))
def test_bound(stream: bytes, events: list[Event]) -> None:
    assert feed([stream], BOUND) == events


def test_the_bound_is_4096_unless_told() -> None:
    longest = b"A" * 4094 + b"\r\n"
    assert feed([longest, b"A", longest]) == [Line(0, longest), TooLong(4096)]


def test_restart_drops_the_partial_line() -> None:
    reader = LineReader()
    reader.feed(b"NOOP\r\nPO")
    reader.restart()
    assert (reader.partial, reader.partial_offset) == (b"", 8)
    assert reader.feed(b"PORT 1\r\n") == [Line(8, b"PORT 1\r\n")]


def test_restart_at_an_offset() -> None:
    reader = LineReader()
    reader.feed(b"PO")
    reader.restart(100)
    assert reader.feed(b"NOOP\r\n") == [Line(100, b"NOOP\r\n")]


def test_restart_ends_skipping() -> None:
    reader = LineReader(BOUND)
    reader.feed(b"AAAAAAAA")
    reader.restart()
    assert not reader.skipping
    assert reader.feed(b"NOOP\n") == [Line(8, b"NOOP\n")]


def test_every_pair_of_cuts_gives_the_same_lines() -> None:
    stream = b"NOOP\r\nPORT 1,2\nTOO LONG TO READ\r\n\nQUIT\r\n\r"
    whole = feed([stream], 10)
    assert len(whole) == 5
    for cuts in combinations(range(len(stream) + 1), 2):
        assert feed(split(stream, list(cuts)), 10) == whole


@given(streams, st.lists(st.integers(0, 60)))
def test_any_split_gives_the_same_lines(stream: bytes, cuts: list[int]) -> None:
    inside = [cut for cut in cuts if cut <= len(stream)]
    assert feed(split(stream, inside), BOUND) == feed([stream], BOUND)


@given(streams)
def test_lines_and_partial_are_the_stream(stream: bytes) -> None:
    reader = LineReader()
    lines = [event for event in reader.feed(stream) if isinstance(event, Line)]
    assert b"".join(line.data for line in lines) + reader.partial == stream
    assert all(stream.startswith(line.data, line.offset) for line in lines)
    assert reader.partial_offset + len(reader.partial) == len(stream)


@given(streams, st.integers(1, 8))
def test_what_is_kept_is_bounded(stream: bytes, bound: int) -> None:
    reader = LineReader(bound)
    for position in range(len(stream)):
        for event in reader.feed(stream[position : position + 1]):
            assert isinstance(event, TooLong) or len(event.data) <= bound
        assert len(reader.partial) <= bound
        assert reader.partial_offset + len(reader.partial) == position + 1
