"""What leaves the gateway in one direction of a rewritten flow.

The sender's bytes are counted from the first one seen (*offsets*); a `Rewrite` puts
other bytes in place of a span of them. Three rules make the outcome independent of
how the sender cuts its stream into segments:

- bytes that a rewrite may still replace do not leave; their segments are dropped, and
  the bytes are kept until the line is whole;
- a rewritten span leaves whole, in one segment, however its bytes arrived;
- a retransmission that touches a rewritten span carries the same replacement again.

The kernel shifts sequence numbers by one remembered correction for each direction
(nf_ct_seq_offset): a segment that starts after ``correction_pos`` by ``offset_after``,
any other by ``offset_before`` (see `correction`). `Outlet.sequence` aims so that, with this shift,
every segment lands where the receiver counts it, also after several rewrites. Acks it
shifts back by the same one correction, so an ack from before an earlier rewrite would
come out wrong: hence a rewrite waits until the one before it is acknowledged (`settled`).

Bytes that do not leave are not acknowledged, and a sender may not go on before they are
(Nagle's algorithm, a small congestion window): line and sender would wait for each other.
So the outlet can vouch for what it holds: by an adjustment that takes the held bytes for
deleted, the receiver's ack of all that has left becomes one of the held bytes too. What is
vouched for leaves at last in one span with at least one byte that is not, because only
that one the sender still repeats. Until then these bytes are nowhere but here: a helper that
is killed just then, or a queue that overflows, costs the part of that one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ftpfw.conntrack.model import SeqAdj
from ftpfw.tcp import serial

HISTORY = 8
"""Rewrites remembered for the sake of retransmissions, each direction."""

ROOM = 1200
"""Payload bytes that fit into any path (IPv6's least MTU, less headers)."""


AHEAD_OF_GROWTH = 1 << 20
"""Bytes by which the correction of a line that grows lies ahead of it: more than are in flight."""


def correction(line: int, before: int, after: int) -> SeqAdj:
    """The adjustment for a rewrite at the sequence number ``line``.

    tcp_in_window() shifts an ack, and the SACK blocks with it, by which side of
    correction_pos the ack lies on, unshifted. Where the line has grown, an ack of what is
    ahead of the line whose SACK covers the line would so be ahead of all that was sent:
    INVALID, and under NAT the end of the session. With the later offset it is only
    a little too old (see `Outlet._with_head`); hence growth counts for everything in flight.
    """
    grows = after > before
    return SeqAdj(serial.add(line, -AHEAD_OF_GROWTH) if grows else line, before, after)


def corrected_line(seqadj: SeqAdj) -> int:
    """The sequence number of the line that ``correction`` was made for."""
    grows = seqadj.offset_after > seqadj.offset_before
    return serial.add(seqadj.correction_pos, AHEAD_OF_GROWTH) if grows else seqadj.correction_pos


TAIL = 128
"""Bytes ahead of a rewrite that are kept for as long as it may be repeated."""

VOUCHED = 1000
"""Bytes to vouch for at most: with what a rewrite adds they leave in one segment."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``data`` leaves in place of the sender's bytes [start, end)."""

    start: int
    end: int
    data: bytes

    @property
    def delta(self) -> int:
        """By how many bytes the stream grows here; negative where it shrinks."""
        return len(self.data) - (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Emission:
    """One segment to send: which of the sender's bytes, [start, stop), and as what payload."""

    start: int
    stop: int
    payload: bytes


@dataclass(slots=True)
class Outlet:
    """Bytes released, bytes pending and rewrites of one direction.

    ``origin`` is the sequence number of offset 0. ``seqadj`` is what the kernel was told
    last; ``inherited`` what it was told before this outlet was made, by a helper that knew
    more. ``base`` is the shift of rewrites that are remembered no more. ``acked`` is the
    receiver's latest ack, in its own numbers. ``tail`` is what was
    released last. ``head`` is what stands ahead of the last rewrite. The sender may
    have been told that [released, vouched) has arrived.
    """

    origin: int
    inherited: SeqAdj | None = None
    seqadj: SeqAdj | None = None
    base: int = 0
    released: int = 0
    pending: bytearray = field(default_factory=bytearray)
    rewrites: list[Rewrite] = field(default_factory=list)
    acked: int | None = None
    tail: bytes = b""
    head: bytes = b""
    vouched: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the receiver has everything up to the end of the last rewrite."""
        return not self.rewrites or self.has_arrived(self.rewrites[-1].end)

    def has_arrived(self, offset: int) -> bool:
        """Whether the receiver is known to have every byte ahead of ``offset``."""
        return self.acked is not None and not serial.before(
            self.acked, serial.add(self.origin, offset + self.shift(offset))
        )

    def acknowledge(self, ack: int) -> None:
        """Take the receiver's ack; an older one that comes late changes nothing."""
        if self.acked is None or serial.after(ack, self.acked):
            self.acked = ack

    def shift(self, offset: int) -> int:
        """By how much the receiver's count differs from the sender's at ``offset``."""
        known = sum(r.delta for r in self.rewrites if r.end <= offset)
        return self.base + self._inherited_shift(offset) + known

    def _inherited_shift(self, offset: int) -> int:
        if self.inherited is None:
            return 0
        if self._is_behind(offset, self.inherited):
            return self.inherited.offset_after
        return self.inherited.offset_before

    def _is_behind(self, offset: int, seqadj: SeqAdj) -> bool:
        return serial.after(serial.add(self.origin, offset), corrected_line(seqadj))

    def sequence(self, offset: int) -> int:
        """The sequence number that the kernel's adjustment turns into the receiver's."""
        wanted = serial.add(self.origin, offset + self.shift(offset))
        if self.seqadj is None:
            return wanted
        early = serial.add(wanted, -self.seqadj.offset_before)
        if not serial.after(early, self.seqadj.correction_pos):
            return early
        return serial.add(wanted, -self.seqadj.offset_after)

    def plan(self, rewrites: list[Rewrite]) -> tuple[Rewrite, SeqAdj | None]:
        """Join the rewrites found in one segment; tell the adjustment they need, if any.

        The kernel remembers one correction, so what lies between two rewrites that
        leave together belongs to the one joint span.
        """
        start, end = self._joint_span(rewrites)
        joint = Rewrite(start, end, self._compose(start, end, rewrites, b""))
        if not joint.delta and not self._was_rewritten(start) and self.vouched is None:
            return joint, None
        before = self.shift(start)
        return joint, correction(serial.add(self.origin, start), before, before + joint.delta)

    def _joint_span(self, rewrites: list[Rewrite]) -> tuple[int, int]:
        if self.vouched is None:
            return rewrites[0].start, rewrites[-1].end
        return self.released, max([self.vouched + 1, *(r.end for r in rewrites)])

    def _was_rewritten(self, start: int) -> bool:
        """Whether a line at ``start`` may be the one that an earlier helper rewrote last."""
        return self.inherited is not None and not self._is_behind(start, self.inherited)

    def vouching(self, until: int) -> SeqAdj | None:
        """The adjustment that acknowledges what is held up to ``until``; None if none can.

        The ack that it shifts is of all that has left, so the correction lies one ahead of
        the held bytes. Such an ack comes out no higher than ``until``, which was sent.
        """
        known = self.settled and not self._was_rewritten(self.released - 1)
        if not known or self.overtaken or until - self.released > VOUCHED or not self.tail:
            return None
        before = self.shift(self.released)
        pos = serial.add(self.origin, self.released - 1)
        return SeqAdj(pos, before, before - (until - self.released))

    def vouch(self, until: int, seqadj: SeqAdj) -> None:
        """Take ``vouching`` into effect, after the kernel knows of it."""
        self.vouched, self.seqadj = until, seqadj

    def may_put_back(self, end: int) -> bool:
        """Whether bytes up to ``end`` include one that the sender still repeats."""
        return self.vouched is None or end > self.vouched

    @property
    def overtaken(self) -> bool:
        """Whether the receiver has more than has left here: some of it went another way."""
        left = serial.add(self.origin, self.released + self.shift(self.released))
        return self.acked is not None and serial.after(self.acked, left)

    def remember(self, rewrite: Rewrite, seqadj: SeqAdj | None) -> None:
        """Take a rewrite into effect, after the kernel knows of its adjustment."""
        if self.inherited is not None and self._was_rewritten(rewrite.start):
            # The line that the earlier helper rewrote last, once more.
            self.base, self.inherited = self.inherited.offset_before, None
        ahead = self.tail + bytes(self.pending[: max(rewrite.start - self.released, 0)])
        known = rewrite.start - (self.rewrites[-1].end if self.rewrites else 0)
        self.head = ahead[-min(TAIL, known) :] if known > 0 else b""
        self.rewrites.append(rewrite)
        self.vouched = None
        self.seqadj = seqadj or self.seqadj
        if len(self.rewrites) > HISTORY:
            self.base += self.rewrites.pop(0).delta

    def restart(self, offset: int) -> None:
        """Go on at ``offset`` after bytes that were never seen.

        What is vouched for can be put back no more: it stays deleted.
        """
        if self.vouched is not None:
            self.remember(Rewrite(self.released, self.vouched, b""), None)
        self.pending.clear()
        self.released, self.tail = offset, b""

    def carry(self, offset: int, payload: bytes, hold: int) -> Emission | None:
        """What a segment with ``payload`` at ``offset`` takes along; None while all is held.

        ``hold`` is the offset that bytes must not leave from. The bytes that the
        segment added to the stream are in ``pending`` by now.
        """
        before = self.released
        payload = self._with_head(offset, payload)
        end = offset + len(payload)
        start = self._whole_from(min(offset, self.released))
        reach = self._whole_to(end) if end <= self.released else hold
        stop = self._fit(start, reach, max(len(payload), ROOM))
        if stop <= start:
            return None
        carried = self._compose(start, stop, self.rewrites, payload, offset)
        emission = Emission(start, stop, carried)
        if stop > self.released:
            self._let_go(bytes(self.pending[: stop - self.released]))
            del self.pending[: stop - before]
        return emission

    def pass_over(self, payload: bytes) -> None:
        """Count a segment that leaves as it is; nothing may be pending."""
        self._let_go(payload)

    def _let_go(self, data: bytes) -> None:
        self.released += len(data)
        self.tail = (self.tail + data)[-TAIL:]

    def _with_head(self, offset: int, payload: bytes) -> bytes:
        """A repetition from just ahead of the last rewrite, with all that stands between.

        Where that rewrite grows, an ack from ahead of it comes out too old: the sender would
        repeat what is acknowledged and, at a window of one segment, never what was lost
        behind that. So the repetition brings all of it, the rewritten line too.
        """
        if self.settled:
            return payload
        start, end = self.rewrites[-1].start, offset + len(payload)
        if end > start or end <= start - len(self.head):
            return payload
        # One byte of the rewritten span: the rest of it follows by itself.
        return payload + self.head[len(self.head) - (start - end) :][: start - end] + b"?"

    def _whole_from(self, offset: int) -> int:
        return next((r.start for r in self.rewrites if r.start < offset < r.end), offset)

    def _whole_to(self, offset: int) -> int:
        return next((r.end for r in self.rewrites if r.start < offset < r.end), offset)

    def _fit(self, start: int, stop: int, room: int) -> int:
        """The furthest end that keeps [start, end) within ``room`` and cuts no rewrite."""
        ahead = [r for r in self.rewrites if start <= r.start < stop]
        limit = start + room
        for rewrite in ahead:
            if rewrite.start >= limit:
                break
            limit -= rewrite.delta
            if rewrite.end > limit:
                return rewrite.start if rewrite.start > start else rewrite.end
        return min(stop, limit)

    def _compose(
        self, start: int, stop: int, rewrites: list[Rewrite], payload: bytes, offset: int = 0
    ) -> bytes:
        parts = []
        at = start
        for rewrite in rewrites:
            if start <= rewrite.start < stop:
                parts += [self._raw(at, rewrite.start, payload, offset), rewrite.data]
                at = rewrite.end
        parts.append(self._raw(at, stop, payload, offset))
        return b"".join(parts)

    def _raw(self, start: int, stop: int, payload: bytes, offset: int) -> bytes:
        """The sender's bytes: those released before come from the segment itself."""
        old = payload[max(start - offset, 0) : max(min(stop, self.released) - offset, 0)]
        new = self.pending[max(start - self.released, 0) : max(stop - self.released, 0)]
        return old + bytes(new)
