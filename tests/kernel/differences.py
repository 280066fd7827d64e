"""Where ftpfw and nf_conntrack_ftp part, by name and with the reason.

Source: net/netfilter/nf_conntrack_ftp.c, help(), find_pattern(), try_rfc959(), try_eprt(),
try_epsv_response(); net/netfilter/nf_nat_ftp.c. The kernel reads a segment only if it
begins where a line does (`heads`), of that only the first line, and drops it where a verb
or code matches and the rest does not; TCP then repeats it in vain.

What is compared is an exchange at a time, so that what one difference explains does not
hide another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from ftpfw.conntrack.model import Expectation

from .conversations import End, Ends, Exchange


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of an exchange: what arrived, and what was expected from then on.

    ``hung``: the sender repeated it and was not heard.
    """

    arrived: bytes
    expected: tuple[Expectation, ...]
    hung: bool = False


class Effect(Enum):
    """What the kernel does otherwise."""

    HANGS = "the session hangs"
    OVERLOOKS = "opens less"
    OPENS = "opens more"
    RESPELLS = "spells otherwise"
    REWRITES = "says something else"


def effects(kernel: Seen, ours: Seen) -> set[Effect]:
    """How the kernel's view of an exchange differs from ours."""
    if kernel.hung:
        return {Effect.HANGS}
    found = set()
    if set(ours.expected) - set(kernel.expected):
        found.add(Effect.OVERLOOKS)
    if set(kernel.expected) - set(ours.expected):
        found.add(Effect.OPENS)
    if not found and kernel.arrived != ours.arrived:
        same = spelled_plainly(kernel.arrived) == spelled_plainly(ours.arrived)
        found.add(Effect.RESPELLS if same else Effect.REWRITES)
    return found


def fault(exchange: Exchange, ours: Seen) -> str | None:
    """What ftpfw does otherwise than the exchange's lines mean; None if all is right."""
    if ours.hung:
        return "ftpfw: the session hangs"
    meanings = [line.meaning for line in exchange.lines]
    known = [meaning for meaning in meanings if meaning is not None]
    if len(known) < len(meanings):
        return None
    if ours.arrived != b"".join(meaning.arrives for meaning in known):
        return "ftpfw: arrives otherwise than meant"
    meant = [meaning.port for meaning in known]
    opened = {expectation.tuple.dport for expectation in ours.expected}
    # An announcement may take the place of one before it in the same segment.
    if not opened <= set(meant) or meant[-1] not in opened | {None}:
        return f"ftpfw: opens {sorted(opened)}, meant are {meant}"
    return None


@dataclass(frozen=True, slots=True)
class Case:
    """An exchange in its place; ``opening``: it holds its side's first segment."""

    exchange: Exchange
    ends: Ends
    opening: bool

    @property
    def heads(self) -> list[bytes]:
        """The segments that begin where a line does."""
        heads, before = [], b"\n"
        for segment in self.exchange.segments:
            if before.endswith(b"\n"):
                heads.append(segment)
            before = segment
        return heads

    @property
    def lines(self) -> list[bytes]:
        return self.exchange.data.split(b"\n")[:-1]

    @property
    def end(self) -> End:
        """The sender's addresses."""
        return self.ends.of(self.exchange.side)

    @property
    def translated(self) -> bool:
        """Whether nf_nat_ftp has a hand in it: whichever end is translated, it respells."""
        return self.ends.client.translated or self.ends.server.translated


Predicate: TypeAlias = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference by name: what the kernel does, when, and why that is not right."""

    name: str
    effect: Effect
    when: Predicate
    reason: str


def _head(pattern: bytes) -> Predicate:
    """A segment that begins a line matches ``pattern``, without regard to case."""
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return lambda case: any(compiled.match(head) for head in case.heads)


def _line(pattern: bytes) -> Predicate:
    """A line matches ``pattern``, whichever segment it is in."""
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda case: any(compiled.match(line) for line in case.lines)


def _both(*conditions: Predicate) -> Predicate:
    return lambda case: all(condition(case) for condition in conditions)


def _cut(case: Case) -> bool:
    return len(case.heads) < len(case.exchange.segments)


def _over_ipv6(case: Case) -> bool:
    return case.end.own.version == 6


def _several(case: Case) -> bool:
    return len(case.lines) > 1


def _translated(case: Case) -> bool:
    return case.translated


def _names_seen(case: Case) -> bool:
    """A line names the sender's address as the other side knows it."""
    seen, said = case.end.seen, spelled_plainly(case.exchange.data)
    forms = (str(seen).encode(), b",".join(b"%d" % octet for octet in seen.packed))
    return case.end.translated and any(form in said for form in forms)


_EPRT = re.compile(rb"(EPRT[ \t]*)(\S)([^\r\n]*)\2", re.IGNORECASE)


def spelled_plainly(data: bytes) -> bytes:
    """Lines without leading zeros, with | to delimit, and IPv6 addresses as RFC 5952 has them."""
    data = re.sub(rb"\(([^\d\s])\1\1(\d+)\1", rb"(|||\2|", data)
    data = re.sub(rb"(?<![\d.:a-fA-F])0+(?=\d)", b"", data)
    return _EPRT.sub(lambda eprt: eprt[1] + b"|".join(_fields(eprt)), data)


def _fields(eprt: re.Match[bytes]) -> list[bytes]:
    """EPRT's fields, an empty one at each end."""
    fields = [b"", *eprt[3].split(eprt[2]), b""]
    fields[-2] = fields[-2].lstrip(b"0") or b"0"
    return [_canonical(field) if b":" in field else field for field in fields]


def _canonical(address: bytes) -> bytes:
    try:
        return str(ip_address(address.decode())).encode()
    except ValueError:
        return address


def _out_of_range(case: Case) -> bool:
    """A number of six is above 255, or a port is 0 or above 65535."""
    plain = spelled_plainly(case.exchange.data)
    sixes = [run.split(b",") for run in re.findall(rb"\d+(?:,\d+){5}", plain)]
    if any(int(n) > 255 for six in sixes for n in six) or [b"0", b"0"] in [s[4:] for s in sixes]:
        return True
    ports = re.findall(rb"\|(\d+)\|(?=[)\r\n])", plain)
    return any(not 0 < int(port) < 65536 for port in ports)


def _other_family(case: Case) -> bool:
    net_prt = rb"2" if case.end.own.version == 4 else rb"1"
    return _head(rb"EPRT +(\S)" + net_prt + rb"\1")(case)


SIX = rb"\d+(?:,\d+){5}"

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "cut line",
        Effect.HANGS,
        _cut,
        "TCP keeps no boundaries; the kernel drops a first piece that may become a match,"
        " whatever comes behind it",
    ),
    Difference(
        "not the first line of a segment",
        Effect.OVERLOOKS,
        lambda case: _several(case) or _cut(case),
        "commands may be sent ahead (pipelined), and TCP may join them",
    ),
    Difference(
        "first segment of a side",
        Effect.OVERLOOKS,
        lambda case: case.opening,
        "the kernel reads only what follows a line end that it has seen",
    ),
    Difference(
        "Telnet command before the verb",
        Effect.OVERLOOKS,
        _line(rb"[\xf2\xff]"),
        "RFC 959 4.1.3 has them there, and servers skip them",
    ),
    Difference(
        "reply of several lines",
        Effect.OVERLOOKS,
        _line(rb"22[79]-"),
        "RFC 959 4.2 lets any reply have several lines",
    ),
    Difference(
        "address as the other side sees it",
        Effect.OVERLOOKS,
        _names_seen,
        "a side that knows its public address is right about where it listens;"
        " the kernel has the address for foreign",
    ),
    Difference(
        "blanks after the verb",
        Effect.HANGS,
        _head(rb"(?:PORT|EPRT)(?: [ \t]|\t)"),
        "servers take several, and tabs",
    ),
    Difference(
        "blanks behind the numbers", Effect.HANGS, _head(rb"PORT +" + SIX + rb"[ \t]"), "servers do"
    ),
    Difference(
        "command ended by a bare LF",
        Effect.HANGS,
        _head(rb"PORT +" + SIX + rb"\n"),
        "servers take it; the kernel wants a CR behind the numbers",
    ),
    Difference(
        "digits in a 227 ahead of the numbers",
        Effect.HANGS,
        _head(rb"227 [^\d\r\n]*\d+[^\d,]"),
        "host names have digits; the kernel takes the first for the address",
    ),
    Difference(
        "parenthesis in a 229 ahead of the port",
        Effect.HANGS,
        _head(rb"229 [^(]*\([^)]*\)[^(]*\("),
        "the kernel takes the first for that of the port",
    ),
    Difference(
        "no host-port in it",
        Effect.HANGS,
        lambda case: any(not _readable(head) for head in case.heads),
        "the peer, who is asked, can answer; `227 Logout.` is even right",
    ),
    Difference(
        "EPRT of the other family",
        Effect.HANGS,
        _other_family,
        "the server answers 522 (RFC 2428 2), once it gets to see the command",
    ),
    Difference(
        "number out of range", Effect.HANGS, _out_of_range, "the peer, who is asked, can answer"
    ),
    Difference(
        "number out of range wraps",
        Effect.OPENS,
        _out_of_range,
        "the kernel computes modulo 2^16, or offers another port than 0; the peer does not",
    ),
    Difference(
        "announcement that is superseded in its segment",
        Effect.OPENS,
        _several,
        "a control connection may have one unused expectation, and of several lines that"
        " arrive together the kernel reads the first",
    ),
    Difference(
        "verb with more letters",
        Effect.OPENS,
        _head(rb"(?:PORT|EPRT)[^ \t\r\n]"),
        "PORTS is not PORT, and no server opens anything for it",
    ),
    Difference(
        "229 without a closing parenthesis",
        Effect.OPENS,
        _line(rb"229 [^)]*\|\r"),
        "RFC 2428 3 has one; where it is missing, the port may go on in the next segment",
    ),
    Difference(
        "leading zeros in the address of an EPRT",
        Effect.OPENS,
        _line(rb"EPRT .*1.0\d"),
        "RFC 2428 2 has the address in its standard form; some read octal numbers",
    ),
    Difference(
        "line inside another reply",
        Effect.OPENS,
        _line(rb"(?!22[79])\d{3}-"),
        "it is text, not a reply: whoever writes a help text must not open ports",
    ),
    Difference(
        "six numbers over IPv6",
        Effect.OPENS,
        _both(_over_ipv6, _head(rb"(?:PORT|227) [^\r\n]*" + SIX)),
        "the kernel lays them over the first four bytes of the IPv6 address",
    ),
    Difference(
        "six numbers over IPv6 that go nowhere",
        Effect.HANGS,
        _both(_over_ipv6, _head(rb"(?:PORT|227) [^\r\n]*" + SIX)),
        "as before; nf_nat_ftp then has no room for what it would say",
    ),
    Difference(
        "spelling that needs no change",
        Effect.RESPELLS,
        _translated,
        "the kernel respells what it reads, delimiters and leading zeros; ftpfw leaves"
        " alone what it need not change, and keeps the delimiter where it changes",
    ),
)

_HOST_PORT = re.compile(
    rb"PORT +"
    + SIX
    + rb"[ \t]*\r?\n|227 [^\r\n]*?(?<![\d,])"
    + SIX
    + rb"(?![\d,])|229 [^\r\n]*\((.)\1\1\d+\1\)",
    re.IGNORECASE,
)


def _readable(head: bytes) -> bool:
    """Whether a segment announces an endpoint in its first line, or need not."""
    eprt = _EPRT.match(head)
    if eprt:
        return _is_endpoint(_fields(eprt))
    announces = re.match(rb"PORT|EPRT|22[79] ", head, re.IGNORECASE)
    return not announces or bool(_HOST_PORT.match(head))


def _is_endpoint(fields: list[bytes]) -> bool:
    """Whether EPRT's fields are net-prt, address and port."""
    try:
        _, net_prt, address, port, _ = fields
        host = {b"1": IPv4Address, b"2": IPv6Address}[net_prt](address.decode())
        return b"%" not in address and bool(host) and port.isdigit()
    except (ValueError, KeyError):
        return False


def names(case: Case, kernel: Seen, ours: Seen) -> tuple[list[str], set[Effect]]:
    """The differences that apply, and the effects that none of them explains."""
    left = effects(kernel, ours)
    found = [one for one in DIFFERENCES if one.effect in left and one.when(case)]
    return [one.name for one in found], left - {one.effect for one in found}
