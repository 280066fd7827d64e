"""The whole lab through the command line: what it promises, and that it leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ftpfw.lab.hosts import NAMESPACES
from ftpfw.lab.library import exercises, find
from ftpfw.lab.results import Verdict

from .netns import require_program, require_root

LAB = [sys.executable, "-m", "ftpfw", "lab"]


@pytest.fixture(autouse=True)
def _needs() -> None:
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl")


def lab(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*LAB, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def traces(pid: int) -> list[Path]:
    """Namespaces and directories that a run made."""
    places = (NAMESPACES, Path(tempfile.gettempdir()))
    return [path for place in places for path in place.glob(f"ftpfw-{pid}-*")]


def living_processes(pid: int) -> set[str]:
    """Commands that name a namespace or directory of a run (zombies have no command line)."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"ftpfw-{pid}-" in command:
            found.add(command)
    return found


COURSE = [one.name for one in exercises() if one.name != "nat-gateway"]


@pytest.mark.parametrize("name", COURSE)
def test_an_exercise_shows_what_it_promises(name: str) -> None:
    with lab("run", name) as process:
        output, progress = process.communicate(timeout=300)
    assert process.returncode == 0, progress + output
    assert "cells as expected" in output
    assert not traces(process.pid)
    assert not living_processes(process.pid)


def test_every_cell_is_as_expected() -> None:
    with lab("run", "nat-gateway", "--json") as process:
        output, progress = process.communicate(timeout=300)
    assert output, progress
    report = json.loads(output)
    surprises = {
        f"{row['name']}, {column}": cell["reason"]
        for row in report["rows"]
        for column, cell in row["cells"].items()
        if not cell["as_expected"]
    }
    assert not surprises
    assert report["as_expected"] is True
    assert process.returncode == 0
    titles = [step.title for step in find("nat-gateway").steps]
    assert [row["name"] for row in report["rows"]] == titles
    assert {cell["seen"] for row in report["rows"] for cell in row["cells"].values()} == {
        verdict.value for verdict in Verdict if verdict is not Verdict.BROKEN
    }
    assert not traces(process.pid)
    assert not living_processes(process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_in_the_middle_leaves_nothing(number: signal.Signals) -> None:
    with lab("run", "nat-gateway", "--json") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert first.count(":") == 2, first + process.stderr.read()
        assert traces(process.pid)
        assert any("vsftpd" in command for command in living_processes(process.pid))
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not output
    assert not traces(process.pid)
    assert not living_processes(process.pid)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with lab("run", "dmz") as process:
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "nat-gateway" in complaint


def test_list_as_json() -> None:
    with lab("list", "--json") as process:
        output, _ = process.communicate(timeout=30)
    names = [scenario["name"] for scenario in json.loads(output)["scenarios"]]
    assert names[0] == "two-modes"
    assert "nat-gateway" in names


def test_a_short_bench() -> None:
    arguments = ("--sessions", "8", "--rounds", "2", "--size", "8", "--json")
    with lab("bench", *arguments) as process:
        output, progress = process.communicate(timeout=120)
    assert process.returncode == 0, progress
    report = json.loads(output)
    assert [len(w["rates"]["ftpfw"]) for w in report["workloads"]] == [2, 2, 2, 2]
    assert not traces(process.pid)
    assert not living_processes(process.pid)
