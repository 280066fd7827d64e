"""The programs that the lab needs of this host; their packages bear their names."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess

from ftpfw.errors import HostError

PROGRAMS = {
    "vsftpd": ("vsftpd", "-v"),
    "lftp": ("lftp", "--version"),
    "curl": ("curl", "--version"),
}
"""How each one is asked for its version."""


def require_programs() -> None:
    """HostError where a daemon or client of the lab is missing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise HostError(
            f"the lab needs {', '.join(missing)}, which this host does not have",
            mend=f"apt-get install {' '.join(missing)}",
        )


def versions() -> dict[str, str]:
    """The version number that each program says of itself, and Python's."""
    found = {name: _version(argv) for name, argv in PROGRAMS.items()}
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
