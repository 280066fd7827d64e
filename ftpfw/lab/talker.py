"""Says the lines of a talk on a control connection, and holds what comes back against them.

TCP_NODELAY is on, so each send leaves as a segment of its own as long as the congestion window
has room. It gives up when its patience ends: what a helper drops is repeated by TCP for minutes.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ftpfw.lab.clients.commands import PATIENCE, ClientFailed
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.talk import Line, Verb, announced, names, segments

BRIEF = 1.5
"""Seconds to wait for what is expected never to come; the login before it has `PATIENCE`."""

CONTROL_PORT = 21
SHOWN = 60


class Talker:
    """A control connection of one host, and the data connection that it is about to have.

    ``files`` are the contents that lines name.
    """

    def __init__(self, host: LabHost, server: str, files: Mapping[str, bytes]) -> None:
        self.trace = ""
        self.logged_in = False
        self._host = host
        self._server = server
        self._files = files
        self._known: dict[str, str] = {}
        self._reply = ""
        self._listener: socket.socket | None = None
        self._data: socket.socket | None = None
        self._control = self._connect(server, CONTROL_PORT, PATIENCE)
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def _connect(self, address: str, port: int, patience: float) -> socket.socket:
        try:
            return self._host.call(lambda: socket.create_connection((address, port), patience))
        except OSError as error:
            raise ClientFailed(
                f"{self.trace}raw client: no connection to {address} port {port}: {error!r}\n",
                asked=self.logged_in,
            ) from error

    def close(self) -> None:
        """Cut what is open."""
        for one in (self._control, self._listener, self._data):
            if one is not None:
                one.close()

    def say(self, lines: Sequence[Line], patience: float) -> None:
        """Go through lines; ``patience`` is for each after the login. Raises ClientFailed."""
        for line in lines:
            try:
                self._obey(line, patience if self.logged_in else PATIENCE)
            except (OSError, ValueError) as error:
                self.trace += f"raw client, at `{line}`: {error!r}\n"
                raise ClientFailed(self.trace, asked=self.logged_in) from error

    def _obey(self, line: Line, patience: float) -> None:
        self._control.settimeout(patience)
        match line.verb:
            case Verb.SAY | Verb.SEGMENT | Verb.BYTES:
                self._send(line)
            case Verb.EXPECT:
                self._expect(line.text)
            case Verb.LISTEN:
                self._listen()
            case Verb.CONNECT:
                self._data = self._connect(*announced(self._reply, self._server), patience)
            case Verb.RECEIVE:
                self._compare(self._receive(patience), line.text)
            case Verb.RECEIVES:
                self._match(self._receive(patience), line.text)
            case Verb.SEND:
                with self._data_connection(patience) as data:
                    data.sendall(self._files[line.text])
                self._data = None
            case Verb.CLOSE_DATA:
                self._data_connection(patience).close()
                self._data = None
            case Verb.NO_DATA:
                self._nobody_comes()
            case Verb.TLS:
                self._start_tls()
            case Verb.CLOSE:
                self._control.close()

    def _send(self, line: Line) -> None:
        for segment in segments(line, self._known):
            self.trace += f"> {segment!r}\n"
            self._control.sendall(segment)

    def _expect(self, pattern: str) -> None:
        self._reply = self._read_reply()
        self.trace += f"< {self._reply}\n"
        if not re.match(pattern, self._reply):
            raise ConnectionError(f"wanted {pattern}, got {self._reply!r}")
        if self._reply.startswith("230"):
            self.logged_in = True

    def _read_reply(self) -> str:
        """The last line of a reply (RFC 959 4.2)."""
        while True:
            while b"\n" not in self._left:
                chunk = self._control.recv(4096)
                if not chunk:
                    raise ConnectionError("the server has ended the session")
                self._left += chunk
            line, _, self._left = self._left.partition(b"\n")
            text = line.decode("utf-8", "replace").rstrip("\r")
            if re.match(r"\d{3}( |$)", text):
                return text

    def _listen(self) -> None:
        address = self._control.getsockname()[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if self._listener is not None:
            self._listener.close()
        self._listener = self._host.call(lambda: socket.create_server((address, 0), family=family))
        self._known = names(address, self._listener.getsockname()[1])

    def _data_connection(self, patience: float) -> socket.socket:
        if self._data is None:
            if self._listener is None:
                raise ValueError("no `listen` or `connect` stands before it")
            self._listener.settimeout(patience)
            self._data, _ = self._listener.accept()
        self._data.settimeout(patience)
        return self._data

    def _receive(self, patience: float) -> bytes:
        with self._data_connection(patience) as data, data.makefile("rb") as stream:
            content = stream.read()
        self._data = None
        return content

    def _compare(self, content: bytes, name: str) -> None:
        if content != self._files[name]:
            raise ConnectionError(f"{len(content)} bytes came that are not {name}")

    def _match(self, content: bytes, pattern: str) -> None:
        text = content.decode("utf-8", "replace")
        self.trace += f"data: {text[:SHOWN]!r}\n"
        if not re.search(pattern, text):
            raise ConnectionError(f"what came does not match {pattern}")

    def _nobody_comes(self) -> None:
        if self._listener is None:
            raise ValueError("no `listen` stands before it")
        self._listener.settimeout(BRIEF)
        with suppress(TimeoutError):
            stranger, (address, *_) = self._listener.accept()
            stranger.close()
            raise ConnectionError(f"{address} opened a data connection")

    def _start_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._control = context.wrap_socket(self._control)
