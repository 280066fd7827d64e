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
any other by ``offset_before``. `Outlet.sequence` aims so that, with this shift,
every segment lands where the receiver counts it, also after several rewrites. Acks it
shifts back by the same one correction, so an ack from before an earlier rewrite would
come out wrong: hence a rewrite waits until the one before it is acknowledged (`settled`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ftpfw.conntrack.model import SeqAdj
from ftpfw.tcp import serial

HISTORY = 8
"""Rewrites remembered for the sake of retransmissions, each direction."""

ROOM = 1200
"""Payload bytes that fit into any path (IPv6's least MTU, less headers)."""


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
    receiver's latest ack, in its own numbers.
    """

    origin: int
    inherited: SeqAdj | None = None
    seqadj: SeqAdj | None = None
    base: int = 0
    released: int = 0
    pending: bytearray = field(default_factory=bytearray)
    rewrites: list[Rewrite] = field(default_factory=list)
    acked: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the receiver has everything up to the end of the last rewrite."""
        if not self.rewrites:
            return True
        end = self.rewrites[-1].end
        return self.acked is not None and not serial.before(
            self.acked, serial.add(self.origin, end + self.shift(end))
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
        return serial.after(serial.add(self.origin, offset), seqadj.correction_pos)

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
        start, end = rewrites[0].start, rewrites[-1].end
        joint = Rewrite(start, end, self._compose(start, end, rewrites, b""))
        again = self.inherited is not None and not self._is_behind(start, self.inherited)
        if not joint.delta and not again:
            return joint, None
        before = self.shift(start)
        return joint, SeqAdj(serial.add(self.origin, start), before, before + joint.delta)

    def remember(self, rewrite: Rewrite, seqadj: SeqAdj | None) -> None:
        """Take a rewrite into effect, after the kernel knows of its adjustment."""
        if self.inherited is not None and not self._is_behind(rewrite.start, self.inherited):
            # The line that the earlier helper rewrote last, once more.
            self.base, self.inherited = self.inherited.offset_before, None
        self.rewrites.append(rewrite)
        self.seqadj = seqadj or self.seqadj
        if len(self.rewrites) > HISTORY:
            self.base += self.rewrites.pop(0).delta

    def restart(self, offset: int) -> None:
        """Go on at ``offset`` after bytes that were never seen."""
        self.pending.clear()
        self.released = offset

    def carry(self, offset: int, payload: bytes, hold: int) -> Emission | None:
        """What a segment with ``payload`` at ``offset`` takes along; None while all is held.

        ``hold`` is the offset that bytes must not leave from. The bytes that the
        segment added to the stream are in ``pending`` by now.
        """
        end = offset + len(payload)
        start = self._whole_from(min(offset, self.released))
        reach = self._whole_to(end) if end <= self.released else hold
        stop = self._fit(start, reach, max(len(payload), ROOM))
        if stop <= start:
            return None
        carried = self._compose(start, stop, self.rewrites, payload, offset)
        emission = Emission(start, stop, carried)
        if stop > self.released:
            del self.pending[: stop - self.released]
            self.released = stop
        return emission

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
