"""What becomes of expectations, told by events and by the time that passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftpfw.conntrack.model import Conntrack, Expectation, Status, Tuple
from ftpfw.conntrack.wire_event import Destroy, Event, ExpectDestroy, ExpectNew, Lost, New, Update
from ftpfw.helper.watching import DECIDED_WITHIN, ExpectationWatch, Happening, covers

CLIENT, SERVER, OTHER = bytes([10, 0, 0, 1]), bytes([192, 0, 2, 10]), bytes([192, 0, 2, 11])
CONTROL = Tuple(CLIENT, 4000, SERVER, 21)
FULL, NONE = b"\xff" * 4, bytes(4)

ACTIVE = Expectation(
    master=CONTROL,
    tuple=Tuple(SERVER, 0, CLIENT, 5000),
    mask=Tuple(FULL, 0, FULL, 0xFFFF),
    timeout=300,
)
SECOND = replace(ACTIVE, tuple=Tuple(SERVER, 0, CLIENT, 5001))
DATA = Tuple(SERVER, 20, CLIENT, 5000)


def new(original: Tuple, status: Status = Status.EXPECTED | Status.CONFIRMED) -> New:
    return New(Conntrack(1, original, original.inverted(), status))


class Story:
    """A watch, and what it told, as ``fate port``."""

    def __init__(self, *open_: Expectation) -> None:
        self.watch = ExpectationWatch()
        self.told = [self._word(one) for one in self.watch.begin(open_, 0.0)]

    def at(self, now: float, *events: Event) -> list[str]:
        happened = [one for event in events for one in self.watch.feed(event, now)]
        happened += self.watch.decide(now)
        return [self._word(one) for one in happened]

    def open(self) -> list[int]:
        return [one.expectation.tuple.dport for one in self.watch.opened()]

    @staticmethod
    def _word(one: Happening) -> str:
        return f"{one.fate} {one.expectation.tuple.dport}"


def test_what_is_open_at_first_is_told_and_kept() -> None:
    story = Story(ACTIVE, SECOND)
    assert story.told == ["open 5000", "open 5001"]
    assert story.open() == [5000, 5001]


def test_the_connection_that_comes_after_the_end_is_what_used_it() -> None:
    story = Story()
    assert story.at(1.0, ExpectNew(ACTIVE)) == ["expected 5000"]
    assert story.at(2.0, ExpectDestroy(ACTIVE)) == []
    assert story.open() == []
    assert story.at(2.1, new(DATA)) == ["used 5000"]
    assert story.at(9.0) == []


def test_the_one_who_used_it_is_named() -> None:
    watch = ExpectationWatch()
    watch.begin([ACTIVE], 0.0)
    watch.feed(ExpectDestroy(ACTIVE), 1.0)
    (used,) = watch.feed(new(DATA), 1.0)
    assert used.connection == DATA


def test_one_that_ends_in_its_time_has_timed_out() -> None:
    story = Story(ACTIVE)
    assert story.at(299.2, ExpectDestroy(ACTIVE)) == ["timed-out 5000"]


def test_one_that_ends_early_for_no_connection_is_gone_after_a_moment() -> None:
    story = Story(ACTIVE)
    assert story.at(10.0, ExpectDestroy(ACTIVE)) == []
    assert story.at(10.0 + DECIDED_WITHIN / 2) == []
    assert story.at(10.0 + DECIDED_WITHIN) == ["gone 5000"]
    assert story.at(12.0, new(DATA)) == []


STRANGERS = [
    ("not an expected connection", new(DATA, Status.CONFIRMED)),
    ("another port", new(Tuple(SERVER, 20, CLIENT, 5001))),
    ("another source", new(Tuple(OTHER, 20, CLIENT, 5000))),
    ("another destination", new(Tuple(SERVER, 20, OTHER, 5000))),
    ("the other family", new(Tuple(bytes(16), 20, bytes(16), 5000))),
    ("an update of the very connection", Update(new(DATA).conntrack)),
    ("its end", Destroy(new(DATA).conntrack)),
    ("lost events", Lost()),
]


@pytest.mark.parametrize("event", [row[1] for row in STRANGERS], ids=[row[0] for row in STRANGERS])
def test_what_uses_no_expectation(event: Event) -> None:
    story = Story(ACTIVE)
    story.at(1.0, ExpectDestroy(ACTIVE))
    assert story.at(1.1, event) == []
    assert story.at(3.0) == ["gone 5000"]


def test_events_from_before_the_beginning_are_heard_once() -> None:
    story = Story(ACTIVE)
    assert story.at(0.1, ExpectNew(ACTIVE)) == []
    assert story.at(0.1, ExpectDestroy(SECOND)) == []
    assert story.open() == [5000]


def test_after_a_loss_the_list_says_what_is_left() -> None:
    story = Story(ACTIVE)
    happened = story.watch.begin([SECOND], 1.0)
    assert [story._word(one) for one in happened] == ["open 5001"]
    assert story.open() == [5001]
    assert story.at(3.0) == ["gone 5000"]


def test_equal_tuples_of_two_masters_are_two_expectations() -> None:
    twin = replace(ACTIVE, master=Tuple(OTHER, 4001, SERVER, 21))
    story = Story(ACTIVE, twin)
    story.at(1.0, ExpectDestroy(twin))
    assert [one.expectation.master for one in story.watch.opened()] == [CONTROL]


def test_a_mask_says_which_bits_matter() -> None:
    anybody = replace(ACTIVE, mask=Tuple(NONE, 0, FULL, 0xFF00))
    assert covers(anybody, Tuple(OTHER, 1, CLIENT, 5000 ^ 0x00FF))
    assert not covers(anybody, Tuple(OTHER, 1, CLIENT, 5000 ^ 0x0100))
