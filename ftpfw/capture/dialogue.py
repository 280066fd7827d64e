"""The lines of a control connection as people read them: both sides, in the capture's order.

Only for reading: what is negotiated, the engine decides. Bounded in lines; what comes past the
bound is counted. Arguments of PASS and ACCT are never kept (RFC 959 4.1.1). Where the stream
begins or goes on in the middle, the first thing that a client says could be the rest of
such a line: it is kept only if it begins with a known verb.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from ftpfw.capture.heard import Heard
from ftpfw.conntrack.model import Direction
from ftpfw.ftp.lines import Line, LineReader, TooLong
from ftpfw.ftp.verbs import IAC, KNOWN, parse_command_line
from ftpfw.tcp.reassembly import OutOfWindow, Stream
from ftpfw.tcp.segment import Segment

MAX_SHOWN: Final = 300
"""Characters of a line that are kept."""

MASK: Final = "••••"

_SECRETS = ("PASS", "ACCT")
_BEFORE_VERBS = bytes(range(0x30))
"""Blanks, control characters and punctuation: a server may pass over them."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line; ``number`` is that of the packet that completed it."""

    number: int
    time: float
    direction: Direction
    text: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Something that stands for what cannot be read; ``text`` says what it is."""

    number: int
    time: float
    text: str


Entry: TypeAlias = Said | Missed


class _Half:
    """One side's stream. ``certain``: the next line begins where a line begins."""

    def __init__(self, direction: Direction, seq: int, *, certain: bool) -> None:
        self.direction = direction
        self.stream = Stream(seq)
        self.lines = LineReader()
        self.certain = certain

    def feed(self, segment: Segment, *, lost: bool) -> list[str]:
        data = self._in_order(segment)
        if lost:
            data += self.stream.skip_gap()
            self.restart()
        texts = []
        for line in self.lines.feed(data):
            texts.append(self._shown(line))
            self.certain = True
        return texts

    def restart(self) -> None:
        self.lines.restart()
        self.certain = False

    def _shown(self, line: Line | TooLong) -> str:
        if isinstance(line, TooLong):
            return "(a line that is too long to read)"
        if self.direction is Direction.REPLY:
            return as_text(line.text)
        return command_text(line.text, certain=self.certain)

    def _in_order(self, segment: Segment) -> bytes:
        try:
            return self.stream.feed(segment.seq, segment.payload)
        except OutOfWindow:
            self.stream = Stream(segment.seq)
            self.restart()
            return self.stream.feed(segment.seq, segment.payload)


class Dialogue:
    """What both sides say; at most ``limit`` entries are kept, ``left_out`` counts the others.

    ``start`` is the sequence number of the first byte that the client sends, None if not known.
    """

    def __init__(self, limit: int, start: int | None) -> None:
        self.entries: list[Entry] = []
        self.left_out = 0
        self._limit = limit
        self._start = start
        self._halves: dict[Direction, _Half] = {}

    def feed(self, heard: Heard, *, lost: bool) -> None:
        """Take a packet that carries data; ``lost``: the capture has not the bytes before it."""
        texts = self._half(heard).feed(heard.segment, lost=lost)
        if lost:
            self._keep(Missed(heard.number, heard.time, "bytes that the capture has not"))
        for text in texts:
            self._keep(Said(heard.number, heard.time, heard.direction, text))

    def stop(self, heard: Heard, text: str) -> None:
        """Note why nothing can be read after this packet; what is fed later begins anew."""
        self._keep(Missed(heard.number, heard.time, text))
        self._halves.clear()
        self._start = None

    def _half(self, heard: Heard) -> _Half:
        direction, segment = heard.direction, heard.segment
        half = self._halves.get(direction)
        if half is None:
            certain = direction is Direction.REPLY or segment.seq == self._start
            half = self._halves[direction] = _Half(direction, segment.seq, certain=certain)
        return half

    def _keep(self, entry: Entry) -> None:
        if len(self.entries) < self._limit:
            self.entries.append(entry)
        else:
            self.left_out += 1


def command_text(raw: bytes, *, certain: bool) -> str:
    """A client's line with its secrets masked; all of it, where it may be the rest of one."""
    command = parse_command_line(raw.lstrip(_BEFORE_VERBS))
    if command.verb.startswith(_SECRETS):
        return f"{command.verb[:4]} {MASK}"
    if command.verb in KNOWN or (certain and IAC.encode("latin-1") not in raw):
        return as_text(raw)
    return MASK


def as_text(raw: bytes) -> str:
    """Bytes as text that is safe to show: UTF-8 if it is, and what does not print escaped."""
    try:
        text = raw[: 4 * MAX_SHOWN].decode()
    except UnicodeDecodeError:
        text = raw[:MAX_SHOWN].decode("latin-1")
    return printable(text)


def printable(text: str) -> str:
    """Text without control and formatting characters, and of a bounded length."""
    shown = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
