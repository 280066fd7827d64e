"""An exercise's steps of this machine: real clients across the gateway, as a table.

    check.py EXERCISE COLUMN HOST [--json]

COLUMN is what the gateway has loaded. A file that a client brought is fetched back by a passive
transfer, as the server's files are on another machine. Exit code 1 where something was not as
expected. With --json each row is a line of its own, as soon as it is known; the last line is the
report.
"""

from __future__ import annotations

import argparse
import ftplib
import json
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime

from here import FILE_SIZE, column_of, exercise_of, this_machine

from ftpfw.cli.lab_table import print_report
from ftpfw.cli.output import console
from ftpfw.lab.clients.commands import PATIENCE
from ftpfw.lab.exercise import Column, Exercise, Step, Transfer
from ftpfw.lab.hosts import work_directory
from ftpfw.lab.programs import versions
from ftpfw.lab.results import Cell, Report, RowResult
from ftpfw.lab.stage import UPLOAD, Stage, contents
from ftpfw.lab.steps import Steps


class AcrossTheNetwork(Steps):
    """Steps whose servers' files are out of reach."""

    _server = ""

    def run(self, step: Step, number: int) -> Cell:
        """As in a namespace; remembers whom a transfer is with."""
        if isinstance(step.action, Transfer):
            self._server = self.stage.column.fill(step.action.server)
        return super().run(step, number)

    def _arrived(self, name: str) -> bool:
        """Whether the server gives back what it was brought."""
        return _fetched(self._server, f"incoming/{name}") == self.stage.files[UPLOAD]


def _fetched(server: str, path: str) -> bytes:
    """A file of the server's; nothing where it gives none."""
    parts: list[bytes] = []
    with (
        suppress(OSError, EOFError, ftplib.Error),
        ftplib.FTP(server, timeout=PATIENCE) as session,  # noqa: S321 -- FTP is the subject
    ):
        session.login()
        session.retrbinary(f"RETR {path}", parts.append)
    return b"".join(parts)


def main() -> int:
    """Check as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").splitlines()[2].strip())
    for name in ("exercise", "column", "host"):
        parser.add_argument(name)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    exercise = exercise_of(arguments.exercise)
    column = column_of(exercise, arguments.column)
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    rows = []
    for number, row in checked(exercise, column, arguments.host):
        rows.append(row)
        if arguments.json:
            print(json.dumps({"step": number, **row.as_json()}), flush=True)
    report = Report(
        exercise.name,
        platform.release(),
        column.values.get("backend", "n/a"),
        started,
        time.monotonic() - clock,
        () if arguments.json else tuple(rows),
        versions(),
        {column.name: column.title},
    )
    if arguments.json:
        print(json.dumps(report.as_json()))
    else:
        print_report(console(), report)
    return 0 if all(cell.as_expected for row in rows for cell in row.cells.values()) else 1


def checked(exercise: Exercise, column: Column, host: str) -> Iterator[tuple[int, RowResult]]:
    """Every step of a host's in a column, done; with its number."""
    with ExitStack() as stack:
        directory = stack.enter_context(work_directory("check"))
        here = {host: stack.enter_context(this_machine(host))}
        stage = Stage(exercise, column, directory, here, contents(FILE_SIZE))
        (directory / UPLOAD).write_bytes(stage.files[UPLOAD])
        doing = stack.enter_context(closing(AcrossTheNetwork(stage)))
        # By the time: what an earlier check brought is still there, and nobody may overwrite it.
        first = int(time.time())
        for number, step in enumerate(exercise.steps):
            if step.action.host == host and column.name in step.expected:
                cells = {column.name: doing.run(step, first + number)}
                yield (
                    number,
                    RowResult(
                        step.title, step.mode, step.client, cells, step.teaches, step.section
                    ),
                )


if __name__ == "__main__":
    sys.exit(main())
