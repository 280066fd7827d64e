"""A gateway whose cables all end here: packets go in by one, and are seen where they come out.

The interfaces have the names of a policy. Behind them is nobody: no stack answers, nothing is
resolved (the interfaces are NOARP), and what is to come next is ours to say.

What the gateway's host itself gets is seen by raw sockets, which are handed what has passed
INPUT. Its TCP would answer with resets, which would end connections: a rule drops those.

There is no waiting. A thread that stays on one processor sends, and on that processor's
backlog packets of all cables stand in one line. So when the answer to a ping that was sent
last is here, all that came of the packets before it is here too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Interface, ip_interface

from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nlmsg import Flag, pack_message
from ftpfw.conntrack.wire_conntrack import CtMessage

from .netns import Namespaces, inside, run
from .probes import HERE, ICMP, ICMPV6, TCP, TTL, UDP, Endpoints, Probe, Sight, build, sight
from .sockets import PATIENCE

GATE_MAC = bytes.fromhex("020000000001")
FAR_MAC = bytes.fromhex("020000000002")
ETHERTYPE = {4: 0x0800, 6: 0x86DD}

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_RCVBUFFORCE, SO_ATTACH_FILTER, SO_DETACH_FILTER = 33, 26, 27
BPF_RET = 6
ROOM = 32 << 20

AT_ONCE = 200
"""Packets of a volley: a processor's backlog takes a thousand (net.core.netdev_max_backlog)."""

GATE_SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.send_redirects=0",
    "net.ipv4.conf.default.send_redirects=0",
)
"""No check of sources but that of the rules, so that forged ones meet them."""

DELIVERED = [
    (family, protocol)
    for family, icmp in ((socket.AF_INET, ICMP), (socket.AF_INET6, ICMPV6))
    for protocol in (TCP, UDP, icmp)
]
IPV6_FLOWINFO = 11

QUIET = "quiet"
NO_RESETS = (
    f"add table inet {QUIET}",
    f"add chain inet {QUIET} output {{ type filter hook output priority -400; }}",
    f"add rule inet {QUIET} output ip ttl != {TTL} tcp flags & rst == rst drop",
    f"add rule inet {QUIET} output ip6 hoplimit != {TTL} tcp flags & rst == rst drop",
)

Packet = tuple[Probe, bytes]

_libc = ctypes.CDLL(None, use_errno=True)


def built(probes: Sequence[Probe]) -> list[Packet]:
    """Probes with their bytes, numbered from 1 on within each volley: 0 would be no number."""
    return [(probe, build(probe, at % AT_ONCE + 1)) for at, probe in enumerate(probes)]


def frame(packet: bytes) -> bytes:
    """A packet on its way to the gateway."""
    return GATE_MAC + FAR_MAC + struct.pack("!H", ETHERTYPE[packet[0] >> 4]) + packet


@contextmanager
def one_processor() -> Iterator[None]:
    """Stay on the processor that this thread is on."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_libc.sched_getcpu()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Wires:
    """A gateway's namespace, and the far ends of its cables."""

    def __init__(
        self, namespaces: Namespaces, addresses: Mapping[str, Sequence[str]], outside: str
    ) -> None:
        """``addresses`` are those of each interface; ``outside`` has the default routes."""
        self.gate = namespaces.create("gate")
        self.far = far = namespaces.create("far")
        run(far, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        run(self.gate, "sysctl", "-qw", *GATE_SYSCTLS)
        for name, own in addresses.items():
            namespaces.link(self.gate, name, far, name)
            run(self.gate, "ip", "link", "set", name, "arp", "off", "address", GATE_MAC.hex(":"))
            namespaces.address(self.gate, name, *own)
        for family in ("-4", "-6"):
            run(self.gate, "ip", family, "route", "add", "default", "dev", outside)
        self._cables = {name: inside(far, partial(_cable, name)) for name in addresses}
        self._here = {version: inside(self.gate, partial(_here, version)) for version in (4, 6)}
        self._local = [inside(self.gate, partial(_delivery, *kind)) for kind in DELIVERED]
        self._conntrack = inside(self.gate, NfSocket.open)
        for rule in NO_RESETS:
            run(self.gate, "nft", *rule.split())
        self._ping = _ping_of(addresses)

    def close(self) -> None:
        for one in (*self._cables.values(), *self._here.values(), *self._local):
            one.close()
        self._conntrack.close()

    def cable(self, name: str) -> socket.socket:
        """What sends frames into an interface."""
        return self._cables[name]

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """Capture nothing meanwhile."""
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RET, 0, 0, 0))
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(nothing))
        for cable in self._cables.values():
            cable.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        try:
            yield
        finally:
            for cable in self._cables.values():
                cable.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def forget(self) -> None:
        """Have conntrack forget every connection, and what was expected of it."""
        flags = Flag.REQUEST | Flag.ACK
        ack = self._conntrack.change(lambda seq: pack_message(CtMessage.DELETE, flags, 0, seq))
        assert not ack.errno, errno.errorcode[ack.errno]

    def play(self, probes: Sequence[Probe]) -> list[Sight | None]:
        """Send all, in this order; how each was seen, if it was."""
        return self.play_built(built(probes))

    def play_built(self, packets: Sequence[Packet]) -> list[Sight | None]:
        """The same with bytes that are there already (see ``built``)."""
        seen: list[Sight | None] = []
        with one_processor():
            for start in range(0, len(packets), AT_ONCE):
                seen += self._volley(packets[start : start + AT_ONCE])
        return seen

    def _volley(self, packets: Sequence[Packet]) -> list[Sight | None]:
        for probe, packet in packets:
            self._send(probe.enter, packet)
        sights = self._gather()
        found: list[Sight | None] = [None] * len(packets)
        for one in sights:
            if one.number:
                assert found[one.number - 1] is None, f"seen twice: {one}"
                found[one.number - 1] = one
        return found

    def _send(self, enter: str, packet: bytes) -> None:
        version = packet[0] >> 4
        if enter == HERE:
            destination = packet[16:20] if version == 4 else packet[24:40]
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            try:
                self._here[version].sendto(packet, (socket.inet_ntop(family, destination), 0))
            except PermissionError:  # EPERM: dropped by a rule in OUTPUT
                return
        else:
            self._cables[enter].send(frame(packet))

    def _gather(self) -> list[Sight]:
        """All that came out until the answer to a ping, on every cable."""
        interface, ends = self._ping
        self._send(interface, build(Probe(interface, "icmp", ends, "echo"), 0))
        sights: list[Sight] = []
        deadline = time.monotonic() + PATIENCE
        while not any(_is_pong(one, interface, ends) for one in sights):
            assert time.monotonic() < deadline, "no answer from the gateway"
            select.select([self._cables[interface]], [], [], PATIENCE)
            sights += _received(interface, self._cables[interface])
        sights += [one for raw in self._local for one in _delivered(raw)]
        for name, cable in self._cables.items():
            sights += _received(name, cable)
            _, lost = struct.unpack("II", cable.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
            assert lost == 0, f"{lost} packets were not captured on {name}"
        return [one for one in sights if not _is_pong(one, interface, ends)]


def _cable(name: str) -> socket.socket:
    cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    cable.bind((name, ETH_P_ALL))
    cable.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    cable.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    cable.setblocking(False)
    return cable


def _here(version: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _delivery(family: socket.AddressFamily, protocol: int) -> socket.socket:
    """What comes to this host; IPv6 headers are not handed on, so their parts are asked for."""
    raw = socket.socket(family, socket.SOCK_RAW, protocol)
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    raw.setblocking(False)
    if family is socket.AF_INET6:
        for option in (IPV6_FLOWINFO, socket.IPV6_RECVPKTINFO, socket.IPV6_RECVHOPLIMIT):
            raw.setsockopt(socket.IPPROTO_IPV6, option, 1)
    return raw


def _delivered(raw: socket.socket) -> Iterator[Sight]:
    while True:
        try:
            packet, ancillary, _, source = raw.recvmsg(2048, 256)
        except BlockingIOError:
            return
        if raw.family is socket.AF_INET6:
            said = {kind: data for _, kind, data in ancillary}
            flow = said.get(IPV6_FLOWINFO, bytes(4))
            head = bytes([0x60, *flow[1:]]) + struct.pack("!HB", len(packet), raw.proto)
            head += said[socket.IPV6_HOPLIMIT][:1] + socket.inet_pton(raw.family, source[0])
            packet = head + said[socket.IPV6_PKTINFO][:16] + packet
        seen = sight(HERE, packet)
        if seen:
            yield seen


def _received(name: str, cable: socket.socket) -> Iterator[Sight]:
    while True:
        try:
            got = cable.recv(2048)
        except BlockingIOError:
            return
        if int.from_bytes(got[12:14], "big") in ETHERTYPE.values():
            seen = sight(name, got[14:])
            if seen:
                yield seen


def _ping_of(addresses: Mapping[str, Sequence[str]]) -> tuple[str, Endpoints]:
    """A ping to an address of the gateway, from a neighbour."""
    for name, own in addresses.items():
        for one in map(ip_interface, own):
            if isinstance(one, IPv4Interface):
                neighbour = one.network.broadcast_address - 1
                return name, Endpoints(neighbour, 0, one.ip, 0)
    raise ValueError("no interface has an IPv4 address")


def _is_pong(one: Sight, interface: str, ends: Endpoints) -> bool:
    return one.interface == interface and one.ends == ends.turned() and one.number is None
