"""How the subcommands print: tables for people, one JSON object for machines."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

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


def echo_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print rows under column names; cells may carry rich's markup."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)
