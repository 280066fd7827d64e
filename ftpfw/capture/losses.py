"""Bytes that a capture has not: told apart from those that are only late, and stood in for.

A live gateway sees lost segments again, because it stands in their way; a capture may have
dropped what the peers received. If a segment lies beyond a hole and the peer has acknowledged
the bytes in the hole, they will never come. A filler then takes their place, so that the
engine goes on at once and not when its patience ends: NULs, so that no number that ends
at the hole is taken for whole, and a line feed, so that the next line stands by itself.
"""

from __future__ import annotations

from ftpfw.conntrack.model import Direction
from ftpfw.tcp import serial
from ftpfw.tcp.segment import ACK, FIN, Segment, rebuild, without_fin

LONGEST = 16384
"""Bytes that the engine keeps behind a hole; over a larger one it begins anew by itself."""


class Losses:
    """What has come of both directions of a connection, by sequence numbers."""

    def __init__(self) -> None:
        self._next: list[int | None] = [None, None]
        self._acked: list[int | None] = [None, None]

    def before(self, direction: Direction, segment: Segment) -> int:
        """How many bytes just before a segment are lost; takes note of the segment."""
        self._acknowledge(direction.other, segment)
        length = segment.end - segment.payload_offset
        if not length:
            return 0
        expected = self._next[direction]
        if expected is None:
            expected = segment.seq
        if serial.before(expected, serial.add(segment.seq, length)):
            self._next[direction] = serial.add(segment.seq, length)
        hole = serial.distance(expected, segment.seq)
        acked = self._acked[direction]
        if not 0 < hole <= LONGEST or acked is None or serial.before(acked, segment.seq):
            return 0
        return hole

    def _acknowledge(self, direction: Direction, segment: Segment) -> None:
        """Note how far the other side has received."""
        if segment.flags & ACK:
            known = self._acked[direction]
            if known is None or serial.before(known, segment.ack):
                self._acked[direction] = segment.ack


def filler(packet: bytes, segment: Segment, length: int) -> bytes:
    """A packet that carries what stands in for the ``length`` bytes before a segment."""
    payload = bytes(length - 1) + b"\n" if length > 1 else bytes(length)
    if segment.flags & FIN:
        packet = without_fin(packet, segment)
    return rebuild(packet, segment, payload, serial.add(segment.seq, -length))
