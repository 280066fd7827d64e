"""A session as lean as can be, for the bench: its own time is part of what is measured."""

from __future__ import annotations

import socket
from types import TracebackType

from ftpfw.lab.clients.commands import PATIENCE
from ftpfw.lab.talk import announced, names

CONTROL_PORT = 21


class Session:
    """The client's end of a control connection, in the calling thread's namespace.

    Everything raises OSError: a reply that is not the expected one, ConnectionError.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.connection = socket.create_connection((server, CONTROL_PORT), timeout=PATIENCE)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.connection.makefile("rb")

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.replies.close()
        self.connection.close()

    def expect(self, code: bytes) -> bytes:
        """The next reply line, which must begin with ``code``."""
        line = self.replies.readline()
        if not line.startswith(code):
            raise ConnectionError(f"expected {code.decode()}, got {line!r}")
        return line

    def command(self, line: bytes, code: bytes) -> bytes:
        """One command as one segment, and its reply."""
        self.connection.sendall(line + b"\r\n")
        return self.expect(code)

    def login(self) -> None:
        """Greeting, anonymous login, image type."""
        self.expect(b"220")
        self.command(b"USER anonymous", b"331")
        self.command(b"PASS lab@", b"230")
        self.command(b"TYPE I", b"200")

    def fetch_active(self, name: str) -> bytes:
        """A file over a connection that the server opens."""
        address = self.connection.getsockname()[0]
        with socket.create_server((address, 0)) as listener:
            listener.settimeout(PATIENCE)
            place = names(address, listener.getsockname()[1])["host_port"]
            self.command(b"PORT " + place.encode(), b"200")
            self.command(b"RETR " + name.encode(), b"150")
            data, _ = listener.accept()
        return self._receive(data)

    def fetch_passive(self, name: str) -> bytes:
        """A file over a connection to where PASV says."""
        data = self.passive()
        self.command(b"RETR " + name.encode(), b"150")
        return self._receive(data)

    def passive(self) -> socket.socket:
        """A data connection to where PASV says."""
        reply = self.command(b"PASV", b"227").decode()
        return socket.create_connection(announced(reply, self.server), timeout=PATIENCE)

    def _receive(self, data: socket.socket) -> bytes:
        with data, data.makefile("rb") as stream:
            data.settimeout(PATIENCE)
            content = stream.read()
        self.expect(b"226")
        return content
