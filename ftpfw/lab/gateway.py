"""A gateway of the lab, loaded and unloaded as a user would: through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpfw.errors import HostError
from ftpfw.lab.hosts import LabHost

KERNEL_HELPER = Path("/sys/module/nf_conntrack_ftp")
COMMAND_TIMEOUT = 120.0


def kernel_has_helper() -> bool:
    """Whether nf_conntrack_ftp is built in or can be loaded.

    Built in, it shows in sysfs too, because it has parameters.
    """
    if not KERNEL_HELPER.exists():
        subprocess.run(["modprobe", "--quiet", "nf_conntrack_ftp"], check=False)
    return KERNEL_HELPER.exists()


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway with ftpfw loaded in its namespace; ``state`` is its FTPFW_STATE_DIR."""

    host: LabHost
    policy: Path
    state: Path

    def ftpfw(self, *arguments: str) -> str:
        """The output of ``ftpfw …`` on the gateway; HostError where it fails."""
        argv = [sys.executable, "-m", "ftpfw", *arguments]
        with self.host.start(argv, {"FTPFW_STATE_DIR": str(self.state)}) as process:
            try:
                output, _ = process.communicate(timeout=COMMAND_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if process.returncode != 0:
            raise HostError(
                f"`ftpfw {' '.join(arguments)}` failed on {self.host.name} with exit code "
                f"{process.returncode}:\n{output.strip()}"
            )
        return output

    @property
    def backend(self) -> str:
        """What ``backend = "auto"`` took here."""
        return str(self._status()["backend"])

    @property
    def workers(self) -> tuple[int, ...]:
        """The pids of the inspector's workers, one a queue; none where no inspector runs."""
        helper = self._status()["helper"] or {"workers": ()}
        return tuple(worker["pid"] for worker in helper["workers"])

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.ftpfw("status", "--json"))
        return status


@contextmanager
def loaded(
    host: LabHost, policy: str, directory: Path, firewall: str | None = None
) -> Iterator[Gateway]:
    """Load a policy on a host, and unload it; ``directory`` takes policy and state.

    ``firewall`` is what ``rules apply --backend`` calls it; without one ftpfw chooses.
    """
    gateway = Gateway(host, directory / "gateway.toml", directory / "state")
    gateway.policy.write_text(policy, encoding="utf-8")
    if firewall is not None:
        gateway.ftpfw("rules", "apply", str(gateway.policy), "--backend", firewall)
    gateway.ftpfw("load", str(gateway.policy))
    try:
        yield gateway
    finally:
        gateway.ftpfw("unload")
