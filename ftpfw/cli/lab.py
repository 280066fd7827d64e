"""``ftpfw lab``: list the exercises, run one and hold it against what it promises, bench."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ftpfw.cli import lab_up
from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.lab_table import print_report
from ftpfw.cli.output import JSON_OPTION, console, echo_json, echo_table
from ftpfw.lab import bench, library, running
from ftpfw.lab.exercise import Column, Exercise, Step
from ftpfw.lab.measures import BASELINE, CANDIDATE, BenchReport, Measure
from ftpfw.lab.programs import require_programs
from ftpfw.lab.results import Cell, Report

COUNT = click.IntRange(min=1)


@click.group()
def lab() -> None:
    """See FTP cross firewalls, in network namespaces, with real daemons and clients."""


for command in (lab_up.up, lab_up.shell, lab_up.down, lab_up.keep):
    lab.add_command(command)


@lab.command("list")
@JSON_OPTION
def list_exercises(as_json: bool) -> None:
    """List the exercises, in the order of the course."""
    exercises = library.exercises()
    if as_json:
        rows = [
            {
                "name": one.name,
                "title": one.title,
                "aim": one.aim,
                "rows": len(one.steps),
                "seconds": one.seconds,
            }
            for one in exercises
        ]
        echo_json({"scenarios": rows})
    else:
        columns = ["exercise", "what it shows", "steps", "seconds"]
        cells = [[one.name, one.aim, str(len(one.steps)), str(one.seconds)] for one in exercises]
        echo_table("exercises", columns, cells)


@lab.command("run")
@click.argument("names", metavar="[EXERCISE]...", nargs=-1)
@JSON_OPTION
def run_exercises(names: tuple[str, ...], as_json: bool) -> None:
    """Run every EXERCISE, or all there are; exit 1 unless every cell is as expected.

    EXERCISE is a name that `ftpfw lab list` shows, or the path of a folder with exercise.toml.
    """
    exercises = [library.find(name) for name in names or library.names()]
    require_root("make the lab's network namespaces")
    require_programs()
    reports = _run(exercises)
    if as_json:
        objects = [report.as_json() for report in reports]
        echo_json(objects[0] if len(objects) == 1 else {"reports": objects})
    else:
        for report in reports:
            print_report(console(), report)
    sys.exit(0 if all(report.as_expected for report in reports) else 1)


def _run(exercises: list[Exercise]) -> list[Report]:
    cells = sum(len(step.expected) for exercise in exercises for step in exercise.steps)
    with interrupts_unwind(), _progress(cells) as tick:

        def observe(step: Step, column: Column, cell: Cell) -> None:
            tick(f"{column.name}: {step.title}", cell.seen)

        return [running.run(exercise, observe) for exercise in exercises]


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
