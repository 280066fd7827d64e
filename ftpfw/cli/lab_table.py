"""The table of an exercise's run: rows by columns, expected against seen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftpfw.lab.results import Cell, Report, Verdict

LEGEND = (
    "expected → seen  ✓ as expected  ✗ not as expected\nn/a: client or host has none  ·: not tried"
)


def print_report(out: Console, report: Report) -> None:
    """The table, what was not as expected, and the summary."""
    one = len(report.columns) == 1
    headings = [*report.columns.values(), *(["why"] if one else [])]
    table = Table("", *headings, title=f"lab {report.scenario}")
    for row in report.rows:
        if row.section:
            table.add_section()
            table.add_row(Text(row.section, style="italic"))
        cells = [cell_text(row.cells.get(column)) for column in report.columns]
        why = [Text(row.teaches, style="dim")] if one else []
        table.add_row(Text(row.name), *cells, *why)
    out.print(table)
    out.print(LEGEND, style="dim")
    for row, name, cell in report.surprises():
        headline = f"\n✗ {row.name}, column {name}: expected {cell.expected}, seen {cell.seen}"
        out.print(headline, style="bold red", highlight=False)
        out.print(Text(cell.reason or "no reason given"), style="dim")
    _print_summary(out, report)


def cell_text(cell: Cell | None) -> Text:
    """A cell, in colour."""
    match cell:
        case None:
            return Text("·", style="dim")
        case Cell(expected=Verdict.NOT_APPLICABLE):
            return Text("n/a", style="dim")
        case Cell(as_expected=True):
            style = "green" if cell.seen is Verdict.PASS else "yellow"
            return Text(f"{cell.expected} → {cell.seen} ✓", style=style)
        case _:
            loud = f"{cell.expected} → {cell.seen.upper()} ✗"
            return Text(loud, style="bold white on red")


def _print_summary(out: Console, report: Report) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    ran_on = f"\nLinux {report.kernel}, ftpfw on backend {report.backend}; {versions}"
    out.print(ran_on, style="dim", highlight=False)
    style = "bold green" if report.as_expected else "bold red"
    out.print(f"{report.summary()} ({report.seconds:.1f} s)", style=style, highlight=False)
