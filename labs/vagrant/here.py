"""The machine that this runs on, as a host of an exercise: what `ftpfw lab` does in a namespace.

A host of the lab is a network namespace with a name. A virtual machine is a whole host, so its
own namespace gets a name, for as long as a program of the lab needs one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pyroute2 import netns

from ftpfw.lab.exercise import Column, Exercise, read_exercise
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.library import load
from ftpfw.ruleset.toml_document import decode_toml

LABS = Path(__file__).resolve().parents[1]
BACKEND, ITS_MODULE = "cthelper", "nfnetlink_cthelper"
"""What `backend = "auto"` of a column means where the kernel has it, as distributions' have."""

FILE_SIZE = 100_000
"""Of what goes down and up: uploads stay, and a small machine's /run holds some dozen MB."""


@contextmanager
def this_machine(name: str) -> Iterator[LabHost]:
    """This machine as the exercise's host ``name``."""
    namespace = f"ftpfw-here-{os.getpid()}"
    netns.attach(namespace, os.getpid())
    try:
        yield LabHost(name, namespace)
    finally:
        netns.remove(namespace)


def exercise_of(name: str) -> Exercise:
    """An exercise by the name of its folder in labs/, or by the path of its file from there."""
    if not name.endswith(".toml"):
        return load(LABS / name)
    file = LABS / name
    return read_exercise(decode_toml(file.read_bytes(), str(file)), str(file))


def column_of(exercise: Exercise, name: str) -> Column:
    """A column, in which what the gateway would choose by itself is chosen."""
    column = exercise.column(name)
    has_it = subprocess.run(["modprobe", "--quiet", ITS_MODULE], check=False).returncode == 0
    if column.values.get("backend") != "auto" or not has_it:
        return column
    return replace(column, values={**column.values, "backend": BACKEND})
