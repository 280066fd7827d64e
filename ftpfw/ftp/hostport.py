"""Host-port arguments: where one side asks the other to open the data connection.

    PORT  h1,h2,h3,h4,p1,p2            RFC 959 4.1.2     client, active, IPv4
    EPRT  <d>net-prt<d>addr<d>port<d>  RFC 2428 2        client, active, IPv4 or IPv6
    227   … h1,h2,h3,h4,p1,p2 …        RFC 1123 4.1.2.6  server, passive, IPv4
    229   … (<d><d><d>port<d>) …       RFC 2428 3        server, passive, address omitted

Parsing is strict, because a wrong answer opens a hole in a firewall: octets
stop at 255, port 0 is refused, an address has one spelling of its family and no
scope id, and only blanks may follow the argument of a command. Leading zeros are read
as decimal in PORT and 227 (RFC 959 asks for decimal numbers and gives them no form) and in
ports; refused in the IPv4 address of EPRT, which some would read as octal. What
``format_`` writes, ``parse_`` reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from ftpfw.errors import PeerError

BLANKS: Final = b" \t"
NO_HOST_PORT: Final = "no host-port"

# RFC 959 5.3.2: <host-port> ::= <host-number>,<port-number>
_SIX_NUMBERS = re.compile(rb"\d+(?:,\d+){5}\Z")
# RFC 1123 4.1.2.6: no parentheses can be counted on; who reads the reply has to scan it
# for the first digit of the numbers.
_NUMBER_RUN = re.compile(rb"\d+(?:,\d+)*")
# RFC 2428 3: (<d><d><d><tcp-port><d>). A digit cannot delimit a number: clients that
# read "%c%c%c%u%c" would see another port, and a port that moves could contain it.
_EXTENDED_PORT = re.compile(rb"\(([!-/:-~])\1\1(\d+)\1\)")
# RFC 2428 2: the delimiter is one of the ASCII characters 33 to 126.
_DELIMITER = re.compile(rb"[!-~]")

_HIGHEST_OCTET = 255
_HIGHEST_PORT = 65535
_ECHOED = 80


class HostPortError(PeerError):
    """A host-port argument that cannot be understood; ``reason`` is short and stable."""

    def __init__(self, reason: str, argument: bytes) -> None:
        super().__init__(f"host-port {argument[:_ECHOED]!r} refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HostPort:
    """The endpoint named on the control connection.

    ``host`` is None in a 229 reply: the client reuses the control
    connection's address, so there is none for NAT to rewrite.
    """

    host: IPv4Address | IPv6Address | None
    port: int


@dataclass(frozen=True, slots=True)
class Eprt:
    """What an EPRT argument says, and the one-byte delimiter it says it with."""

    endpoint: HostPort
    delimiter: bytes


def parse_port(argument: bytes) -> HostPort:
    """Read the argument of PORT: six numbers, then at most blanks."""
    numbers = argument.rstrip(BLANKS)
    if not _SIX_NUMBERS.match(numbers):
        raise HostPortError("six numbers wanted", argument)
    return _read_six(numbers)


def format_port(endpoint: HostPort) -> bytes:
    """Write ``h1,h2,h3,h4,p1,p2``; ValueError without an IPv4 address and a port."""
    host, port = endpoint.host, endpoint.port
    if host is None or host.version != 4:
        raise ValueError(f"PORT and 227 carry an IPv4 address, not {host}")
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"no such port: {port}")
    return b"%d,%d,%d,%d,%d,%d" % (*host.packed, *port.to_bytes(2, "big"))


def parse_eprt(argument: bytes) -> Eprt:
    """Read the argument of EPRT: four delimiters around three fields, then at most blanks."""
    trimmed = argument.rstrip(BLANKS)
    delimiter = trimmed[:1]
    if not _DELIMITER.match(delimiter):
        raise HostPortError("no delimiter", argument)
    parts = trimmed.split(delimiter)
    if len(parts) != 5 or parts[4]:
        raise HostPortError("three fields wanted", argument)
    _, net_prt, address, port, _ = parts
    host = _read_address(net_prt, address, argument)
    if not port.isdigit():
        raise HostPortError("malformed port", argument)
    return Eprt(HostPort(host, _read_port(port, argument)), delimiter)


def net_prt(argument: bytes) -> bytes | None:
    """The network protocol that an EPRT argument names, whatever else it says (RFC 2428 2).

    None where it names none. Who does not speak it answers 522.
    """
    fields = argument.split(argument[:1] or None)
    return fields[1] if len(fields) == 5 and fields[1].isdigit() else None


def format_eprt(endpoint: HostPort, delimiter: bytes = b"|") -> bytes:
    """Write ``<d>net-prt<d>addr<d>port<d>``.

    ValueError where ``parse_eprt`` would not read the same back: no address, a
    scope id, no such port, or a delimiter that is not legal or occurs in a field.
    """
    net_prt = b"1" if isinstance(endpoint.host, IPv4Address) else b"2"
    fields = (b"", net_prt, str(endpoint.host).encode(), b"%d" % endpoint.port, b"")
    argument = delimiter.join(fields)
    try:
        readable = parse_eprt(argument) == Eprt(endpoint, delimiter)
    except HostPortError as error:
        raise ValueError(str(error)) from error
    if not readable:
        raise ValueError(f"{delimiter!r} cannot delimit {endpoint}")
    return argument


def find_227(text: bytes) -> tuple[HostPort, int, int]:
    """Find the six numbers in the text of a 227 reply, wherever they stand.

    Returns the endpoint and the span [start, end) of the numbers in ``text``. Shorter runs
    of numbers belong to host names and the like; a longer one could be read in two ways.
    """
    for run in _NUMBER_RUN.finditer(text):
        commas = run[0].count(b",")
        if commas > 5:
            raise HostPortError("more than six numbers", run[0])
        if commas == 5:
            return _read_six(run[0]), run.start(), run.end()
    raise HostPortError(NO_HOST_PORT, text)


def find_229(text: bytes) -> tuple[HostPort, int, int]:
    """Find ``(<d><d><d>port<d>)`` in the text of a 229 reply.

    Returns the endpoint, its host None, and the span [start, end) of the port's digits.
    """
    found = _EXTENDED_PORT.search(text)
    if not found:
        raise HostPortError(NO_HOST_PORT, text)
    return HostPort(None, _read_port(found[2], found[0])), found.start(2), found.end(2)


def _read_six(numbers: bytes) -> HostPort:
    """The endpoint in six comma-separated runs of digits."""
    octets = [_read_decimal(digits) for digits in numbers.split(b",")]
    if max(octets) > _HIGHEST_OCTET:
        raise HostPortError("octet above 255", numbers)
    port = int.from_bytes(octets[4:], "big")
    if port == 0:
        raise HostPortError("port 0", numbers)
    return HostPort(IPv4Address(bytes(octets[:4])), port)


def _read_port(digits: bytes, argument: bytes) -> int:
    port = _read_decimal(digits)
    if port > _HIGHEST_PORT:
        raise HostPortError("port above 65535", argument)
    if port == 0:
        raise HostPortError("port 0", argument)
    return port


def _read_decimal(digits: bytes) -> int:
    """The value of a run of digits, capped: six significant ones are past every limit here."""
    return int(digits.lstrip(b"0")[:6] or b"0")


def _read_address(net_prt: bytes, address: bytes, argument: bytes) -> IPv4Address | IPv6Address:
    if b"%" in address:
        raise HostPortError("scope id", argument)
    try:
        match net_prt:
            case b"1":
                return IPv4Address(address.decode("ascii"))
            case b"2":
                return IPv6Address(address.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        raise HostPortError("malformed address", argument) from None
    raise HostPortError("net-prt neither 1 nor 2", argument)
