"""`ftpfw load` in a namespace, for tests that watch from outside what the gateway does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpfw.helper.notify import listening

from .netns import run

READY_WITHIN = 20.0
"""Seconds until the inspector counts as one that will never start."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A gateway that has been loaded."""

    namespace: str
    state: Path

    def ftpfw(self, *arguments: str) -> str:
        """The output of a command that must succeed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, sys.executable, "-m", "ftpfw", *arguments],
            env={**os.environ, "FTPFW_STATE_DIR": str(self.state)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def workers(self) -> list[dict[str, Any]]:
        workers: list[dict[str, Any]] = json.loads(self.ftpfw("status", "--json"))["helper"][
            "workers"
        ]
        return workers

    def require_no_faults(self) -> None:
        """The inspector met no fault of its own, and lost no packet."""
        for worker in self.workers():
            assert worker["errors"] == 0, self.log()
            assert worker["overruns"] == 0
        assert "Traceback" not in self.log(), self.log()

    def log(self) -> str:
        return (self.state / "helper.log").read_text()

    def statistics(self) -> dict[str, int]:
        """The sums of conntrack's counters over all processors, as `conntrack -S` has them."""
        names, *rows = run(self.namespace, "cat", "/proc/net/stat/nf_conntrack").splitlines()
        columns = zip(*(row.split() for row in rows), strict=True)
        return {
            name: sum(int(value, 16) for value in column)
            for name, column in zip(names.split(), columns, strict=True)
        }


@contextmanager
def loaded(namespace: str, policy: str, directory: Path) -> Iterator[Loaded]:
    """Load a policy's text, and unload it; ``directory`` takes policy and state."""
    directory.mkdir()
    (directory / "gateway.toml").write_text(policy)
    gateway = Loaded(namespace, directory / "state")
    gateway.ftpfw("load", str(directory / "gateway.toml"))
    try:
        yield gateway
    finally:
        gateway.ftpfw("unload")


@contextmanager
def inspecting(namespace: str, policy: str, directory: Path) -> Iterator[None]:
    """The inspector alone, for a policy whose rules come and go."""
    directory.mkdir()
    (directory / "gateway.toml").write_text(policy)
    ready = directory / "ready.sock"
    command = ["ip", "netns", "exec", namespace, sys.executable, "-m", "ftpfw", "helper"]
    log = directory / "helper.log"
    environment = {"FTPFW_STATE_DIR": str(directory / "state"), "NOTIFY_SOCKET": str(ready)}
    with listening(ready) as is_ready:
        process = subprocess.Popen(
            [*command, str(directory / "gateway.toml"), "--log", str(log)],
            env={**os.environ, **environment},
        )
        try:
            assert is_ready(process.pid, READY_WITHIN), log.read_text()
            yield
            assert process.poll() is None, log.read_text()
            assert "Traceback" not in log.read_text()
        finally:
            process.terminate()
            process.wait()
