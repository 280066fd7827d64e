"""`make vagrant-lab`: an exercise's machines up, real clients through their gateway, and gone.

    lab.py [--lab EXERCISE] [--json]

EXERCISE is the name of a folder in labs/, or the path of a file from there: vagrant/matrix.toml
unless it says otherwise. Its columns are tried one after the other, as there is one gateway. Prints
the table; exit code 1 where something was not as expected, or the machines cannot be had. However
it ends, the machines are destroyed, and of what it made only `.vagrant-lab` stays: the box, for the
next run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import PROJECT, LabError, machines, say
from merging import Seen
from reached import Reached

from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.lab_table import print_report
from ftpfw.cli.output import console
from ftpfw.errors import FtpfwError
from ftpfw.lab.exercise import Column, Exercise, read_exercise
from ftpfw.lab.library import load
from ftpfw.lab.results import Report
from ftpfw.ruleset.toml_document import decode_toml

LABS = PROJECT / "labs"
SCRIPTS = "/srv/ftpfw/labs/vagrant"
PYTHON = "/opt/ftpfw/bin/python"


def main() -> int:
    """Run as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").splitlines()[2].strip())
    parser.add_argument("--lab", default="vagrant/matrix.toml")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        with interrupts_unwind(), TemporaryDirectory(prefix="ftpfw-vagrant-") as directory:
            report = run(arguments.lab, Path(directory))
    except (LabError, FtpfwError) as error:
        say(str(error))
        return 1
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        print_report(console(), report)
    return 0 if report.as_expected else 1


def exercise_of(name: str) -> Exercise:
    """An exercise by the name of its folder in labs/, or by the path of its file from there."""
    if not name.endswith(".toml"):
        return load(LABS / name)
    file = LABS / name
    return read_exercise(decode_toml(file.read_bytes(), str(file)), str(file))


def run(name: str, directory: Path) -> Report:
    """Bring the machines up, try every column, destroy the machines."""
    exercise = exercise_of(name)
    os.environ |= {"FTPFW_LAB": name, "FTPFW_COLUMN": exercise.columns[0].name}
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    seen = Seen()
    with machines(directory) as vagrant:
        say(f"the machines are up after {time.monotonic() - clock:.0f} s")
        reached = Reached(vagrant, directory)
        for column in exercise.columns:
            _try(exercise, name, column, reached, seen)
    return Report(
        exercise.name,
        seen.kernel,
        seen.backend,
        started,
        time.monotonic() - clock,
        seen.table(),
        seen.versions,
        {column.name: column.title for column in exercise.columns},
    )


def _try(exercise: Exercise, name: str, column: Column, reached: Reached, seen: Seen) -> None:
    """Change the machines over to a column, and do the steps of each."""
    hosts = [host.name for host in exercise.topology.hosts]
    for host in hosts:
        reached.run(host, f"{SCRIPTS}/column {shlex.join((name, column.name, host))}")
    speakers = {step.action.host for step in exercise.steps}
    for host in filter(speakers.__contains__, hosts):
        command = f"{PYTHON} {SCRIPTS}/check.py {shlex.join((name, column.name, host))} --json"
        # A row that was not as expected makes it fail, and is in the table.
        for line in reached.lines(host, command, may_fail=True):
            try:
                row = seen.hear(line)
            except (ValueError, KeyError, TypeError):
                raise LabError(f"the checks on {host} said: {line.strip()}") from None
            if row:
                say(f"{column.title}: {row.name}: {row.cells[column.name].seen}")


if __name__ == "__main__":
    sys.exit(main())
