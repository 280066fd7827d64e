"""TCP between two hosts as packets with times, and captures of them in every link type."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback
from scapy.packet import Packet
from scapy.utils import RawPcapNgWriter, RawPcapWriter

from ftpfw.capture.report import Report
from ftpfw.capture.story import Story

CLIENT, SERVER = "10.0.0.1", "192.0.2.1"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::21"
START = 1_700_000_000.0
TICK = 1 / 1024
"""Seconds between packets: times are exact in binary."""

RAW = 101

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
LINK_TYPES: dict[str, tuple[int, Packet | None]] = {
    "ethernet": (1, ETHER),
    "802.1Q": (1, ETHER / Dot1Q(vlan=7)),
    "QinQ": (1, ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=8)),
    "SLL": (113, CookedLinux()),
    "SLL2": (276, CookedLinuxV2()),
    "SLL2 with VLAN": (276, CookedLinuxV2() / Dot1Q(vlan=7)),
    "null": (0, Loopback()),
    "raw": (RAW, None),
    "raw of BSD": (12, None),
    "raw of OpenBSD": (14, None),
}


class Wire:
    """A TCP connection; each call of its methods is a packet or more."""

    def __init__(self, traffic: Traffic, src: str, sport: int, dst: str, dport: int) -> None:
        self.traffic = traffic
        self._ends = ((src, sport), (dst, dport))
        self._seq = [1000, 5000]

    def open(self) -> Wire:
        self._send(0, "S", b"")
        self._send(1, "SA", b"")
        self._send(0, "A", b"")
        return self

    def say(self, line: bytes, *, mss: int = 1460) -> Wire:
        """The opener sends."""
        return self._say(0, line, mss)

    def hear(self, line: bytes, *, mss: int = 1460) -> Wire:
        """The opener is sent."""
        return self._say(1, line, mss)

    def close(self) -> Wire:
        self._send(0, "FA", b"")
        self._send(1, "FA", b"")
        self._send(0, "A", b"")
        return self

    def _say(self, who: int, data: bytes, mss: int) -> Wire:
        for start in range(0, len(data), mss):
            self._send(who, "PA", data[start : start + mss])
        self._send(1 - who, "A", b"")
        return self

    def _send(self, who: int, flags: str, data: bytes) -> None:
        (src, sport), (dst, dport) = self._ends[who], self._ends[1 - who]
        ip = IP if ip_address(src).version == 4 else IPv6
        seq, ack = self._seq[who], self._seq[1 - who] if "A" in flags else 0
        tcp = TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags)
        self.traffic.add(bytes(ip(src=src, dst=dst) / tcp / data))
        self._seq[who] += len(data) + ("S" in flags or "F" in flags)


class Traffic:
    """Packets in the order in which they pass."""

    def __init__(self) -> None:
        self.now = START
        self.packets: list[tuple[float, bytes]] = []

    def add(self, packet: bytes) -> None:
        self.now += TICK
        self.packets.append((self.now, packet))

    def wire(self, src: str, sport: int, dst: str, dport: int) -> Wire:
        return Wire(self, src, sport, dst, dport)

    def control(self, client: str = CLIENT, server: str = SERVER, port: int = 21) -> Wire:
        wire = self.wire(client, 40000, server, port).open()
        wire.hear(b"220 hello\r\n").say(b"USER ftp\r\n").hear(b"331 who\r\n")
        return wire.say(b"PASS secret\r\n").hear(b"230 in\r\n")


def report_of(
    packets: Iterable[tuple[float, bytes]], *, ports: tuple[int, ...] = (21,), lines: int = 0
) -> Report:
    """The story of raw IP packets."""
    story = Story(frozenset(ports), lines)
    for time, packet in packets:
        story.feed(time, RAW, packet)
    return story.report()


def framed(packet: bytes, layers: Packet | None) -> bytes:
    """A packet behind link layers, as scapy builds them."""
    if layers is None:
        return packet
    ip = IP(packet) if packet[0] >> 4 == 4 else IPv6(packet)
    return bytes(layers / ip)


def write(path: Path, traffic: Traffic, kind: str, *, ng: bool = False, gz: bool = False) -> Path:
    """Write a capture with scapy."""
    link_type, layers = LINK_TYPES[kind]
    writer = RawPcapNgWriter(str(path)) if ng else RawPcapWriter(str(path), gz=gz)
    writer.linktype = link_type
    writer.write_header(b"")
    for time, packet in traffic.packets:
        microseconds = None if ng else round(time % 1 * 1e6)
        second = time if ng else int(time)
        writer._write_packet(framed(packet, layers), link_type, second, microseconds)
    writer.close()
    return path
