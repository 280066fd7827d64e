"""What the engine remembers of one control connection.

Nothing here is of lasting value: expectations, NAT and sequence offsets live in the
kernel, and a flow that is forgotten is picked up again at its next line.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ftpfw.conntrack.model import Conntrack, Direction, Tuple
from ftpfw.ftp.lines import MAX_LINE, Line, LineReader, TooLong
from ftpfw.ftp.negotiation import (
    Negotiation,
    ReplyReader,
    Unusable,
    command_rewrite_start,
    parse_command,
)
from ftpfw.helper.outlet import Outlet
from ftpfw.tcp import serial
from ftpfw.tcp.reassembly import Stream

Key: TypeAlias = tuple[bytes, int, bytes, int]
"""A tuple's fields in their order, as a dictionary key: made for every packet."""

Event: TypeAlias = Negotiation | Unusable | TooLong


_COMMANDS = re.compile(rb"PORT|EPRT", re.IGNORECASE)
_REPLIES = re.compile(rb"22[79]|\d-")
"""What a segment of whole lines must hold to matter: the second also opens long replies."""


class Conversation:
    """The lines of one side, and what they negotiate."""

    def __init__(self, direction: Direction) -> None:
        self._replies = ReplyReader() if direction is Direction.REPLY else None
        self._lines = LineReader()
        self._telling = _COMMANDS if self._replies is None else _REPLIES

    def says_nothing(self, data: bytes) -> bool:
        """Whether ``data``, the next bytes, are whole lines that negotiate nothing.

        Sound, not complete: most segments of a session are told apart without reading
        their lines. False in the middle of a line or of a reply of several lines.
        """
        return (
            data.endswith(b"\n")
            and len(data) < MAX_LINE
            and not self._telling.search(data)
            and not self._lines.partial
            and not self._lines.skipping
            and not (self._replies is not None and self._replies.inside)
        )

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes in order; tell what the lines that they complete negotiate."""
        events = (self._read(item) for item in self._lines.feed(data))
        return [event for event in events if event is not None]

    def hold(self) -> int | None:
        """The offset of the first byte of an incomplete line that a rewrite may replace."""
        partial = self._lines.partial
        if not partial:
            return None
        replies = self._replies
        at = command_rewrite_start(partial) if replies is None else replies.rewrite_start(partial)
        return None if at is None else self._lines.partial_offset + at

    def restart(self, offset: int) -> None:
        """Go on at ``offset`` after missed bytes, as if a line began there."""
        self._lines.restart(offset)
        if self._replies is not None:
            self._replies.restart()

    def _read(self, item: Line | TooLong) -> Event | None:
        if isinstance(item, TooLong):
            return item
        return parse_command(item) if self._replies is None else self._replies.feed(item)


AHEAD = 16384
"""Bytes that may wait behind a hole: a control connection's window, not a transfer's."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Bytes from offset ``begins`` on wait for the rest of their line, since time ``since``."""

    begins: int
    since: float


class Half:
    """One direction of a flow, from the first segment seen.

    ``outlet`` is None where no rewrite can be due, because both sides see the same
    address. Offsets count the sender's bytes from that first segment.
    """

    def __init__(self, direction: Direction, conntrack: Conntrack, seq: int) -> None:
        self.direction = direction
        self.stream = Stream(seq, AHEAD)
        self.conversation = Conversation(direction)
        self.next_offset = 0
        self.hold: Hold | None = None
        self.deferred: list[Event] = []
        self._gap_since: float | None = None
        self.outlet = self._open_outlet(conntrack, seq)

    def _open_outlet(self, conntrack: Conntrack, seq: int) -> Outlet | None:
        if not is_translated(conntrack, self.direction):
            return None
        adjusted = conntrack.seqadj[self.direction]
        return Outlet(seq, inherited=adjusted, seqadj=adjusted)

    def offset(self, seq: int) -> int:
        """The offset of a sequence number near the stream's end."""
        return self.next_offset + serial.distance(self.stream.next, seq)

    def feed(self, seq: int, payload: bytes) -> bytes:
        """Take a segment; return the bytes that it brings into order (see `Stream.feed`)."""
        return self._advance(self.stream.feed(seq, payload))

    def pass_over(self, seq: int, payload: bytes) -> bool:
        """Take a segment without reading it, if it comes in order and says nothing."""
        if seq != self.stream.next or self.stream.gap or self.deferred:
            return False
        outlet = self.outlet
        if outlet is not None and outlet.pending:
            return False
        if not self.conversation.says_nothing(payload):
            return False
        length = len(payload)
        self.stream.pass_over(length)
        self.next_offset += length
        self.conversation.restart(self.next_offset)
        if outlet is not None:
            outlet.released = self.next_offset
        return True

    def waits_for_gap(self, now: float, patience: float) -> bool:
        """Whether bytes that are missing ahead of a segment may still come."""
        if self._gap_since is None:
            self._gap_since = now
        return now - self._gap_since < patience

    def must_wait(self) -> bool:
        """Whether a rewrite has to wait for the ack of the one before it."""
        return self.outlet is not None and not self.outlet.settled

    def held_from(self) -> int | None:
        """The offset of the first byte that a rewrite may yet replace."""
        if self.deferred:
            first = self.deferred[0]
            assert isinstance(first, Negotiation)
            return first.line.offset + first.start
        return self.conversation.hold()

    def has_left(self, offset: int) -> bool:
        """Whether the byte at ``offset`` is beyond rewriting already."""
        return self.outlet is not None and offset < self.outlet.released

    def skip_gap(self) -> bytes:
        """Give up bytes that never came; return those that follow them."""
        before = self.stream.next
        data = self.stream.skip_gap()
        missed = serial.distance(before, self.stream.next) - len(data)
        self.next_offset += missed
        self.conversation.restart(self.next_offset)
        if self.outlet is not None:
            self.outlet.restart(self.next_offset)
        return self._advance(data)

    def _advance(self, data: bytes) -> bytes:
        self.next_offset += len(data)
        if not self.stream.gap:
            self._gap_since = None
        if self.outlet is not None:
            self.outlet.pending += data
        return data


def is_translated(conntrack: Conntrack, direction: Direction) -> bool:
    """Whether the other side sees the sender of ``direction`` under another address."""
    return conntrack.tuple(direction).src != conntrack.tuple(direction.other).dst


@dataclass(slots=True)
class Flow:
    """A control connection that is inspected."""

    conntrack: Conntrack
    key: Key
    halves: dict[Direction, Half] = field(default_factory=dict)

    def acknowledge(self, direction: Direction, ack: int) -> None:
        """Note the ack of a segment that travels in ``direction``, for the other one's sender."""
        other = self.halves.get(direction.other)
        if other is not None and other.outlet is not None:
            other.outlet.acknowledge(ack)

    def half(self, direction: Direction, seq: int) -> Half:
        """The half of ``direction``, begun at ``seq`` if this is its first segment."""
        half = self.halves.get(direction)
        if half is None:
            half = self.halves[direction] = Half(direction, self.conntrack, seq)
        return half


def key_of(tuple_: Tuple) -> Key:
    """A conntrack tuple as a dictionary key."""
    return (tuple_.src, tuple_.sport, tuple_.dst, tuple_.dport)


class FlowTable:
    """The flows by both of their tuples, the least recently used of which go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ways: dict[Key, tuple[Flow, Direction]] = {}
        self._recent: OrderedDict[Key, Flow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._recent)

    def __iter__(self) -> Iterator[Flow]:
        """The flows, the least recently used first."""
        return iter(self._recent.values())

    def find(self, key: Key) -> tuple[Flow, Direction] | None:
        """The flow that owns a tuple, and which of its directions that tuple is."""
        found = self._ways.get(key)
        if found is not None:
            self._recent.move_to_end(found[0].key)
        return found

    def add(self, conntrack: Conntrack) -> Flow:
        """Remember a new flow; past the limit, forget the one used longest ago."""
        flow = Flow(conntrack, key_of(conntrack.original))
        stale = self._recent.get(flow.key)
        if stale is not None:
            self.forget(stale)
        self._recent[flow.key] = flow
        self._ways[flow.key] = (flow, Direction.ORIGINAL)
        self._ways[key_of(conntrack.reply)] = (flow, Direction.REPLY)
        if len(self._recent) > self._limit:
            self.forget(next(iter(self)))
        return flow

    def forget(self, flow: Flow) -> None:
        """Drop a flow from the table; a way that has become another flow's stays."""
        self._recent.pop(flow.key, None)
        for key in (flow.key, key_of(flow.conntrack.reply)):
            if key in self._ways and self._ways[key][0] is flow:
                del self._ways[key]
