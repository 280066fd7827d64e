"""The engine, read as a transcript: what is sent, what leaves, what the kernel is asked."""

from __future__ import annotations

import errno
from dataclasses import replace
from random import Random

import pytest

from ftpfw.conntrack.model import Conntrack, Direction, SeqAdj
from ftpfw.helper import engine
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, NoteKind
from ftpfw.helper.flow import key_of
from ftpfw.helper.holding import HOLD_SECONDS
from ftpfw.tcp.segment import FIN, parse_segment

from .world import (
    ISN,
    MASQUERADED,
    MASQUERADED6,
    ORIGINAL,
    PUBLISHED,
    ROUTED,
    World,
    endpoint_tuple,
    packet,
)

PORT = b"PORT 10,77,1,10,156,64\r\n"
PORT_OUT = b"PORT 192,0,2,1,156,64\r\n"
DELTA = len(PORT_OUT) - len(PORT)


def test_port_under_masquerading() -> None:
    world = World(MASQUERADED)
    assert world.client(PORT) == PORT_OUT
    assert world.kernel.done == [
        "expect 192.0.2.10:0 -> 192.0.2.1:40000",
        f"adjust ORIGINAL +5 +0 {DELTA:+}",
    ]


def test_the_expectation_leads_back_to_the_client() -> None:
    world = World(MASQUERADED)
    world.client(PORT)
    (expectation,) = world.kernel.expectations
    assert expectation.master == ORIGINAL
    assert expectation.expectfn == "nat-follow-master"
    assert expectation.nat is not None
    assert expectation.nat.direction is Direction.REPLY
    assert str(expectation.nat.tuple) == "10.77.1.10:40000 -> 192.0.2.10:0"
    assert (expectation.mask.sport, expectation.mask.dport) == (0, 0xFFFF)


def test_pasv_under_masquerading_is_not_rewritten() -> None:
    world = World(MASQUERADED)
    line = b"227 Entering Passive Mode (192,0,2,10,156,64).\r\n"
    assert world.server(line) == line
    (expectation,) = world.kernel.expectations
    assert str(expectation.tuple) == "10.77.1.10:0 -> 192.0.2.10:40000"
    assert expectation.nat is not None
    assert expectation.nat.direction is Direction.ORIGINAL


def test_without_nat_nothing_is_rewritten_or_held() -> None:
    world = World(ROUTED)
    assert world.client(b"PORT 10,77,") == b"PORT 10,77,"
    assert world.client(b"1,10,156,64\r\n") == b"1,10,156,64\r\n"
    assert world.kernel.done == ["expect 192.0.2.10:0 -> 10.77.1.10:40000"]
    assert world.kernel.expectations[0].nat is None
    assert world.kernel.expectations[0].expectfn is None


def test_a_published_server_announces_the_public_address() -> None:
    world = World(PUBLISHED)
    out = world.server(b"227 Entering Passive Mode (10,77,1,10,156,64).\r\n")
    assert out == b"227 Entering Passive Mode (192,0,2,1,156,64).\r\n"
    assert str(world.kernel.expectations[0].tuple) == "198.51.100.7:0 -> 192.0.2.1:40000"


def test_a_server_that_announces_its_public_address_is_right() -> None:
    world = World(PUBLISHED)
    line = b"227 Entering Passive Mode (192,0,2,1,156,64).\r\n"
    assert world.server(line) == line
    assert len(world.kernel.expectations) == 1


def test_ipv6_eprt_under_masquerading() -> None:
    world = World(MASQUERADED6)
    out = world.client(b"EPRT |2|fd77:1::10|40000|\r\n")
    assert out == b"EPRT |2|2001:db8:2::1|40000|\r\n"
    assert str(world.kernel.expectations[0].tuple) == "[2001:db8:2::10]:0 -> [2001:db8:2::1]:40000"


OPENS_NOTHING = [
    ("foreign address", b"PORT 10,77,1,99,156,64\r\n", NoteKind.REFUSED, "foreign address"),
    (
        "other family",
        b"EPRT |2|2001:db8::1|40000|\r\n",
        NoteKind.REFUSED,
        "address of the other family",
    ),
    ("octet above 255", b"PORT 10,77,1,256,156,64\r\n", NoteKind.UNUSABLE, None),
    ("no argument", b"PORT\r\n", NoteKind.UNUSABLE, None),
    ("line too long", b"A" * 5000 + b"\r\n", NoteKind.LINE_TOO_LONG, ""),
]


@pytest.mark.parametrize(
    ("line", "kind", "reason"), [c[1:] for c in OPENS_NOTHING], ids=[c[0] for c in OPENS_NOTHING]
)
def test_what_is_not_understood_passes_and_opens_nothing(
    line: bytes, kind: NoteKind, reason: str | None
) -> None:
    world = World(MASQUERADED)
    assert world.client(line) == line
    assert world.kernel.done == []
    ((noted, why),) = world.noted()
    assert noted is kind
    assert reason is None or why == reason


@pytest.mark.parametrize(
    ("direction", "line"),
    [
        (Direction.REPLY, b"PORT 192,0,2,10,156,64\r\n"),
        (Direction.ORIGINAL, b"227 Entering Passive Mode (10,77,1,10,156,64)\r\n"),
    ],
    ids=["PORT from the server", "227 from the client"],
)
def test_lines_count_in_their_own_direction_only(direction: Direction, line: bytes) -> None:
    world = World(ROUTED)
    assert world.say(direction, line) == line
    assert world.kernel.done == []


def test_logout_227_passes_and_is_counted() -> None:
    world = World(PUBLISHED)
    assert world.server(b"227 Logout.\r\n") == b"227 Logout.\r\n"
    assert world.noted() == [(NoteKind.UNUSABLE, "no host-port")]


def test_pipelined_noop_and_port() -> None:
    world = World(MASQUERADED)
    assert world.client(b"NOOP\r\n" + PORT) == b"NOOP\r\n" + PORT_OUT
    assert world.kernel.done[1] == f"adjust ORIGINAL +11 +0 {DELTA:+}"


def test_two_ports_in_one_segment_share_one_adjustment() -> None:
    world = World(MASQUERADED)
    out = world.client(PORT + b"NOOP\r\n" + b"PORT 10,77,1,10,156,65\r\n")
    assert out == PORT_OUT + b"NOOP\r\n" + b"PORT 192,0,2,1,156,65\r\n"
    assert world.kernel.done[-1] == f"adjust ORIGINAL +5 +0 {2 * DELTA:+}"


def test_a_second_port_continues_the_offset() -> None:
    world = World(MASQUERADED)
    world.client(PORT)
    world.server(b"200 PORT command successful.\r\n", ack=ISN + len(PORT_OUT))
    world.client(b"PORT 10,77,1,10,156,65\r\n")
    assert world.kernel.done[-1] == f"adjust ORIGINAL +{len(PORT) + 5} {DELTA:+} {2 * DELTA:+}"


def test_a_second_port_waits_for_the_ack_of_the_first() -> None:
    """The kernel keeps one correction, and shifts every ack by it."""
    world = World(MASQUERADED)
    world.client(PORT)
    assert world.client(b"PORT 10,77,1,10,156,65\r\n") == b"PORT "
    assert len(world.kernel.expectations) == 1
    world.server(b"200 PORT command successful.\r\n", ack=ISN + len(PORT_OUT))
    at = ISN + len(PORT)
    out = world.segment(Direction.ORIGINAL, at, b"PORT 10,77,1,10,156,65\r\n")
    assert out == b"PORT 192,0,2,1,156,65\r\n"


def test_an_ack_that_never_comes_lets_the_line_go_unrewritten() -> None:
    world = World(MASQUERADED)
    world.client(PORT)
    again = b"PORT 10,77,1,10,156,65\r\n"
    assert world.client(again) == b"PORT "
    world.now += HOLD_SECONDS + 1
    assert world.segment(Direction.ORIGINAL, ISN + len(PORT), again) == again
    assert len(world.kernel.expectations) == 1
    assert world.noted()[-1] == (NoteKind.HOLD_GIVEN_UP, "")
    (half,) = next(iter(world.engine.flows)).halves.values()
    assert half.deferred == []


def test_replies_in_one_segment_are_asked_of_the_kernel_once() -> None:
    """It would hold only the last of them, so a flood costs one expectation a segment."""
    world = World(MASQUERADED)
    world.server(b"".join(b"227 (192,0,2,10,156,%d)\r\n" % n for n in range(50)))
    assert world.kernel.done == ["expect 10.77.1.10:0 -> 192.0.2.10:39985"]
    assert world.noted().count((NoteKind.REFUSED, "superseded at once")) == 49


def test_a_fin_stays_back_with_the_bytes_before_it() -> None:
    world = World(MASQUERADED)
    line = PORT + b"x" * 1400 + b"\r\n"
    verdict = world.inspect(packet(ORIGINAL, line, flags="FPA"))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    segment = parse_segment(verdict.packet)
    assert segment.flags & FIN
    assert segment.payload.startswith(PORT_OUT)
    grown = World(replace(MASQUERADED, reply=endpoint_tuple("192.0.2.10", 21, "198.51.100.100", 4)))
    verdict = grown.inspect(packet(ORIGINAL, line, flags="FPA"))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    segment = parse_segment(verdict.packet)
    assert not segment.flags & FIN
    assert len(segment.payload) <= len(line)


def test_a_restarted_helper_repeats_what_the_server_was_told() -> None:
    """The line was rewritten, the helper restarted, and the ack was lost: it comes again."""
    world = World(MASQUERADED)
    assert world.client(PORT) == PORT_OUT
    adjusted = world.kernel.conntrack
    world.engine = engine.Engine("sane", after_nat=False, random=Random(8))
    assert world.segment(Direction.ORIGINAL, ISN, PORT) == PORT_OUT
    assert len(world.kernel.expectations) == 1
    assert world.kernel.conntrack == adjusted
    world.server(b"200 OK\r\n", ack=ISN + len(PORT_OUT))
    assert world.client(b"NOOP\r\n") == b"NOOP\r\n"


def test_a_restarted_helper_keeps_both_sides_of_the_correction() -> None:
    """Old bytes once more, then new ones: the kernel's shift is right for each."""
    adjusted = replace(MASQUERADED, seqadj=(SeqAdj(ISN + 10, 0, -1), None))
    world = World(adjusted)
    assert world.segment(Direction.ORIGINAL, ISN, b"NOOP\r\n") == b"NOOP\r\n"
    raw = world.raw(Direction.ORIGINAL, ISN + 6, b"x" * 20 + b"\r\n")
    assert world.inspect(raw) == UNCHANGED
    assert world.read(world.raw(Direction.ORIGINAL, ISN + 28, b"NOOP\r\n")) == UNCHANGED


def test_a_port_that_nat_gives_another_is_a_flow_of_its_own() -> None:
    """Two clients with one source port in turn: the older reply way must not linger."""
    world = World(MASQUERADED)
    world.server(b"220 one\r\n")
    second = replace(MASQUERADED, id=2, reply=endpoint_tuple("192.0.2.10", 21, "192.0.2.1", 50000))
    world.kernel.conntrack = second
    world.inspect(packet(second.reply, b"220 two\r\n"))
    assert [flow.conntrack.id for flow in world.engine.flows] == [2]
    assert world.engine.flows.find(key_of(MASQUERADED.reply)) is None
    third = replace(MASQUERADED, id=3, original=replace(ORIGINAL, sport=41000))
    world.kernel.conntrack = third
    world.inspect(packet(third.reply, b"220 three\r\n"))
    assert [flow.conntrack.id for flow in world.engine.flows] == [2, 3]


def test_a_cut_line_leaves_whole() -> None:
    world = World(MASQUERADED)
    assert world.client(b"PORT 10,77") == b"PORT "
    assert world.client(b",1,10,156,64\r\n") == PORT_OUT.removeprefix(b"PORT ")
    assert world.noted()[0] == (NoteKind.HELD, "")


def test_byte_by_byte() -> None:
    world = World(MASQUERADED)
    left = [world.client(PORT[i : i + 1]) for i in range(len(PORT))]
    assert left[:5] == [b"P", b"O", b"R", b"T", b" "]
    assert set(left[5:-1]) == {HELD_BACK}
    assert left[-1] == PORT_OUT[5:]


def test_a_retransmission_gets_the_same_bytes_again() -> None:
    world = World(MASQUERADED)
    assert world.client(PORT) == PORT_OUT
    assert world.segment(Direction.ORIGINAL, ISN, PORT) == PORT_OUT
    assert len(world.kernel.expectations) == 1
    assert len(world.kernel.done) == 2


def test_a_retransmission_from_the_middle_carries_the_whole_argument() -> None:
    world = World(MASQUERADED)
    world.client(PORT)
    assert world.segment(Direction.ORIGINAL, ISN + 9, PORT[9:]) == PORT_OUT[5:]


def test_reordered_halves() -> None:
    world = World(MASQUERADED)
    assert world.client(b"NOOP\r\n") == b"NOOP\r\n"
    at = world.seq[Direction.ORIGINAL]
    assert world.segment(Direction.ORIGINAL, at + 10, PORT[10:]) is HELD_BACK
    assert world.segment(Direction.ORIGINAL, at, PORT[:10]) == PORT_OUT
    assert len(world.kernel.expectations) == 1


def test_bytes_that_never_come_are_given_up() -> None:
    world = World(MASQUERADED)
    world.client(b"NOOP\r\n")
    at = world.seq[Direction.ORIGINAL] + 6
    assert world.segment(Direction.ORIGINAL, at, PORT) is HELD_BACK
    world.now += engine.GAP_SECONDS
    assert world.segment(Direction.ORIGINAL, at, PORT) == PORT_OUT
    assert (NoteKind.RESYNCHRONISED, "bytes never seen") in world.noted()


def test_a_hold_ends_after_its_time() -> None:
    world = World(MASQUERADED)
    assert world.client(b"PORT 10,77") == b"PORT "
    world.now += HOLD_SECONDS + 1
    assert world.client(b",1") == b"10,77,1"
    assert world.client(b",10,156,64\r\n") == b",10,156,64\r\n"
    assert world.kernel.done == []
    assert (NoteKind.HOLD_GIVEN_UP, "") in world.noted()
    assert (NoteKind.REFUSED, "left before it could be rewritten") in world.noted()


def test_a_taken_port_makes_way_for_another() -> None:
    world = World(MASQUERADED, clashes={40000})
    out = world.client(PORT)
    assert out != PORT_OUT
    (expectation,) = world.kernel.expectations
    assert expectation.tuple.dport != 40000
    assert expectation.nat is not None
    assert expectation.nat.tuple.sport == 40000


def test_without_nat_an_older_equal_expectation_gives_way() -> None:
    world = World(ROUTED)
    world.client(b"PORT 10,77,1,10,156,64\r\n")
    world.client(b"PORT 10,77,1,10,156,64\r\n")
    assert world.kernel.done == [
        "expect 192.0.2.10:0 -> 10.77.1.10:40000",
        "withdraw 192.0.2.10:0 -> 10.77.1.10:40000",
        "expect 192.0.2.10:0 -> 10.77.1.10:40000",
    ]


def test_a_refused_expectation_leaves_the_line_alone() -> None:
    world = World(MASQUERADED, refuse={"expect": errno.EMFILE})
    assert world.client(PORT) == PORT
    assert world.noted() == [(NoteKind.REFUSED, "kernel: EMFILE")]


def test_a_refused_adjustment_withdraws_the_expectation() -> None:
    world = World(MASQUERADED, refuse={"adjust": errno.EOPNOTSUPP})
    assert world.client(PORT) == PORT
    assert world.kernel.expectations == []
    assert world.noted()[-1] == (NoteKind.REFUSED, "no sequence adjustment")


UNTRACKED = [
    ("no entry", None, "no conntrack"),
    ("began before the rules", replace(MASQUERADED, helper=None), "no helper attached"),
    ("the kernel's helper", replace(MASQUERADED, helper="ftp"), "another helper"),
]


@pytest.mark.parametrize(
    ("conntrack", "reason"), [c[1:] for c in UNTRACKED], ids=[c[0] for c in UNTRACKED]
)
def test_flows_that_are_not_ours_are_left_alone(conntrack: Conntrack | None, reason: str) -> None:
    world = World(conntrack)
    assert world.client(PORT) == PORT
    assert world.kernel.done == []
    assert world.noted() == [(NoteKind.UNTRACKED, reason)]


def test_a_packet_from_the_wrong_hook_is_left_alone() -> None:
    """A flow queued twice would have its offsets counted twice."""
    world = World(MASQUERADED)
    raw = world.raw(Direction.ORIGINAL, ISN, PORT)
    assert world.inspect(raw, after_nat=True) == UNCHANGED
    assert world.kernel.done == []


def test_a_restarted_helper_goes_on_with_the_kernels_offset() -> None:
    adjusted = replace(MASQUERADED, seqadj=(SeqAdj(ISN - 50, 0, -1), None))
    world = World(adjusted)
    assert world.client(PORT) == PORT_OUT
    assert world.kernel.done[-1] == f"adjust ORIGINAL +5 -1 {DELTA - 1:+}"


def test_reused_ports_begin_a_new_flow() -> None:
    world = World(MASQUERADED)
    world.client(b"PORT 10,77")
    world.kernel.conntrack = replace(MASQUERADED, id=2)
    far = ISN + 5_000_000
    assert world.segment(Direction.ORIGINAL, far, PORT) == PORT_OUT
    assert (NoteKind.RESYNCHRONISED, "out of window") in world.noted()


def test_a_syn_may_begin_a_new_connection() -> None:
    world = World(MASQUERADED)
    world.client(b"PORT 10,77")
    world.inspect(packet(ORIGINAL, b"", seq=ISN + 900, flags="S"))
    world.kernel.conntrack = replace(MASQUERADED, id=2)
    assert world.segment(Direction.ORIGINAL, ISN + 901, PORT) == PORT_OUT
    assert [flow.conntrack.id for flow in world.engine.flows] == [2]


def test_a_stray_syn_changes_nothing() -> None:
    world = World(MASQUERADED)
    world.client(b"PORT 10,77")
    world.inspect(packet(ORIGINAL, b"", seq=ISN + 900, flags="S"))
    assert world.client(b",1,10,156,64\r\n") == PORT_OUT.removeprefix(b"PORT ")


def test_after_nat_the_same_segment_has_the_inverse_addresses() -> None:
    world = World(MASQUERADED)
    world.engine = engine.Engine("sane", after_nat=True, random=world.engine._random)
    raw = packet(MASQUERADED.reply.inverted(), PORT)
    verdict = world.inspect(raw, after_nat=True)
    assert verdict != UNCHANGED
    assert world.kernel.done[0] == "expect 192.0.2.10:0 -> 192.0.2.1:40000"


def test_junk_is_counted_and_passes() -> None:
    world = World(MASQUERADED)
    assert world.inspect(b"\x00" * 60) == UNCHANGED
    assert world.inspect(b"") == UNCHANGED
    assert [kind for kind, _ in world.noted()] == [NoteKind.NOT_A_SEGMENT] * 2


def test_flows_that_have_ended_make_room_for_those_that_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that has itself forgotten would have the rest of a reply read as a reply."""
    monkeypatch.setattr(engine, "FLOWS", 8)
    monkeypatch.setattr(engine, "CROWD", 4)
    world = World(PUBLISHED)
    world.server(b'257 "/')
    for port in range(50000, 50100):
        tuple_ = replace(PUBLISHED.original, sport=port)
        stranger = replace(PUBLISHED, original=tuple_, reply=tuple_.inverted(), id=port)
        world.kernel.conntrack, world.kernel.living = stranger, [PUBLISHED]
        world.inspect(packet(tuple_.inverted(), b"220 Hello\r\n"))
    world.kernel.conntrack = PUBLISHED
    world.server(b'227 (10,77,1,10,21,56)" created\r\n')
    assert world.kernel.expectations == []


def test_flows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FLOWS", 4)
    world = World(ROUTED)
    for port in range(50000, 50010):
        tuple_ = replace(ORIGINAL, sport=port)
        world.kernel.conntrack = replace(ROUTED, original=tuple_, reply=tuple_.inverted(), id=port)
        world.inspect(packet(tuple_, b"NOOP\r\n"))
    assert len(world.engine.flows) == 4


def test_a_segment_that_grows_past_any_path_leaves_in_parts() -> None:
    """The line goes first; what no longer fits is repeated by its sender."""
    world = World(PUBLISHED)
    line = b"227 Entering Passive Mode (10,77,1,10,156,64).\r\n"
    rest = b"x" * 1400 + b"\r\n"
    world.kernel.clashes = set(range(40000, 40001))
    first = world.server(line + rest)
    assert isinstance(first, bytes)
    assert len(first) <= len(line + rest)
    assert world.kernel.expectations


def test_a_rebuilt_segment_keeps_its_options_and_fits() -> None:
    world = World(MASQUERADED)
    verdict = world.inspect(world.raw(Direction.ORIGINAL, ISN, PORT))
    assert verdict is not HELD_BACK
    changed = getattr(verdict, "packet", None)
    assert isinstance(changed, bytes)
    assert parse_segment(changed).seq == ISN
