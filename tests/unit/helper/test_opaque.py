"""Explicit FTPS: when reading stops and begins again, and which SYNs are expected."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from ftpfw.conntrack.model import Conntrack, Direction, TcpState, Tuple
from ftpfw.helper import opaque
from ftpfw.helper.commands import UNCHANGED, NoteKind
from ftpfw.helper.flow import Phase
from ftpfw.helper.settings import PassiveRange, Settings
from tests.unit.table import table

from .world import (
    ISN,
    MASQUERADED,
    PUBLISHED,
    ROUTED,
    World,
    endpoint_tuple,
    packet,
)

C, S = Direction.ORIGINAL, Direction.REPLY
PORT = b"PORT 10,77,1,10,156,64\r\n"
HELLO = b"\x16\x03\x01\x00\x05hello"
MARK = Settings().mark
MARKING = f"mark {MARK:#x}/{MARK:#x}"
CLEARING = f"mark 0x0/{MARK:#x}"


def phase(world: World) -> Phase:
    (flow,) = world.engine.flows
    return flow.phase


def under_tls(conntrack: Conntrack = MASQUERADED, settings: Settings | None = None) -> World:
    world = World(conntrack, settings or Settings())
    world.server(b"220 Hello\r\n")
    world.client(b"AUTH TLS\r\n")
    world.server(b"234 Go on\r\n")
    return world


@pytest.mark.parametrize("strict", [False, True], ids=["compat", "every line read"])
@pytest.mark.parametrize("auth", [b"AUTH TLS\r\n", b"auth ssl\r\n", b"\xff\xf4\xf2AUTH TLS-P\r\n"])
def test_auth_and_234_turn_the_flow_opaque(auth: bytes, strict: bool) -> None:
    world = World(MASQUERADED, Settings(transfers=strict))
    world.client(b"USER anna\r\n")
    world.server(b"331 Password\r\n")
    assert world.client(auth) == auth
    assert phase(world) is not Phase.TLS
    assert world.server(b"234 Go on\r\n") == b"234 Go on\r\n"
    assert phase(world) is Phase.TLS
    assert world.kernel.done == [MARKING]
    assert world.noted() == [(NoteKind.OPAQUE, "AUTH accepted")]


NOT_OPAQUE = [
    ("refused", [(C, b"AUTH TLS\r\n"), (S, b"534 No\r\n"), (S, b"234 Go on\r\n")]),
    ("not asked", [(C, b"NOOP\r\n"), (S, b"234 Go on\r\n")]),
    ("within a long reply", [(C, b"AUTH TLS\r\n"), (S, b"214-Help\r\n234 x\r\n214 End\r\n")]),
    ("Kerberos", [(C, b"AUTH GSSAPI\r\n"), (S, b"234 Go on\r\n")]),
    ("said by the client", [(C, b"AUTH TLS\r\n"), (C, b"234 Go on\r\n")]),
]


@pytest.mark.parametrize("transfers", [False, True], ids=["compat", "every line read"])
@pytest.mark.parametrize("talk", **table(NOT_OPAQUE))
def test_nothing_else_does(talk: list[tuple[Direction, bytes]], transfers: bool) -> None:
    world = World(MASQUERADED, Settings(transfers=transfers))
    world.server(b"220 Hello\r\n")
    for direction, line in talk:
        assert world.say(direction, line) == line
    assert phase(world) is not Phase.TLS
    assert world.kernel.done == []


def test_a_reply_to_an_earlier_command_leaves_auth_pending() -> None:
    world = World(MASQUERADED)
    world.client(b"NOOP\r\nAUTH TLS\r\n")
    world.server(b"200 OK\r\n")
    world.server(b"234 Go on\r\n")
    assert phase(world) is Phase.TLS


def test_after_a_refusal_segments_are_passed_over_again() -> None:
    world = World(MASQUERADED)
    world.client(b"AUTH TLS\r\n")
    world.server(b"502 No\r\n")
    world.client(b"USER anna\r\n")
    assert world.engine.glance(world.raw(S, world.seq[S], b"331 Password\r\n"), after_nat=False)


def test_tls_passes_at_a_glance_and_is_never_held() -> None:
    world = under_tls()
    for direction in (C, S, C):
        raw = world.raw(direction, world.seq[direction], HELLO + b"PORT 10,77,1,10,1")
        assert world.engine.glance(raw, after_nat=False)
    assert world.kernel.done == [MARKING]


def test_a_repeated_line_from_before_is_no_clear_text() -> None:
    world = under_tls()
    assert world.segment(C, ISN, b"AUTH TLS\r\n") == b"AUTH TLS\r\n"
    assert phase(world) is Phase.TLS


def test_clear_text_ends_it() -> None:
    """CCC was said and answered under TLS."""
    world = under_tls()
    world.seq[C] += 5000
    assert world.client(PORT) == b"PORT 192,0,2,1,156,64\r\n"
    assert phase(world) is Phase.CLEAR
    assert world.kernel.done[1:3] == [CLEARING, "expect 192.0.2.10:0 -> 192.0.2.1:40000"]
    assert (NoteKind.OPAQUE, "clear text again") in world.noted()
    assert world.kernel.conntrack is not None
    assert world.kernel.conntrack.mark == 0


@pytest.mark.parametrize(
    "payload",
    [b"abc\x00\x91\r\n", b"NOOP", b"\x17\x03\x03\x00\x07secre\r\n"],
    ids=["binary between", "no line end", "a record"],
)
def test_what_only_looks_a_little_like_text_does_not(payload: bytes) -> None:
    world = under_tls()
    assert world.client(payload) == payload
    assert phase(world) is Phase.TLS


def test_where_the_mark_cannot_be_cleared_the_flow_stays_opaque() -> None:
    world = under_tls()
    world.kernel.refuse["mark"] = errno.EPERM
    assert world.client(PORT) == PORT
    assert phase(world) is Phase.TLS


def test_a_marked_connection_is_opaque_from_the_first() -> None:
    """The helper was restarted."""
    world = World(replace(MASQUERADED, mark=MARK))
    assert world.client(HELLO) == HELLO
    assert phase(world) is Phase.TLS
    assert world.kernel.done == []


def test_the_session_goes_on_after_clear_text_with_its_user() -> None:
    world = World(MASQUERADED)
    world.client(b"USER anna\r\n")
    world.client(b"AUTH TLS\r\n")
    world.server(b"234 Go on\r\n")
    world.client(b"PWD\r\n")
    (flow,) = world.engine.flows
    assert (flow.user, flow.phase) == ("anna", Phase.CLEAR)


# Data connections to a published server's passive ports.

PUBLIC = endpoint_tuple("198.51.100.7", 1, "192.0.2.1", 1)
FTPS = Settings(passive=(PassiveRange(PUBLIC.dst, 21, range(50000, 50101)),))
DATA = endpoint_tuple("198.51.100.7", 45678, "192.0.2.1", 50007)


def knock(world: World, data: Tuple = DATA, flags: str = "S", *, after_nat: bool = False) -> None:
    raw = packet(data, b"", flags=flags)
    assert world.inspect(raw, after_nat=after_nat) == UNCHANGED, "the SYN always passes"


def test_a_syn_is_expected_exactly() -> None:
    world = under_tls(PUBLISHED, FTPS)
    knock(world)
    (expectation,) = world.kernel.expectations
    assert expectation.master == PUBLISHED.original
    assert expectation.tuple == DATA
    assert (expectation.mask.sport, expectation.mask.dport) == (0xFFFF, 0xFFFF)
    assert expectation.nat is not None
    assert str(expectation.nat.tuple) == "10.77.1.10:50007 -> 198.51.100.7:0"
    assert world.noted()[-1] == (NoteKind.EXPECTED, "FTPS")
    assert "list conntracks" not in world.kernel.done


def test_the_hook_before_nat_serves_either_backend() -> None:
    world = under_tls(PUBLISHED, FTPS)
    world.engine._after_nat = True
    knock(world)
    assert len(world.kernel.expectations) == 1


NOT_EXPECTED = [
    ("another peer", replace(DATA, src=bytes([198, 51, 100, 8]))),
    ("a port below the range", replace(DATA, dport=49999)),
    ("a port above the range", replace(DATA, dport=50101)),
    ("another server", replace(DATA, dst=bytes([192, 0, 2, 2]))),
]


@pytest.mark.parametrize("data", **table(NOT_EXPECTED))
def test_other_syns_are_not(data: Tuple) -> None:
    world = under_tls(PUBLISHED, FTPS)
    knock(world, data)
    assert world.kernel.expectations == []


def test_a_syn_with_an_ack_is_none() -> None:
    world = under_tls(PUBLISHED, FTPS)
    knock(world, flags="SA")
    assert world.kernel.expectations == []


DEAD = [
    ("gone", None),
    ("closing", replace(PUBLISHED, mark=MARK, tcp_state=TcpState.FIN_WAIT)),
    ("reset", replace(PUBLISHED, mark=MARK, tcp_state=TcpState.CLOSE)),
    ("clear again, by another worker's doing", PUBLISHED),
    ("another connection", replace(PUBLISHED, mark=MARK, helper=None)),
]


@pytest.mark.parametrize("conntrack", **table(DEAD))
def test_only_while_the_control_connection_lives(conntrack: Conntrack | None) -> None:
    world = under_tls(PUBLISHED, FTPS)
    world.kernel.conntrack = conntrack
    knock(world)
    assert world.kernel.expectations == []
    assert world.noted()[-1] == (NoteKind.KNOCK, "no control connection under TLS")


def test_one_that_is_closing_is_not_asked_for_every_syn() -> None:
    """Who leaves many behind would have each SYN of his cost as many questions."""
    world = under_tls(PUBLISHED, FTPS)
    world.kernel.conntrack = replace(PUBLISHED, mark=MARK, tcp_state=TcpState.TIME_WAIT)
    knock(world)
    before = world.kernel.reads
    knock(world)
    assert world.kernel.reads == before


def test_a_control_connection_from_before_a_restart_vouches() -> None:
    world = World(replace(PUBLISHED, mark=MARK, tcp_state=TcpState.ESTABLISHED), FTPS)
    knock(world)
    knock(world, replace(DATA, sport=45679))
    assert len(world.kernel.expectations) == 2
    assert world.kernel.done.count("list conntracks") == 1, "the second finds it here"


def test_a_data_connection_that_inherited_the_mark_does_not_vouch() -> None:
    data = replace(PUBLISHED, original=DATA, reply=DATA.inverted(), mark=MARK, helper=None)
    world = World(None, FTPS, others=[data])
    knock(world)
    assert world.kernel.expectations == []


def test_strangers_cannot_have_the_table_searched_all_the_time() -> None:
    world = World(None, FTPS)
    for port in range(100):
        knock(world, replace(DATA, sport=port + 1))
    assert world.kernel.done.count("list conntracks") == opaque.LOOKUPS
    assert world.noted()[-1] == (NoteKind.KNOCK, "too many lookups")
    world.now += 0.5
    for port in range(100):
        knock(world, replace(DATA, sport=port + 1))
    assert world.kernel.done.count("list conntracks") == opaque.LOOKUPS * 1.5


def test_what_was_announced_in_clear_text_needs_no_lookup() -> None:
    world = World(PUBLISHED, FTPS)
    world.server(b"227 Entering Passive Mode (10,77,1,10,195,87).\r\n")
    knock(world)
    assert len(world.kernel.expectations) == 1
    assert "list conntracks" not in world.kernel.done


def test_a_port_that_was_announced_in_clear_text_before_is_no_secret() -> None:
    world = World(PUBLISHED, FTPS)
    world.client(b"PASV\r\n")
    world.server(b"227 Entering Passive Mode (10,77,1,10,195,87).\r\n")
    world.kernel.expectations.clear()  # used up
    world.client(b"AUTH TLS\r\n")
    world.server(b"234 Go\r\n", ack=world.seq[Direction.ORIGINAL])
    knock(world)
    assert [one.tuple for one in world.kernel.expectations] == [DATA]


def test_a_port_that_clear_text_has_used_is_ftps_s_next() -> None:
    world = World(PUBLISHED, FTPS)
    world.server(b"227 Entering Passive Mode (10,77,1,10,195,87).\r\n")
    knock(world)
    world.kernel.expectations.clear()
    world.client(b"AUTH TLS\r\n")
    world.server(b"234 Go on\r\n")
    knock(world, replace(DATA, sport=45679))
    assert len(world.kernel.expectations) == 1


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EEXIST])
def test_a_repeated_syn_is_no_clash(error: int) -> None:
    world = under_tls(PUBLISHED, FTPS)
    world.kernel.refuse["expect"] = error
    knock(world)
    assert world.noted()[-1] == (NoteKind.EXPECTED, "FTPS")


def test_a_full_table_is_told() -> None:
    world = under_tls(PUBLISHED, FTPS)
    world.kernel.refuse["expect"] = errno.EMFILE
    knock(world)
    assert world.noted()[-1] == (NoteKind.KNOCK, "kernel: EMFILE")


def test_forgotten_flows_vouch_for_nobody() -> None:
    world = under_tls(PUBLISHED, FTPS)
    (flow,) = world.engine.flows
    world.engine.flows.forget(flow)
    assert world.engine.flows.opaque_between(DATA.src, DATA.dst) == []


def test_without_a_passive_range_a_syn_is_nobody_to_ask_about() -> None:
    world = World(ROUTED)
    knock(world)
    assert world.kernel.done == []
    assert world.noted() == []
