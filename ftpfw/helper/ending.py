"""What a segment becomes whose bytes must not leave: less, nothing, an RST or a bare ACK.

Spec: RFC 9293 3.5.2 and 3.10.7 (who answers what with an RST), RFC 5961 3.2 (an RST counts only
with the very sequence number that is expected). To end a connection from its middle, the
segment with the offending line becomes an RST for its receiver. The sender hears of it when it
repeats that segment: it arrives as a bare ACK, which the receiver's host, where no
connection is left, answers with an RST that the sender takes. Should the first RST
have been lost, every second repetition is another.
"""

from __future__ import annotations

from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, Verdict
from ftpfw.helper.flow import Condemned, Half
from ftpfw.helper.scene import Arrival
from ftpfw.tcp.segment import ACK, FIN, RST, rebuild, without_fin

_FLAGS_AT = 13


def reset(half: Half, arrival: Arrival) -> Verdict:
    """End the connection at the segment's receiver, at the bar: there its stream has ended."""
    assert half.barred is not None
    return _empty(half, arrival, RST | ACK, half.barred)


def after_reset(condemned: Condemned, half: Half, arrival: Arrival) -> Verdict:
    """What becomes of a segment with data once its connection is condemned.

    One of the other side's was under way when the RST came: its receiver is the offender.
    """
    flags = RST | ACK
    if half.direction is condemned.offender:
        condemned.repeats += 1
        flags = ACK if condemned.repeats % 2 else RST | ACK
    return _empty(half, arrival, flags, half.offset(arrival.segment.seq))


def up_to_bar(half: Half, arrival: Arrival) -> Verdict:
    """The part of a segment ahead of the bar, on a flow where nothing is rewritten."""
    packet, segment, _ = arrival
    if half.barred is None:
        return UNCHANGED
    room = half.barred - half.offset(segment.seq)
    if room >= len(segment.payload):
        return UNCHANGED
    if room <= 0:
        return HELD_BACK
    if segment.flags & FIN:
        packet = without_fin(packet, segment)
    return Accept(rebuild(packet, segment, segment.payload[:room]))


def _empty(half: Half, arrival: Arrival, flags: int, offset: int) -> Verdict:
    packet, segment, _ = arrival
    changed = bytearray(packet)
    changed[segment.tcp_offset + _FLAGS_AT] = flags
    return Accept(rebuild(bytes(changed), segment, b"", half.departure(offset)))
