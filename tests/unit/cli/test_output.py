"""What is printed for people: tables, lengths of time, text that peers have sent."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.text import Text

from ftpfw.cli.output import shown, span, table, titled


def drawn(*rows: list[str | Text], columns: tuple[str, ...] = ("a", "b")) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table("title", list(columns), rows))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def test_cells_stand_as_they_are() -> None:
    assert drawn(["[fd77:1::10]:21", "[red]x[/red]"]) == (
        "title\na                b\n[fd77:1::10]:21  [red]x[/red]"
    )


def test_a_title_is_not_folded() -> None:
    assert drawn(["x", "y"]).startswith("title\n")


def test_columns_without_names_have_no_heading() -> None:
    assert drawn(["abc", "def"], columns=("", "")) == "title\nabc  def"


PEERS = [
    ("plain", "PORT 10,0,0,1,4,1", "PORT 10,0,0,1,4,1"),
    ("escape sequence", "\x1b[2Jx", r"\x1b[2Jx"),
    ("line end", "a\r\nb", r"a\r\nb"),
    ("C1 control", "\x9b31m", r"\x9b31m"),
    ("bidirectional override", "a\u202eb", r"a\u202eb"),
    ("letters of others", "naïve 日本", "naïve 日本"),
]


@pytest.mark.parametrize(
    ("text", "harmless"), [row[1:] for row in PEERS], ids=[row[0] for row in PEERS]
)
def test_a_terminal_obeys_no_peer(text: str, harmless: str) -> None:
    assert shown(text) == harmless


SPANS = [
    (0.0, "0:00:00"),
    (59.9, "0:00:59"),
    (3661.0, "1:01:01"),
    (360000, "100:00:00"),
    (-1, "0:00:00"),
]


@pytest.mark.parametrize(("seconds", "text"), SPANS)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_table_says_what_it_leaves_out() -> None:
    rows = [["x"]] * 5
    assert titled("sessions", rows, 5) == "sessions"
    assert titled("sessions", rows, 4) == "sessions: 4 of 5, --json has all"
