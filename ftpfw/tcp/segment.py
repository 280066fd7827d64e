"""A TCP segment as a view over the bytes of an IP packet, and packets with another payload.

RFC 791 (IPv4), RFC 8200 (IPv6 and its extension headers), RFC 9293 (TCP).

Refused: whatever is not one whole TCP segment. Fragments, because conntrack defragments
before the queue; a source route that is not at its end, because the checksum is not
over the address in the header; AH, because a rewrite would break it. Checksums are not
verified: the kernel has done so, and in captures the network card had not yet filled them in.

This is called for each packet: addresses stay raw bytes, flags a plain integer.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from ftpfw.errors import PeerError
from ftpfw.tcp.checksum import internet_checksum, tcp_checksum

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20

_IPV4 = Struct("!BxHxxHxBxx4s4s")  # version and ihl, total length, fragment, protocol, src, dst
_IPV6 = Struct("!xxxxHBx16s16s")  # payload length, next header, src, dst
_TCP = Struct("!HHIIBB")  # sport, dport, seq, ack, data offset, flags
_U16 = Struct("!H")
_U32 = Struct("!I")

_TCP_MINIMUM = 20
_MORE_FRAGMENTS_OR_OFFSET = 0x3FFF  # IP_MF | IP_OFFSET
_LONGEST = 0xFFFF

_IPPROTO_TCP = 6
_IPPROTO_HOPOPTS = 0
_IPPROTO_ROUTING = 43
_IPPROTO_FRAGMENT = 44
_IPPROTO_DSTOPTS = 60
_WALKED = frozenset((_IPPROTO_HOPOPTS, _IPPROTO_ROUTING, _IPPROTO_DSTOPTS))
# RFC 8200 4.1 lists each at most once, destination options twice.
_MAX_EXTENSION_HEADERS = 8


NOT_TCP: Final = "not TCP"


class SegmentError(PeerError):
    """Bytes that are not a whole TCP segment over IP; ``reason`` is short and stable."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"packet refused: {reason}")
        self.reason = reason


class Segment(NamedTuple):
    """What a packet says.

    ``src`` and ``dst`` are 4 or 16 bytes in network order, the numbers host-order integers.
    ``tcp_offset``, ``payload_offset`` and ``end`` are positions in the packet;
    ``end`` is where the IP length ends it.
    """

    src: bytes
    dst: bytes
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    tcp_offset: int
    payload_offset: int
    end: int
    payload: bytes


def parse_segment(packet: bytes) -> Segment:
    """View an IPv4 or IPv6 packet as a TCP segment; bytes past the IP length are ignored."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        src, dst, tcp, end = _parse_ipv4(packet)
    elif version == 6:
        src, dst, tcp, end = _parse_ipv6(packet)
    else:
        raise SegmentError("neither IPv4 nor IPv6")
    if tcp + _TCP_MINIMUM > end:
        raise SegmentError("TCP header cut off")
    sport, dport, seq, ack, data_offset, flags = _TCP.unpack_from(packet, tcp)
    payload = tcp + (data_offset >> 4) * 4
    if not tcp + _TCP_MINIMUM <= payload <= end:
        raise SegmentError("TCP data offset outside the segment")
    return Segment(src, dst, sport, dport, seq, ack, flags, tcp, payload, end, packet[payload:end])


def rebuild(packet: bytes, segment: Segment, payload: bytes, seq: int | None = None) -> bytes:
    """The packet with another payload and, if given, another sequence number.

    Headers and TCP options stay; the IP length and the IPv4 and TCP checksums are computed
    anew. ``segment`` is the view of ``packet``. ValueError if IP cannot carry that length.
    """
    start = segment.tcp_offset
    headers = bytearray(packet[: segment.payload_offset])
    if seq is not None:
        _U32.pack_into(headers, start + 4, seq)
    _set_ip_length(headers, segment, len(headers) + len(payload))
    _U16.pack_into(headers, start + 16, 0)
    checksum = tcp_checksum(segment.src, segment.dst, bytes(headers[start:]) + payload)
    _U16.pack_into(headers, start + 16, checksum)
    return bytes(headers) + payload


def without_fin(packet: bytes, segment: Segment) -> bytes:
    """The packet without its FIN, for a segment that no longer reaches the stream's end.

    The checksum is left as it was: see ``rebuild``.
    """
    changed = bytearray(packet)
    changed[segment.tcp_offset + 13] &= ~FIN
    return bytes(changed)


def _parse_ipv4(packet: bytes) -> tuple[bytes, bytes, int, int]:
    """Source, destination, where TCP starts, where the packet ends."""
    if len(packet) < 20:
        raise SegmentError("IPv4 header cut off")
    version_ihl, end, fragment, protocol, src, dst = _IPV4.unpack_from(packet)
    header = (version_ihl & 0x0F) * 4
    if not 20 <= header <= end:
        raise SegmentError("IPv4 header length wrong")
    if end > len(packet):
        raise SegmentError("IPv4 packet cut off")
    if fragment & _MORE_FRAGMENTS_OR_OFFSET:
        raise SegmentError("fragment")
    if protocol != _IPPROTO_TCP:
        raise SegmentError(NOT_TCP)
    return src, dst, header, end


def _parse_ipv6(packet: bytes) -> tuple[bytes, bytes, int, int]:
    """Source, destination, where TCP starts, where the packet ends."""
    if len(packet) < 40:
        raise SegmentError("IPv6 header cut off")
    length, protocol, src, dst = _IPV6.unpack_from(packet)
    end = 40 + length
    if end > len(packet):
        raise SegmentError("IPv6 packet cut off")
    if protocol == _IPPROTO_TCP:
        return src, dst, 40, end
    return src, dst, _walk_extension_headers(packet, protocol, end), end


def _walk_extension_headers(packet: bytes, protocol: int, end: int) -> int:
    """Where TCP starts behind the extension headers, the first of which is ``protocol``."""
    position = 40
    for _ in range(_MAX_EXTENSION_HEADERS):
        if protocol not in _WALKED:
            break
        if position + 8 > end:
            raise SegmentError("IPv6 extension header cut off")
        if protocol == _IPPROTO_ROUTING and packet[position + 3]:
            raise SegmentError("source route not at its end")
        protocol = packet[position]
        position += (packet[position + 1] + 1) * 8
    if protocol == _IPPROTO_TCP:
        return position
    if protocol == _IPPROTO_FRAGMENT:
        raise SegmentError("fragment")
    raise SegmentError("too many extension headers" if protocol in _WALKED else NOT_TCP)


def _set_ip_length(headers: bytearray, segment: Segment, total: int) -> None:
    """Write the length of a packet of ``total`` bytes, and what depends on it."""
    is_ipv4 = len(segment.src) == 4
    length = total if is_ipv4 else total - 40
    if length > _LONGEST:
        raise ValueError(f"an IP packet cannot carry {length} bytes")
    if is_ipv4:
        _U16.pack_into(headers, 2, length)
        _U16.pack_into(headers, 10, 0)
        _U16.pack_into(headers, 10, internet_checksum(bytes(headers[: segment.tcp_offset])))
    else:
        _U16.pack_into(headers, 4, length)
