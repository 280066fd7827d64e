"""``ftpfw lab``: list the exercises, run one and hold it against what it promises, bench."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ftpfw.cli import lab_matrix, lab_up
from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.lab_progress import progress
from ftpfw.cli.lab_table import print_report
from ftpfw.cli.output import JSON_OPTION, console, echo_json, echo_table
from ftpfw.lab import bench, library, running
from ftpfw.lab.exercise import Column, Exercise, Step
from ftpfw.lab.junit import junit as junit_text
from ftpfw.lab.matrix import MatrixReport
from ftpfw.lab.measures import BASELINE, CANDIDATE, BenchReport, Measure
from ftpfw.lab.programs import require_programs
from ftpfw.lab.report.page import page
from ftpfw.lab.results import Cell, Report

COUNT = click.IntRange(min=1)
RESULT_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
RESULT_DIRECTORY = click.Path(file_okay=False, path_type=Path)
MATRIX = "matrix"


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
@click.option("--junit", type=RESULT_FILE, help="Write the cells as JUnit XML.")
@click.option("--html", type=RESULT_FILE, help="Draw the run, as one page.")
@click.option("--only", help="Of the matrix: KEY=VALUE[|VALUE]…, as in helper=ftpfw,mode=active.")
@click.option("--all", "whole", is_flag=True, help="Of the matrix: every cell, for minutes.")
@click.option(
    "--evidence",
    type=RESULT_DIRECTORY,
    help="Where captures of surprises go; without it, ftpfw-evidence in the temporary directory.",
)
def run_exercises(
    names: tuple[str, ...],
    *,
    as_json: bool,
    junit: Path | None,
    html: Path | None,
    only: str | None,
    whole: bool,
    evidence: Path | None,
) -> None:
    """Run every EXERCISE, or all there are; exit 1 unless every cell is as expected.

    EXERCISE is a name that `ftpfw lab list` shows, the path of a folder with exercise.toml, or
    `matrix`: servers by clients by modes by helpers by firewalls. Of that a choice is run in
    which every pair of values meets, unless --only or --all say otherwise.
    """
    wanted = lab_matrix.parse(only)
    if (only is not None or whole) and MATRIX not in names:
        raise click.UsageError("--only and --all are about the matrix: ftpfw lab run matrix …")
    exercises = [library.find(name) for name in names or library.names() if name != MATRIX]
    require_root("make the lab's network namespaces")
    require_programs()
    drawn = html is not None
    reports: list[Report | MatrixReport] = [*_run(exercises, drawn=drawn)] if exercises else []
    matrix = None
    if MATRIX in names:
        matrix = lab_matrix.run(wanted, whole=whole, evidence=evidence)
        reports.append(matrix)
    if html is not None:
        tables = [report for report in reports if isinstance(report, Report)]
        text = page(list(zip(exercises, tables, strict=True)), matrix)
        html.write_text("".join(text), encoding="utf-8")
    if junit is not None:
        junit.write_text(junit_text(reports), encoding="utf-8")
    if as_json:
        objects = [report.as_json() for report in reports]
        echo_json(objects[0] if len(objects) == 1 else {"reports": objects})
    else:
        for report in reports:
            if isinstance(report, Report):
                print_report(console(), report)
            else:
                lab_matrix.print_matrix(console(), report)
    sys.exit(0 if all(report.as_expected for report in reports) else 1)


def _run(exercises: list[Exercise], *, drawn: bool) -> list[Report]:
    cells = sum(len(step.expected) for exercise in exercises for step in exercise.steps)
    with interrupts_unwind(), progress(cells) as tick:

        def observe(step: Step, column: Column, cell: Cell) -> None:
            tick(f"{column.name}: {step.title}", cell.seen)

        return [running.run(exercise, observe, drawn=drawn) for exercise in exercises]


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
    with interrupts_unwind(), progress(bench.samples(effort)) as step:
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
