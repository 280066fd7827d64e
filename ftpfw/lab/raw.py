"""A client and a server that say exactly what a row wants, one segment a send.

TCP_NODELAY is on everywhere, so each send leaves as a segment of its own as long as the
congestion window has room. Both give up when their patience ends: what a helper drops is
repeated by TCP for minutes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType

from ftpfw.lab.clients import PATIENCE, ClientFailed
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.scenario import Row, Script, Segments, whole

BRIEF = 1.5
"""Seconds to wait for what is expected never to come; the login before it has `PATIENCE`."""

CONTROL_PORT = 21


class Control:
    """The client's end of a control connection, with a trace of both ends' words.

    ``patience`` is how long it waits, in seconds, for each thing that comes after the login.
    """

    def __init__(self, server: str, patience: float = PATIENCE) -> None:
        self.connection = socket.create_connection((server, CONTROL_PORT), timeout=PATIENCE)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.connection.makefile("rb")
        self.patience = patience
        self.trace = ""
        self.logged_in = False

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.replies.close()
        self.connection.close()

    def send(self, *segments: bytes) -> None:
        """Each one a segment."""
        for segment in segments:
            self.trace += f"> {segment!r}\n"
            self.connection.sendall(segment)

    def expect(self, code: bytes) -> bytes:
        """The next reply line, which must begin with ``code``."""
        line = self.replies.readline()
        self.trace += f"< {line!r}\n"
        if not line.startswith(code):
            raise ConnectionError(f"expected {code.decode()}, got {line!r}")
        return line

    def command(self, line: bytes, code: bytes) -> bytes:
        """One command as one segment, and its reply."""
        self.send(line + b"\r\n")
        return self.expect(code)

    def login(self) -> None:
        """Greeting, anonymous login, image type."""
        self.expect(b"220")
        self.command(b"USER anonymous", b"331")
        self.command(b"PASS lab@", b"230")
        self.command(b"TYPE I", b"200")
        self.set_logged_in()

    def set_logged_in(self) -> None:
        """The session came to what its row is about."""
        self.logged_in = True
        self.connection.settimeout(self.patience)

    def listen(self) -> tuple[socket.socket, bytes]:
        """A listening socket for an active transfer, and the PORT line that names it."""
        address = self.connection.getsockname()[0]
        listener = socket.create_server((address, 0))
        listener.settimeout(self.patience)
        return listener, port_line(address, listener.getsockname()[1])

    def fetch_active(self, name: str, segments: Segments = whole) -> bytes:
        """A file over a connection that the server opens; ``segments`` rewords the PORT line."""
        listener, line = self.listen()
        with listener:
            reworded = segments(line)
            self.send(*reworded)
            for _ in range(b"".join(reworded).count(b"\n")):
                self.expect(b"200")
            self.command(b"RETR " + name.encode(), b"150")
            data, _ = listener.accept()
        return self._receive(data)

    def fetch_passive(self, name: str, reply: bytes) -> bytes:
        """A file over a connection to the address in a 227 reply."""
        data = socket.create_connection(host_port(reply), timeout=self.patience)
        self.command(b"RETR " + name.encode(), b"150")
        return self._receive(data)

    def _receive(self, data: socket.socket) -> bytes:
        with data, data.makefile("rb") as stream:
            data.settimeout(self.patience)
            content = stream.read()
        self.expect(b"226")
        return content


def port_line(address: str, port: int) -> bytes:
    """``PORT h1,h2,h3,h4,p1,p2`` (RFC 959 4.1.2) as every client sends it."""
    numbers = (*address.split("."), str(port >> 8), str(port & 0xFF))
    return f"PORT {','.join(numbers)}\r\n".encode()


def host_port(reply: bytes) -> tuple[str, int]:
    """The address in a 227 reply of the lab's own servers, which use parentheses."""
    numbers = reply[reply.index(b"(") + 1 : reply.index(b")")].decode().split(",")
    return ".".join(numbers[:4]), int(numbers[4]) << 8 | int(numbers[5])


def fetch(row: Row, server: str, name: str, patience: float) -> bytes:
    """Do a row's transfer in the calling thread's namespace; the content.

    Raises ClientFailed with the trace.
    """
    with _connected(server, patience) as control:
        try:
            return _fetch(row, control, name)
        except OSError as error:
            trace = f"{control.trace}raw client: {error!r}\n"
            raise ClientFailed(trace, asked=control.logged_in) from error


def _connected(server: str, patience: float) -> Control:
    try:
        return Control(server, patience)
    except OSError as error:
        trace = f"raw client: could not connect: {error!r}\n"
        raise ClientFailed(trace, asked=False) from error


def _fetch(row: Row, control: Control, name: str) -> bytes:
    match row.script:
        case Script.MERGED:
            content = control.fetch_passive(name, _login_merged(control))
        case Script.LOGOUT:
            control.login()
            control.command(b"REIN", b"227 Logout.")
            content = control.fetch_passive(name, control.command(b"PASV", b"227"))
        case None:
            assert row.segments
            control.login()
            content = control.fetch_active(name, row.segments)
    control.command(b"QUIT", b"221")
    return content


def _login_merged(control: Control) -> bytes:
    """PASV right behind PASS: the 227 reply, which came with the 230."""
    control.expect(b"220")
    control.command(b"USER anonymous", b"331")
    control.send(b"PASS lab@\r\n", b"PASV\r\n")
    control.expect(b"230")
    control.set_logged_in()
    return control.expect(b"227")


@contextmanager
def scripted_server(host: LabHost, address: str, script: Script, content: bytes) -> Iterator[None]:
    """Serve one session on a host by a script, and every RETR with ``content``."""
    listener = host.call(lambda: socket.create_server((address, CONTROL_PORT)))
    listener.settimeout(PATIENCE)
    with listener, ThreadPoolExecutor(max_workers=1) as thread:
        session = thread.submit(host.call, lambda: _serve(listener, script, content))
        yield
        listener.close()
        session.exception()


def _serve(listener: socket.socket, script: Script, content: bytes) -> None:
    """One session, to its end or to the end of patience."""
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(PATIENCE)
    address = connection.getsockname()[0]
    with connection, socket.create_server((address, 0)) as passive:
        passive.settimeout(PATIENCE)
        connection.sendall(b"220 scripted\r\n")
        answers = _answers(script, _reply_227(address, passive.getsockname()[1]))
        for line in connection.makefile("rb"):
            if line.startswith(b"RETR"):
                _send_file(connection, passive, content)
            else:
                connection.sendall(answers.get(line[:4], b"502 not in the script\r\n"))


def _send_file(connection: socket.socket, passive: socket.socket, content: bytes) -> None:
    connection.sendall(b"150 here it comes\r\n")
    data, _ = passive.accept()
    with data:
        data.sendall(content)
    connection.sendall(b"226 done\r\n")


def _reply_227(address: str, port: int) -> bytes:
    return b"227 Entering Passive Mode (%s)\r\n" % port_line(address, port)[5:-2]


def _answers(script: Script, pasv: bytes) -> dict[bytes, bytes]:
    """What each command is answered with, in one send; nothing means the next answer has it."""
    merged = script is Script.MERGED
    return {
        b"USER": b"331 any password\r\n",
        b"PASS": b"" if merged else b"230 logged in\r\n",
        b"TYPE": b"200 type set\r\n",
        b"REIN": b"227 Logout.\r\n",
        b"PASV": b"230 logged in\r\n" + pasv if merged else pasv,
        b"QUIT": b"221 bye\r\n",
    }
