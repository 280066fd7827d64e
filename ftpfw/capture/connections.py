"""The TCP connections of a capture, as a bounded table.

A connection is told apart by its tuple, and from an earlier one of the same tuple by a SYN
with another sequence number (RFC 9293 3.4.1). Bytes are counted by sequence numbers: what is
repeated, or captured twice on its way through a router, counts once, and what the capture
lost counts too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from ftpfw.conntrack.model import Direction, Tuple
from ftpfw.helper.flow import Key, key_of
from ftpfw.tcp import serial
from ftpfw.tcp.segment import ACK, SYN, Segment

Pair: TypeAlias = frozenset[bytes]
"""The two hosts of a connection; one, where a host talks to itself."""

T = TypeVar("T")

FARTHEST = 1 << 30
"""The largest window of RFC 7323: a segment farther ahead is no part of the stream."""


@dataclass(slots=True)
class Connection(Generic[T]):
    """One connection; ``number`` is that of its first packet.

    ``tuple`` is that of its opener. ``bytes`` holds those of the opener and of the other.
    ``part`` is what the table's owner keeps with it.
    """

    number: int
    tuple: Tuple
    began: float
    ended: float
    isn: int | None
    part: T
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    _next: list[int | None] = field(default_factory=lambda: [None, None])

    @property
    def pair(self) -> Pair:
        """Its two hosts."""
        return frozenset((self.tuple.src, self.tuple.dst))

    def renewed_by(self, direction: Direction, segment: Segment) -> bool:
        """Whether a segment of this very tuple begins another connection."""
        if segment.flags & (SYN | ACK) != SYN:
            return False
        return direction is Direction.REPLY or segment.seq != self.isn

    def take(self, direction: Direction, segment: Segment, time: float) -> None:
        """Count a segment."""
        self.ended = time
        length = segment.end - segment.payload_offset
        if not length:
            return
        expected = self._next[direction]
        if expected is None:
            expected = segment.seq
        end = serial.add(segment.seq, length)
        fresh = serial.distance(expected, end)
        if 0 < fresh <= FARTHEST:
            self.bytes[direction] += fresh
            self._next[direction] = end


class Connections(Generic[T]):
    """The connections by both of their tuples; past ``limit``, the stalest goes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ways: dict[Key, tuple[Connection[T], Direction]] = {}
        self._recent: OrderedDict[int, Connection[T]] = OrderedDict()

    def __iter__(self) -> Iterator[Connection[T]]:
        """The connections, the one seen longest ago first."""
        return iter(self._recent.values())

    def find(self, way: Tuple) -> tuple[Connection[T], Direction] | None:
        """The connection that owns a tuple, and which of its directions that tuple is."""
        return self._ways.get(key_of(way))

    def current(self, segment: Segment) -> tuple[Connection[T], Direction] | None:
        """The connection that a segment is part of; None if it begins a new one."""
        found = self._ways.get((segment.src, segment.sport, segment.dst, segment.dport))
        if found is None or found[0].renewed_by(found[1], segment):
            return None
        self._recent.move_to_end(found[0].number)
        return found

    def open(
        self, number: int, segment: Segment, direction: Direction, time: float, part: T
    ) -> tuple[Connection[T], list[Connection[T]]]:
        """Begin a connection with a segment of that direction; also return those that leave."""
        way = Tuple(segment.src, segment.sport, segment.dst, segment.dport)
        opener = way if direction is Direction.ORIGINAL else way.inverted()
        isn = segment.seq if segment.flags & (SYN | ACK) == SYN else None
        left = self._make_room(way)
        connection = Connection(number, opener, time, time, isn, part)
        self._recent[connection.number] = connection
        # An endpoint that talks to itself has one tuple for both directions.
        self._ways[key_of(opener.inverted())] = (connection, Direction.REPLY)
        self._ways[key_of(opener)] = (connection, Direction.ORIGINAL)
        return connection, left

    def _make_room(self, way: Tuple) -> list[Connection[T]]:
        """Remove an earlier connection of the tuple, and the stalest where the table is full."""
        left = []
        stale = self._ways.get(key_of(way))
        if stale is not None:
            left.append(self._remove(stale[0]))
        if len(self._recent) >= self._limit:
            left.append(self._remove(next(iter(self))))
        return left

    def _remove(self, connection: Connection[T]) -> Connection[T]:
        del self._recent[connection.number]
        self._ways.pop(key_of(connection.tuple), None)
        self._ways.pop(key_of(connection.tuple.inverted()), None)
        return connection
