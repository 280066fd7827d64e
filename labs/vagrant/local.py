"""What the lab's programs on a virtual machine share: the machine as a host, the files served."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ftpfw.lab.hosts import LabHost

T = TypeVar("T")

DOWNLOAD = "download.bin"
INCOMING = "incoming"
SIZE = 64 << 10
SEED = 959


def content() -> bytes:
    """What is served under the name DOWNLOAD: random, and the same on every machine."""
    return random.Random(SEED).randbytes(SIZE)  # noqa: S311 -- content to compare, not a secret


class LocalHost(LabHost):
    """This machine, where `ftpfw lab` has a network namespace."""

    def __init__(self, name: str) -> None:
        super().__init__(name, namespace="")

    def start(
        self, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start a program; its stdout and stderr are one pipe."""
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            text=True,
            errors="replace",
            process_group=0,
        )

    def call(self, function: Callable[[], T]) -> T:
        """What ``function`` returns."""
        return function()
