"""Strict checks in the engine: what leaves, opens and is noted; and how not to slip past them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftpfw.conntrack.model import Conntrack, Direction
from ftpfw.ftp.checks import COMPAT, STRICT, Action, Check
from ftpfw.helper import engine
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, NoteKind
from ftpfw.helper.settings import Settings
from ftpfw.tcp.segment import ACK, RST, Segment, parse_segment
from tests.unit.table import table

from .world import ISN, MASQUERADED, MASQUERADED6, ROUTED, World, packet

PORT = b"PORT 10,77,1,10,156,64\r\n"
PORT_OUT = b"PORT 192,0,2,1,156,64\r\n"
ANNOUNCED = b"227 Entering Passive Mode (192,0,2,10,156,64)\r\n"
C, S = Direction.ORIGINAL, Direction.REPLY

LOGGED_IN = [
    (S, b"220 Hello\r\n"),
    (C, b"USER ftp\r\n"),
    (S, b"331 Password\r\n"),
    (C, b"PASS x\r\n"),
    (S, b"230 In\r\n"),
]
GREETED = LOGGED_IN[:1]


def only(check: Check, action: Action, **others: object) -> Settings:
    return Settings(checks={**COMPAT, check: action}, **others)  # type: ignore[arg-type]


def world_with(
    settings: Settings, conntrack: Conntrack, before: list[tuple[Direction, bytes]] = LOGGED_IN
) -> World:
    world = World(conntrack, settings)
    for direction, line in before:
        assert world.say(direction, line, ack=world.seq[direction.other]) == line
    return world


ATTACKS = [
    (Check.FOREIGN_ADDRESS, LOGGED_IN, C, b"PORT 10,77,1,99,156,64\r\n"),
    (Check.FOREIGN_ADDRESS, [*LOGGED_IN, (C, b"PASV\r\n")], S, b"227 (10,9,9,9,156,64)\r\n"),
    (Check.PRIVILEGED_PORT, LOGGED_IN, C, b"PORT 10,77,1,10,0,22\r\n"),
    (Check.COMMAND_FROM_SERVER, LOGGED_IN, S, b"PORT 192,0,2,10,156,64\r\n"),
    (Check.REPLY_FROM_CLIENT, LOGGED_IN, C, b"227 (10,77,1,10,156,64)\r\n"),
    (Check.UNASKED_REPLY, LOGGED_IN, S, ANNOUNCED),
    (Check.TRAILING_BYTES, LOGGED_IN, C, b"PORT 10,77,1,10,156,64;\r\n"),
    (Check.WRONG_COUNT, LOGGED_IN, C, b"PORT 10,77,1,10,156\r\n"),
    (Check.BARE_LINE_FEED, LOGGED_IN, C, b"PORT 10,77,1,10,156,64\n"),
    (Check.NUL, LOGGED_IN, C, b"RETR a\0\r\n"),
    (Check.TELNET_IN_VERB, LOGGED_IN, C, b"PO\xff\xf1RT 10,77,1,10,156,64\r\n"),
    (Check.UNKNOWN_VERB, LOGGED_IN, C, b"FROB\r\n"),
    (Check.DENIED_VERB, LOGGED_IN, C, b"site CHMOD 777 a\r\n"),
    (Check.LOGIN_REQUIRED, GREETED, C, PORT),
    (Check.ANONYMOUS_ONLY, GREETED, C, b"USER root\r\n"),
    (Check.EPSV_ALL, [*LOGGED_IN, (C, b"EPSV ALL\r\n"), (S, b"200 OK\r\n")], C, PORT),
    (Check.TOO_MANY_PENDING, [*LOGGED_IN, *[(C, b"NOOP\r\n")] * 16], C, PORT),
    (Check.LINE_TOO_LONG, LOGGED_IN, C, b"A" * 4096 + b"\r\n"),
    (Check.REPLY_TOO_LONG, LOGGED_IN, S, b"200 " + b"A" * 4096 + b"\r\n"),
]
IDS = [f"{row[0].value} {row[2].name.lower()}" for row in ATTACKS]
attacks = pytest.mark.parametrize(("check", "before", "direction", "line"), ATTACKS, ids=IDS)
nat = pytest.mark.parametrize("conntrack", [ROUTED, MASQUERADED], ids=["routed", "masqueraded"])


def settings_for(check: Check, action: Action) -> Settings:
    return only(check, action, denied_verbs=frozenset({"SITE"}))


def checks_noted(world: World) -> list[str]:
    return [note.reason for note in world.notes if note.kind is NoteKind.CHECK]


@attacks
@nat
def test_drop(
    conntrack: Conntrack,
    check: Check,
    before: list[tuple[Direction, bytes]],
    direction: Direction,
    line: bytes,
) -> None:
    world = world_with(settings_for(check, Action.DROP), conntrack, before)
    opened = list(world.kernel.expectations)
    seq = world.seq[direction]
    assert world.say(direction, line) is HELD_BACK
    assert world.segment(direction, seq, line) is HELD_BACK, "repeated"
    assert world.say(direction, b"NOOP\r\n") is HELD_BACK, "what follows never leaves either"
    assert world.kernel.expectations == opened
    assert checks_noted(world) == [check.value]


@attacks
@nat
def test_reset(
    conntrack: Conntrack,
    check: Check,
    before: list[tuple[Direction, bytes]],
    direction: Direction,
    line: bytes,
) -> None:
    world = world_with(settings_for(check, Action.RESET), conntrack, before)
    seq = world.seq[direction]
    ended = sent(world, direction, seq, line)
    assert (ended.flags, ended.payload, ended.seq) == (RST | ACK, b"", seq)
    assert world.kernel.expectations == []
    assert checks_noted(world) == [check.value]


@attacks
@nat
def test_log(
    conntrack: Conntrack,
    check: Check,
    before: list[tuple[Direction, bytes]],
    direction: Direction,
    line: bytes,
) -> None:
    logging = world_with(settings_for(check, Action.LOG), conntrack, before)
    compat = world_with(Settings(), conntrack, before)
    assert logging.say(direction, line) == compat.say(direction, line)
    assert logging.kernel.done == compat.kernel.done
    assert checks_noted(logging) == [check.value]


def test_a_legitimate_session_fails_no_check() -> None:
    world = world_with(Settings(checks=STRICT), MASQUERADED)
    talk = [
        (C, b"SYST\r\n"),
        (S, b"215 UNIX\r\n"),
        (C, b"FEAT\r\n"),
        (S, b"211-Features:\r\n EPRT\r\n211 End\r\n"),
        (C, b"PASV\r\n"),
        (S, ANNOUNCED),
        (C, b"LIST\r\n"),
        (S, b"150 Here\r\n226 Done\r\n"),
        (C, b"EPSV\r\n"),
        (S, b"229 Extended (|||40001|)\r\n"),
        (C, b"RETR a\r\n"),
        (S, b"150 a (5 bytes)\r\n"),
        (S, b"226 Done\r\n"),
        (C, PORT),
        (S, b"200 OK\r\n"),
        (C, b"STOR b\r\n"),
        (S, b"150 Go\r\n"),
        (C, b"\xff\xf4\xf2ABOR\r\n"),
        (S, b"426 Aborted\r\n226 ABOR\r\n"),
        (C, b"QUIT\r\n"),
        (S, b"221 Bye\r\n"),
    ]
    for direction, line in talk:
        assert isinstance(world.say(direction, line, ack=world.seq[direction.other]), bytes)
    assert checks_noted(world) == []
    assert len(world.kernel.expectations) == 3


def sent(world: World, direction: Direction, seq: int, payload: bytes) -> Segment:
    """A segment as it leaves, changed."""
    verdict = world.inspect(world.raw(direction, seq, payload))
    assert isinstance(verdict, Accept)
    assert verdict.packet is not None
    return parse_segment(verdict.packet)


@nat
def test_after_a_reset_both_hosts_are_told(conntrack: Conntrack) -> None:
    world = world_with(only(Check.NUL, Action.RESET), conntrack)
    at = world.seq[C]
    assert sent(world, C, at, b"\0\r\n").flags == RST | ACK
    again = [sent(world, C, at, b"\0\r\n") for _ in range(4)]
    assert [one.flags for one in again] == [ACK, RST | ACK, ACK, RST | ACK]
    assert {one.seq for one in again} == {at}
    assert not any(one.payload for one in again)
    assert sent(world, C, at + 3, b"NOOP\r\n").seq == at, "what is behind has no number there"
    crossing = sent(world, S, world.seq[S], b"200 OK\r\n")
    assert (crossing.flags, crossing.seq, crossing.payload) == (RST | ACK, world.seq[S], b"")


def test_a_reset_withdraws_what_is_open() -> None:
    world = world_with(only(Check.NUL, Action.RESET), MASQUERADED)
    world.client(PORT)
    assert len(world.kernel.expectations) == 1
    world.client(b"\0\r\n")
    assert world.kernel.expectations == []


def test_a_reset_after_a_rewrite_counts_as_the_receiver_does() -> None:
    """The kernel adds its offset to what leaves."""
    world = world_with(only(Check.NUL, Action.RESET), MASQUERADED)
    world.client(PORT)
    assert sent(world, C, world.seq[C], b"\0\r\n").seq == world.seq[C]


@nat
def test_lines_ahead_of_a_dropped_one_leave(conntrack: Conntrack) -> None:
    world = world_with(only(Check.UNKNOWN_VERB, Action.DROP), conntrack)
    seq = world.seq[C]
    assert world.client(b"NOOP\r\nFROB\r\nNOOP\r\n") == b"NOOP\r\n"
    assert world.segment(C, seq, b"NOOP\r\nFROB\r\nNOOP\r\n") == b"NOOP\r\n"
    assert world.segment(C, seq + 6, b"FROB\r\nNOOP\r\n") is HELD_BACK


def test_on_a_translated_flow_the_held_part_stays_back() -> None:
    world = world_with(only(Check.TRAILING_BYTES, Action.DROP), MASQUERADED)
    assert world.client(b"PORT 10,77") == b"PORT "
    assert world.client(b",1,10,156,64;\r\n") is HELD_BACK
    assert world.kernel.expectations == []


def test_without_nat_a_line_stays_without_its_end() -> None:
    world = world_with(only(Check.TRAILING_BYTES, Action.DROP), ROUTED)
    assert world.client(b"PORT 10,77") == b"PORT 10,77"
    assert world.client(b",1,10,156,64;\r\n") is HELD_BACK


REFUSALS = [("drop", Action.DROP), ("log", Action.LOG), ("reset", Action.RESET)]


@pytest.mark.parametrize("action", **table(REFUSALS))
def test_a_refused_port_is_closed_again(action: Action) -> None:
    world = world_with(only(Check.PORT_REFUSED, action), MASQUERADED)
    world.client(PORT)
    assert len(world.kernel.expectations) == 1
    assert world.server(b"500 Illegal PORT command.\r\n") == b"500 Illegal PORT command.\r\n"
    assert world.kernel.expectations == []
    assert checks_noted(world) == ["port-refused"]


def test_the_refusal_of_an_earlier_port_closes_no_later_one() -> None:
    world = world_with(only(Check.PORT_REFUSED, Action.LOG), ROUTED)
    world.client(PORT)
    world.client(b"PORT 10,77,1,10,156,65\r\n")
    world.server(b"500 No\r\n")
    assert [one.tuple.dport for one in world.kernel.expectations] == [40000, 40001]


def test_too_many_expectations() -> None:
    settings = only(Check.TOO_MANY_EXPECTATIONS, Action.DROP, expectations_per_client=2)
    world = world_with(settings, ROUTED)
    for port in (64, 65):
        assert isinstance(world.client(b"PORT 10,77,1,10,156,%d\r\n" % port), bytes)
    assert world.client(PORT.replace(b"64", b"66")) is HELD_BACK
    assert checks_noted(world) == ["too-many-expectations"]
    assert len(world.kernel.expectations) == 2


def test_used_expectations_do_not_count() -> None:
    settings = only(Check.TOO_MANY_EXPECTATIONS, Action.DROP, expectations_per_client=2)
    world = world_with(settings, ROUTED)
    for port in range(64, 74):
        world.kernel.expectations.clear()
        assert isinstance(world.client(b"PORT 10,77,1,10,156,%d\r\n" % port), bytes)


def test_old_expectations_do_not_count() -> None:
    settings = only(Check.TOO_MANY_EXPECTATIONS, Action.DROP, expectations_per_client=1)
    world = world_with(settings, ROUTED)
    world.client(PORT)
    world.now += 301
    assert isinstance(world.client(b"PORT 10,77,1,10,156,65\r\n"), bytes)


def test_no_note_holds_a_password() -> None:
    world = world_with(Settings(checks=dict.fromkeys(Check, Action.LOG)), ROUTED, GREETED)
    world.client(b"PASS s3cret\0\n")
    world.client(b"ACCT s3cret\0\n")
    world.client(b"s3cret\r\n")
    assert checks_noted(world)
    told = [note.detail for note in world.notes]
    assert "PASS" in told
    assert [one for one in told if "s3cret" in one] == []


def test_settings_may_change_in_mid_session() -> None:
    world = World(MASQUERADED)
    for direction, line in LOGGED_IN:
        world.say(direction, line)
    world.engine.settings = Settings(checks=STRICT)
    assert world.client(PORT) == PORT_OUT, "joined late: nothing is held against it"
    assert world.server(b"200 OK\r\n", ack=ISN + 4096) == b"200 OK\r\n"
    assert world.server(ANNOUNCED) is HELD_BACK
    world.engine.settings = Settings()
    assert world.client(b"FROB\r\n") == b"FROB\r\n"


# A check that is not passed must not be slipped past.

DENY = only(Check.DENIED_VERB, Action.DROP, denied_verbs=frozenset({"SITE"}))
SITE = b"SITE EXEC\r\n"


@nat
def test_a_repaired_hole_is_read(conntrack: Conntrack) -> None:
    """Send what is behind, wait until a reader without checks would give up, then the line."""
    world = world_with(DENY, conntrack)
    at = world.seq[C]
    behind = b"NOOP\r\n"
    for _ in range(3):
        world.segment(C, at + len(SITE), behind)
        world.now += engine.GAP_SECONDS
    assert world.segment(C, at, SITE) is HELD_BACK


@nat
def test_the_first_line_may_come_second(conntrack: Conntrack) -> None:
    world = World(conntrack, DENY)
    assert world.segment(C, ISN + len(SITE), b"NOOP\r\n") == b"NOOP\r\n"
    assert world.segment(C, ISN, SITE) is HELD_BACK


@nat
def test_a_line_far_ahead_does_not_begin_a_new_stream(conntrack: Conntrack) -> None:
    world = world_with(DENY, conntrack)
    at = world.seq[C]
    assert world.segment(C, at + 20_000, b"NOOP\r\n") is HELD_BACK
    assert world.segment(C, at, SITE) is HELD_BACK


def test_bytes_that_the_receiver_has_are_not_waited_for() -> None:
    world = world_with(DENY, ROUTED)
    at = world.seq[C]
    world.segment(C, at + 6, b"NOOP\r\n")
    world.say(S, b"200 OK\r\n", ack=at + 6)
    world.now += engine.GAP_SECONDS
    assert world.segment(C, at + 6, b"NOOP\r\n") == b"NOOP\r\n"
    assert world.segment(C, at + 12, SITE) is HELD_BACK


def test_a_forged_syn_forgets_nothing() -> None:
    world = world_with(only(Check.LOGIN_REQUIRED, Action.DROP), ROUTED, GREETED)
    world.inspect(packet(ROUTED.original, b"", seq=7, flags="S"))
    assert world.client(PORT) is HELD_BACK


def test_a_restarted_helper_judges_the_repeated_line_again() -> None:
    world = world_with(DENY, ROUTED)
    at = world.seq[C]
    assert world.client(SITE) is HELD_BACK
    fresh = World(ROUTED, DENY)
    assert fresh.segment(C, at, SITE) is HELD_BACK


def test_another_connection_on_the_same_ports_is_not_condemned() -> None:
    world = world_with(only(Check.NUL, Action.RESET), ROUTED)
    world.client(b"\0\r\n")
    world.inspect(packet(ROUTED.original, b"", seq=7, flags="S"))
    world.kernel.conntrack = replace(ROUTED, id=2)
    assert world.read(world.raw(C, 8, b"NOOP\r\n")) == UNCHANGED


def test_what_cannot_be_read_does_not_reach_the_server() -> None:
    """Its host takes more extension headers than we walk through."""
    tuple_ = MASQUERADED6.original
    raw = packet(tuple_, b"SITE CHMOD 777 a\r\n")
    chain = b"".join(bytes([60 if more else 6, 0, 1, 4, 0, 0, 0, 0]) for more in range(9, -1, -1))
    raw = (
        raw[:4]
        + (len(raw) - 40 + len(chain)).to_bytes(2)
        + bytes([60])
        + raw[7:40]
        + chain
        + raw[40:]
    )
    assert World(MASQUERADED6, Settings()).inspect(raw) == UNCHANGED
    assert World(MASQUERADED6, Settings(checks=STRICT)).inspect(raw) == HELD_BACK


def test_what_is_no_tcp_passes() -> None:
    """The helper's hook brings ICMP errors too."""
    raw = bytearray(packet(ROUTED.original, b""))
    raw[9] = 1
    assert World(ROUTED, Settings(checks=STRICT)).inspect(bytes(raw)) == UNCHANGED


@pytest.mark.parametrize("conntrack", [ROUTED, MASQUERADED], ids=["routed", "translated"])
@pytest.mark.parametrize("ahead", [False, True], ids=["in order", "behind a hole"])
def test_a_repetition_says_what_was_read_the_first_time(conntrack: Conntrack, ahead: bool) -> None:
    """The first copy may never have got to the server: a hop too few to live, a stale timestamp."""
    world = world_with(Settings(checks=STRICT, denied_verbs=frozenset({"SITE"})), conntrack)
    read, other = b"NOOP CHMOD 777 a\r\n", b"SITE CHMOD 777 a\r\n"
    seq = world.seq[C] + (6 if ahead else 0)
    world.segment(C, seq, read)
    assert world.segment(C, seq, other) in (read, HELD_BACK)
    if ahead:
        assert world.client(b"STAT\r\n") in (b"STAT\r\n", b"STAT\r\n" + read)
    assert world.segment(C, seq, other) == read


def test_so_it_does_ahead_of_a_line_that_was_stopped() -> None:
    world = world_with(Settings(checks=STRICT, denied_verbs=frozenset({"SITE"})), ROUTED)
    seq = world.seq[C]
    assert world.client(b"NOOP CHMOD 777 a\r\n") == b"NOOP CHMOD 777 a\r\n"
    assert world.client(b"SITE x\r\n") == HELD_BACK
    assert world.segment(C, seq, b"SITE CHMOD 777 a\r\n") == b"NOOP CHMOD 777 a\r\n"
