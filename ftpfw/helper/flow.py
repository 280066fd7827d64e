"""What the engine remembers of one control connection.

Nothing here is of lasting value: expectations, NAT and sequence offsets live in the
kernel, and a flow that is forgotten is picked up again at its next line.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, TypeAlias

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, Tuple
from ftpfw.ftp.lines import TooLong
from ftpfw.ftp.negotiation import Kind, Negotiation, Unusable
from ftpfw.ftp.session import MAX_PENDING, Answered, Asked, Session
from ftpfw.helper.conversation import Conversation
from ftpfw.helper.outlet import Outlet
from ftpfw.tcp import serial
from ftpfw.tcp.reassembly import Stream

Key: TypeAlias = tuple[bytes, int, bytes, int]
"""A tuple's fields in their order, as a dictionary key: made for every packet."""

Effect: TypeAlias = Negotiation | Unusable | TooLong | Asked | Answered
"""What a line comes to: something to open, to count, or to tell the transfer log."""

AHEAD = 16384
"""Bytes that may wait behind a hole: a control connection's window, not a transfer's."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Bytes from offset ``begins`` on wait for the rest of their line, since time ``since``.

    Those ahead of ``reach`` were there before the segment at hand.
    """

    begins: int
    since: float
    reach: int = 0


class Unread(NamedTuple):
    """Where reading stood before a segment, and whether bytes waited behind a hole there."""

    offset: int
    hole: bool


class Half:
    """One direction of a flow, from the first segment seen.

    ``outlet`` is None where no rewrite can be due, because both sides see the same
    address. Offsets count the sender's bytes from that first segment. From ``barred`` on,
    if set, no byte ever leaves: a check has stopped the line there.
    """

    def __init__(self, direction: Direction, conntrack: Conntrack, seq: int) -> None:
        self.direction = direction
        self.stream = Stream(seq, AHEAD)
        self.conversation = Conversation(direction)
        self.next_offset = 0
        self.hold: Hold | None = None
        self.barred: int | None = None
        self.deferred: list[Effect] = []
        self._gap_since: float | None = None
        self.acked: int | None = None
        """The receiver's last ack, where there is no outlet to keep it."""
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

    @property
    def unread(self) -> Unread:
        """Where reading stands."""
        return Unread(self.next_offset, self.stream.gap)

    def pass_over(self, seq: int, payload: bytes) -> bool:
        """Take a segment without reading it, if it comes in order and says nothing."""
        if seq != self.stream.next or self.stream.gap or self.deferred:
            return False
        if self.barred is not None:
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
            outlet.pass_over(payload)
        return True

    def waits_for_gap(self, now: float, patience: float) -> bool:
        """Whether bytes that are missing ahead of a segment may still come.

        They must, this way, where the receiver still lacks what is vouched for ahead of them.
        """
        if self._gap_since is None:
            self._gap_since = now
        outlet = self.outlet
        if outlet is not None and outlet.vouched is not None and not outlet.overtaken:
            return True
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

    def bar(self, offset: int, unread: Unread) -> None:
        """Stop the stream at ``offset``, or where bytes have not left yet, if that is later.

        Where nothing is held, what lies behind a hole has left ahead of what fills it: then
        the stream is stopped at the hole.
        """
        if self.outlet is not None:
            self.barred = max(offset, self.outlet.released)
        else:
            self.barred = unread.offset if unread.hole else max(offset, unread.offset)

    def departure(self, offset: int) -> int:
        """The sequence number of a segment that carries nothing, as if ``offset`` came next.

        What has not left has no number at the receiver, so it stops short of that.
        """
        at = offset if self.barred is None else min(offset, self.barred)
        if self.outlet is None:
            return serial.add(self.stream.next, at - self.next_offset)
        return self.outlet.sequence(min(at, self.outlet.released))

    def has_arrived(self, offset: int) -> bool:
        """Whether the receiver is known to have every byte ahead of ``offset``."""
        if self.outlet is not None:
            return self.outlet.has_arrived(offset)
        seq = serial.add(self.stream.next, offset - self.next_offset)
        return self.acked is not None and not serial.before(self.acked, seq)

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


class Phase(StrEnum):
    """How far a control connection has come, as reports name it."""

    CLEAR = "clear"
    LOGGED_IN = "logged-in"
    TRANSFER = "transfer"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Opened:
    """What a line has opened: the line's kind and its offset in its sender's stream."""

    expectation: Expectation
    kind: Kind
    offset: int


@dataclass(slots=True)
class Condemned:
    """A connection that a check has ended; ``offender`` is the direction of the line."""

    offender: Direction
    repeats: int = 0


@dataclass(slots=True)
class Flow:
    """A control connection that is inspected, ``since`` (steady clock) its first segment here.

    ``session`` is there while every line is read. ``opened`` is what was expected last,
    ``unused`` the same until a transfer has asked for it; ``transfers`` has what those under way
    were given, by their number. ``clear_until`` is where each side stopped to speak clear text.
    ``doubted``: a SYN was seen, so it may be another connection by now. ``acked`` has the
    last ack for a direction of which no segment was seen yet.
    """

    conntrack: Conntrack
    key: Key
    since: float
    user: str | None = None
    phase: Phase = Phase.CLEAR
    halves: dict[Direction, Half] = field(default_factory=dict)
    session: Session | None = None
    opened: Opened | None = None
    unused: Opened | None = None
    transfers: dict[int, Opened | None] = field(default_factory=dict)
    condemned: Condemned | None = None
    clear_until: dict[Direction, int] = field(default_factory=dict)
    doubted: bool = False
    acked: dict[Direction, int] = field(default_factory=dict)

    def acknowledge(self, direction: Direction, ack: int) -> None:
        """Note the ack of a segment that travels in ``direction``, for the other one's sender."""
        other = self.halves.get(direction.other)
        if other is None:
            self.acked[direction.other] = ack
        elif other.outlet is not None:
            other.outlet.acknowledge(ack)
        else:
            other.acked = ack

    def half(self, direction: Direction, seq: int) -> Half:
        """The half of ``direction``, begun at ``seq`` if there was none."""
        half = self.halves.get(direction)
        if half is None:
            half = self.halves[direction] = Half(direction, self.conntrack, seq)
        return half

    def beginning(self, direction: Direction, seq: int) -> int:
        """Where a stream begins whose first segment seen is at ``seq``.

        That segment may have overtaken others. Where the server's greeting was read, its ack
        tells what the client's first byte is.
        """
        acked = self.acked.get(direction)
        if acked is None or self.session is None or not self.session.greeted:
            return seq
        return acked if 0 < serial.distance(acked, seq) <= AHEAD else seq

    def begin_transfer(self, number: int) -> Opened | None:
        """Give a transfer what was opened for it, if anything was."""
        opened = self.transfers[number] = self.unused
        self.unused = None
        if len(self.transfers) > MAX_PENDING:
            del self.transfers[next(iter(self.transfers))]
        return opened

    def take_over(self, stale: Flow) -> None:
        """Know of the connection what ``stale``, the same one, knew."""
        self.user, self.since, self.session = stale.user, stale.since, stale.session
        self.opened, self.unused, self.transfers = stale.opened, stale.unused, stale.transfers

    def was_read(self, direction: Direction, seq: int) -> bool:
        """Whether a segment repeats what was said before TLS."""
        until = self.clear_until.get(direction)
        return until is not None and serial.before(seq, until)


def key_of(tuple_: Tuple) -> Key:
    """A conntrack tuple as a dictionary key."""
    return (tuple_.src, tuple_.sport, tuple_.dst, tuple_.dport)


class FlowTable:
    """The flows by both of their tuples, the least recently used of which go first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ways: dict[Key, tuple[Flow, Direction]] = {}
        self._recent: OrderedDict[Key, Flow] = OrderedDict()
        self._opaque: dict[tuple[bytes, bytes], dict[Key, Flow]] = {}

    def __len__(self) -> int:
        return len(self._recent)

    def __iter__(self) -> Iterator[Flow]:
        """The flows, the least recently used first."""
        return iter(self._recent.values())

    def recent(self, limit: int) -> list[Flow]:
        """No more than ``limit`` flows, the most recently used first; any thread may ask."""
        while True:
            try:
                return list(islice(reversed(self._recent.values()), limit))
            except RuntimeError:
                continue  # the thread that inspects has changed the table within the line

    def stalest(self, count: int) -> list[Flow]:
        """The ``count`` flows that were used longest ago."""
        return list(islice(self._recent.values(), count))

    def find(self, key: Key) -> tuple[Flow, Direction] | None:
        """The flow that owns a tuple, and which of its directions that tuple is."""
        found = self._ways.get(key)
        if found is not None:
            self._recent.move_to_end(found[0].key)
        return found

    def add(self, conntrack: Conntrack, now: float) -> Flow:
        """Remember a new flow; past the limit, forget the one used longest ago."""
        flow = Flow(conntrack, key_of(conntrack.original), now)
        stale = self._recent.get(flow.key)
        if stale is not None:
            self.forget(stale)
        self._recent[flow.key] = flow
        self._ways[flow.key] = (flow, Direction.ORIGINAL)
        self._ways[key_of(conntrack.reply)] = (flow, Direction.REPLY)
        if len(self._recent) > self._limit:
            self.forget(next(iter(self)))
        return flow

    def turn_opaque(self, flow: Flow) -> None:
        """From here on the flow speaks TLS, and nothing of it is read."""
        flow.phase = Phase.TLS
        flow.clear_until = {way: half.stream.next for way, half in flow.halves.items()}
        flow.halves.clear()
        flow.session = None
        original = flow.conntrack.original
        self._opaque.setdefault((original.src, original.dst), {})[flow.key] = flow

    def opaque_between(self, client: bytes, server: bytes) -> list[Flow]:
        """The flows under TLS from one address to another, as the client knows them."""
        return list(self._opaque.get((client, server), {}).values())

    def forget(self, flow: Flow) -> None:
        """Drop a flow from the table; a way that has become another flow's stays."""
        self._recent.pop(flow.key, None)
        self._forget_opaque(flow)
        for key in (flow.key, key_of(flow.conntrack.reply)):
            if key in self._ways and self._ways[key][0] is flow:
                del self._ways[key]

    def _forget_opaque(self, flow: Flow) -> None:
        peers = (flow.conntrack.original.src, flow.conntrack.original.dst)
        between = self._opaque.get(peers, {})
        if between.get(flow.key) is flow:
            del between[flow.key]
            if not between:
                del self._opaque[peers]
