"""Giving up privileges, in a process of its own: it cannot be taken back."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability

SCRIPT = """
from pathlib import Path
from ftpfw.helper.privileges import drop_privileges
drop_privileges()
print(Path("/proc/self/status").read_text())
"""

LEFT = {
    # /proc/PID/status, see proc_pid_status(5)
    "CapInh": 0,
    "CapPrm": 1 << CAP_NET_ADMIN,
    "CapEff": 1 << CAP_NET_ADMIN,
    "CapBnd": 0,
    "CapAmb": 0,
    "NoNewPrivs": 1,
    "Umask": 0o77,
}
BASES = {"NoNewPrivs": 10, "Umask": 8}


def status_after_dropping() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    pairs = (line.partition(":") for line in done.stdout.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def test_what_is_left_to_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to have something to give up")
    status = status_after_dropping()
    assert {name: int(status[name], BASES.get(name, 16)) for name in LEFT} == LEFT
    assert status["Groups"] == ""


def test_without_the_capability_it_fails_in_words() -> None:
    if has_capability(CAP_NET_ADMIN):
        pytest.skip("has CAP_NET_ADMIN, which this is about lacking")
    with pytest.raises(subprocess.CalledProcessError) as error:
        status_after_dropping()
    assert "could not give up capabilities" in error.value.stderr


def test_a_program_gets_nothing_back() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to have something to give up")
    script = f"{SCRIPT}\nimport os\nos.execvp('grep', ['grep', 'CapEff', '/proc/self/status'])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["CapEff:", "0" * 16]
