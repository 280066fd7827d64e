r"""A server that answers by the letter of an exercise: what no daemon would say.

``answers`` has a reply for each verb, in which ``\r\n`` is a line's end, ``{pasv}`` a 227 line
for a socket that listens, ``{host_port}`` its place, and ``{cut}`` the end of a segment. Nothing
at all means that the next answer holds it too. RETR sends the exercise's file of that name.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from ftpfw.lab.clients.commands import PATIENCE
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.talk import names
from ftpfw.lab.talker import CONTROL_PORT

DEFAULT_ANSWERS = {
    "": "220 scripted",
    "USER": "331 any password",
    "PASS": "230 logged in",
    "TYPE": "200 type set",
    "PASV": "{pasv}",
    "QUIT": "221 bye",
}
"""By verb; the greeting is that of no verb."""

SESSIONS = 4


@contextmanager
def scripted(
    host: LabHost, address: str, answers: Mapping[str, str], files: Mapping[str, bytes]
) -> Iterator[None]:
    """Serve on a host meanwhile."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = host.call(lambda: socket.create_server((address, CONTROL_PORT), family=family))
    session = _Session(host, {**DEFAULT_ANSWERS, **answers}, files)
    with listener, ThreadPoolExecutor(max_workers=SESSIONS + 1) as pool:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    session.connections.append(connection)
                    pool.submit(session.serve, connection)

        pool.submit(accept)
        try:
            yield
        finally:
            session.stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
            for connection in session.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Session:
    """What every session of a scripted server answers."""

    def __init__(
        self, host: LabHost, answers: Mapping[str, str], files: Mapping[str, bytes]
    ) -> None:
        self.connections: list[socket.socket] = []
        self.stopped = threading.Event()
        self._host = host
        self._answers = answers
        self._files = files

    def serve(self, connection: socket.socket) -> None:
        """One session, to its end or to the end of patience."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE)
        address = connection.getsockname()[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        passive = self._host.call(lambda: socket.create_server((address, 0), family=family))
        passive.settimeout(PATIENCE)
        with suppress(OSError), connection, passive:
            port = passive.getsockname()[1]
            self._answer(connection, "", address, port)
            for line in connection.makefile("rb"):
                verb, _, name = line.decode("utf-8", "replace").strip().partition(" ")
                if verb.upper() == "RETR":
                    self._send_file(connection, passive, name)
                else:
                    self._answer(connection, verb.upper(), address, port)

    def _answer(self, connection: socket.socket, verb: str, address: str, port: int) -> None:
        text = self._answers.get(verb, "502 not in the script")
        if not text:
            return
        host_port = names(address, port).get("host_port", "")
        text = text.replace("{pasv}", f"227 Entering Passive Mode ({host_port})")
        text = text.replace("{host_port}", host_port)
        for segment in f"{text}\r\n".split("{cut}"):
            connection.sendall(segment.encode())

    def _send_file(self, connection: socket.socket, passive: socket.socket, name: str) -> None:
        connection.sendall(b"150 here it comes\r\n")
        data, _ = passive.accept()
        with data:
            data.sendall(self._files.get(name, b""))
        connection.sendall(b"226 done\r\n")
