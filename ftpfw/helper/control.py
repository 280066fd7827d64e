"""The control socket: a running helper tells its status to whoever connects.

One JSON object a connection, then the end: ``nc -U control.sock`` is a client.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftpfw.errors import HostError

PATIENCE = 5.0
"""Seconds that a client waits for the helper, which may have to wait for its workers."""

SENDS_WITHIN = 0.2
"""Seconds that the helper waits for a client, who reads on while the report is being sent."""


class ControlSocket:
    """Listens at a path; each client gets what ``report`` returns."""

    def __init__(self, path: Path, report: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._report = report
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()

    def fileno(self) -> int:
        """The descriptor to watch for clients."""
        return self._listener.fileno()

    def answer(self) -> None:
        """Serve the client that waits; one that hangs or goes away costs an instant."""
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        with client:
            client.settimeout(SENDS_WITHIN)
            try:
                client.sendall(json.dumps(self._report()).encode())
            except OSError:
                return

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()
        self._path.unlink(missing_ok=True)


def ask(path: Path) -> dict[str, Any]:
    """The status of the helper that listens at ``path``."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE)
            client.connect(str(path))
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        report: dict[str, Any] = json.loads(answer)
    except (OSError, ValueError) as error:
        raise HostError(
            f"the helper does not answer at {path}: {error}", mend="ftpfw unload, then load again"
        ) from error
    return report
