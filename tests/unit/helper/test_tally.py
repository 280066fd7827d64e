"""Counters, verdict times, and the refusals that are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Tuple
from ftpfw.ftp.checks import Action
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, Note, NoteKind, Verdict
from ftpfw.helper.tally import BOUNDS, LONGEST_LINE, REMEMBERED, Histogram, Tally

CONTROL = Tuple(bytes([10, 0, 0, 1]), 4000, bytes([192, 0, 2, 10]), 21)


VERDICTS = [
    ("unchanged", UNCHANGED, (1, 0, 0)),
    ("changed", Accept(b"packet"), (1, 1, 0)),
    ("held", HELD_BACK, (1, 0, 1)),
]


@pytest.mark.parametrize(
    ("verdict", "counted"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS]
)
def test_a_packet_is_counted_by_its_verdict(
    verdict: Verdict, counted: tuple[int, int, int]
) -> None:
    tally = Tally()
    tally.count(verdict)
    assert (tally.packets, tally.rebuilt, tally.held) == counted


def test_a_note_is_counted_by_reason_by_negotiation_and_by_check() -> None:
    tally = Tally()
    tally.note(Note(NoteKind.EXPECTED, "PORT", CONTROL, about=Kind.PORT), 1.0)
    tally.note(Note(NoteKind.REFUSED, "foreign address", CONTROL, about=Kind.PORT), 2.0)
    tally.note(Note(NoteKind.CHECK, "nul", CONTROL, about=Kind.PORT, action=Action.RESET), 3.0)
    tally.note(Note(NoteKind.EXPECTED, "FTPS", CONTROL), 4.0)
    report = tally.as_json()
    assert report["notes"] == {
        "check": {"nul": 1},
        "expected": {"FTPS": 1, "PORT": 1},
        "refused": {"foreign address": 1},
    }
    assert report["negotiations"] == {
        "FTPS": {"expected": 1},
        "PORT": {"expected": 1, "refused": 1},
    }
    assert report["checks"] == {"nul": {"reset": 1}}


def test_a_refusal_is_told_with_who_why_and_what() -> None:
    tally = Tally()
    line = "PORT 10,0,0,9,1,1"
    tally.note(Note(NoteKind.REFUSED, "foreign address", CONTROL, line, Kind.PORT), 5.0)
    tally.note(Note(NoteKind.CHECK, "foreign-address", None, line, Kind.PORT, Action.LOG), 6.0)
    tally.note(Note(NoteKind.HOLD_GIVEN_UP, "", CONTROL), 7.0)
    both = {"client": "10.0.0.1:4000", "server": "192.0.2.10:21"}
    nobody = {"client": None, "server": None}
    assert tally.as_json()["refusals"] == [
        {"time": 5.0, **both, "why": "foreign address", "action": None, "line": line},
        {"time": 6.0, **nobody, "why": "foreign-address", "action": "log", "line": line},
        {"time": 7.0, **both, "why": "hold-given-up", "action": None, "line": ""},
    ]


def test_what_came_to_pass_is_no_refusal() -> None:
    tally = Tally()
    for kind in (NoteKind.EXPECTED, NoteKind.REWRITTEN, NoteKind.HELD, NoteKind.UNTRACKED):
        tally.note(Note(kind), 1.0)
    assert tally.as_json()["refusals"] == []


def test_refusals_and_their_lines_are_bounded() -> None:
    tally = Tally()
    for time in range(REMEMBERED + 5):
        tally.note(Note(NoteKind.UNUSABLE, "no port", CONTROL, "x" * 4096), float(time))
    refusals = tally.as_json()["refusals"]
    assert [one["time"] for one in refusals] == [*range(5, REMEMBERED + 5)]
    assert {len(one["line"]) for one in refusals} == {LONGEST_LINE}


@given(st.lists(st.floats(0, 1)))
def test_every_verdict_is_in_the_first_bucket_that_holds_it(times: list[float]) -> None:
    histogram = Histogram()
    for seconds in times:
        histogram.observe(seconds)
    told = histogram.as_json()
    for index, bound in enumerate(told["bounds"]):
        assert sum(told["counts"][: index + 1]) == sum(seconds <= bound for seconds in times)
    assert sum(told["counts"]) == len(times)
    assert told["sum"] == pytest.approx(sum(times))


def test_bounds_rise() -> None:
    assert sorted(set(BOUNDS)) == list(BOUNDS)
