"""Telling a service manager that the helper is ready, as sd_notify(3) does it.

``ftpfw load`` listens on such a socket too, so there is one way to be ready.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ftpfw.errors import HostError

READY = b"READY=1"
STOPPING = b"STOPPING=1"
WATCHDOG = b"WATCHDOG=1"


def reloading() -> bytes:
    """The message that a reload begins; READY=1 ends it. Type=notify-reload wants the time."""
    return b"RELOADING=1\nMONOTONIC_USEC=%d" % (time.monotonic_ns() // 1000)


def notify(message: bytes) -> None:
    """Send a notification to $NOTIFY_SOCKET; a manager that is gone needs none."""
    address = _address()
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(message, address)


def require_listener() -> None:
    """Raise HostError where $NOTIFY_SOCKET is set and nobody listens there.

    Whoever started this process and was to end it has gone: a killed ``ftpfw load``, say.
    """
    address = _address()
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except OSError as error:
            raise HostError(
                f"nobody waits at $NOTIFY_SOCKET ({os.environ['NOTIFY_SOCKET']}): {error.strerror}",
                mend="whoever started this has gone; without one, unset NOTIFY_SOCKET",
            ) from error


def _address() -> str | None:
    """Of $NOTIFY_SOCKET; "@" stands for the zero byte of an abstract name."""
    address = os.environ.get("NOTIFY_SOCKET")
    return "\0" + address[1:] if address and address.startswith("@") else address


@contextmanager
def listening(path: Path) -> Iterator[Callable[[int, float], bool]]:
    """Listen at ``path``; yield ``ready(pid, timeout)``, which waits for READY=1.

    ``ready`` returns False where the process ended first, or nothing came for ``timeout``
    seconds. Other messages are passed over.
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
            while receiver in [key.fileobj for key, _ in selector.select(timeout)]:
                if READY in receiver.recv(4096).split(b"\n"):
                    return True
    finally:
        os.close(descriptor)
    return False
