"""What a client says, as text, and what comes of it, as text: two servers are compared by that.

A script is steps with a semicolon between them; each is answered by the first digit of its reply.

    VERB …            a command; those that need a data connection open one by EPSV first
    active VERB …     by PORT
    pasv VERB …       by PASV
    STOR name (n)     n bytes rather than six
    !step             the whole code
    =step             the first digit and what the reply says on its last line
    "step             … and what it has in quotes
    @what …           what is no command: see deeds.py

After a colon stands what came over the data connection: a file's text, or names in brackets.
``-`` is silence, ``0`` the end of the connection.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from .served import HERE, Talk

QUIET = 0.4
"""Seconds after which nothing will come, where nothing is on the way but a loopback."""

_FETCHING = {"RETR", "LIST", "NLST", "MLSD"}
_STORING = {"STOR", "APPE", "STOU"}
_LONGEST = 24
_SIZED = re.compile(r" \((\d+)\)$")


Deed = Callable[["Client", str], str]


@dataclass(slots=True)
class Client:
    """A client in the middle of a script; what it opened ends with ``stack``.

    ``files`` are the server's, ``certificate`` is what it shows of itself.
    """

    talk: Talk
    stack: ExitStack = field(default_factory=ExitStack)
    deeds: Mapping[str, Deed] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    protected: bool = False
    resumes: bool = True
    files: Path = Path("/")
    certificate: Path | None = None

    def play(self, step: str) -> str:
        """Do a step; what comes of it."""
        if step.startswith("@"):
            name, _, argument = step[1:].partition(" ")
            return self.deeds[name](self, argument)
        show = step[0] if step[:1] in {"!", "=", '"'} else ""
        step = step.removeprefix(show)
        way, _, rest = step.partition(" ")
        if way in {"active", "pasv"}:
            return self._transfer(rest, way, show)
        if way in _FETCHING | _STORING:
            return self._transfer(step, "epsv", show)
        reply = self.ask(step)
        if step == "PROT P":
            self.protected = reply.startswith("2")
        return shown(reply, show)

    def ask(self, command: str) -> str:
        """The reply; empty at the end of the connection."""
        with suppress(ConnectionError, ssl.SSLError):
            self.talk.send(command)
            return self.talk.reply()
        return ""

    def reply(self, seconds: float | None = None) -> str:
        """A reply that may not come; ``-`` then."""
        before = self.talk.socket.gettimeout()
        self.talk.socket.settimeout(seconds or before)
        try:
            return self.talk.reply()
        except TimeoutError:
            return "-"
        except ConnectionError:
            return ""
        finally:
            self.talk.socket.settimeout(before)

    def _transfer(self, command: str, way: str, show: str) -> str:
        sized = _SIZED.search(command)
        content = bytes(int(sized[1])) if sized else b"stored"
        command = _SIZED.sub("", command)
        with ExitStack() as stack:
            opened = self._data(way, stack)
            if isinstance(opened, str):
                return opened
            first = self.ask(command)
            if not first.startswith("1"):
                return shown(first, show)
            data = self._secured(opened())
            with closing(data):
                if command.partition(" ")[0] in _STORING:
                    with suppress(ConnectionError):
                        data.sendall(content)
                        end_of_tls(data)
                    came = None
                else:
                    came = all_of(data)
            end = shown(self.reply(), show)
            return end if came is None else f"{end}:{_told(command, came)}"

    def _secured(self, data: socket.socket) -> socket.socket:
        if not self.protected or self.context is None:
            return data
        assert isinstance(self.talk.socket, ssl.SSLSocket)
        session = self.talk.socket.session if self.resumes else None
        return self.context.wrap_socket(data, session=session)

    def _data(self, way: str, stack: ExitStack) -> Callable[[], socket.socket] | str:
        """What gives the data connection once a transfer has begun; or what refused it."""
        if way == "active":
            listener = stack.enter_context(socket.create_server((HERE, 0)))
            listener.settimeout(self.talk.socket.gettimeout())
            reply = self.ask(f"PORT {host_port(HERE, listener.getsockname()[1])}")
            return (lambda: listener.accept()[0]) if reply.startswith("2") else f"PORT {reply[:1]}"
        port = self.passive(way)
        if isinstance(port, str):
            return f"{way.upper()} {port}"
        data = stack.enter_context(self.connect(port))
        return lambda: data

    def passive(self, way: str = "epsv") -> int | str:
        """The port of a reply to PASV or EPSV, or the digit of another."""
        reply = self.ask(way.upper())
        found = re.search(r"\|\|\|(\d+)\||,(\d+),(\d+)\)", reply)
        if not reply.startswith("2") or not found:
            return reply[:1] or "0"
        return int(found[1]) if found[1] else int(found[2]) << 8 | int(found[3])

    def connect(self, port: int, source: str = HERE) -> socket.socket:
        return socket.create_connection((HERE, port), QUIET * 5, source_address=(source, 0))


def end_of_tls(data: socket.socket) -> None:
    """Say that no more will come, as TLS has it; what the other says to that is not waited for."""
    if isinstance(data, ssl.SSLSocket):
        data.settimeout(0)
        with suppress(OSError):
            data.unwrap()


def host_port(address: str, port: int) -> str:
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}"


def shown(reply: str, show: str) -> str:
    if not reply:
        return "0"
    last = reply.rpartition("\n")[2]
    quoted = last.partition('"')[2].rpartition('"')[0]
    parts = {
        "": last[:1],
        "!": last[:3],
        "=": f"{last[:1]}:{last[4:]}",
        '"': f"{last[:1]}:{quoted}",
    }
    return parts[show]


def all_of(data: socket.socket) -> bytes:
    came = bytearray()
    with suppress(ConnectionError, TimeoutError):
        while chunk := data.recv(1 << 16):
            came += chunk
    return bytes(came)


def _told(command: str, came: bytes) -> str:
    verb = command.partition(" ")[0]
    text = came.decode("utf-8", "replace")
    if verb == "RETR":
        return repr(text)[1:-1] if len(text) <= _LONGEST else f"<{len(came)}>"
    lines = [line for line in text.splitlines() if line and not line.startswith("total ")]
    names = lines if verb == "NLST" else [_listed(verb, line) for line in lines]
    return f"[{' '.join(sorted(names))}]"


def _listed(verb: str, line: str) -> str:
    if verb == "MLSD":
        return line.partition(" ")[2]
    return line.partition(" -> ")[0].rpartition(" ")[2]


def log_in(client: Client, name: str = "anonymous") -> str:
    reply = client.ask(f"USER {name}")
    if reply.startswith("331"):
        reply = client.ask("PASS me@example.net")
    return shown(reply, "")


def play(
    script: str,
    talk: Talk,
    deeds: Mapping[str, Deed],
    *,
    login: bool = True,
    files: Path = Path("/"),
) -> str:
    """Say a script on a connection; the answers, with blanks between them."""
    client = Client(talk, deeds=deeds, files=files)
    with client.stack:
        if login:
            if (answer := log_in(client)) != "2":
                return f"login {answer}"
            client.ask("TYPE I")
        return " ".join(client.play(step) for step in script.split("; "))


def hang_up(talk: Talk) -> None:
    """End a session; it may have ended, or wait for something."""
    with closing(talk), suppress(OSError):
        talk.send("QUIT")
        talk.socket.settimeout(QUIET)
        talk.reply()
