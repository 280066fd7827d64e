"""The inspector's decisions: packet in, commands and a verdict out. It never sees a socket.

A packet's walk: segment view → flow (its conntrack is read when it is first seen) →
reassembly → lines → checks and session (`hearing`) → expectations, then sequence
adjustment (`answering`) → verdict (`holding`, `ending`). Connections under TLS, and the SYNs
that they vouch for, take a way of their own (`opaque`). Source of the model:
nf_conntrack_ftp.c help(), nf_nat_ftp.c, nf_nat_helper.c.

Stated choices:
- what cannot be understood passes unchanged, opens nothing and is counted with its reason;
- only a direction whose sender is seen under another address is ever rewritten, and only
  there is a segment ever held;
- commands count in the original direction only, replies in the reply direction only;
- bytes that never came this way are given up after a while. With strict checks they are not,
  unless the receiver has acknowledged them: what is not read could be anything.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random

from ftpfw.conntrack.model import Conntrack, Direction, TcpState, Tuple
from ftpfw.ftp.checks import Action
from ftpfw.ftp.cleartext import is_clear_text, looks_clear
from ftpfw.ftp.session import Answered
from ftpfw.helper.answering import Wanted, answer_all, plan, withdraw
from ftpfw.helper.commands import (
    HELD_BACK,
    UNCHANGED,
    Accept,
    Command,
    GetConntrack,
    Note,
    NoteKind,
    Outcome,
    Walk,
)
from ftpfw.helper.ending import after_reset, reset, up_to_bar
from ftpfw.helper.flow import Condemned, Effect, Flow, FlowTable, Half, Key, Phase, Unread
from ftpfw.helper.hearing import hear
from ftpfw.helper.holding import hold, leave
from ftpfw.helper.ledger import Ledger
from ftpfw.helper.opaque import Doorkeeper, turn_clear, turn_opaque
from ftpfw.helper.scene import Arrival, Scene
from ftpfw.helper.settings import Settings
from ftpfw.tcp import serial
from ftpfw.tcp.reassembly import OutOfWindow
from ftpfw.tcp.segment import ACK, NOT_TCP, SYN, Segment, SegmentError, parse_segment, rebuild

FLOWS = 8192
"""Control connections remembered at a time; one past that forgets the stalest."""

CROWD = FLOWS // 2
"""From here on some of the stalest are asked for with each new one, and forgotten if they ended."""

ASKED = 4

GAP_SECONDS = 3.0
"""A sender repeats lost bytes well within this time; later they will not come this way."""

DEFAULTS = Settings()


class Engine:
    """Inspects the control connections whose conntrack carries the helper ``helper``.

    ``after_nat`` says where packets come from: the kernel's helper hook, so that their
    addresses are the inverse of the other direction's tuple, or PREROUTING and OUTPUT of
    the mangle table, where they are the tuple of their own direction.
    """

    def __init__(
        self, helper: str, *, after_nat: bool, random: Random, settings: Settings = DEFAULTS
    ) -> None:
        self.settings = settings
        self.flows = FlowTable(FLOWS)
        self._helper = helper
        self._after_nat = after_nat
        self._random = random
        self._ledger = Ledger()
        self._doorkeeper = Doorkeeper(helper, self.flows, self._ledger)

    def glance(self, packet: bytes, *, after_nat: bool) -> bool:
        """Whether a packet can go on unread; if so, it is accounted for.

        The way of most packets: in order, whole lines, no negotiation. What is True here
        `inspect` would let pass too, with nothing to note, at several times the cost.
        """
        try:
            segment = parse_segment(packet)
        except SegmentError:
            return False
        found = self._find(segment)
        if found is None or segment.flags & SYN or after_nat is not self._after_nat:
            return False
        flow, direction = found
        if segment.payload and not self._pass_over(flow, direction, segment):
            return False
        flow.acknowledge(direction, segment.ack)
        return True

    def _pass_over(self, flow: Flow, direction: Direction, segment: Segment) -> bool:
        """Take a segment with data without reading it, where that makes no difference."""
        if flow.doubted:
            return False
        if flow.phase is Phase.TLS:
            return not looks_clear(segment.payload)
        if self.settings.attentive or flow.session is not None or flow.condemned is not None:
            return False
        half = flow.halves.get(direction)
        return half is not None and half.pass_over(segment.seq, segment.payload)

    def inspect(self, packet: bytes, *, after_nat: bool, now: float) -> Walk:
        """Decide on one IP packet that came from a hook before or after NAT.

        ``now`` is in seconds of any steady clock.
        """
        try:
            segment = parse_segment(packet)
        except SegmentError as error:
            yield Note(NoteKind.NOT_A_SEGMENT, error.reason)
            # The helper's hook also brings ICMP errors, which say nothing to a server.
            unread = self.settings.strict and error.reason != NOT_TCP
            return HELD_BACK if unread else UNCHANGED
        opening = segment.flags & (SYN | ACK) == SYN
        if opening and not after_nat:
            knocked = yield from self._doorkeeper.knock(segment, self.settings, now)
            if knocked:
                return UNCHANGED
        if after_nat is not self._after_nat:
            # Queued a second time by a rule of somebody's; the right hook
            # brings, or has brought, the same segment.
            yield Note(NoteKind.UNTRACKED, "queued at the wrong hook")
            return UNCHANGED
        found = None
        if segment.flags & SYN:
            self._doubt(segment)
        elif segment.payload:
            found = self._find(segment)
            if found is None:
                found = yield from self._open(segment, now)
            elif found[0].doubted:
                found = yield from self._make_sure(found, segment, now)
        if found is None or _may_be_probe(*found, segment):
            return UNCHANGED
        return (yield from self._take(*found, Arrival(packet, segment, now)))

    def _key(self, segment: Segment) -> Key:
        """The tuple to look the flow up by (see ``after_nat``)."""
        if self._after_nat:
            return (segment.dst, segment.dport, segment.src, segment.sport)
        return (segment.src, segment.sport, segment.dst, segment.dport)

    def _find(self, segment: Segment) -> tuple[Flow, Direction] | None:
        found = self.flows.find(self._key(segment))
        if found is None or not self._after_nat:
            return found
        return found[0], found[1].other

    def _doubt(self, segment: Segment) -> None:
        """A SYN between known endpoints begins a new connection, or is stray, or forged."""
        found = self._find(segment)
        if found is not None:
            found[0].doubted = True

    def _make_sure(
        self, found: tuple[Flow, Direction], segment: Segment, now: float
    ) -> Generator[Command, Outcome, tuple[Flow, Direction] | None]:
        """Ask whether a doubted flow is still the same connection; if not, begin another."""
        flow = found[0]
        known = yield GetConntrack(flow.conntrack.original)
        if isinstance(known, Conntrack) and known.id == flow.conntrack.id:
            flow.doubted = False
            return found
        self.flows.forget(flow)
        return (yield from self._open(segment, now))

    def _open(
        self, segment: Segment, now: float
    ) -> Generator[Command, Outcome, tuple[Flow, Direction] | None]:
        """Read a packet's conntrack and remember the flow, if it is ours to inspect."""
        tuple_ = Tuple(*self._key(segment))
        conntrack = yield GetConntrack(tuple_)
        if not isinstance(conntrack, Conntrack):
            yield Note(NoteKind.UNTRACKED, "no conntrack", tuple_)
            return None
        if conntrack.helper != self._helper:
            reason = "another helper" if conntrack.helper else "no helper attached"
            yield Note(NoteKind.UNTRACKED, reason, conntrack.original)
            return None
        yield from self._make_room()
        flow = self.flows.add(conntrack, now)
        if conntrack.mark & self.settings.mark:
            self.flows.turn_opaque(flow)
        return self._find(segment)

    def _make_room(self) -> Generator[Command, Outcome, None]:
        """Forget flows that have ended, so that the table need not forget any that lives.

        Whoever could have one forgotten by way of many others, over before long, would have it
        read anew from the middle of a line.
        """
        if len(self.flows) < CROWD:
            return
        for flow in self.flows.stalest(ASKED):
            known = yield GetConntrack(flow.conntrack.original)
            if _lives(known, flow):
                self.flows.find(flow.key)  # it is asked for last now
            else:
                self.flows.forget(flow)

    def _reopen(
        self, stale: Flow, segment: Segment, now: float
    ) -> Generator[Command, Outcome, tuple[Flow, Direction] | None]:
        """Begin one direction anew where the sequence numbers say that much was missed."""
        yield Note(NoteKind.RESYNCHRONISED, "out of window", stale.conntrack.original)
        self.flows.forget(stale)
        found = yield from self._open(segment, now)
        if found is not None and found[0].conntrack.id == stale.conntrack.id:
            flow, direction = found
            flow.take_over(stale)
            if direction.other in stale.halves:
                flow.halves[direction.other] = stale.halves[direction.other]
        return found

    def _take(self, flow: Flow, direction: Direction, arrival: Arrival) -> Walk:
        """Decide on a segment with data."""
        segment = arrival.segment
        if flow.phase is Phase.TLS:
            return (yield from self._take_opaque(flow, direction, arrival))
        begins = segment.seq
        if self.settings.strict:
            begins = flow.beginning(direction, segment.seq)
        half = flow.half(direction, begins)
        flow.acknowledge(direction, segment.ack)
        if flow.condemned is not None:
            return after_reset(flow.condemned, half, arrival)
        half.stream.remembering = self.settings.strict
        known = _as_read(half, arrival)
        verdict = yield from self._take_known(flow, half, known)
        return Accept(known.packet) if known is not arrival and verdict == UNCHANGED else verdict

    def _take_known(self, flow: Flow, half: Half, arrival: Arrival) -> Walk:
        """Decide on a segment that says nothing else than what was read of it before."""
        if half.barred is not None:
            return (yield from self._decide(flow, half, b"", half.unread, arrival))
        if self._was_never_read(half, arrival.segment):
            return (yield from self._take_anew(flow, arrival))
        return (yield from self._read(flow, half, arrival))

    def _read(self, flow: Flow, half: Half, arrival: Arrival) -> Walk:
        """Put a segment into its stream and go by the bytes that are in order now."""
        segment, unread = arrival.segment, half.unread
        beyond = half.offset(segment.seq) > unread.offset
        try:
            data: bytes | None = half.feed(segment.seq, segment.payload)
        except OutOfWindow:
            if self._must_come_in_order(half, segment):
                return HELD_BACK
            if flow.session is not None:
                flow.session.lose()
            return (yield from self._take_anew(flow, arrival))
        if beyond:
            data = yield from self._behind_gap(flow, half, arrival)
        if data is None:
            return HELD_BACK if half.outlet else UNCHANGED
        return (yield from self._decide(flow, half, data, unread, arrival))

    def _behind_gap(
        self, flow: Flow, half: Half, arrival: Arrival
    ) -> Generator[Command, Outcome, bytes | None]:
        """The bytes behind a hole that is given up; None while it may still be filled."""
        waits = half.waits_for_gap(arrival.now, GAP_SECONDS)
        if waits or self._must_come_in_order(half, arrival.segment):
            return None
        yield Note(NoteKind.RESYNCHRONISED, "bytes never seen", flow.conntrack.original)
        if flow.session is not None:
            flow.session.lose()
        return half.skip_gap()

    def _must_come_in_order(self, half: Half, segment: Segment) -> bool:
        """Whether what lies between must be read first; else its receiver has it already."""
        return self.settings.strict and not half.has_arrived(half.offset(segment.seq))

    def _was_never_read(self, half: Half, segment: Segment) -> bool:
        """Whether bytes come from ahead of the first segment seen, and are news to the receiver."""
        offset = half.offset(segment.seq)
        news = offset < 0 and not half.has_arrived(offset + len(segment.payload))
        return self.settings.strict and news

    def _take_anew(self, stale: Flow, arrival: Arrival) -> Walk:
        """Take a segment that is far from its stream as the first of it."""
        found = yield from self._reopen(stale, arrival.segment, arrival.now)
        return UNCHANGED if found is None else (yield from self._take(*found, arrival))

    def _take_opaque(self, flow: Flow, direction: Direction, arrival: Arrival) -> Walk:
        """Look whether a connection under TLS has turned back to clear text."""
        segment = arrival.segment
        if not is_clear_text(segment.payload) or flow.was_read(direction, segment.seq):
            return UNCHANGED
        cleared = yield from turn_clear(flow, self.settings.mark)
        if not cleared:
            return UNCHANGED
        self.flows.forget(flow)
        found = yield from self._open(segment, arrival.now)
        if found is None or found[0].phase is Phase.TLS:
            return UNCHANGED
        found[0].take_over(flow)
        return (yield from self._take(*found, arrival))

    def _decide(
        self, flow: Flow, half: Half, data: bytes, unread: Unread, arrival: Arrival
    ) -> Walk:
        """Answer the lines that ``data`` completes, and tell what leaves of the segment."""
        attentive = self.settings.attentive or flow.session is not None
        heard = half.conversation.feed(data, attentive=attentive)
        effects: list[Effect] = []
        wanted: Wanted = []
        if heard or half.deferred:
            scene = Scene(self.settings, self._ledger, self._random, arrival.now)
            effects, stopped = yield from hear(flow, half, heard, scene)
            if stopped is not None and stopped.action is Action.RESET:
                half.bar(0, unread)
                flow.condemned = Condemned(half.direction)
                yield from withdraw(flow, self._ledger)
                return reset(half, arrival)
            if stopped is not None:
                half.bar(stopped.offset, unread)
            if effects or half.deferred:
                wanted = yield from answer_all(flow, half, effects, scene)
        verdict = yield from self._emit(flow, half, wanted, arrival)
        if any(_begins_tls(effect) for effect in effects):
            yield from turn_opaque(self.flows, flow, self.settings.mark)
        return verdict

    def _emit(self, flow: Flow, half: Half, wanted: Wanted, arrival: Arrival) -> Walk:
        """What leaves of the segment, after the rewrites that it needs have taken effect."""
        if half.outlet is None:
            return up_to_bar(half, arrival)
        if wanted:
            yield from plan(flow, half, half.outlet, wanted, self._ledger)
        until = yield from hold(flow, half, arrival)
        if half.barred is not None:
            until = min(until, half.barred)
        return (yield from leave(flow, half, half.outlet, arrival, until))


def _begins_tls(effect: Effect) -> bool:
    """Whether AUTH TLS was answered by 234."""
    return isinstance(effect, Answered) and effect.asked.tls and effect.code == 234


def _as_read(half: Half, arrival: Arrival) -> Arrival:
    """The arrival, with the first copy of bytes of which it brings another.

    What was read is all that the receiver may get: the first copy may have died on its way.
    """
    if not half.stream.remembering:
        return arrival
    segment = arrival.segment
    payload = half.stream.as_read(segment.seq, segment.payload)
    if payload == segment.payload:
        return arrival
    packet = rebuild(arrival.packet, segment, payload)
    return Arrival(packet, segment._replace(payload=payload), arrival.now)


def _lives(known: Outcome, flow: Flow) -> bool:
    """Whether a flow's connection may still say something.

    Only where both have sent a FIN it may not: conntrack also takes for closed what an RST
    ended that dies on its way.
    """
    if not isinstance(known, Conntrack) or known.id != flow.conntrack.id:
        return False
    return known.tcp_state is not TcpState.TIME_WAIT


def _may_be_probe(flow: Flow, direction: Direction, segment: Segment) -> bool:
    """Whether a segment of a session that is joined late may be a keepalive with data.

    RFC 9293 3.8.4: one garbage byte, from before the first that counts. A stream begun with it
    would take that byte for read, and the line that it stands in for cut off at the front.
    """
    if direction in flow.halves or len(segment.payload) != 1:
        return False
    acked = flow.acked.get(direction)
    if acked is not None:
        return serial.before(segment.seq, acked)
    return not segment.payload.isalnum()
