"""Telling a service manager that the helper is ready, as sd_notify(3) does it.

``ftpfw load`` listens on such a socket too, so there is one way to be ready.
"""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

READY = b"READY=1"
STOPPING = b"STOPPING=1"


def notify(message: bytes) -> None:
    """Send a notification to $NOTIFY_SOCKET; a manager that is gone needs none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.sendto(message, address)


@contextmanager
def listening(path: Path) -> Iterator[Callable[[int, float], bool]]:
    """Listen at ``path``; yield ``ready(pid, timeout)``, which waits for READY=1.

    ``ready`` returns False where the process ended first, or ``timeout`` seconds passed.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        path.unlink(missing_ok=True)
        receiver.bind(str(path))
        try:
            yield lambda pid, timeout: _ready(receiver, pid, timeout)
        finally:
            path.unlink(missing_ok=True)


def _ready(receiver: socket.socket, pid: int, timeout: float) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(receiver, selectors.EVENT_READ)
            selector.register(descriptor, selectors.EVENT_READ)
            first = [key.fileobj for key, _ in selector.select(timeout)]
    finally:
        os.close(descriptor)
    return receiver in first and READY in receiver.recv(4096).split(b"\n")
