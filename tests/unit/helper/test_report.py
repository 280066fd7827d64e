"""The parts of a report, and the sum of several workers'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Status, Tuple
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import Note, NoteKind
from ftpfw.helper.flow import Flow, FlowTable, Phase, key_of
from ftpfw.helper.report import (
    LONGEST_USER,
    SESSIONS,
    Drops,
    combine,
    describe_session,
    queue_drops,
)
from ftpfw.helper.tally import REMEMBERED, Tally

from .reports import worker_report


def conntrack(sport: int) -> Conntrack:
    host = bytes([10, 0, 0, 1])
    original = Tuple(host, sport, host, 65535)
    return Conntrack(sport, original, original.inverted(), Status.CONFIRMED)


def test_a_session_is_told_with_its_age() -> None:
    ct = conntrack(4000)
    flow = Flow(ct, key_of(ct.original), 100.0, user="anna", phase=Phase.TRANSFER)
    assert describe_session(flow, 107.26) == {
        "client": "10.0.0.1:4000",
        "server": "10.0.0.1:65535",
        "user": "anna",
        "phase": "transfer",
        "age": 7.3,
    }


def test_a_name_of_any_length_is_cut() -> None:
    ct = conntrack(4000)
    flow = Flow(ct, key_of(ct.original), 0.0, user="x" * 4000)
    assert describe_session(flow, 0.0)["user"] == "x" * LONGEST_USER


def test_the_sessions_told_are_those_used_last() -> None:
    flows = FlowTable(SESSIONS * 2)
    for sport in range(SESSIONS + 3):
        flows.add(conntrack(sport), 0.0)
    flows.find(key_of(conntrack(1).original))
    told = [flow.conntrack.id for flow in flows.recent(SESSIONS)]
    assert told[:3] == [1, SESSIONS + 2, SESSIONS + 1]
    assert len(told) == SESSIONS


TABLE = """\
    0    6842     0 2 65531     0     0       17  1
   10   12345     3 2 65531     4     5       99  1
"""

QUEUES = [
    ("first row", 0, Drops(0, 0)),
    ("second row", 10, Drops(4, 5)),
    ("1 is not 10", 1, Drops(0, 0)),
]


@pytest.mark.parametrize(
    ("number", "drops"), [row[1:] for row in QUEUES], ids=[row[0] for row in QUEUES]
)
def test_drops_are_those_of_the_queue(number: int, drops: Drops) -> None:
    assert queue_drops(TABLE, number) == drops


def test_no_queue_no_drops() -> None:
    assert queue_drops("", 0) == Drops()


def tally_of(packets: int, kinds: list[Kind], times: list[float]) -> Tally:
    tally = Tally(packets=packets)
    for time, kind in enumerate(kinds):
        tally.note(Note(NoteKind.REFUSED, "foreign address", about=kind), float(time))
    for seconds in times:
        tally.verdicts.observe(seconds)
    return tally


tallies = st.builds(
    tally_of,
    st.integers(0, 1000),
    st.lists(st.sampled_from(Kind)),
    st.lists(st.floats(0, 1)),
)


@given(st.lists(tallies, min_size=1, max_size=4))
def test_a_sum_has_all_that_its_parts_have(parts: list[Tally]) -> None:
    total = combine(worker_report(queue, tally) for queue, tally in enumerate(parts))
    assert total["packets"] == sum(part.packets for part in parts)
    refused = sum(total["notes"].get("refused", {}).values())
    assert refused == sum(sum(part.notes.values()) for part in parts)
    by_kind = sum(sum(outcomes.values()) for outcomes in total["negotiations"].values())
    assert by_kind == refused
    assert sum(total["verdict_seconds"]["counts"]) == sum(
        sum(part.verdicts.counts) for part in parts
    )


def test_a_sum_keeps_the_newest_refusals() -> None:
    def at(*times: float) -> Tally:
        tally = Tally()
        for time in times:
            tally.note(Note(NoteKind.REFUSED, "foreign address"), time)
        return tally

    early, late = at(*range(REMEMBERED)), at(5.5, 100.0)
    total = combine([worker_report(0, late), worker_report(1, early)])
    times = [refusal["time"] for refusal in total["refusals"]]
    assert times == sorted(times)
    assert times[-1] == 100.0
    assert times[0] == 2.0
    assert len(times) == REMEMBERED


def test_the_sum_of_no_workers_is_nothing() -> None:
    total = combine([])
    assert (total["packets"], total["notes"], total["sessions"]) == (0, {}, [])
