"""The programs that the lab needs of this host; their packages bear their names."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess

from ftpfw.errors import HostError
from ftpfw.lab.daemons.running import program

PROGRAMS = {
    "vsftpd": ("vsftpd", "-v"),
    "lftp": ("lftp", "--version"),
    "curl": ("curl", "--version"),
}
"""What no exercise can do without, and how each one is asked for its version."""

OTHERS = {
    "pure-ftpd": ("pure-ftpd", "--help"),
    "proftpd": ("proftpd", "-v"),
    "ncftp": ("ncftpget", "--version"),
    "wget": ("wget", "--version"),
}
"""What single exercises and cells of the matrix use."""


def require_programs() -> None:
    """HostError where a daemon or client of the lab is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise HostError(
            f"the lab needs {', '.join(missing)}, which this host does not have",
            mend=f"apt-get install {' '.join(missing)}",
        )


def versions() -> dict[str, str]:
    """The version number that each program here says of itself, and Python's."""
    found = {}
    for name, (command, *arguments) in {**PROGRAMS, **OTHERS}.items():
        if path := program(command):
            found[name] = _version((path, *arguments))
    return found | {"python": platform.python_version()}


def _version(argv: tuple[str, ...]) -> str:
    # vsftpd writes it to descriptor 0, so the pipe goes there as well.
    reader, writer = os.pipe()
    with (
        open(reader, encoding="utf-8", errors="replace") as output,
        subprocess.Popen(argv, stdin=writer, stdout=writer, stderr=writer),
    ):
        os.close(writer)
        found = re.search(r"\d+(\.\d+)+", output.read())
    return found[0] if found else "unknown"
