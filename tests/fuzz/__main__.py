"""``python -m tests.fuzz TARGET [libFuzzer's options, corpus folders]``: fuzz one target.

A file in place of the folders is one input, to be run once: what a finding leaves behind.
"""

from __future__ import annotations

import shlex
import sys

import atheris

from tests.fuzz.campaign import artifacts
from tests.fuzz.targets import TARGETS, load


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [libFuzzer's options]")
    # tomllib too: it decides which texts the policy reader and the locator get to see.
    with atheris.instrument_imports(include=["ftpfw", "tomllib"]):
        target = load(sys.argv[1])
    # libFuzzer hands its own command to a shell, to merge and to minimise in another process.
    again = f"{shlex.quote(sys.executable)} -m tests.fuzz {sys.argv[1]}"
    # Of options that are given twice, libFuzzer takes the last.
    atheris.Setup([again, artifacts(sys.argv[1]), *sys.argv[2:]], target)
    atheris.Fuzz()


main()
