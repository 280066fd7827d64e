"""The control connection's lines, and what they negotiate.

However the stream is cut, the same lines come out, and with them the same negotiations; all
bytes are accounted for. What a rewrite replaces has not left before: no prefix of a line lets
bytes go that its negotiation then names. A rewritten line says what it was rewritten to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from ftpfw.ftp.hostport import HostPort
from ftpfw.ftp.lines import Line, LineReader, TooLong
from ftpfw.ftp.negotiation import (
    Kind,
    Negotiation,
    ReplyReader,
    Unusable,
    command_rewrite_start,
    parse_command,
    replacement,
)
from tests.fuzz.script import Script

Told = Negotiation | Unusable | None

ELSEWHERE = {
    4: HostPort(IPv4Address("203.0.113.250"), 65535),
    6: HostPort(IPv6Address("2001:db8:ffff::250"), 65535),
}


def fuzz(data: bytes) -> None:
    script = Script(data)
    max_line = (4096, 8, 64)[script.number() % 3]
    cuts = [script.number() for _ in range(script.number() % 16)]
    stream = script.rest()
    whole = LineReader(max_line).feed(stream)
    _require_same_in_pieces(whole, LineReader(max_line), stream, cuts)
    _require_in_order(whole, stream, max_line)
    lines = [item for item in whole if isinstance(item, Line)]
    for line in lines:
        told = parse_command(line)
        _require_held(line, told, command_rewrite_start)
        _require_rewritable(told, parse_command)
    for line, told, reader in _replies(lines):
        _require_held(line, told, reader.rewrite_start)


def _require_same_in_pieces(
    whole: list[Line | TooLong], reader: LineReader, stream: bytes, cuts: list[int]
) -> None:
    in_pieces: list[Line | TooLong] = []
    at = 0
    for cut in cuts:
        in_pieces += reader.feed(stream[at : at + cut])
        at += cut
    in_pieces += reader.feed(stream[at:])
    assert in_pieces == whole
    assert reader.partial_offset + len(reader.partial) == len(stream)


def _require_in_order(items: list[Line | TooLong], stream: bytes, max_line: int) -> None:
    last = 0
    for item in items:
        assert last <= item.offset < len(stream)
        if isinstance(item, Line):
            last = item.offset + len(item.data)
            assert item.data == stream[item.offset : last]
            assert len(item.data) <= max_line
            assert item.data.endswith(b"\n")
            assert b"\n" not in item.text


def _require_held(line: Line, told: Told, rewrite_start: Callable[[bytes], int | None]) -> None:
    """Of every prefix, what may leave ends at or before the first byte to be replaced."""
    if not isinstance(told, Negotiation):
        return
    assert 0 <= told.start < told.end <= len(line.text)
    for length in range(told.start + 1, len(line.data)):
        start = rewrite_start(line.data[:length])
        assert start is not None, f"{line.data[:length]!r} may leave, of {line.data!r}"
        assert start <= told.start


def _require_rewritable(told: Told, parse: Callable[[Line], Told]) -> None:
    if not isinstance(told, Negotiation):
        return
    for endpoint in ELSEWHERE.values():
        with suppress(ValueError):  # PORT carries no IPv6
            new = replacement(told, endpoint)
            data = told.line.data[: told.start] + new + told.line.data[told.end :]
            again = parse(Line(told.line.offset, data))
            assert isinstance(again, Negotiation)
            assert (again.kind, again.endpoint) == (told.kind, endpoint)
            assert (again.start, again.end) == (told.start, told.start + len(new))


def _replies(lines: list[Line]) -> Iterator[tuple[Line, Told, ReplyReader]]:
    """Each line, what it tells, and a reader that is where it was before that line."""
    reader, before = ReplyReader(), ReplyReader()
    for line in lines:
        told = reader.feed(line)
        if isinstance(told, Negotiation):
            assert told.kind in {Kind.PASV, Kind.EPSV}
        yield line, told, before
        before.feed(line)
