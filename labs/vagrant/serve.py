"""Run an exercise's servers of this machine until SIGTERM.

    serve.py EXERCISE COLUMN HOST DIRECTORY

DIRECTORY takes their files; DIRECTORY/ready comes once all of them answer.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from here import FILE_SIZE, column_of, exercise_of, this_machine

from ftpfw.lab.stage import Stage, contents, serve


def main(name: str, column: str, host: str, directory: Path) -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    exercise = exercise_of(name)
    with ExitStack() as stack:
        here = {host: stack.enter_context(this_machine(host))}
        stage = Stage(exercise, column_of(exercise, column), directory, here, contents(FILE_SIZE))
        for index, service in enumerate(exercise.services):
            if service.host == host:
                serve(stack, stage, service, directory / f"{host}-{index}")
        (directory / "ready").touch()
        while True:
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
