"""The lines of one side of a control connection, read as closely as the settings ask for.

At most times only what negotiates counts, and most segments are told apart without cutting
them into lines. Beside it USER (for reports) and AUTH (which may turn everything that
follows into TLS) are heard. An attentive reader gets every line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from ftpfw.conntrack.model import Direction
from ftpfw.ftp.lines import MAX_LINE, Line, LineReader, TooLong
from ftpfw.ftp.negotiation import (
    Negotiation,
    ReplyReader,
    Unusable,
    command_rewrite_start,
    parse_command,
)
from ftpfw.ftp.verbs import Command, parse_command_line

_COMMANDS = re.compile(rb"PORT|EPRT|USER|AUTH", re.IGNORECASE)
_REPLIES = re.compile(rb"22[79]|\d-")
"""What a segment of whole lines must hold to matter: the second also opens long replies."""

_HEARD = frozenset({"USER", "AUTH"})


@dataclass(frozen=True, slots=True)
class Said:
    """One line, as far as it is understood.

    ``command`` is what the client says. ``ended`` is the code of the server's reply that the
    line ends, ``continues``: the reply began on an earlier line.
    """

    line: Line
    meaning: Negotiation | Unusable | None = None
    command: Command | None = None
    ended: int | None = None
    continues: bool = False


Heard: TypeAlias = Said | TooLong


class Conversation:
    """The lines of one side, and what they negotiate."""

    def __init__(self, direction: Direction) -> None:
        self._replies = ReplyReader() if direction is Direction.REPLY else None
        self._lines = LineReader()
        self._telling = _COMMANDS if self._replies is None else _REPLIES

    def says_nothing(self, data: bytes) -> bool:
        """Whether ``data``, the next bytes, are whole lines that negotiate nothing.

        Sound, not complete: most segments of a session are told apart without reading
        their lines. False in the middle of a line or of a reply of several lines.
        """
        return (
            data.endswith(b"\n")
            and len(data) < MAX_LINE
            and not self._telling.search(data)
            and not self._lines.partial
            and not self._lines.skipping
            and not (self._replies is not None and self._replies.inside)
        )

    def feed(self, data: bytes, *, attentive: bool) -> list[Heard]:
        """Take bytes in order; tell of the lines that they complete.

        Of all of them if ``attentive``, else of those that matter.
        """
        read = self._read_command if self._replies is None else self._read_reply
        heard = (
            item if isinstance(item, TooLong) else read(item, attentive=attentive)
            for item in self._lines.feed(data)
        )
        return [one for one in heard if one is not None]

    def hold(self) -> int | None:
        """The offset of the first byte of an incomplete line that a rewrite may replace."""
        partial = self._lines.partial
        if not partial:
            return None
        replies = self._replies
        at = command_rewrite_start(partial) if replies is None else replies.rewrite_start(partial)
        return None if at is None else self._lines.partial_offset + at

    def restart(self, offset: int) -> None:
        """Go on at ``offset`` after missed bytes, as if a line began there."""
        self._lines.restart(offset)
        if self._replies is not None:
            self._replies.restart()

    def _read_command(self, line: Line, *, attentive: bool) -> Said | None:
        meaning = parse_command(line)
        if meaning is not None and not attentive:
            return Said(line, meaning)
        command = parse_command_line(line.text)
        return Said(line, meaning, command) if attentive or command.verb in _HEARD else None

    def _read_reply(self, line: Line, *, attentive: bool) -> Said | None:
        assert self._replies is not None
        continues = self._replies.inside
        meaning = self._replies.feed(line)
        if meaning is None and not attentive:
            return None
        return Said(line, meaning, ended=self._replies.ended, continues=continues)
