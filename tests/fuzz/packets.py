"""Packets for the engine's targets, and a second opinion on those that it makes."""

from __future__ import annotations

import struct

from ftpfw.conntrack.model import Tuple
from ftpfw.tcp.segment import parse_segment

IPPROTO_TCP = 6


def build(tuple_: Tuple, seq: int, ack: int, flags: int, payload: bytes) -> bytes:
    """A packet of that tuple; its checksums are right."""
    ports = struct.pack("!HH", tuple_.sport, tuple_.dport)
    tcp = ports + struct.pack("!IIBBHHH", seq, ack, 5 << 4, flags, 4096, 0, 0) + payload
    total = sum_of(_pseudo_header(tuple_.src, tuple_.dst, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", ~total & 0xFFFF) + tcp[18:]
    return _ip_header(tuple_.src, tuple_.dst, len(tcp)) + tcp


def require_sound(packet: bytes) -> None:
    """A packet whose lengths and checksums a receiver would accept."""
    segment = parse_segment(packet)
    assert segment.end == len(packet), "the IP length is not the packet's"
    if len(segment.src) == 4:
        header = packet[: (packet[0] & 0x0F) * 4]
        assert sum_of(header) == 0xFFFF, "IPv4 header checksum"
    tcp = packet[segment.tcp_offset :]
    pseudo = _pseudo_header(segment.src, segment.dst, len(tcp))
    assert sum_of(pseudo + tcp) == 0xFFFF, "TCP checksum"


def sum_of(data: bytes) -> int:
    """The one's complement sum of RFC 1071 4.1, not complemented."""
    padded = data + b"\0" * (len(data) & 1)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _pseudo_header(src: bytes, dst: bytes, length: int) -> bytes:
    """RFC 9293 3.1, RFC 8200 8.1."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, IPPROTO_TCP, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, IPPROTO_TCP)


def _ip_header(src: bytes, dst: bytes, length: int) -> bytes:
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, length, IPPROTO_TCP, 64) + src + dst
    head = struct.pack("!BBHIBBH", 0x45, 0, 20 + length, 0, 64, IPPROTO_TCP, 0) + src + dst
    return head[:10] + struct.pack("!H", ~sum_of(head) & 0xFFFF) + head[12:]
