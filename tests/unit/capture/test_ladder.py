"""Drawings: well-formed, and no two things in one place."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.capture.ladder import (
    LEFT,
    MIDDLE,
    RIGHT,
    WIDEST,
    Decision,
    Ladder,
    Message,
    Remark,
    Rung,
    Transfer,
    columns_of,
    draw,
    format_time,
    wrapped,
)
from ftpfw.conntrack.model import Direction
from tests.unit.table import table

SVG = "{http://www.w3.org/2000/svg}"
CLIENTS, SERVERS = Direction.ORIGINAL, Direction.REPLY


def drawn(*rungs: Rung) -> ElementTree.Element:
    return ElementTree.fromstring(draw(Ladder("client", "firewall", "server", rungs)))


def texts(svg: ElementTree.Element, kind: str) -> list[str]:
    groups = [group for group in svg.iter(f"{SVG}g") if kind in (group.get("class") or "").split()]
    return ["".join(group.itertext()).strip() for group in groups]


@pytest.mark.parametrize(
    ("direction", "start", "end"), [(CLIENTS, LEFT, RIGHT), (SERVERS, RIGHT, LEFT)]
)
def test_an_arrow_goes_from_who_speaks(direction: Direction, start: int, end: int) -> None:
    svg = drawn(Message(0.0, direction, "NOOP"))
    (arrow,) = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "arrow"]
    assert (arrow.get("x1"), arrow.get("x2")) == (f"{start}%", f"{end}%")
    assert texts(svg, "said") == ["NOOP"]


def test_what_leaves_changed_stands_behind_the_firewall() -> None:
    svg = drawn(Message(0.0, CLIENTS, "PORT 10,0,0,1,1,2", True, onward="PORT 192,0,2,1,1,2"))
    places = {text.text: text.get("x") for text in svg.iter(f"{SVG}text")}
    assert places["PORT 10,0,0,1,1,2"] == f"{(LEFT + MIDDLE) / 2}%"
    assert places["PORT 192,0,2,1,1,2"] == f"{(MIDDLE + RIGHT) / 2}%"
    arrows = [line for line in svg.iter(f"{SVG}line") if line.get("class") == "arrow"]
    assert [arrow.get("x2") for arrow in arrows] == [f"{MIDDLE}%", f"{RIGHT}%"]


def test_decisions_and_transfers_show_their_verdict() -> None:
    svg = drawn(
        Decision(0.0, True, "opens"),
        Transfer(0.0, 0.5, SERVERS, True, "data"),
        Decision(1.0, False, "opens nothing"),
        Transfer(1.0, 1.5, SERVERS, False, "more"),
    )
    assert texts(svg, "granted") == ["opens", "data"]
    assert texts(svg, "refused") == ["opens nothing", "more"]


def test_a_transfer_lasts_as_far_down_as_it_lasts_in_time() -> None:
    late = Message(9.0, CLIENTS, "NOOP")
    rungs: list[Rung] = [
        Transfer(0.0, 5.0, SERVERS, True, "data"),
        Message(4.0, SERVERS, "226"),
        late,
    ]
    lasting = [
        one for one in drawn(*rungs).iter(f"{SVG}rect") if "lasting" in (one.get("class") or "")
    ]
    assert len(lasting) == 1
    assert not [
        one
        for one in drawn(rungs[0], late).iter(f"{SVG}rect")
        if "lasting" in (one.get("class") or "")
    ]


def test_times_are_shown_where_they_change() -> None:
    svg = drawn(*(Message(at, CLIENTS, "NOOP") for at in (1.0, 1.0004, 1.5)))
    assert [text.text for text in svg.iter(f"{SVG}text") if text.get("class") == "at"] == [
        "1.000",
        "1.500",
    ]


TIMES = [
    # id        seconds   text
    ("short", 99.9994, "99.999"),
    ("minutes", 150.25, "150.2"),
    ("hours", 90_061.0, "25h01m"),
]


@pytest.mark.parametrize(("seconds", "text"), **table(TIMES))
def test_a_time_is_seven_columns_at_most(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


WRAPS = [
    # id              text                      lines
    ("fits", "0123456789", ["0123456789"]),
    ("at a blank", "0123 5678 abcd", ["0123 5678", "abcd"]),
    ("without one", "0123456789abc", ["0123456789", "abc"]),
    ("an early one", "0 23456789abc", ["0 23456789", "abc"]),
    ("lines of its own", "a\nb", ["a", "b"]),
    ("ideographs", "文文文文文文", ["文文文文文", "文"]),
]


@pytest.mark.parametrize(("text", "lines"), **table(WRAPS))
def test_text_is_wrapped(text: str, lines: list[str]) -> None:
    assert wrapped(text, 10) == lines


directions = st.sampled_from(Direction)
words = st.text(max_size=120).filter(str.isprintable)
rungs = st.one_of(
    st.builds(Message, st.floats(0, 99), directions, words, st.booleans(), st.none() | words),
    st.builds(Decision, st.floats(0, 99), st.booleans(), words),
    st.builds(Transfer, st.floats(0, 99), st.floats(0, 99), directions, st.booleans(), words),
    st.builds(Remark, st.floats(0, 99), words),
)


@given(st.lists(rungs, max_size=8))
def test_any_ladder_is_well_formed_and_nothing_overlaps(steps: list[Rung]) -> None:
    svg = drawn(*steps)
    bottom = int(svg.get("height") or 0)
    groups = [group for group in svg if group.tag == f"{SVG}g"]
    assert len(groups) == len(steps)
    spans = [[int(text.get("y") or 0) for text in group.iter(f"{SVG}text")] for group in groups]
    assert all(0 < y < bottom for span in spans for y in span)
    assert all(max(above) < min(below) for above, below in pairwise(spans))


@given(st.text().filter(str.isprintable), st.integers(2, 60))
def test_wrapping_keeps_every_word_and_every_bound(text: str, columns: int) -> None:
    lines = wrapped(text, columns)
    assert all(columns_of(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_the_widest_text_fits_a_telephone() -> None:
    svg = drawn(Message(0.0, CLIENTS, "x" * 200))
    longest = max(len(text.text or "") for text in svg.iter(f"{SVG}text"))
    assert longest == WIDEST
