"""How the subcommands print: tables for people, one JSON object for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

WIDE = 160
"""Columns for output that goes to a file or a pipe, where nothing needs to be folded."""

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


def console(*, stderr: bool = False) -> Console:
    """Where to print for people: as wide as the terminal ($COLUMNS goes first), else WIDE."""
    terminal = Console(stderr=stderr)
    return terminal if terminal.is_terminal else Console(stderr=stderr, width=WIDE)


def echo_json(report: Any) -> None:
    """Print a report for machines."""
    click.echo(json.dumps(report, indent=2))


Row: TypeAlias = Sequence[str | Text]
"""Cells as they are: an IPv6 address in brackets must not be taken for rich's markup."""


def table(title: str, columns: list[str], rows: Sequence[Row]) -> Table:
    """Rows under column names."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    made.show_header = any(columns)
    made.min_width = len(title)  # else a title longer than its table is folded
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    return made


def echo_table(title: str, columns: list[str], rows: Sequence[Row]) -> None:
    """Print rows under column names."""
    console().print(table(title, columns, rows))


def titled(title: str, rows: Sequence[Row], limit: int) -> str:
    """A table's title, which says so where the table shows the first ``limit`` rows only."""
    return title if len(rows) <= limit else f"{title}: {limit} of {len(rows)}, --json has all"


def shown(text: str) -> str:
    """A peer's text with its control characters as escapes: a terminal must not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def span(seconds: float) -> str:
    """A length of time as ``h:mm:ss``."""
    hours, rest = divmod(int(max(0.0, seconds)), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def watch(draw: Callable[[], RenderableType], wait: Callable[[], object]) -> None:
    """Show what ``draw`` returns, again after each ``wait``, on a screen of its own until Ctrl-C.

    What was drawn last stays on the terminal. UsageError where there is none.
    """
    terminal = console()
    if not terminal.is_terminal:
        raise click.UsageError("a live view needs a terminal; for machines there is --json")
    last: RenderableType = ""
    with (
        suppress(KeyboardInterrupt),
        Live(console=terminal, screen=True, auto_refresh=False) as live,
    ):
        while True:
            last = draw()
            live.update(last, refresh=True)
            wait()
    terminal.print(last)
