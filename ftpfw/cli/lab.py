"""``ftpfw lab``: list the exercises, run one and compare it with what it promises, bench."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.output import JSON_OPTION, console, echo_json, echo_table
from ftpfw.lab import bench, nat_gateway
from ftpfw.lab.measures import BASELINE, CANDIDATE, BenchReport, Measure
from ftpfw.lab.programs import require_programs
from ftpfw.lab.results import Cell, Report, Verdict
from ftpfw.lab.scenario import SCENARIOS, Column, Row, Scenario

LEGEND = (
    "expected → seen  ✓ as expected  ✗ not as expected\n"
    "n/a: client or kernel has none  ·: not tried"
)
HEADINGS = {Column.NONE: "no helper", Column.KERNEL: "kernel", Column.FTPFW: "ftpfw"}
COUNT = click.IntRange(min=1)


@click.group()
def lab() -> None:
    """FTP across a NAT gateway in network namespaces, with real daemons and clients."""


@lab.command("list")
@JSON_OPTION
def list_scenarios(as_json: bool) -> None:
    """List the scenarios."""
    scenarios = SCENARIOS.values()
    if as_json:
        rows = [{"name": s.name, "aim": s.aim, "rows": len(s.rows)} for s in scenarios]
        echo_json({"scenarios": rows})
    else:
        columns = ["scenario", "what it shows", "rows"]
        echo_table("scenarios", columns, [[s.name, s.aim, str(len(s.rows))] for s in scenarios])


@lab.command("run")
@click.argument("scenarios", metavar="[SCENARIO]...", nargs=-1, type=click.Choice(list(SCENARIOS)))
@JSON_OPTION
def run_scenarios(scenarios: tuple[str, ...], as_json: bool) -> None:
    """Run every SCENARIO, or all there are; exit 1 unless every cell is as expected."""
    require_root("make the lab's network namespaces")
    require_programs()
    reports = _run([SCENARIOS[name] for name in scenarios or SCENARIOS])
    if as_json:
        objects = [report.as_json() for report in reports]
        echo_json(objects[0] if len(objects) == 1 else {"reports": objects})
    else:
        for report in reports:
            _print_report(console(), report)
    sys.exit(0 if all(report.as_expected for report in reports) else 1)


def _run(scenarios: list[Scenario]) -> list[Report]:
    cells = sum(len(row.expected) for scenario in scenarios for row in scenario.rows)
    with interrupts_unwind(), _progress(cells) as step:

        def observe(row: Row, column: Column, cell: Cell) -> None:
            step(f"{column}: {row.name}", cell.seen)

        return [nat_gateway.run(scenario, observe) for scenario in scenarios]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str, str], None]]:
    """Report steps: a bar on a terminal, else a line each; on stderr, as stdout is the report's."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield lambda what, outcome: click.echo(f"{what}: {outcome}", err=True)
        return
    columns = (TextColumn("{task.description:44}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True) as progress:
        task = progress.add_task("raising the hosts", total=total)
        yield lambda what, _: progress.update(task, advance=1, description=what)


def _print_report(out: Console, report: Report) -> None:
    table = Table("", *(HEADINGS[column] for column in Column), title=f"lab {report.scenario}")
    beyond = False
    for row in report.rows:
        if not beyond and Column.NONE.value not in row.cells:
            beyond = True
            table.add_section()
            table.add_row(Text("beyond the kernel", style="italic"))
        table.add_row(row.name, *(_cell_text(row.cells.get(column.value)) for column in Column))
    out.print(table)
    out.print(LEGEND, style="dim")
    for row, name, cell in report.surprises():
        headline = f"\n✗ {row.name}, column {name}: expected {cell.expected}, seen {cell.seen}"
        out.print(headline, style="bold red", highlight=False)
        out.print(Text(cell.reason or "no reason given"), style="dim")
    _print_summary(out, report)


def _cell_text(cell: Cell | None) -> Text:
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


@lab.command("bench")
@click.option(
    "--sessions", type=COUNT, default=200, show_default=True, help="Sessions a workload and round."
)
@click.option(
    "--rounds", type=COUNT, default=5, show_default=True, help="Rounds; medians are over rounds."
)
@click.option(
    "--size", type=COUNT, default=256, show_default=True, help="The one large download, in MiB."
)
@JSON_OPTION
def run_bench(sessions: int, rounds: int, size: int, as_json: bool) -> None:
    """Compare the kernel's helper with ftpfw, side by side."""
    require_root("make the lab's network namespaces")
    require_programs()
    effort = bench.Effort(sessions, rounds, size)
    with interrupts_unwind(), _progress(bench.samples(effort)) as step:
        report = bench.run(effort, step)
    if as_json:
        echo_json(report.as_json())
    else:
        columns = ["", BASELINE, CANDIDATE, "ratio", "range", "helper", "client"]
        echo_table("lab bench", columns, [_bench_row(measure) for measure in report.measures])
        console().print(_bench_legend(report), style="dim", highlight=False)


def _bench_row(measure: Measure) -> list[str]:
    return [
        measure.name,
        f"{measure.rate(BASELINE):.0f}",
        f"{measure.rate(CANDIDATE):.0f}",
        f"{measure.ratio:.2f}",
        f"{min(measure.ratios):.2f}-{max(measure.ratios):.2f}",
        _microseconds(measure.helper_cpu_us),
        _microseconds(measure.client_cpu_us(CANDIDATE)),
    ]


def _microseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} µs"


def _bench_legend(report: BenchReport) -> str:
    return (
        f"sessions/s, one {bench.SMALL_SIZE >> 10} KiB file each, and MiB/s of a download of "
        f"{report.size_mib} MiB\n"
        f"medians of {report.rounds} rounds of {report.sessions} sessions; "
        f"ratio: {CANDIDATE}/{BASELINE}, no difference where its range spans 1\n"
        f"helper, client: CPU time for one session or MiB, with {CANDIDATE}\n"
        f"Linux {report.kernel}, {report.cores} cores, backend {report.backend}, "
        f"vsftpd {report.versions['vsftpd']}, Python {report.versions['python']}; "
        f"{report.seconds:.0f} s"
    )
