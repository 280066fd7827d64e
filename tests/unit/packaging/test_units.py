"""The systemd units: what they run exists, and systemd finds nothing to complain about."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ftpfw.cli import commands

UNITS = Path(__file__).parents[3] / "packaging" / "systemd"
PROGRAM = "/opt/ftpfw/bin/ftpfw"
EXPOSURE = 2.0
"""The most of `systemd-analyze security`, of 10, that the inspector may have."""


def settings(unit: str) -> list[tuple[str, str]]:
    """Every setting of a unit, in order; some keys come twice."""
    lines = (UNITS / unit).read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#[")
    return [(key, value) for key, _, value in pairs]


def values(unit: str, key: str) -> list[str]:
    return [value for name, value in settings(unit) if name == key]


RUN = [
    (unit.name, value)
    for unit in sorted(UNITS.glob("*.service"))
    for key, value in settings(unit.name)
    if key.startswith("Exec") and PROGRAM in value
]


@pytest.mark.parametrize(("unit", "line"), RUN, ids=[f"{unit}: {line}" for unit, line in RUN])
def test_every_command_is_one_of_ours(unit: str, line: str) -> None:
    """Parsed by the command line itself, up to where it would act."""
    program, *arguments = line.lstrip("+").split()
    assert program == PROGRAM, unit
    context = click.Context(commands)
    command: click.Command = commands
    while isinstance(command, click.Group):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, name
        context, command = click.Context(found, parent=context, info_name=name), found
    command.parse_args(context, arguments)


def test_the_inspector_gets_one_capability() -> None:
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert values("ftpfw.service", key) == ["CAP_NET_ADMIN"]


def test_a_reload_applies_the_rules_before_the_helper_hears_of_it() -> None:
    apply, hang_up = values("ftpfw.service", "ExecReload")
    assert "rules apply" in apply
    assert "-HUP" in hang_up


def test_rules_outlive_the_inspector() -> None:
    assert values("ftpfw.service", "Requires") == ["ftpfw-rules.service"]
    assert not [key for key, value in settings("ftpfw.service") if "rules remove" in value]


def runnable(tmp_path: Path) -> list[str]:
    """The units with a program that exists on this host."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs the program systemd-analyze")
    for unit in UNITS.glob("*.service"):
        text = unit.read_text().replace(PROGRAM, sys.executable)
        (tmp_path / unit.name).write_text(text)
    return [str(path) for path in tmp_path.glob("*.service")]


def test_systemd_can_read_them(tmp_path: Path) -> None:
    argv = ["systemd-analyze", "--man=no", "verify", *runnable(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_inspector_is_little_exposed(tmp_path: Path) -> None:
    runnable(tmp_path)
    unit = str(tmp_path / "ftpfw.service")
    argv = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}"]
    done = subprocess.run(
        [*argv, "--json=short", unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
