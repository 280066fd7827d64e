"""Commands on Vagrant's machines, over one SSH connection a machine that stays.

`vagrant ssh -c` takes seconds to find a machine each time; its own `ssh-config` tells ssh all it
needs to know.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine import LabError, Vagrant, ended_with_us

PERSISTENT = ("-o", "ControlMaster=auto", "-o", "ControlPersist=60")


class Reached:
    """The machines of a Vagrant that are up."""

    def __init__(self, vagrant: Vagrant, directory: Path) -> None:
        self._config = directory / "ssh"
        self._config.write_text(vagrant.output("ssh-config"))
        # %C: a socket's path must be short.
        control = ("-o", f"ControlPath={directory}/%C")
        self._ssh = (*vagrant.prefix, "ssh", "-F", str(self._config), *PERSISTENT, *control)

    def lines(self, machine: str, command: str, *, may_fail: bool = False) -> Iterator[str]:
        """Run a shell command as root; its output, line by line. LabError where it fails."""
        said: list[str] = []
        with (
            subprocess.Popen(
                [*self._ssh, machine, f"sudo sh -c '{command}'"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,
            ) as process,
            ended_with_us(process),
        ):
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                yield line
        if process.returncode != 0 and not may_fail:
            raise LabError(f"`{command}` failed on {machine}:\n{''.join(said[-30:]).strip()}")

    def run(self, machine: str, command: str) -> None:
        """Run a shell command as root, to its end. LabError where it fails."""
        for _ in self.lines(machine, command):
            pass
