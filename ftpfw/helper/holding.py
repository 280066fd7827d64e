"""What of a segment leaves now, on a flow whose lines are rewritten.

Bytes that a rewrite may replace are held from the first such byte until their line is whole,
within `HOLD_BYTES` and `HOLD_SECONDS`; past that they leave unrewritten.

A sender that repeats held bytes without adding any may be one that cannot go on before they are
acknowledged. From then on the outlet vouches for what is held of that line, and the repetition
leaves as the last byte that has left already: whoever gets a byte twice acknowledges
at once what it has (RFC 9293 3.10.7.4), and the kernel shifts that ack. An empty segment would do
by the letter, but Linux answers no more than two such in a second (tcp_invalid_ratelimit).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from ftpfw.helper.commands import (
    HELD_BACK,
    UNCHANGED,
    Accept,
    Command,
    Note,
    NoteKind,
    Outcome,
    SetSeqAdj,
    Verdict,
    Walk,
)
from ftpfw.helper.flow import Flow, Half, Hold
from ftpfw.helper.outlet import Emission, Outlet
from ftpfw.helper.scene import Arrival
from ftpfw.tcp.segment import FIN, rebuild, without_fin

HOLD_BYTES = 4096
HOLD_SECONDS = 30.0
"""A line typed by hand may take this long from its first digit to its end."""


def hold(flow: Flow, half: Half, arrival: Arrival) -> Generator[Command, Outcome, int]:
    """The offset from which bytes must not leave yet."""
    begins = half.held_from()
    if begins is None or half.has_left(begins):
        half.hold = None
        return half.next_offset
    original = flow.conntrack.original
    if half.hold is None or half.hold.begins != begins:
        half.hold = Hold(begins, arrival.now)
        yield Note(NoteKind.HELD, "", original)
    if half.outlet is not None and not half.outlet.may_put_back(half.next_offset):
        return begins
    late = arrival.now - half.hold.since > HOLD_SECONDS
    if late or half.next_offset - begins > HOLD_BYTES or arrival.segment.flags & FIN:
        yield Note(NoteKind.HOLD_GIVEN_UP, "", original)
        half.hold = None
        half.deferred.clear()
        return half.next_offset
    return begins


def leave(flow: Flow, half: Half, outlet: Outlet, arrival: Arrival, until: int) -> Walk:
    """What leaves of a segment, if from ``until`` on nothing does."""
    offset = half.offset(arrival.segment.seq)
    if outlet.vouched is not None and until > outlet.released:
        yield from _put_back(flow, half, outlet)
    elif half.barred is None and half.hold is not None and until == outlet.released:
        held = offset + len(arrival.segment.payload) > until
        stuck = held and half.hold.reach == half.next_offset
        half.hold = replace(half.hold, reach=half.next_offset)
        if stuck or outlet.vouched is not None:
            yield from _vouch(flow, half, outlet)
    emission = outlet.carry(offset, arrival.segment.payload, until)
    if emission is not None:
        return _carried(outlet, arrival, offset, emission)
    if outlet.vouched is None or half.barred is not None:
        return HELD_BACK
    return _once_more(outlet, arrival)


def _vouch(flow: Flow, half: Half, outlet: Outlet) -> Generator[Command, Outcome, None]:
    """Have the sender believe that all it has sent has arrived, if the kernel plays along."""
    if outlet.vouched == half.next_offset:
        return
    seqadj = outlet.vouching(half.next_offset)
    if seqadj is None:
        return
    refusal = yield SetSeqAdj(flow.conntrack.original, half.direction, seqadj)
    if refusal is None:
        outlet.vouch(half.next_offset, seqadj)


def _put_back(flow: Flow, half: Half, outlet: Outlet) -> Generator[Command, Outcome, None]:
    """Have what was vouched for leave as it is; if the kernel refuses, at least that."""
    span, seqadj = outlet.plan([])
    assert seqadj is not None
    refusal = yield SetSeqAdj(flow.conntrack.original, half.direction, seqadj)
    outlet.remember(span, None if refusal is not None else seqadj)


def _once_more(outlet: Outlet, arrival: Arrival) -> Verdict:
    """The last byte that has left, in place of bytes that are held: its receiver will ack it."""
    packet, segment, _ = arrival
    seq = outlet.sequence(outlet.released - 1)
    return Accept(rebuild(without_fin(packet, segment), segment, outlet.tail[-1:], seq))


def _carried(outlet: Outlet, arrival: Arrival, offset: int, emission: Emission) -> Verdict:
    packet, segment, _ = arrival
    payload = segment.payload
    seq = outlet.sequence(emission.start)
    if seq == segment.seq and emission.payload == payload:
        return UNCHANGED
    if segment.flags & FIN and emission.stop < offset + len(payload):
        packet = without_fin(packet, segment)
    return Accept(rebuild(packet, segment, emission.payload, seq))
