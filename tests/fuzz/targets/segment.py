"""The segment view: any bytes give a view that lies within them, or a SegmentError.

A packet with another payload has that payload, the right lengths and checksums by a
second reckoning (RFC 1071 word by word), and all else as it was.
"""

from __future__ import annotations

from contextlib import suppress

from ftpfw.tcp.segment import FIN, Segment, SegmentError, parse_segment, rebuild, without_fin
from tests.fuzz.packets import require_sound
from tests.fuzz.script import Script

REASONS = {
    "neither IPv4 nor IPv6",
    "TCP header cut off",
    "TCP data offset outside the segment",
    "IPv4 header cut off",
    "IPv4 header length wrong",
    "IPv4 packet cut off",
    "IPv6 header cut off",
    "IPv6 packet cut off",
    "IPv6 extension header cut off",
    "source route not at its end",
    "too many extension headers",
    "fragment",
    "not TCP",
}


def fuzz(data: bytes) -> None:
    script = Script(data)
    seq = script.number(4) if script.number() & 1 else None
    payload = script.text() * (1 + script.number() * (script.number() % 3))
    packet = script.rest()
    try:
        segment = parse_segment(packet)
    except SegmentError as error:
        _require_known(error)
        return
    _require_view(packet, segment)
    with suppress(ValueError):
        _require_rebuilt(packet, segment, payload, seq)
    changed = without_fin(packet, segment)
    assert parse_segment(changed) == segment._replace(flags=segment.flags & ~FIN)


def _require_known(error: SegmentError) -> None:
    assert error.reason in REASONS, error.reason


def _require_view(packet: bytes, segment: Segment) -> None:
    assert len(segment.src) == len(segment.dst) == (4 if packet[0] >> 4 == 4 else 16)
    assert segment.tcp_offset + 20 <= segment.payload_offset <= segment.end <= len(packet)
    assert segment.payload == packet[segment.payload_offset : segment.end]
    assert parse_segment(packet[: segment.end]) == segment


def _require_rebuilt(packet: bytes, segment: Segment, payload: bytes, seq: int | None) -> None:
    changed = rebuild(packet, segment, payload, seq)
    require_sound(changed)
    assert parse_segment(changed) == segment._replace(
        seq=segment.seq if seq is None else seq,
        end=segment.payload_offset + len(payload),
        payload=payload,
    )
    assert rebuild(changed, parse_segment(changed), payload) == changed
