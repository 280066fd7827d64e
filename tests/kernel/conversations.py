"""Random FTP control conversations, and what a right helper makes of each of their lines.

A conversation is a list of exchanges, each of which one side sends and the other
receives before the next begins: some lines, cut into segments wherever the generator likes.
Every line carries what it means: how it is to arrive, and which port of its sender it opens.
A line of a real session says no more than its bytes.

The lines are what clients and servers send (RFC 959, RFC 1123 4.1.2.6, RFC 2428, and the
texts of servers in use), their legal variations, and what is wrong with each in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from random import Random
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


class Side(Enum):
    """Who sends."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class End:
    """One side's address: its own, and the one under which the other side knows it."""

    own: Address
    seen: Address

    @property
    def translated(self) -> bool:
        return self.own != self.seen


@dataclass(frozen=True, slots=True)
class Ends:
    """Both sides of the conversations of one situation."""

    client: End
    server: End

    def of(self, side: Side) -> End:
        return self.client if side is Side.CLIENT else self.server


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a line is to arrive at the other side, and the port that it opens."""

    arrives: bytes
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Whole lines, the last LF included; ``meaning`` is None where nobody knows it."""

    text: bytes
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """Lines that one side sends at once, cut into segments at the offsets ``cuts``."""

    side: Side
    lines: tuple[Line, ...]
    cuts: tuple[int, ...] = ()

    @property
    def data(self) -> bytes:
        return b"".join(line.text for line in self.lines)

    @property
    def segments(self) -> list[bytes]:
        places = [0, *self.cuts, len(self.data)]
        return [self.data[a:b] for a, b in pairwise(places) if a < b]

    def __str__(self) -> str:
        arrow = ">" if self.side is Side.CLIENT else "<"
        return f"{arrow} " + " | ".join(repr(segment)[2:-1] for segment in self.segments)


Conversation: TypeAlias = tuple[Exchange, ...]

Ports: TypeAlias = Iterator[int]
"""Ports to announce, each once, so that no conversation stands in another's way."""


def plain(text: bytes) -> Line:
    """A line that is to arrive as it is and opens nothing."""
    return Line(text, Meaning(text))


def as_before(*texts: bytes) -> Conversation:
    """Whole lines that open nothing, from the client and the server in turn."""
    sides = (Side.SERVER, Side.CLIENT)
    return tuple(Exchange(sides[n % 2], (plain(text),)) for n, text in enumerate(texts))


LOGIN = as_before(
    b"220 ready\r\n", b"USER ftp\r\n", b"331 password\r\n", b"PASS x@\r\n", b"230 in\r\n"
)

CLIENT_SMALL_TALK = (
    b"NOOP\r\n",
    b"SYST\r\n",
    b"TYPE I\r\n",
    b"PASV\r\n",
    b"EPSV\r\n",
    b"EPSV ALL\r\n",
    b"epsv 1\r\n",
    b"STOR PORT 1,2,3,4,5,6\r\n",
    b"SITE PORT 10,77,1,10,4,1\r\n",
    b"RETR 227 (1,2,3,4,5,6)\r\n",
    b"CWD /pub/\xc3\xa9t\xc3\xa9\r\n",
    b"\xff\xf4\xf2ABOR\r\n",
    b"FEAT\n",
    b"POR\r\n",
    b"\r\n",
    b"LPRT 4,4,10,77,1,10,2,4,1\r\n",
)

SERVER_SMALL_TALK = (
    b"200 ok\r\n",
    b"150 Opening BINARY mode data connection (1234 bytes)\r\n",
    b"226 done\r\n",
    b"500 PORT not understood\r\n",
    b'257 "/pub/1,2,3,4,5,6"\r\n',
    b"211-Features:\r\n MDTM\r\n REST STREAM\r\n211 End\r\n",
    b"230-Welcome\r\n230-to host 10,77,1,10,4,1\r\n230 in\r\n",
    b"200 227 and 229 are codes\r\n",
    b"331\r\n",
    b"220 ok\n",
)

TEXTS_227 = (
    b"227 Entering Passive Mode (%s)",  # vsftpd, ProFTPD, wu-ftpd
    b"227 Entering Passive Mode (%s).",  # vsftpd 3
    b"227 Entering Passive Mode. %s",
    b"227 Entering Passive Mode %s",
    b"227 =%s",  # anonftpd
    b"227 Passive mode OK (%s)",
    b"227 %s",
    b"227  OK (%s) at your service",
)

MORE_TEXTS_227 = (
    b"227 Entering Passive Mode, host2 (%s)",
    b"227 ftp3.example says (%s)",
    b"227-Entering\r\n227 Passive Mode (%s)",
    b"227-Entering Passive Mode (%s)\r\n227 as said",
    b"227-Entering Passive Mode\r\n here: %s\r\n227 done",
)

TEXTS_229 = (
    b"229 Entering Extended Passive Mode (%s)",
    b"229 Entering Extended Passive Mode (%s).",
    b"229 Extended Passive mode OK (%s)",
    b"229 (%s)",
)

MORE_TEXTS_229 = (
    b"229 Extended (EPSV) mode (%s)",
    b"229-Entering\r\n229 Extended Passive Mode (%s)",
    b"229-Entering (%s)\r\n229 as said",
)

NOT_227 = (
    b"227 Logout.\r\n",
    b"227\r\n",
    b"227 \r\n",
    b"227 ask 10,77,1\r\n",
    b"227 (10,77,1,10,4)\r\n",
    b"2270 (10,77,1,10,4,1)\r\n",
    b"214-Replies:\r\n227 Entering Passive Mode (192,0,2,10,4,1)\r\n214 end\r\n",
    b"227 (10,77,1,10,4,1,1)\r\n",
)

NOT_229 = (
    b"229 Extended\r\n",
    b"229\r\n",
    b"229 (||||)\r\n",
    b"229 (|1|10.77.1.10|1025|)\r\n",
    b"229 (| | |1025|)\r\n",
    b"229 (1111025 1)\r\n",
    b"229 |||1025|\r\n",
    b"229 (|||1025|\r\n",
    b"214-Replies:\r\n229 Extended (|||1025|)\r\n214 end\r\n",
)

NOT_PORT = (
    b"PORT\r\n",
    b"PORT \r\n",
    b"PORTS 10,77,1,10,4,1\r\n",
    b"PORT10,77,1,10,4,1\r\n",
    b"PORT 10,77,1,10,4\r\n",
    b"PORT 10,77,1,10,4,1,1\r\n",
    b"PORT 10.77.1.10,4,1\r\n",
    b"PORT 10,,1,10,4,1\r\n",
    b"PORT -10,77,1,10,4,1\r\n",
    b"PORT ten,77,1,10,4,1\r\n",
    b"PORT 10,77,1,10,4,1 now\r\n",
    b"PORT 10, 77, 1, 10, 4, 1\r\n",
    b"PORT (10,77,1,10,4,1)\r\n",
    b"EPRT\r\n",
    b"EPRT |\r\n",
    b"EPRT |1|10.77.1.10|\r\n",
    b"EPRT |1|10.77.1.10|x|\r\n",
    b"EPRT |3|10.77.1.10|1025|\r\n",
    b"EPRT |1|10.77.1|1025|\r\n",
    b"EPRT 1|10.77.1.10|1025|\r\n",
    b"EPRT |2|fe80::1%eth0|1025|\r\n",
    b"EPRT |2|:::|1025|\r\n",
    b"EPRT |1|010.77.1.10|1025|\r\n",
    b"EPRT 21210.77.1.10210252\r\n",
)


def conversation(random: Random, ends: Ends, ports: Ports) -> Conversation:
    """A random conversation, most often after a login; the sides take turns.

    They do because a rewrite waits for the acknowledgement of the one before it, and
    that is read only from segments with data: an answer, in a real session.
    """
    talk = list(LOGIN) if random.random() < 0.9 else [*as_before(b"220 ready\r\n")]
    for _ in range(random.randint(1, 3)):
        talk += (_exchange(random, side, ends, ports) for side in (Side.CLIENT, Side.SERVER))
    return tuple(talk)


def _exchange(random: Random, side: Side, ends: Ends, ports: Ports) -> Exchange:
    count = random.choices((1, 2, 3), (40, 2, 1))[0]
    lines = tuple(_line(random, side, ends, ports) for _ in range(count))
    whole = Exchange(side, lines)
    if random.random() < 0.92 or (count > 1 and ends.of(side).translated):
        return whole
    if random.random() < 0.2:
        return replace(whole, cuts=tuple(range(1, len(whole.data))))
    cuts = random.sample(range(1, len(whole.data)), min(len(whole.data) - 1, random.randint(1, 3)))
    return replace(whole, cuts=tuple(sorted(cuts)))


Maker: TypeAlias = Callable[[Random, End, int], Line]


def _line(random: Random, side: Side, ends: Ends, ports: Ports) -> Line:
    end = ends.of(side)
    makers = (COMMANDS if side is Side.CLIENT else REPLIES)[end.own.version]
    return random.choices(list(makers), list(makers.values()))[0](random, end, next(ports))


def _small_command(random: Random, _end: End, _port: int) -> Line:
    return plain(random.choice(CLIENT_SMALL_TALK))


def _small_reply(random: Random, _end: End, _port: int) -> Line:
    return plain(random.choice(SERVER_SMALL_TALK))


def _bad_command(random: Random, _end: End, _port: int) -> Line:
    return plain(random.choice(NOT_PORT))


def _bad_reply(random: Random, _end: End, _port: int) -> Line:
    return plain(random.choice(NOT_227 + NOT_229))


def _port(random: Random, end: End, port: int) -> Line:
    """PORT with six numbers that may be out of range, or of somebody else."""
    address = _announced(random, end, IPv4Address("10.77.1.99"))
    numbers, sound = _numbers(random, address, port)
    before = _telnet(random) + _cased(random, b"PORT") + _blanks(random)
    after = random.choices((b"", b" "), (40, 1))[0] + _end_of_line(random)
    said = _Said(before, _spelled(random, numbers), after)
    return said.by(end, address, port if sound else None)


def _eprt(random: Random, end: End, port: int) -> Line:
    """EPRT with any delimiter, an address in some spelling, a port that may be out of range."""
    other = IPv6Address("fd77:1::10") if end.own.version == 4 else IPv4Address("10.77.1.10")
    foreign = IPv4Address("10.77.1.99") if end.own.version == 4 else IPv6Address("fd77:1::99")
    address = _announced(random, end, random.choice((foreign, other)))
    port, sound = _maybe_bad_port(random, port)
    delimiter = random.choices((b"|", bytes([random.choice(DELIMITERS)])), (10, 1))[0]
    digits = _padded(random, port)
    argument = delimiter.join(
        (
            b"",
            b"1" if address.version == 4 else b"2",
            _spelled_address(random, address),
            digits,
            b"",
        )
    )
    before = _telnet(random) + _cased(random, b"EPRT") + _blanks(random)
    text = before + argument + _end_of_line(random)
    readable = argument.count(delimiter) == 4
    if not (sound and readable and address in (end.own, end.seen)):
        return plain(text)
    arrives = text
    if address != end.seen:
        told = (b"", argument[1:2], str(end.seen).encode(), b"%d" % port, b"")
        kept = delimiter if delimiter not in b"".join(told) else b"|"
        arrives = text.replace(argument, kept.join(told), 1)
    return Line(text, Meaning(arrives, port))


def _reply_227(random: Random, end: End, port: int) -> Line:
    address = _announced(random, end, IPv4Address("203.0.113.9"))
    numbers, sound = _numbers(random, address, port)
    form = random.choice(TEXTS_227 if random.random() < 0.9 else MORE_TEXTS_227)
    before, after = form.split(b"%s")
    said = _Said(before, _spelled(random, numbers), after + _end_of_line(random))
    return said.by(end, address, port if sound else None)


def _reply_229(random: Random, _end: End, port: int) -> Line:
    port, sound = _maybe_bad_port(random, port)
    form = random.choice(TEXTS_229 if random.random() < 0.9 else MORE_TEXTS_229)
    delimiter = random.choices((b"|", bytes([random.choice(DELIMITERS)])), (10, 1))[0]
    argument = delimiter * 3 + _padded(random, port) + delimiter
    text = form.replace(b"%s", argument) + _end_of_line(random)
    return Line(text, Meaning(text, port if sound else None))


COMMANDS: dict[int, dict[Maker, int]] = {
    4: {_small_command: 16, _port: 24, _eprt: 24, _bad_command: 1},
    6: {_small_command: 16, _port: 1, _eprt: 48, _bad_command: 1},
}
REPLIES: dict[int, dict[Maker, int]] = {
    4: {_small_reply: 16, _reply_227: 24, _reply_229: 24, _bad_reply: 1},
    6: {_small_reply: 16, _reply_227: 1, _reply_229: 48, _bad_reply: 1},
}
"""What is said over IPv4 and IPv6, and how often."""

DELIMITERS = b"!\"#$%&'*+,-./;<=>?@^_`{}~aAzZ"


@dataclass(frozen=True, slots=True)
class _Said:
    """A line around its six numbers."""

    before: bytes
    numbers: list[bytes]
    after: bytes

    def by(self, end: End, address: Address, port: int | None) -> Line:
        """The line as ``end`` says it; it opens ``port`` if the address is the sender's."""
        text = self.before + b",".join(self.numbers) + self.after
        if port is None or address not in (end.own, end.seen):
            return plain(text)
        if address == end.seen:
            return Line(text, Meaning(text, port))
        told = [b"%d" % n for n in (*end.seen.packed, port >> 8, port & 255)]
        return Line(text, Meaning(self.before + b",".join(told) + self.after, port))


def _announced(random: Random, end: End, foreign: Address) -> Address:
    """The sender's own address, most often."""
    return random.choices((end.own, end.seen, foreign), (30, 2, 1))[0]


def _numbers(random: Random, address: Address, port: int) -> tuple[list[int], bool]:
    """The six numbers, and whether they are in range and of this family."""
    packed = address.packed[:4]
    numbers = [*packed, port >> 8, port & 255]
    odd = random.random()
    if odd < 0.02:
        numbers[random.randrange(6)] += 256
    elif odd < 0.04:
        numbers[4:] = 0, 0
    return numbers, odd >= 0.04 and address.version == 4


def _maybe_bad_port(random: Random, port: int) -> tuple[int, bool]:
    odd = random.random()
    if odd < 0.02:
        return port + 65536, False
    return (0, False) if odd < 0.04 else (port, True)


def _spelled(random: Random, numbers: list[int]) -> list[bytes]:
    return [_padded(random, number) for number in numbers]


def _padded(random: Random, number: int) -> bytes:
    """A number, now and then with leading zeros."""
    zeros = random.choices((0, 1, 2, 7), (100, 1, 1, 1))[0]
    return b"0" * zeros + b"%d" % number


def _spelled_address(random: Random, address: Address) -> bytes:
    if isinstance(address, IPv4Address):
        return str(address).encode()
    forms = (str(address), str(address).upper(), address.exploded)
    return random.choices(forms, (6, 1, 1))[0].encode()


def _cased(random: Random, verb: bytes) -> bytes:
    mixed = bytes(random.choice((byte, byte | 0x20)) for byte in verb)
    return random.choices((verb, verb.lower(), mixed), (6, 1, 1))[0]


def _blanks(random: Random) -> bytes:
    return random.choices((b" ", b"  ", b"\t", b" \t "), (50, 1, 1, 1))[0]


def _telnet(random: Random) -> bytes:
    return random.choices((b"", b"\xff\xf4\xf2", b"\xff\xfb\x06"), (50, 1, 1))[0]


def _end_of_line(random: Random) -> bytes:
    return random.choices((b"\r\n", b"\n"), (30, 1))[0]


def smaller(whole: Conversation) -> Iterator[Conversation]:
    """The conversation with a little less: two turns, what is said in one, a line, a cut."""
    for n in range(len(whole)):
        yield whole[:n] + whole[n + 2 :]
    for n, exchange in enumerate(whole):
        lesser = [replace(exchange, lines=(SAID_ALWAYS[exchange.side],), cuts=())]
        lesser += (_without_line(exchange, i) for i in range(len(exchange.lines)))
        lesser += (_without_cut(exchange, i) for i in range(len(exchange.cuts)))
        for less in lesser:
            if less.lines and less != exchange:
                yield (*whole[:n], less, *whole[n + 1 :])


SAID_ALWAYS = {Side.CLIENT: plain(b"NOOP\r\n"), Side.SERVER: plain(b"200 ok\r\n")}


def _without_line(exchange: Exchange, index: int) -> Exchange:
    lines = exchange.lines[:index] + exchange.lines[index + 1 :]
    length = sum(len(line.text) for line in lines)
    return replace(exchange, lines=lines, cuts=tuple(cut for cut in exchange.cuts if cut < length))


def _without_cut(exchange: Exchange, index: int) -> Exchange:
    return replace(exchange, cuts=exchange.cuts[:index] + exchange.cuts[index + 1 :])
