"""What an exercise has for a machine, as files for the scripts `lab` and `column`.

    parts.py EXERCISE COLUMN HOST DIRECTORY

Into DIRECTORY: setup.sh, policy.toml and serves, each where the exercise has such a thing for HOST.
"""

from __future__ import annotations

import sys
from pathlib import Path

from here import column_of, exercise_of


def main(name: str, column_name: str, host: str, directory: Path) -> None:
    """Write the files."""
    exercise = exercise_of(name)
    column = column_of(exercise, column_name)
    if host in exercise.setups:
        lines = map(column.fill, exercise.setups[host])
        (directory / "setup.sh").write_text("set -e\n" + "\n".join(lines) + "\n")
    if host in exercise.policies:
        (directory / "policy.toml").write_text(column.fill(exercise.policies[host]))
    if any(service.host == host for service in exercise.services):
        (directory / "serves").touch()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
