"""The ends of TCP connections that tests play by hand; nothing waits for ever."""

from __future__ import annotations

import os
import socket

PACE = float(os.environ.get("FTPFW_PACE", "1"))
"""How many times as long as usual everything may take: more on a machine that is emulated."""

PATIENCE = 5.0 * PACE
"""Seconds until something that should have come counts as never coming."""


def listen(host: str, port: int = 0) -> socket.socket:
    """A listener of the address's family; port 0: whichever is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    listener.settimeout(PATIENCE)
    return listener


def connect(
    host: str, port: int, timeout: float = PATIENCE, *, source: tuple[str, int] | None = None
) -> socket.socket:
    """A connection whose every write is a segment of its own."""
    connection = socket.create_connection((host, port), timeout, source_address=source)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive_line(connection: socket.socket) -> bytes:
    """The next bytes up to LF."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        assert byte, f"the connection ended after {line!r}"
        line += byte
    return line
