"""Senders that send nothing more until what they have sent is acknowledged (Nagle's algorithm,
a congestion window of one segment): a line that is held and its sender never wait for each other.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Direction, SeqAdj
from ftpfw.ftp.checks import COMPAT, Action, Check
from ftpfw.helper.commands import HELD_BACK, Accept, NoteKind
from ftpfw.helper.engine import GAP_SECONDS
from ftpfw.helper.holding import HOLD_SECONDS
from ftpfw.helper.settings import Settings
from ftpfw.tcp.segment import FIN, RST, parse_segment

from .test_any_segmentation import CHECKED, LOGIN, Path, lines, numbered, rewritten
from .world import ISN, MASQUERADED, PUBLISHED, World, endpoint_tuple

WAY = Direction.ORIGINAL

PUBLIC = "198.51.100.100"
LONGER = replace(MASQUERADED, reply=endpoint_tuple("192.0.2.10", 21, PUBLIC, 40000))
"""Masqueraded by an address longer than the client's, so that lines grow."""


def expected(stream: bytes, conntrack: Conntrack) -> bytes:
    stream = rewritten(stream)
    if conntrack is LONGER:
        stream = stream.replace(b"|192.0.2.1|", f"|{PUBLIC}|".encode())
        stream = stream.replace(b"192,0,2,1,", f"{PUBLIC.replace('.', ',')},".encode())
    return stream


class Sender(Path):
    """A sender with a window of few segments; the gateway sees only those acks that data carry."""

    def __init__(self, stream: bytes, cuts: list[int], by: Settings, conntrack: Conntrack) -> None:
        super().__init__(stream, by, conntrack)
        self.ends = [end for end in accumulate(cuts) if end < len(stream)] + [len(stream)]
        self.window = 1
        self.ack_lost = False
        self.answered = 0

    def acknowledge(self) -> None:
        """A whole line is answered, anything else acknowledged, unless that is lost."""
        if self.ack_lost:
            return
        if self.awaits_answer:
            self.answered = self.received.count(b"\n")
            super().acknowledge()
        else:
            self.hear_ack()

    @property
    def awaits_answer(self) -> bool:
        return self.received.count(b"\n") > self.answered

    def segments(self) -> Iterator[tuple[int, int]]:
        """What the window has room for, from the first byte that is not acknowledged."""
        start = self.acked
        for end in [end for end in self.ends if end > self.acked][: self.window]:
            yield start, end - start
            start = end


rounds = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 3), st.booleans(), st.booleans()), max_size=30
)
"""Of each time that a window is sent: its segments, which one is lost, acks lost, in reverse."""
NONE_LOST = 9


@settings(max_examples=400, deadline=None)
@given(
    st.lists(lines, min_size=1, max_size=6),
    st.lists(st.integers(1, 25), max_size=60),
    rounds,
    st.sampled_from([1, 2]),
    st.tuples(st.sampled_from([Settings(), CHECKED]), st.sampled_from([MASQUERADED, LONGER])),
)
def test_a_sender_that_waits_for_acks_is_never_stuck(
    parts: list[bytes],
    cuts: list[int],
    mishaps: list[tuple[int, int, bool, bool]],
    window: int,
    gateway: tuple[Settings, Conntrack],
) -> None:
    by, conntrack = gateway
    stream = LOGIN + numbered(parts)
    sender = Sender(stream, [len(LOGIN), *cuts], by, conntrack)
    sender.send(0, len(LOGIN))
    fair = [(window, NONE_LOST, False, False)] * 3 * len(sender.ends)
    for sender.window, lost, sender.ack_lost, backwards in mishaps + fair:
        segments = list(sender.segments())
        for index, (start, length) in enumerate(reversed(segments) if backwards else segments):
            sender.send(start, length, lost=index == lost)
        if sender.awaits_answer:
            sender.acknowledge()  # the server repeats what was lost
        sender.world.now += 0.05
    assert sender.acked == len(stream)
    assert sender.received == expected(stream, conntrack)


def repeated(world: World, way: Direction, seq: int, payload: bytes, flags: int = 0) -> bytes:
    """A segment that is sent twice; the packet that the second one becomes."""
    assert world.segment(way, seq, payload) == HELD_BACK
    raw = bytearray(world.raw(way, seq, payload))
    raw[parse_segment(bytes(raw)).tcp_offset + 13] |= flags
    verdict = world.inspect(bytes(raw))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    return verdict.packet


def test_a_repetition_of_held_bytes_asks_the_receiver_for_an_ack_and_frees_the_sender() -> None:
    world = World(MASQUERADED)
    assert world.segment(WAY, ISN, b"PORT 10,77,") == b"PORT "
    probe = parse_segment(repeated(world, WAY, ISN + 5, b"10,77,"))
    assert (probe.seq, probe.payload) == (ISN + 4, b" ")
    assert world.kernel.done == ["adjust ORIGINAL +4 +0 -6"]
    assert world.segment(WAY, ISN + 11, b"1,10,156,64\r\n") == b"192,0,2,1,156,64\r\n"
    assert world.kernel.done[-1] == "adjust ORIGINAL +5 +0 -1"


def test_of_a_line_once_stuck_every_further_piece_is_vouched_for_at_once() -> None:
    world = World(MASQUERADED)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    assert world.segment(WAY, ISN + 11, b"1,") == b" "
    assert world.kernel.done[-1] == "adjust ORIGINAL +4 +0 -8"


@pytest.mark.parametrize("rest", [b"1,300\r\n", b"1,10,1\r\n", b"\r\n"])
def test_a_line_that_comes_to_nothing_arrives_as_it_was_sent(rest: bytes) -> None:
    world = World(MASQUERADED)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    assert world.segment(WAY, ISN + 11, rest) == b"10,77," + rest
    assert world.kernel.done[-1] == "adjust ORIGINAL +5 +0 +0"
    assert world.segment(WAY, ISN + 11, rest) == b"10,77," + rest


def test_a_hold_that_is_given_up_puts_back_what_was_vouched_for() -> None:
    world = World(MASQUERADED)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    world.now = HOLD_SECONDS + 1
    assert world.segment(WAY, ISN + 5, b"10,77,") == b" "
    assert world.segment(WAY, ISN + 11, b"1,") == b"10,77,1,"
    assert (NoteKind.HOLD_GIVEN_UP, "") in world.noted()


def test_a_fin_behind_vouched_bytes_waits_for_them_to_be_acknowledged() -> None:
    world = World(MASQUERADED)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    raw = bytearray(world.raw(WAY, ISN + 5, b"10,77,"))
    raw[parse_segment(bytes(raw)).tcp_offset + 13] |= FIN
    verdict = world.inspect(bytes(raw))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    left = parse_segment(verdict.packet)
    assert (left.payload, left.flags & FIN) == (b" ", 0)


def test_nothing_is_vouched_for_where_the_kernel_takes_no_adjustment() -> None:
    world = World(MASQUERADED, refuse={"adjust": errno.ENOENT})
    world.segment(WAY, ISN, b"PORT 10,77,")
    for _ in range(3):
        assert world.segment(WAY, ISN + 5, b"10,77,") == HELD_BACK


def test_nothing_is_vouched_for_that_the_receiver_may_have_already() -> None:
    """A line in front of a helper that was started late, which an earlier one rewrote."""
    world = World(replace(MASQUERADED, seqadj=(SeqAdj(ISN + 5, 0, 1), None)))
    world.segment(WAY, ISN, b"PORT 10,77,")
    for _ in range(3):
        assert world.segment(WAY, ISN + 5, b"10,77,") == HELD_BACK


def test_a_server_that_waits_for_acks_gets_its_227_out() -> None:
    world = World(PUBLISHED)
    way = Direction.REPLY
    assert world.segment(way, ISN, b"227 Here (10,77,") == b"227 Here ("
    assert parse_segment(repeated(world, way, ISN + 10, b"10,77,")).payload == b"("
    whole = world.segment(way, ISN + 16, b"1,10,156,64)\r\n")
    assert whole == b"192,0,2,1,156,64)\r\n"


def test_a_hole_behind_vouched_bytes_is_given_up_only_where_the_receiver_is_past_them() -> None:
    """What a full queue let by unseen; the kernel has closed up what was to stand ahead of it."""
    world = World(MASQUERADED)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    unseen = len(b"1,10,156,64\r\n")
    behind = ISN + 11 + unseen
    for _ in range(3):
        assert world.segment(WAY, behind, b"NOOP\r\n") == HELD_BACK
        world.now += GAP_SECONDS
    world.server(b"501 What?\r\n", ack=ISN + 5 + unseen)
    assert world.segment(WAY, behind, b"NOOP\r\n") == b"NOOP\r\n"
    assert world.kernel.done == ["adjust ORIGINAL +4 +0 -6"]
    assert world.segment(WAY, behind + 6, b"QUIT\r\n") == b"QUIT\r\n"


def test_a_reset_behind_vouched_bytes_has_the_number_that_its_receiver_expects() -> None:
    resetting = Settings(checks={**COMPAT, Check.FOREIGN_ADDRESS: Action.RESET})
    world = World(MASQUERADED, resetting)
    world.segment(WAY, ISN, b"PORT 10,77,")
    repeated(world, WAY, ISN + 5, b"10,77,")
    verdict = world.inspect(world.raw(WAY, ISN + 11, b"1,99,156,64\r\n"))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    left = parse_segment(verdict.packet)
    assert (left.flags & RST, left.payload) == (RST, b"")
    adjusted = world.kernel.conntrack
    assert adjusted is not None
    assert adjusted.seqadj[WAY] == SeqAdj(ISN + 4, 0, -6)
    assert left.seq - 6 == ISN + 5


def test_a_repetition_from_ahead_of_a_rewritten_line_brings_all_up_to_its_end() -> None:
    """Of `ORT ` the receiver has nothing, and its ack of `P` comes out as one of less."""
    world = World(MASQUERADED)
    for start, end in ((0, 1), (1, 5), (5, 26)):
        world.segment(WAY, ISN + start, b"PORT 10,77,1,10,156,64\r\n"[start:end])
    assert world.segment(WAY, ISN, b"P") == b"PORT 192,0,2,1,156,64"
    world.server(b"200 OK\r\n", ack=ISN + 23)
    assert world.segment(WAY, ISN, b"P") == b"P"
