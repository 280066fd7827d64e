"""The inspector's decisions: packet in, commands and a verdict out. It never sees a socket.

A packet's walk: segment view → flow (its conntrack is read when it is first seen) →
reassembly → lines → negotiation → commands (expectation, then sequence adjustment) →
verdict. Source of the model: nf_conntrack_ftp.c help(), nf_nat_ftp.c, nf_nat_helper.c.

Stated choices:
- what cannot be understood passes unchanged, opens nothing and is counted with its reason;
- only a direction whose sender is seen under another address is ever rewritten, and only
  there is a segment ever held: from the first byte that a rewrite may replace until the
  line is whole, within `HOLD_BYTES` and `HOLD_SECONDS`, past which it leaves unrewritten;
- commands count in the original direction only, replies in the reply direction only.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random

from ftpfw.conntrack.model import Conntrack, Direction, Tuple
from ftpfw.ftp.lines import TooLong
from ftpfw.ftp.negotiation import Negotiation, Unusable, replacement
from ftpfw.helper.commands import (
    HELD_BACK,
    UNCHANGED,
    Accept,
    Command,
    DeleteExpectation,
    GetConntrack,
    Note,
    NoteKind,
    Outcome,
    SetSeqAdj,
    Verdict,
    Walk,
)
from ftpfw.helper.expecting import Granted, expect
from ftpfw.helper.flow import Event, Flow, FlowTable, Half, Hold, Key
from ftpfw.helper.outlet import Outlet, Rewrite
from ftpfw.tcp.reassembly import OutOfWindow
from ftpfw.tcp.segment import FIN, SYN, Segment, SegmentError, parse_segment, rebuild, without_fin

FLOWS = 8192
"""Control connections remembered at a time; one past that forgets the stalest."""

HOLD_BYTES = 4096
HOLD_SECONDS = 30.0
"""A line typed by hand may take this long from its first digit to its end."""

GAP_SECONDS = 3.0
"""A sender repeats lost bytes well within this time; later they will not come this way."""


class Engine:
    """Inspects the control connections whose conntrack carries the helper ``helper``.

    ``after_nat`` says where packets come from: the kernel's helper hook, so that their
    addresses are the inverse of the other direction's tuple, or PREROUTING and OUTPUT of
    the mangle table, where they are the tuple of their own direction.
    """

    def __init__(self, helper: str, *, after_nat: bool, random: Random) -> None:
        self.flows = FlowTable(FLOWS)
        self._helper = helper
        self._after_nat = after_nat
        self._random = random

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
        if segment.payload:
            half = flow.halves.get(direction)
            if half is None or not half.pass_over(segment.seq, segment.payload):
                return False
        flow.acknowledge(direction, segment.ack)
        return True

    def inspect(self, packet: bytes, *, after_nat: bool, now: float) -> Walk:
        """Decide on one IP packet that came from a hook before or after NAT.

        ``now`` is in seconds of any steady clock.
        """
        if after_nat is not self._after_nat:
            # Queued a second time by a rule of somebody's; the right hook
            # brings, or has brought, the same segment.
            yield Note(NoteKind.UNTRACKED, "queued at the wrong hook")
            return UNCHANGED
        try:
            segment = parse_segment(packet)
        except SegmentError as error:
            yield Note(NoteKind.NOT_A_SEGMENT, error.reason)
            return UNCHANGED
        if segment.flags & SYN:
            self._forget(segment)
            return UNCHANGED
        if segment.payload_offset == segment.end:
            return UNCHANGED
        found = self._find(segment) or (yield from self._open(segment))
        if found is None:
            return UNCHANGED
        return (yield from self._take(*found, packet, segment, now))

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

    def _forget(self, segment: Segment) -> None:
        """A new connection between known endpoints is a flow of its own."""
        found = self._find(segment)
        if found is not None:
            self.flows.forget(found[0])

    def _open(self, segment: Segment) -> Generator[Command, Outcome, tuple[Flow, Direction] | None]:
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
        self.flows.add(conntrack)
        return self._find(segment)

    def _reopen(
        self, stale: Flow, segment: Segment
    ) -> Generator[Command, Outcome, tuple[Flow, Direction] | None]:
        """Begin anew where the sequence numbers say that much was missed."""
        yield Note(NoteKind.RESYNCHRONISED, "out of window", stale.conntrack.original)
        self.flows.forget(stale)
        found = yield from self._open(segment)
        if found is not None and found[0].conntrack.id == stale.conntrack.id:
            flow, direction = found
            if direction.other in stale.halves:
                flow.halves[direction.other] = stale.halves[direction.other]
        return found

    def _take(
        self, flow: Flow, direction: Direction, packet: bytes, segment: Segment, now: float
    ) -> Walk:
        """Put a segment into its stream, answer the lines it completes, decide what leaves."""
        half = flow.half(direction, segment.seq)
        flow.acknowledge(direction, segment.ack)
        offset = half.offset(segment.seq)
        beyond = offset - half.next_offset
        try:
            data = half.feed(segment.seq, segment.payload)
        except OutOfWindow:
            found = yield from self._reopen(flow, segment)
            if found is None:
                return UNCHANGED
            flow, direction = found
            half = flow.half(direction, segment.seq)
            offset, beyond = 0, 0
            data = half.feed(segment.seq, segment.payload)
        if beyond > 0:
            if half.waits_for_gap(now, GAP_SECONDS):
                return HELD_BACK if half.outlet else UNCHANGED
            yield Note(NoteKind.RESYNCHRONISED, "bytes never seen", flow.conntrack.original)
            data = half.skip_gap()
        granted = yield from self._answer_all(flow, half, half.conversation.feed(data))
        if half.outlet is None:
            return UNCHANGED
        yield from self._plan(flow, half.outlet, direction, granted)
        hold = yield from self._hold(flow, half, segment, now)
        return _carry(half.outlet, packet, segment, offset, hold)

    def _answer_all(
        self, flow: Flow, half: Half, fresh: list[Event]
    ) -> Generator[Command, Outcome, list[tuple[Granted, Rewrite]]]:
        """Answer each event in turn; return the expectations whose lines need a rewrite."""
        wanted: list[tuple[Granted, Rewrite]] = []
        events = half.deferred + fresh
        half.deferred = []
        last = max((i for i, e in enumerate(events) if isinstance(e, Negotiation)), default=None)
        for index, event in enumerate(events):
            if isinstance(event, Negotiation):
                if half.must_wait():
                    half.deferred = events[index:]
                    break
                if half.outlet is None and index != last:
                    yield Note(NoteKind.REFUSED, "superseded at once", flow.conntrack.original)
                    continue
            granted = yield from self._answer(flow, half, event)
            if granted is not None and granted.endpoint is not None:
                assert isinstance(event, Negotiation)
                at = event.line.offset
                data = replacement(event, granted.endpoint)
                wanted.append((granted, Rewrite(at + event.start, at + event.end, data)))
        return wanted

    def _answer(
        self, flow: Flow, half: Half, event: Event
    ) -> Generator[Command, Outcome, Granted | None]:
        original = flow.conntrack.original
        match event:
            case TooLong():
                yield Note(NoteKind.LINE_TOO_LONG, "", original)
            case Unusable(line=line, reason=reason):
                yield Note(NoteKind.UNUSABLE, reason, original, line.text.decode("latin-1"))
            case _ if half.has_left(event.line.offset + event.start):
                yield Note(NoteKind.REFUSED, "left before it could be rewritten", original)
            case _:
                return (yield from expect(flow.conntrack, half.direction, event, self._random))
        return None

    def _plan(
        self,
        flow: Flow,
        outlet: Outlet,
        direction: Direction,
        wanted: list[tuple[Granted, Rewrite]],
    ) -> Generator[Command, Outcome, None]:
        """Take rewrites into effect, or withdraw their expectations where the kernel refuses."""
        if not wanted:
            return
        original = flow.conntrack.original
        joint, seqadj = outlet.plan([rewrite for _, rewrite in wanted])
        if seqadj is not None:
            refusal = yield SetSeqAdj(original, direction, seqadj)
            if refusal is not None:
                yield Note(NoteKind.REFUSED, "no sequence adjustment", original, str(refusal))
                for granted, _ in wanted:
                    yield DeleteExpectation(granted.expectation)
                return
        outlet.remember(joint, seqadj)
        told = joint.data.decode("latin-1")
        yield Note(NoteKind.REWRITTEN, direction.name.lower(), original, told)

    def _hold(
        self, flow: Flow, half: Half, segment: Segment, now: float
    ) -> Generator[Command, Outcome, int]:
        """The offset from which bytes must not leave yet."""
        begins = half.held_from()
        if begins is None or half.has_left(begins):
            half.hold = None
            return half.next_offset
        original = flow.conntrack.original
        if half.hold is None or half.hold.begins != begins:
            half.hold = Hold(begins, now)
            yield Note(NoteKind.HELD, "", original)
        late = now - half.hold.since > HOLD_SECONDS
        if late or half.next_offset - begins > HOLD_BYTES or segment.flags & FIN:
            yield Note(NoteKind.HOLD_GIVEN_UP, "", original)
            half.hold = None
            half.deferred.clear()
            return half.next_offset
        return begins


def _carry(outlet: Outlet, packet: bytes, segment: Segment, offset: int, hold: int) -> Verdict:
    """Turn the segment into what it is to carry."""
    payload = segment.payload
    emission = outlet.carry(offset, payload, hold)
    if emission is None:
        return HELD_BACK
    seq = outlet.sequence(emission.start)
    if seq == segment.seq and emission.payload == payload:
        return UNCHANGED
    if segment.flags & FIN and emission.stop < offset + len(payload):
        packet = without_fin(packet, segment)
    return Accept(rebuild(packet, segment, emission.payload, seq))
