"""Exercises that stay up: kept by a process of their own, found again by a file about each.

The keeper owns the namespaces, as a run does, so what a killed keeper leaves is swept like what
a killed run leaves.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.exercise import Column, Exercise
from ftpfw.lab.hosts import is_alive, sweep, work_directory
from ftpfw.lab.stage import Stage, staged

PLACE = Path("/run/ftpfw-lab")
UP_WITHIN, DOWN_WITHIN = 60.0, 30.0
READY = "ready\n"


@dataclass(frozen=True, slots=True)
class Standing:
    """An exercise that is up. ``namespaces`` and ``environments`` are by host."""

    exercise: str
    column: str
    pid: int
    directory: str
    namespaces: dict[str, str]
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether its keeper lives."""
        return is_alive(self.pid)


def standing() -> list[Standing]:
    """What is up, or was when its keeper was killed."""
    return [Standing(**json.loads(path.read_text())) for path in sorted(PLACE.glob("*.json"))]


@contextmanager
def _turn() -> Iterator[None]:
    """Be the only one that takes up or down meanwhile: two at once would lose sight of one keeper.

    The lock is on the directory, which the last one to go removes.
    """
    while True:
        PLACE.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(PLACE, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), PLACE.stat()):
                break
        os.close(descriptor)
    try:
        yield
    finally:
        with suppress(OSError):
            PLACE.rmdir()
        os.close(descriptor)


def _file(exercise: str) -> Path:
    return PLACE / f"{exercise}.json"


@contextmanager
def kept(exercise: Exercise, column: Column) -> Iterator[Stage]:
    """Raise an exercise and note that it stands, until this is left."""
    copy = f"up-{exercise.name}"
    with (
        work_directory(copy) as directory,
        staged(exercise, column, directory, copy) as stage,
    ):
        hosts = stage.hosts.values()
        note = Standing(
            exercise.name,
            column.name,
            os.getpid(),
            str(directory),
            {host.name: host.namespace for host in hosts},
            {host.name: stage.environment(host.name) for host in hosts},
        )
        with tempfile.NamedTemporaryFile("w", dir=PLACE, delete=False) as fresh:
            json.dump(asdict(note), fresh)
        Path(fresh.name).replace(_file(exercise.name))
        try:
            yield stage
        finally:
            _file(exercise.name).unlink(missing_ok=True)


def up(exercise: Exercise, place: str, column: Column) -> Standing:
    """Have an exercise stand, from the folder ``place``, in a process of its own.

    Raises HostError where it stands already, or does not come about, in its own words.
    """
    with _turn():
        return _up(exercise, place, column)


def _up(exercise: Exercise, place: str, column: Column) -> Standing:
    for one in standing():
        if one.exercise == exercise.name and one.alive:
            raise HostError(
                f"{exercise.name} is up already, in column {one.column}",
                mend=f"ftpfw lab down {exercise.name}",
            )
    sweep()
    _file(exercise.name).unlink(missing_ok=True)
    command = [sys.executable, "-m", "ftpfw", "lab", "keep", place, column.name]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as words:
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            start_new_session=True,
            text=True,
        )
        assert keeper.stdout is not None
        try:
            said = ""
            if select.select([keeper.stdout], [], [], UP_WITHIN)[0]:
                said = keeper.stdout.readline()
        except BaseException:
            _end(keeper.pid)
            raise
        finally:
            keeper.stdout.close()
        if said != READY:
            _end(keeper.pid)
            keeper.wait()
            words.seek(0)
            raise HostError(f"{exercise.name} did not come up: {words.read().strip()}")
    keeper.returncode = 0  # it is not ours to wait for: it stays
    return next(one for one in standing() if one.exercise == exercise.name)


def down(names: tuple[str, ...] = ()) -> list[Standing]:
    """Take down what stands, or those of it that are named; what was taken down.

    Raises HostError for a name that does not stand.
    """
    with _turn():
        return _down(names)


def _down(names: tuple[str, ...]) -> list[Standing]:
    there = standing()
    for name in names:
        if name not in {one.exercise for one in there}:
            known = ", ".join(one.exercise for one in there) or "nothing"
            raise HostError(f"{name} is not up", mend=f"up: {known}")
    gone = [one for one in there if not names or one.exercise in names]
    for one in gone:
        if one.alive:
            _end(one.pid)
        _file(one.exercise).unlink(missing_ok=True)
    sweep()
    return gone


def _end(pid: int) -> None:
    """SIGTERM, which unwinds a keeper, and SIGKILL where it does not end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            if ended.poll(DOWN_WITHIN * 1000):
                return
    finally:
        os.close(descriptor)


def entry(host: str, exercise: str | None) -> tuple[Standing, str]:
    """The exercise that stands and has a host of this name, and the host's namespace.

    Raises HostError where there is none, or more than one.
    """
    there = [one for one in standing() if one.alive and exercise in {None, one.exercise}]
    found = [one for one in there if host in one.namespaces]
    if len(found) == 1:
        return found[0], found[0].namespaces[host]
    if found:
        names = ", ".join(one.exercise for one in found)
        raise HostError(f"{host} is in {names}", mend="name one with --exercise")
    hosts = sorted({name for one in there for name in one.namespaces})
    mend = f"one of {', '.join(hosts)}" if hosts else "ftpfw lab up EXERCISE"
    raise HostError(f"no exercise that is up has a host {host}", mend=mend)
