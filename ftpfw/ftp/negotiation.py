"""Negotiations: the lines of a control connection that announce a data connection.

    client   PORT host-port, EPRT host-port           RFC 959 4.1.2, RFC 2428 2
    server   227 … host-port …, 229 … (|||port|) …    RFC 1123 4.1.2.6, RFC 2428 3

``parse_command`` and ``ReplyReader`` take whole lines. A rewrite replaces only the
span that a ``Negotiation`` names; ``command_rewrite_start`` and
``ReplyReader.rewrite_start`` tell of a line that is still incomplete which of its
bytes can leave before the rest is known.

A line that should announce an endpoint and does not is ``Unusable``: told, never guessed at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ftpfw.ftp.hostport import (
    BLANKS,
    NO_HOST_PORT,
    HostPort,
    HostPortError,
    find_227,
    find_229,
    format_eprt,
    format_port,
    parse_eprt,
    parse_port,
)
from ftpfw.ftp.lines import Line
from ftpfw.ftp.verbs import TELNET


class Kind(Enum):
    """How a data connection is announced; the value is the verb or the reply code."""

    PORT = b"PORT"
    EPRT = b"EPRT"
    PASV = b"227"
    EPSV = b"229"


@dataclass(frozen=True, slots=True)
class Negotiation:
    """An announced endpoint, and the span [start, end) of ``line.data`` that a rewrite replaces.

    The span is the numbers of PORT and 227, the argument of EPRT (``delimiter``
    is its own, empty for the others) and the port's digits in 229.
    """

    kind: Kind
    endpoint: HostPort
    line: Line
    start: int
    end: int
    delimiter: bytes = b""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A PORT, EPRT, 227 or 229 that cannot be understood; ``reason`` as in HostPortError."""

    kind: Kind
    line: Line
    reason: str


_COMMAND = re.compile(TELNET + rb"(PORT|EPRT)(?![^ \t])[ \t]*(.*)", re.DOTALL | re.IGNORECASE)
_COMMAND_START = re.compile(
    TELNET + rb"(?:PORT[ \t]+(?=\d)|EPRT[ \t]+(?=[!-~]))", re.DOTALL | re.IGNORECASE
)

# RFC 959 4.2: a hyphen after the code opens a reply of several lines, a space ends it.
# A code with nothing after it is a whole reply too.
_REPLY = re.compile(TELNET + rb"(\d{3})([ -]|\Z)", re.DOTALL)
_REPLY_START = re.compile(TELNET + rb"(\d{3})[ -]", re.DOTALL)
_DIGIT = re.compile(rb"\d")

_ANNOUNCING = {Kind.PASV.value: Kind.PASV, Kind.EPSV.value: Kind.EPSV}


def parse_command(line: Line) -> Negotiation | Unusable | None:
    """Read a line from the client; None unless it is PORT or EPRT."""
    command = _COMMAND.match(line.text)
    if not command:
        return None
    kind = Kind(command[1].upper())
    argument = command[2].rstrip(BLANKS)
    start = command.start(2)
    try:
        if kind is Kind.PORT:
            endpoint, delimiter = parse_port(argument), b""
        else:
            eprt = parse_eprt(argument)
            endpoint, delimiter = eprt.endpoint, eprt.delimiter
    except HostPortError as error:
        return Unusable(kind, line, error.reason)
    return Negotiation(kind, endpoint, line, start, start + len(argument), delimiter)


def command_rewrite_start(partial: bytes) -> int | None:
    """Where a rewrite could begin in a line from the client that is incomplete.

    None: nothing that has come so far would be replaced, so all of it can leave.
    """
    start = _COMMAND_START.match(partial)
    return start.end() if start else None


class ReplyReader:
    """Reads the server's lines and knows which belong to a reply of several lines.

    Text inside such a reply is never mistaken for another reply. In a 227 or
    229 of several lines the endpoint may stand on any of them; the first counts.
    """

    __slots__ = ("_code", "_reason", "_sought", "ended")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Take the next line as the first of a reply."""
        self._code = b""
        self._sought: Kind | None = None
        self._reason = NO_HOST_PORT
        self.ended: int | None = None
        """The code of the reply that the last line has ended; None if it has ended none."""

    @property
    def inside(self) -> bool:
        """Whether a reply of several lines is open."""
        return bool(self._code)

    def feed(self, line: Line) -> Negotiation | Unusable | None:
        """Take the next line; None unless it announces an endpoint or should have."""
        text = line.text
        coded = _REPLY.match(text)
        self.ended = None
        if not self._code:
            if not coded:
                return None
            self._code = coded[1]
            self._sought = _ANNOUNCING.get(coded[1])
        elif coded and coded[1] != self._code:
            coded = None
        found = self._search(line, text, coded.end() if coded else 0)
        if coded and coded[2] != b"-":
            unusable = self._finish(line)
            self.ended = int(coded[1])
            return found or unusable
        return found

    def rewrite_start(self, partial: bytes) -> int | None:
        """Where a rewrite could begin in the next line, which is incomplete.

        None: nothing that has come so far would be replaced, so all of it can leave.
        """
        coded = _REPLY_START.match(partial)
        if self._code:
            if not self._sought:
                return None
            text = coded.end() if coded and coded[1] == self._code else 0
        elif coded and coded[1] in _ANNOUNCING:
            text = coded.end()
        else:
            return None
        digit = _DIGIT.search(partial, text)
        return digit.start() if digit else None

    def _search(self, line: Line, text: bytes, start: int) -> Negotiation | None:
        """Look for the endpoint from ``start`` on, if this reply still owes one."""
        kind = self._sought
        if not kind:
            return None
        find = find_227 if kind is Kind.PASV else find_229
        try:
            endpoint, first, last = find(text[start:])
        except HostPortError as error:
            if error.reason != NO_HOST_PORT:
                self._reason = error.reason
            return None
        self._sought = None
        return Negotiation(kind, endpoint, line, start + first, start + last)

    def _finish(self, line: Line) -> Unusable | None:
        """End the reply; tell if it owed an endpoint."""
        kind, reason = self._sought, self._reason
        self.restart()
        return Unusable(kind, line, reason) if kind else None


def replacement(negotiation: Negotiation, endpoint: HostPort) -> bytes:
    """The bytes that announce ``endpoint`` in place of ``line.data[start:end]``.

    EPRT keeps its delimiter unless the new endpoint contains it. ValueError if the line
    cannot carry the endpoint: PORT and 227 are IPv4 only.
    """
    match negotiation.kind:
        case Kind.PORT | Kind.PASV:
            return format_port(endpoint)
        case Kind.EPSV:
            return b"%d" % endpoint.port
        case Kind.EPRT:
            try:
                return format_eprt(endpoint, negotiation.delimiter)
            except ValueError:
                return format_eprt(endpoint)
