"""The run of an exercise: every column at once, each on its own copy of the topology.

A column's thread owns its copy and unwinds it by itself, so a column that ends early, by an
error or by a signal to the whole run, leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pyroute2 import netns

from ftpfw.capture.ladder import draw
from ftpfw.lab.daemons.running import program
from ftpfw.lab.evidence import Listener, listening
from ftpfw.lab.exercise import Column, Command, Exercise, Step
from ftpfw.lab.gateway import kernel_has_helper
from ftpfw.lab.hosts import kill_processes, sweep, work_directory
from ftpfw.lab.programs import versions
from ftpfw.lab.report.ladders import ladders
from ftpfw.lab.results import Cell, Report, RowResult, Verdict
from ftpfw.lab.stage import SCRIPTED, Stage, staged
from ftpfw.lab.steps import Steps
from ftpfw.lab.topology import namespace_owner

DRAWN = 2
"""Ladders of a step, at most."""

Observer = Callable[[Step, Column, Cell], None]


class Stopped(Exception):  # noqa: N818 -- a column's way out when the run was stopped
    """The run was stopped from outside."""


@dataclass(slots=True)
class Run:
    """What the columns share; ``backend`` is filled in by a column whose gateway took ``auto``."""

    exercise: Exercise
    observe: Observer
    drawn: bool
    stop: threading.Event = field(default_factory=threading.Event)
    backend: str = "n/a"


def run(exercise: Exercise, observe: Observer, *, drawn: bool = False) -> Report:
    """Run an exercise; ``observe`` hears of each cell, from the columns' threads.

    ``drawn`` has what crosses the gateway listened to, and drawn.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    sweep()
    state = Run(exercise, observe, drawn)
    with _columns(state) as futures:
        cells = {futures[done].name: done.result() for done in as_completed(futures)}
    rows = tuple(
        RowResult(
            step.title,
            step.mode,
            step.client,
            {
                column.name: cells[column.name][index]
                for column in exercise.columns
                if column.name in step.expected
            },
            step.teaches,
            step.section,
        )
        for index, step in enumerate(exercise.steps)
    )
    return Report(
        exercise.name,
        platform.release(),
        state.backend,
        started.isoformat(timespec="seconds"),
        time.monotonic() - clock,
        rows,
        versions(),
        {column.name: column.title for column in exercise.columns},
    )


@contextmanager
def _columns(run: Run) -> Iterator[dict[Future[dict[int, Cell]], Column]]:
    """The running columns; on the way out after an error they are stopped, and always awaited."""
    columns = run.exercise.columns
    with ThreadPoolExecutor(max_workers=len(columns)) as pool:
        try:
            yield {pool.submit(_run_column, run, column): column for column in columns}
        except BaseException:
            run.stop.set()
            _kill_clients()
            raise


def _kill_clients() -> None:
    """End the cells in flight, so that their columns see at once that the run was stopped."""
    for name in netns.listnetns():
        if namespace_owner(name) == os.getpid() and name.endswith("-client"):
            kill_processes(name)


def _run_column(run: Run, column: Column) -> dict[int, Cell]:
    steps = {
        index: step for index, step in enumerate(run.exercise.steps) if column.name in step.expected
    }
    if reason := _cannot_run(run.exercise, column):
        return {index: _untried(run, step, column, reason) for index, step in steps.items()}
    copy = f"{run.exercise.name}-{column.name}"
    with (
        work_directory(copy) as directory,
        staged(run.exercise, column, directory, copy) as stage,
        closing(Steps(stage)) as doing,
        _listening(run, stage) as listener,
    ):
        _note_backend(run, stage)
        return {
            index: _run_cell(run, doing, step, index, listener) for index, step in steps.items()
        }


def _listening(run: Run, stage: Stage) -> AbstractContextManager[Listener | None]:
    return listening(stage) if run.drawn else nullcontext()


def _cannot_run(exercise: Exercise, column: Column) -> str | None:
    """Why this host cannot run a column; None where it can."""
    if column.values.get("backend") == "kernel" and not kernel_has_helper():
        return "no nf_conntrack_ftp here"
    for service in exercise.services:
        daemon = column.fill(service.daemon)
        if daemon != SCRIPTED and program(daemon) is None:
            return f"there is no {daemon} here: make setup"
    return None


def _note_backend(run: Run, stage: Stage) -> None:
    if stage.column.values.get("backend", "auto") == "auto":
        for gateway in stage.gateways.values():
            run.backend = gateway.backend


def _untried(run: Run, step: Step, column: Column, reason: str) -> Cell:
    cell = Cell(Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, reason=reason)
    run.observe(step, column, cell)
    return cell


def _run_cell(run: Run, doing: Steps, step: Step, index: int, listener: Listener | None) -> Cell:
    if run.stop.is_set():
        raise Stopped
    since, column = time.time_ns(), doing.stage.column
    cell = doing.run(step, index)
    if listener is not None and not isinstance(step.action, Command):
        cell = replace(cell, drawings=_drawings(listener, since, column))
    run.observe(step, column, cell)
    return cell


def _drawings(listener: Listener, since: int, column: Column) -> tuple[str, ...]:
    """The ladders of a step; the first few say all there is to see."""
    found = ladders(listener.heard(since), f"gateway: {column.title}")
    return tuple(map(draw, found[:DRAWN]))
