"""``ftpfw lab run matrix``: the cells that are wanted, tried, in one table."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.lab_progress import progress
from ftpfw.lab import matrix_run
from ftpfw.lab.matrix import (
    FIREWALLS,
    Helper,
    MatrixReport,
    Outcome,
    chosen,
    grouped,
    parse_filter,
)
from ftpfw.lab.results import Verdict

SEED = 959  # of the choice that is run without a filter
LEGEND = (
    "✓ n: so many cells pass, as expected  – n: fail, as expected  ✗ n: not as expected\n"
    "n/a: not to be had  ·: not chosen; each cell is a transfer, compared byte for byte"
)
SHOWN = 20


def parse(text: str | None) -> dict[str, tuple[str, ...]]:
    """What --only takes; BadParameter says what there is."""
    try:
        return parse_filter(text or "")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None


def run(wanted: Mapping[str, Sequence[str]], *, whole: bool, evidence: Path | None) -> MatrixReport:
    """Try the cells that are wanted; what is kept of surprises is in ``evidence``."""
    trials = chosen(wanted, whole=whole, seed=SEED)
    place = evidence or Path(tempfile.gettempdir()) / "ftpfw-evidence"
    with interrupts_unwind(), progress(len(trials)) as tick:

        def observe(outcome: Outcome) -> None:
            tick(str(outcome.trial), outcome.cell.seen)

        return matrix_run.run(trials, observe, place)


def print_matrix(out: Console, report: MatrixReport) -> None:
    """Clients and modes by helpers and firewalls, then what was not as expected."""
    table = Table("client", "mode", title="lab matrix")
    columns = [(helper, firewall) for helper in Helper for firewall in FIREWALLS]
    used = [
        one
        for one in columns
        if any((o.trial.helper, o.trial.firewall) == one for o in report.outcomes)
    ]
    for helper, firewall in used:
        table.add_column(f"{helper}\n{firewall.removeprefix('iptables-')}", no_wrap=True)
    last = ""
    for (client, mode), by_helper in grouped(report.outcomes).items():
        if last and client != last:
            table.add_section()
        cells = [
            _summed([o for o in by_helper[helper] if o.trial.firewall == firewall])
            for helper, firewall in used
        ]
        table.add_row("" if client == last else client, mode, *cells)
        last = client
    out.print(table)
    out.print(LEGEND, style="dim", highlight=False)
    _print_surprises(out, report)
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    ran_on = f"\nLinux {report.kernel}, ftpfw on backend {report.backend}; {versions}"
    out.print(ran_on, style="dim", highlight=False)
    style = "bold green" if report.as_expected else "bold red"
    out.print(f"{report.summary()} ({report.seconds:.1f} s)", style=style, highlight=False)


def _summed(outcomes: list[Outcome]) -> Text:
    """Several cells as one: servers, directions, families and situations together."""
    if not outcomes:
        return Text("·", style="dim")
    wrong = sum(not one.cell.as_expected for one in outcomes)
    if wrong:
        return Text(f"✗ {wrong}", style="bold white on red")
    passed = sum(one.cell.seen is Verdict.PASS for one in outcomes)
    failed = sum(one.cell.seen is Verdict.FAIL for one in outcomes)
    text = Text()
    if passed:
        text.append(f"✓ {passed}", style="green")
    if failed:
        text.append(" " if passed else "").append(f"– {failed}", style="yellow")
    return text if text else Text("n/a", style="dim")


def _print_surprises(out: Console, report: MatrixReport) -> None:
    surprises = report.surprises()
    for one in surprises[:SHOWN]:
        cell = one.cell
        headline = f"\n✗ {one.trial}: expected {cell.expected}, as {one.why}; seen {cell.seen}"
        out.print(headline, style="bold red", highlight=False)
        out.print(Text(cell.reason or "no reason given"), style="dim")
        for path in one.captures:
            out.print(f"capture: {path}", style="dim", highlight=False)
    if len(surprises) > SHOWN:
        out.print(f"\nand {len(surprises) - SHOWN} more: --json has all", style="bold red")
