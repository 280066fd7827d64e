"""Packets to throw at a gateway, and how they look where they come out.

A probe carries its number through NAT: in IPv4's identification, in IPv6's flow label. Its
time to live tells it from what the gateway sends of its own accord.

All sequence numbers are as if both ends had begun at FIRST_SEQ and never said a word, so a
connection can be played segment by segment, each without knowledge of the others.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ftpfw.conntrack.model import Tuple
from ftpfw.tcp.checksum import internet_checksum

Address = IPv4Address | IPv6Address

HERE = "here"
"""Where a probe enters that the gateway's host sends itself."""

TTL = 77
FIRST_SEQ = 1000
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
_PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}

ICMP_TYPES = {
    # word             IPv4      IPv6 (RFC 792, RFC 4443): type and code
    "echo": ((8, 0), (128, 0)),
    "unreachable": ((3, 1), (1, 0)),
    "too-big": ((3, 4), (2, 0)),
}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Source and destination; ports are 0 where there are none."""

    source: Address
    sport: int
    destination: Address
    dport: int

    def turned(self) -> Endpoints:
        return Endpoints(self.destination, self.dport, self.source, self.sport)

    @property
    def tracked(self) -> Tuple:
        """As conntrack has it."""
        return Tuple(self.source.packed, self.sport, self.destination.packed, self.dport)

    def __str__(self) -> str:
        return f"{_endpoint(self.source, self.sport)} > {_endpoint(self.destination, self.dport)}"


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet that enters by an interface.

    ``what`` are TCP's flags, or a word of ICMP_TYPES; ``about`` is the TCP segment that an ICMP
    error quotes.
    """

    enter: str
    protocol: str
    ends: Endpoints
    what: str = ""
    about: Endpoints | None = None

    @property
    def version(self) -> int:
        return self.ends.source.version

    def __str__(self) -> str:
        about = f" about {self.about}" if self.about else ""
        return f"{self.enter} {self.protocol} {self.ends} {self.what}{about}".rstrip()


_ENDPOINT = r"(?:\[([0-9a-f:]+)\]|([0-9.]+|[0-9a-f:]+:[0-9a-f:]*))"
_ENDS = re.compile(rf"{_ENDPOINT}(?::(\d+))? > {_ENDPOINT}(?::(\d+))?")


def parse_ends(text: str) -> Endpoints:
    """``10.0.1.5:40000 > [2001:db8::9]:21``; the ports may be missing."""
    found = _ENDS.fullmatch(text.strip())
    if not found:
        raise ValueError(f"not two endpoints: {text!r}")
    left6, left4, sport, right6, right4, dport = found.groups()
    source, destination = ip_address(left6 or left4), ip_address(right6 or right4)
    return Endpoints(source, int(sport or 0), destination, int(dport or 0))


def parse_probe(text: str) -> Probe:
    """What ``str`` makes of a probe."""
    head, _, about = text.strip().partition(" about ")
    enter, protocol, rest = head.split(maxsplit=2)
    words = rest.split()
    ends, what = parse_ends(" ".join(words[:3])), " ".join(words[3:])
    known = {
        "tcp": set(what) <= set(FLAGS),
        "udp": not what,
        "icmp": what in ICMP_TYPES and (what == "echo") == (not about),
    }
    if not known.get(protocol):
        raise ValueError(f"no such packet: {text!r}")
    return Probe(enter, protocol, ends, what, parse_ends(about) if about else None)


def build(probe: Probe, number: int) -> bytes:
    """The packet's bytes, from its IP header on."""
    match probe.protocol:
        case "tcp":
            payload = _segment(probe.ends, probe.what)
        case "udp":
            header = struct.pack("!HHHH", probe.ends.sport, probe.ends.dport, 8, 0)
            payload = _summed(header, 6, probe.ends, UDP)
        case _:
            payload = _icmp(probe)
    protocol = _PROTOCOLS[probe.protocol]
    if probe.version == 6 and protocol == ICMP:
        protocol = ICMPV6
    return _packet(probe.ends, protocol, payload, number)


def _segment(ends: Endpoints, flags: str) -> bytes:
    bits = sum(FLAGS[flag] for flag in flags)
    seq = FIRST_SEQ + (0 if "S" in flags else 1)
    ack = FIRST_SEQ + 1 if "A" in flags else 0
    header = struct.pack("!HHIIBBHHH", ends.sport, ends.dport, seq, ack, 5 << 4, bits, 64240, 0, 0)
    return _summed(header, 16, ends, TCP)


def _icmp(probe: Probe) -> bytes:
    kind, code = ICMP_TYPES[probe.what][probe.version == 6]
    rest = struct.pack("!HH", 0, 1400 if probe.what == "too-big" else 0)
    quoted = _packet(probe.about, TCP, _segment(probe.about, "A"), 0) if probe.about else b""
    message = struct.pack("!BBH", kind, code, 0) + rest + quoted
    if probe.version == 6:
        if probe.what == "too-big":
            message = message[:4] + struct.pack("!I", 1400) + quoted
        return _summed(message, 2, probe.ends, ICMPV6)
    return message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]


def _summed(payload: bytes, at: int, ends: Endpoints, protocol: int) -> bytes:
    """``payload`` with its checksum, which covers the addresses, at an offset."""
    pseudo = ends.source.packed + ends.destination.packed
    pseudo += struct.pack("!LxxxB", len(payload), protocol)
    total = internet_checksum(payload, int.from_bytes(pseudo, "big"))
    return payload[:at] + struct.pack("!H", total or 0xFFFF) + payload[at + 2 :]


def _packet(ends: Endpoints, protocol: int, payload: bytes, number: int) -> bytes:
    addresses = ends.source.packed + ends.destination.packed
    if ends.source.version == 6:
        head = struct.pack("!IHBB", 6 << 28 | number, len(payload), protocol, TTL)
        return head + addresses + payload
    size = 20 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x45, 0, size, number, 0, TTL, protocol, 0) + addresses
    return head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:] + payload


@dataclass(frozen=True, slots=True)
class Sight:
    """A packet as it was seen: where it left, or HERE; ``number`` is None for no probe."""

    interface: str
    number: int | None
    ends: Endpoints


def sight(interface: str, packet: bytes) -> Sight | None:
    """What a captured IP packet is; None for what is neither TCP, UDP nor ICMP."""
    if packet[0] >> 4 == 4:
        protocol, ttl, size = packet[9], packet[8], 4
        number, start, first = int.from_bytes(packet[4:6], "big"), (packet[0] & 15) * 4, 12
    else:
        protocol, ttl, size = packet[6], packet[7], 16
        number, start, first = int.from_bytes(packet[1:4], "big") & 0xFFFFF, 40, 8
    if protocol not in {TCP, UDP, ICMP, ICMPV6}:
        return None
    sport = dport = 0
    if protocol in {TCP, UDP}:
        sport, dport = struct.unpack_from("!HH", packet, start)
    source, destination = (ip_address(packet[at : at + size]) for at in (first, first + size))
    ends = Endpoints(source, sport, destination, dport)
    return Sight(interface, number if ttl in {TTL, TTL - 1} else None, ends)


def outcome(probe: Probe, seen: Sight | None) -> str:
    """What became of a probe: ``drop``, ``local`` (this host got it), or ``pass`` and as what."""
    if seen is None:
        return "drop"
    words = ["local"] if seen.interface == HERE else ["pass", seen.interface]
    before, after = probe.ends, seen.ends
    for word, old, new in (
        ("from", (before.source, before.sport), (after.source, after.sport)),
        ("to", (before.destination, before.dport), (after.destination, after.dport)),
    ):
        if old != new:
            words += [word, str(new[0]) if old[1] == new[1] else _endpoint(*new)]
    return " ".join(words)


def _endpoint(address: Address, port: int) -> str:
    if not port:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
