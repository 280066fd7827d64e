"""The fuzz targets, shortly: what once was found stays mended, and every target can run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.corpus import FOLDER, inputs_of, unpack
from tests.fuzz.targets import TARGETS, load

ROOT = Path(__file__).parents[2]
RUNS = 1000

atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris, which has wheels for Linux on x86_64 up to Python 3.14",
)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_breaks_no_law(target: str) -> None:
    fuzz = load(target)
    inputs = inputs_of(target)
    assert inputs
    for one in inputs:
        fuzz(one)


@atheris
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str, tmp_path: Path) -> None:
    unpack(target, tmp_path / "inputs")
    command = [sys.executable, "-m", "tests.fuzz", target, f"-runs={RUNS}", "-seed=1"]
    bounds = ["-max_total_time=5", "-max_len=512", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [*command, *bounds, str(tmp_path / "inputs")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_corpus_has_a_target() -> None:
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(TARGETS)
