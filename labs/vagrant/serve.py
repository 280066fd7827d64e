"""Run one of the lab's FTP servers on this machine until SIGTERM.

    serve.py SERVER ADDRESS DIRECTORY

DIRECTORY takes the server's files; DIRECTORY/ready comes once it answers.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from local import DOWNLOAD, LocalHost, content

from ftpfw.lab.vsftpd import serving


def main(server: str, address: str, directory: Path) -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with serving(LocalHost("server"), address, directory) as site:
        site.publish(DOWNLOAD, content())
        (directory / "ready").touch()
        while True:
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
