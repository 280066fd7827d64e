r"""What is said on a control connection, and what must come back, as lines of an exercise.

    > COMMAND          a command, as one segment with CRLF
    >> TEXT            a segment as it stands: \r and \n are escapes, nothing is added
    >bytes COMMAND     a command with CRLF, one segment a byte
    < REGEX            the next reply (its last line) matches from its beginning
    listen             listen for a data connection: {host_port}, {host}, {port} name the place
    connect            open a data connection to where the last 227 or 229 said
    receive FILE       what comes over the data connection is this file of the exercise
    receives REGEX     … matches
    send FILE          send this file over the data connection
    close data         send nothing, and close the data connection
    no data            nobody opens a data connection, for a short while
    tls                TLS from here on, on the control connection
    close              the control connection is cut, without QUIT

``{name}`` in what is sent stands for: host_port (``h1,h2,h3,h4,p1,p2`` of RFC 959), eprt
(``|1|h|p|`` of RFC 2428), host, port, h1 and rest (the two halves of host_port), padded
(host_port in three digits each). RFC 959 5.3.2 has them decimal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address


class Verb(StrEnum):
    """What a line of a talk does."""

    SAY = ">"
    SEGMENT = ">>"
    BYTES = ">bytes"
    EXPECT = "<"
    LISTEN = "listen"
    CONNECT = "connect"
    RECEIVE = "receive"
    RECEIVES = "receives"
    SEND = "send"
    CLOSE_DATA = "close data"
    NO_DATA = "no data"
    TLS = "tls"
    CLOSE = "close"


WITHOUT_TEXT = {
    Verb.LISTEN,
    Verb.CONNECT,
    Verb.CLOSE_DATA,
    Verb.NO_DATA,
    Verb.TLS,
    Verb.CLOSE,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line, read."""

    verb: Verb
    text: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.text}".rstrip()


def parse_line(text: str) -> Line:
    """A line of a talk; ValueError where it is none."""
    for verb in WITHOUT_TEXT:
        if text == verb:
            return Line(verb)
    word, _, rest = text.partition(" ")
    if word not in set(Verb) or Verb(word) in WITHOUT_TEXT:
        raise ValueError(f"{text!r} does not begin with one of {', '.join(Verb)}")
    if not rest:
        raise ValueError(f"{text!r} says nothing after {word}")
    if Verb(word) in {Verb.EXPECT, Verb.RECEIVES}:
        try:
            re.compile(rest)
        except re.error as error:
            raise ValueError(f"{rest!r} is no regular expression: {error}") from None
    return Line(Verb(word), rest)


def names(host: str, port: int) -> dict[str, str]:
    """What ``{name}`` stands for, of a listening socket's address."""
    family = 2 if ip_address(host).version == 6 else 1
    found = {"host": host, "port": str(port), "eprt": f"|{family}|{host}|{port}|"}
    if family == 1:
        numbers = (*host.split("."), str(port >> 8), str(port & 0xFF))
        found |= {
            "host_port": ",".join(numbers),
            "h1": numbers[0],
            "rest": "," + ",".join(numbers[1:]),
            "padded": ",".join(number.rjust(3, "0") for number in numbers),
        }
    return found


def segments(line: Line, known: dict[str, str]) -> tuple[bytes, ...]:
    """The segments that a line sends."""
    text = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), line.text)
    if line.verb is Verb.SEGMENT:
        return (text.replace(r"\r", "\r").replace(r"\n", "\n").encode(),)
    whole = f"{text}\r\n".encode()
    if line.verb is Verb.BYTES:
        return tuple(whole[at : at + 1] for at in range(len(whole)))
    return (whole,)


_HOST_PORT = re.compile(r"\d+(?:,\d+){5}")
_EXTENDED = re.compile(r"\((.)\1\1(\d+)\1\)")


def announced(reply: str, peer: str) -> tuple[str, int]:
    """Where a 227 or 229 reply says to connect; ``peer`` is what a 229 means.

    ValueError where it says no such thing.
    """
    if reply.startswith("229") and (found := _EXTENDED.search(reply)):
        return peer, int(found[2])
    if reply.startswith("227") and (found := _HOST_PORT.search(reply)):
        *host, high, low = found[0].split(",")
        return ".".join(host), int(high) << 8 | int(low)
    raise ValueError(f"{reply!r} announces no address")
