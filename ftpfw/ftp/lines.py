"""Lines of the control connection, cut from a byte stream that arrives in any pieces.

RFC 959 4.1.3 ends a line with CRLF; a bare LF is taken as well, because servers take it.
A lone CR ends nothing. A line longer than the reader's bound is reported and its
bytes are dropped, so that a peer cannot make the firewall keep what it never ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 4096
"""Bytes of the longest line that is read, its terminator included."""


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line: its raw bytes, terminator included, and where they stand in the stream."""

    offset: int
    data: bytes

    @property
    def text(self) -> bytes:
        """The line without its terminator."""
        return self.data[: -2 if self.data.endswith(b"\r\n") else -1]


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that passed the bound; reported once, when it did."""

    offset: int


class LineReader:
    """Cuts one direction of a control connection into lines.

    The events do not depend on how the stream is split over the calls of ``feed``.
    """

    __slots__ = ("_max_line", "partial", "partial_offset", "skipping")

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self.partial = b""
        """The line that has no terminator yet; empty while skipping."""
        self.partial_offset = 0
        """Stream offset of the first byte of ``partial``, or of the next byte to be fed."""
        self.skipping = False
        """Whether the next bytes belong to a line that was reported as too long."""

    def feed(self, data: bytes) -> list[Line | TooLong]:
        """Take the next bytes of the stream; return the lines that they complete."""
        events: list[Line | TooLong] = []
        if self.partial:
            data = self.partial + data
        offset = self.partial_offset
        start = 0
        while end := data.find(b"\n", start) + 1:
            if self.skipping:
                self.skipping = False
            elif end - start > self._max_line:
                events.append(TooLong(offset + start))
            else:
                events.append(Line(offset + start, data[start:end]))
            start = end
        self._keep(data[start:], offset + start, events)
        return events

    def restart(self, offset: int | None = None) -> None:
        """Drop the partial line; the next byte, at ``offset`` if given, starts a line."""
        self.partial_offset += len(self.partial)
        if offset is not None:
            self.partial_offset = offset
        self.partial = b""
        self.skipping = False

    def _keep(self, rest: bytes, offset: int, events: list[Line | TooLong]) -> None:
        """Keep what follows the last terminator, unless it is too long already."""
        if not self.skipping and len(rest) > self._max_line:
            events.append(TooLong(offset))
            self.skipping = True
        self.partial = b"" if self.skipping else rest
        self.partial_offset = offset + len(rest) if self.skipping else offset
