"""``python -m tests.fuzz.campaign``: every target for some minutes, then a table.

Each target starts from its corpus; what it finds on the way is merged to the smallest set
of inputs that reaches as much, and kept with ``--keep``. A finding is left as a file, and its
name and the failed law are told; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.corpus import pack, unpack
from tests.fuzz.targets import TARGETS

WORDS = Path(__file__).with_name("words.dict")
WORK = Path("build") / "fuzz"
LONGEST = 2048
"""Bytes of an input: enough for a conversation, and few enough for thousands a second."""

SLOWEST = 20
"""Seconds that one input may take."""

_STATUS = re.compile(r"#(\d+)\s.*? cov: (\d+) ft: (\d+) corp: (\d+)")
_ARTIFACT = re.compile(r"Test unit written to (\S+)")
_FAILURE = re.compile(r"=== Uncaught Python exception: ===\n(.*)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; ``features`` is libFuzzer's finer measure of coverage."""

    target: str
    runs: int
    coverage: int
    features: int
    inputs: int
    finding: str | None
    why: str | None

    def __str__(self) -> str:
        found = f"{self.finding}: {self.why}" if self.finding else "-"
        return (
            f"{self.target:14}{self.runs:>11}{self.coverage:>10}{self.features:>10}"
            f"{self.inputs:>8}  {found}"
        )


HEADER = f"{'target':14}{'executions':>11}{'coverage':>10}{'features':>10}{'inputs':>8}  finding"


def artifacts(target: str) -> str:
    """The option that says where a finding is left; libFuzzer's own choice is this folder."""
    WORK.mkdir(parents=True, exist_ok=True)
    return f"-artifact_prefix={WORK}/{target}-"


def options(target: str, seconds: int) -> list[str]:
    """The command that fuzzes ``target``."""
    return [
        *(sys.executable, "-m", "tests.fuzz", target),
        *(f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={SLOWEST}"),
        *(f"-dict={WORDS}", "-reload=0", artifacts(target)),
    ]


def outcome(target: str, log: str) -> Outcome:
    """What libFuzzer's output says."""
    runs, coverage, features, inputs = 0, 0, 0, 0
    for status in _STATUS.finditer(log):
        runs, coverage, features, inputs = map(int, status.groups())
    found, why = _ARTIFACT.search(log), _FAILURE.search(log)
    return Outcome(
        target,
        runs,
        coverage,
        features,
        inputs,
        found[1] if found else None,
        why[1] if why else None,
    )


def fuzz(target: str, seconds: int) -> Outcome:
    """Fuzz from the corpus on; what is new stays in the working folder."""
    grown = WORK / target
    unpack(target, grown)
    command = [*options(target, seconds), str(grown)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = outcome(target, done.stdout + done.stderr)
    if done.returncode and not result.finding:
        sys.exit(f"{target}: libFuzzer could not run:\n{done.stderr[-2000:]}")
    return result


def keep(target: str) -> None:
    """Merge what was found into the smallest set that reaches as much, and keep that."""
    merged = WORK / f"{target}.merged"
    merged.mkdir(exist_ok=True)
    for stale in merged.iterdir():
        stale.unlink()
    command = [*options(target, 0)[:4], "-merge=1", f"-max_len={LONGEST}"]
    subprocess.run([*command, str(merged), str(WORK / target)], capture_output=True, check=True)
    pack(target, merged)


def main(arguments: Iterable[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.campaign", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all, if none is named")
    parser.add_argument("--minutes", type=float, default=2, help="for each target")
    parser.add_argument("--keep", action="store_true", help="keep what was found in the corpus")
    chosen = parser.parse_args(list(arguments))
    print(HEADER, flush=True)
    failed = False
    for target in chosen.targets or TARGETS:
        result = fuzz(target, int(chosen.minutes * 60))
        failed = failed or result.finding is not None
        print(result, flush=True)
        if chosen.keep:
            keep(target)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
