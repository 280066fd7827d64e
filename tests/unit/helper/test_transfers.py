"""Joining what a control connection says with what conntrack tells of its data connections."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Counters, Status, TcpState, Tuple
from ftpfw.conntrack.wire_event import ConntrackEvent, Destroy, New, Update
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import Transfer
from ftpfw.helper.transfers import ASKED, CONTROLS, FREE, GRACE, LINGER, Join, Record
from tests.unit.table import table

CLIENT, SERVER, PUBLIC = b"\n\0\1\n", b"\xc0\0\2\n", b"\xc0\0\2\1"
CONTROL = Conntrack(
    id=1,
    original=Tuple(CLIENT, 40000, SERVER, 21),
    reply=Tuple(SERVER, 21, PUBLIC, 40000),
    status=Status.CONFIRMED,
    helper="sane",
    tcp_state=TcpState.ESTABLISHED,
)
EXPECTED = Tuple(CLIENT, 0, SERVER, 50000)
COUNTERS = (Counters(5, 300), Counters(7, 9000))
DATA = Conntrack(
    id=2,
    original=replace(EXPECTED, sport=40001),
    reply=Tuple(SERVER, 50000, PUBLIC, 40001),
    status=Status.EXPECTED,
    master=CONTROL.original,
    tcp_state=TcpState.ESTABLISHED,
)
ASK = Transfer(CONTROL.original, 1, EXPECTED, Kind.PASV, "kim", "RETR", "file")
ANSWER = replace(ASK, reply=226, size=8700)


class World:
    """A join, the kernel that it looks at, and a clock."""

    def __init__(self) -> None:
        self.kernel = {1: CONTROL}
        self.join = Join(self.look)
        self.now = 100.0

    def look(self, tuple_: Tuple) -> Conntrack | None:
        found = (one for one in self.kernel.values() if tuple_ in (one.original, one.reply))
        return next(found, None)

    def tell(self, transfer: Transfer) -> list[Record]:
        self.now += 1
        return self.join.tell(transfer, self.now)

    def see(self, event: ConntrackEvent) -> list[Record]:
        self.now += 1
        return self.join.see(event, self.now)

    def ends(self, data: Conntrack, state: TcpState = TcpState.TIME_WAIT) -> list[Record]:
        """The data connection ends; its counters can be read, no event of an update has them."""
        over = replace(data, tcp_state=state)
        self.kernel[data.id] = replace(over, counters=COUNTERS)
        return self.see(Update(over))

    def after(self, seconds: float) -> list[Record]:
        self.now += seconds
        return self.join.expire(self.now)


@pytest.fixture
def world() -> World:
    return World()


def test_a_download_in_the_usual_order(world: World) -> None:
    assert world.tell(ASK) == []
    assert world.see(New(DATA)) == []
    assert world.see(Update(replace(DATA, tcp_state=TcpState.FIN_WAIT))) == []
    assert world.tell(ANSWER) == []
    (record,) = world.ends(DATA)
    assert record.transfer == ANSWER
    assert record.control == CONTROL
    assert record.data is not None
    assert (record.data.original, record.data.reply) == (DATA.original, DATA.reply)
    assert record.data.counters == COUNTERS
    assert (record.started, record.ended) == (102.0, 105.0)
    assert record.in_order
    assert not world.join.waits()


STEPS = {
    "told": lambda world: world.tell(ASK),
    "answered": lambda world: world.tell(ANSWER),
    "begun": lambda world: world.see(New(DATA)),
    "ended": lambda world: world.ends(DATA),
}


@given(st.permutations(["told", "answered", "begun", "ended"]))
def test_any_interleaving_gives_the_same_record(order: list[str]) -> None:
    """Each side comes in its own order, the two by two ways."""
    lines = iter(["told", "answered"])
    events = iter(["begun", "ended"])
    world = World()
    records = []
    for step in order:
        records += STEPS[next(lines if step in {"told", "answered"} else events)](world)
    (record,) = records
    assert (record.transfer, record.in_order) == (ANSWER, True)
    assert record.data is not None
    assert record.data.counters == COUNTERS


def test_counters_of_a_destroy_need_no_look(world: World) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    world.tell(ANSWER)
    gone = replace(DATA, master=None, counters=COUNTERS, tcp_state=TcpState.CLOSE)
    (record,) = world.see(Destroy(gone))
    assert record.data is not None
    assert record.data.counters == COUNTERS
    assert not record.in_order


ENDS = [
    ("both sides have ended", [TcpState.TIME_WAIT], True),
    ("reset", [TcpState.CLOSE], False),
    ("reset when both had ended", [TcpState.LAST_ACK, TcpState.CLOSE], True),
    ("reset when one had ended", [TcpState.FIN_WAIT, TcpState.CLOSE], False),
]


@pytest.mark.parametrize(("states", "in_order"), **table(ENDS))
def test_end_of_the_data_connection(world: World, states: list[TcpState], in_order: bool) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    world.tell(ANSWER)
    *before, last = states
    for state in before:
        assert world.see(Update(replace(DATA, tcp_state=state))) == []
    (record,) = world.ends(DATA, last)
    assert record.in_order == in_order


def test_refusal_waits_a_moment_for_data_that_may_have_come(world: World) -> None:
    world.tell(ASK)
    assert world.tell(replace(ASK, reply=550)) == []
    assert world.after(GRACE / 2) == []
    (record,) = world.after(GRACE)
    assert (record.transfer.reply, record.data) == (550, None)


def test_refusal_where_nothing_was_expected_is_over_at_once(world: World) -> None:
    bare = replace(ASK, data=None, kind=None)
    assert world.tell(bare) == []
    (record,) = world.tell(replace(bare, reply=425))
    assert record.data is None


def test_answer_never_comes_where_the_control_connection_is_gone(world: World) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    world.ends(DATA)
    assert world.after(100 * GRACE) == [], "it lives, and may take its time"
    del world.kernel[1]
    assert world.after(0) == [], "its last words may be on their way"
    (record,) = world.after(GRACE)
    assert record.transfer == ASK
    assert record.data is not None


NOT_IT = [
    ("another with its tuple", replace(CONTROL, id=9)),
    ("ended", replace(CONTROL, tcp_state=TcpState.TIME_WAIT)),
]


@pytest.mark.parametrize("found", **table(NOT_IT))
def test_control_connection_that_is_not_the_one_any_more(world: World, found: Conntrack) -> None:
    world.tell(ASK)
    world.kernel[1] = found
    world.after(0)
    (record,) = world.after(GRACE)
    assert (record.control, record.transfer.reply) == (CONTROL, None)


def test_silent_control_connection_is_not_asked_for_while_data_flows(world: World) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    del world.kernel[1]
    assert world.after(1000) + world.after(1000) == []


def test_data_connection_that_nobody_closes_is_told_as_it_is(world: World) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    world.kernel[2] = replace(DATA, counters=COUNTERS)
    world.tell(ANSWER)
    assert world.after(LINGER / 2) == []
    (record,) = world.after(LINGER)
    assert record.data is not None
    assert (record.data.counters, record.in_order) == (COUNTERS, False)


def test_several_transfers_in_one_session_keep_apart(world: World) -> None:
    records = []
    for number in (1, 2, 3):
        data = replace(DATA, id=10 + number, original=replace(DATA.original, sport=number))
        asked = replace(ASK, number=number, path=str(number))
        records += world.tell(asked)
        records += world.see(New(data))
        records += world.tell(replace(asked, reply=226))
        records += world.ends(data)
    told = [(record.transfer.path, record.data and record.data.id) for record in records]
    assert told == [("1", 11), ("2", 12), ("3", 13)]


def test_unused_data_connection_is_not_the_next_transfers(world: World) -> None:
    """The client connects, gives up, and asks anew at the same port."""
    world.see(New(DATA))
    later = replace(DATA, id=3, original=replace(DATA.original, sport=40002))
    world.see(New(later))
    world.tell(ASK)
    world.tell(ANSWER)
    assert world.ends(DATA) == []
    (record,) = world.ends(later)
    assert record.data is not None
    assert record.data.id == 3


STRANGERS = [
    ("of another control connection", replace(DATA, master=DATA.original)),
    ("at another port", replace(DATA, original=replace(DATA.original, dport=50001))),
    ("whose master is not known", replace(DATA, master=None)),
]


@pytest.mark.parametrize("data", **table(STRANGERS))
def test_data_connection_of_somebody_else(world: World, data: Conntrack) -> None:
    world.tell(ASK)
    world.see(New(data))
    world.tell(ANSWER)
    (record,) = world.after(GRACE)
    assert record.data is None


def test_tuple_of_a_control_connection_used_again(world: World) -> None:
    world.tell(ASK)
    (stale,) = world.tell(replace(ASK, path="other"))
    assert (stale.transfer.path, stale.transfer.reply) == ("file", None)
    world.see(New(DATA))
    world.tell(replace(ANSWER, path="other"))
    (record,) = world.ends(DATA)
    assert record.transfer.path == "other"


def test_lost_events_are_made_good_by_a_list(world: World) -> None:
    world.tell(ASK)
    world.tell(ANSWER)
    now = world.now
    assert world.join.resynchronise([DATA], now) == []
    (record,) = world.join.resynchronise([], now + 1)
    assert record.data is not None
    assert record.data.original == DATA.original


def test_what_is_over_in_the_list_ends_a_transfer(world: World) -> None:
    world.tell(ASK)
    world.see(New(DATA))
    world.tell(ANSWER)
    over = replace(DATA, tcp_state=TcpState.TIME_WAIT, counters=COUNTERS)
    (record,) = world.join.resynchronise([over], world.now)
    assert record.in_order
    assert record.data is not None
    assert record.data.counters == COUNTERS


def test_control_connections_are_bounded(world: World) -> None:
    masters = (replace(CONTROL.original, sport=port) for port in range(CONTROLS + 1))
    records = [record for one in masters for record in world.tell(replace(ASK, control=one))]
    assert [record.transfer.control.sport for record in records] == [0]


def test_unanswered_transfers_of_a_control_connection_are_bounded(world: World) -> None:
    told = [world.tell(replace(ASK, number=number)) for number in range(ASKED + 1)]
    assert [record.transfer.number for records in told for record in records] == [0]


def test_data_connections_that_nobody_asks_for_are_bounded(world: World) -> None:
    for id_ in range(FREE + 1):
        original = replace(DATA.original, sport=id_, dport=50000 + id_)
        world.see(New(replace(DATA, id=100 + id_, original=original)))
    world.tell(ASK)
    (record,) = world.tell(ANSWER) or world.after(GRACE)
    assert record.data is None, "the first was at its port, and is forgotten"
