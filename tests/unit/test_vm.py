"""The runner of `make vm-test` as far as no guest is needed: what is missing is named."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "tools" / "vm" / "run.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_without_a_kernel_it_names_the_set_up(tmp_path: Path) -> None:
    finished = run(str(tmp_path), "--", "true")
    assert finished.returncode == 125
    assert finished.stderr == f"vm: {tmp_path} has no kernel: run tools/vm/setup {tmp_path}\n"


@pytest.mark.parametrize("arguments", [(), ("directory",), ("--cpus", "x", "directory", "true")])
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    finished = run(*arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith("usage: run.py")


def test_the_short_choice_names_tests_that_there_are() -> None:
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "@tools/vm/short"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, shlex.join(argv) + done.stdout
