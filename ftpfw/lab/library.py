"""Where the exercises are: in the folder ``labs`` beside the package, or where it was installed."""

from __future__ import annotations

import sys
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.exercise import FILE, Exercise, read_exercise
from ftpfw.ruleset.toml_document import decode_toml

CHECKOUT = Path(__file__).parents[2] / "labs"
INSTALLED = Path(sys.prefix) / "share" / "ftpfw" / "labs"


def folder() -> Path:
    """The folder of folders; HostError where there is none."""
    for place in (CHECKOUT, INSTALLED):
        if place.is_dir():
            return place
    raise HostError(
        f"there are no exercises in {CHECKOUT} or {INSTALLED}",
        mend="name the path of an exercise's folder",
    )


def names() -> list[str]:
    """The exercises that come with ftpfw, as the course has them."""
    return [exercise.name for exercise in exercises()]


def exercises() -> list[Exercise]:
    """All of them, in their order."""
    found = (load(path.parent) for path in folder().glob(f"*/{FILE}"))
    return sorted(found, key=lambda exercise: (exercise.order, exercise.name))


def find(name: str) -> Exercise:
    """An exercise by its name, or by the path of its folder or file; HostError where none is."""
    path = Path(name)
    if path.name == FILE:
        return load(path.parent)
    if path.is_dir() and (path / FILE).exists():
        return load(path)
    if "/" not in name and (folder() / name / FILE).exists():
        return load(folder() / name)
    raise HostError(f"there is no exercise {name}", mend=f"one of {', '.join(names())}, or a path")


def load(place: Path) -> Exercise:
    """The exercise in a folder; PolicyError with the line of what is wrong in it."""
    file = place.resolve() / FILE
    return read_exercise(decode_toml(file.read_bytes(), str(file)), str(file))
