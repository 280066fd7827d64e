"""The law of rewriting: however a sender cuts, repeats, loses and reorders its segments,
the receiver gets the same stream, with every announced address replaced.

Between the engine and the receiver stands the kernel's own arithmetic for sequence
numbers and acks, modelled from nf_conntrack_seqadj.c and tcp_in_window(). A reply with data
follows whatever arrives, as in every FTP session.
"""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Direction, SeqAdj
from ftpfw.ftp.checks import COMPAT, Action, Check
from ftpfw.helper.commands import Accept, Drop
from ftpfw.helper.settings import Settings
from ftpfw.tcp import serial
from ftpfw.tcp.reassembly import OutOfWindow, Stream
from ftpfw.tcp.segment import parse_segment

from .world import ISN, MASQUERADED, ROUTED, World

WAY = Direction.ORIGINAL
LOGIN = b"USER ftp\r\n"
"""In order, because a flow begins with the first segment that is seen."""

NO_ADJUSTMENT = SeqAdj(0, 0, 0)

lines = st.sampled_from(
    [
        b"NOOP\r\n",
        b"STOR PORT 1,2,3\r\n",
        b"PORT 10,77,1,10,156,%d\r\n",
        b"port  010,077,001,010,156,%d\n",
        b"EPRT |1|10.77.1.10|%d|\r\n",
        b"PORT 10,77,1,99,156,%d\r\n",
        b"\xff\xf4\xf2ABOR\r\n",
    ]
)


def numbered(parts: list[bytes]) -> bytes:
    """Each announcement gets a port of its own, small enough to be an octet too."""
    return b"".join(
        part.replace(
            b"%d", str(40 + n).encode() if b"EPRT" not in part else str(40100 + n).encode()
        )
        for n, part in enumerate(parts)
    )


def rewritten(stream: bytes) -> bytes:
    stream = re.sub(rb"(?i)(PORT +)0?10,0?77,0*1,0?10,156,(\d+)", rb"\g<1>192,0,2,1,156,\2", stream)
    return stream.replace(b"|1|10.77.1.10|", b"|1|192.0.2.1|")


CHECKED = Settings(checks=dict.fromkeys(Check, Action.LOG))
"""Every line is read and judged, and none is stopped."""


class Path:
    """A sender's stream through the engine and the kernel's adjustment to a receiver."""

    def __init__(self, stream: bytes, by: Settings, conntrack: Conntrack = MASQUERADED) -> None:
        self.world = World(conntrack, by)
        self.stream = stream
        self.acked = 0
        self.sent = 0
        self.receiver = Stream(ISN)
        self.received = b""

    def send(self, start: int, length: int, *, lost: bool = False) -> None:
        payload = self.stream[start : start + length]
        if not payload:
            return
        raw = self.world.raw(WAY, serial.add(ISN, start), payload)
        self.sent = max(self.sent, start + len(payload))
        verdict = self.world.inspect(raw)
        if isinstance(verdict, Drop) or lost:
            return
        assert isinstance(verdict, Accept)
        segment = parse_segment(verdict.packet or raw)
        seq = serial.add(segment.seq, self.offset(segment.seq))
        try:
            self.received += self.receiver.feed(seq, segment.payload)
        except OutOfWindow:
            return
        self.acknowledge()

    @property
    def adjustment(self) -> SeqAdj:
        assert self.world.kernel.conntrack is not None
        return self.world.kernel.conntrack.seqadj[WAY] or NO_ADJUSTMENT

    def offset(self, seq: int) -> int:
        """nf_ct_seq_offset()."""
        late = serial.after(seq, self.adjustment.correction_pos)
        return self.adjustment.offset_after if late else self.adjustment.offset_before

    def acknowledge(self) -> None:
        """The receiver's reply, with its ack."""
        self.world.inspect(
            self.world.raw(Direction.REPLY, ISN, b"200 OK\r\n", ack=self.receiver.next)
        )
        self.hear_ack()

    def hear_ack(self) -> None:
        """nf_ct_seq_adjust() of the receiver's ack, on its way to the sender.

        tcp_in_window() has looked at it first: it must be of nothing that was not sent.
        """
        ack, adj = self.receiver.next, self.adjustment
        in_window = serial.add(ack, -self.offset(serial.add(ack, -1)))
        assert serial.distance(ISN, in_window) <= self.sent
        late = serial.after(serial.add(ack, -adj.offset_before), adj.correction_pos)
        ack = serial.add(ack, -(adj.offset_after if late else adj.offset_before))
        assert serial.distance(ISN, ack) <= self.sent
        self.acked = max(self.acked, serial.distance(ISN, ack))


steps = st.lists(st.tuples(st.integers(-40, 60), st.integers(1, 90), st.booleans()), max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(lines, min_size=1, max_size=8),
    steps,
    st.integers(1, 120),
    st.sampled_from([Settings(), CHECKED]),
)
def test_the_receiver_gets_the_rewritten_stream(
    parts: list[bytes], actions: list[tuple[int, int, bool]], mss: int, by: Settings
) -> None:
    stream = LOGIN + numbered(parts)
    path = Path(stream, by)
    path.send(0, len(LOGIN))
    for shift, length, lost in actions:
        path.send(max(path.acked + shift, 0), length, lost=lost)
    for _ in range(4):
        for start in range(path.acked, len(stream), mss):
            path.send(start, mss)
        path.world.now += 1
    assert path.received == rewritten(stream)


DENIED = b"SITE EXEC\r\n"
DENYING = Settings(
    checks={**COMPAT, Check.DENIED_VERB: Action.DROP}, denied_verbs=frozenset({"SITE"})
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(lines, max_size=3),
    st.lists(lines, max_size=3),
    steps,
    st.tuples(st.integers(1, 120), st.sampled_from([0, 2])),
    st.sampled_from([ROUTED, MASQUERADED]),
)
def test_a_denied_line_never_arrives_whole(
    before: list[bytes],
    after: list[bytes],
    actions: list[tuple[int, int, bool]],
    pace: tuple[int, int],
    conntrack: Conntrack,
) -> None:
    mss, pause = pace
    stream = numbered(before) + DENIED + numbered(after)
    path = Path(stream, DENYING, conntrack)
    path.world.server(b"220 Hello\r\n", ack=ISN)
    for shift, length, lost in actions:
        path.send(max(path.acked + shift, 0), length, lost=lost)
        path.world.now += pause
    for _ in range(4):
        for start in range(0, len(stream), mss):
            path.send(start, mss)
        path.world.now += pause
    assert DENIED not in path.received
