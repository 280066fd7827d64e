"""What a client says, as text, and what comes of it, as text: two servers are compared by that.

A script is steps with a semicolon between them; each is answered by the first digit of its reply.

    VERB …            a command; those that need a data connection open one by EPSV first
    active VERB …     by PORT
    pasv VERB …       by PASV
    STOR name (n)     n bytes rather than six
    !step             the whole code
    =step             the first digit and what the reply says on its last line
    "step             … and what it has in quotes
    @what …           what is no command: see ``DEEDS`` there

After a colon stands what came over the data connection: a file's text, or names in brackets.
``-`` is silence, ``0`` the end of the connection.
"""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field

from .served import HERE, Talk

PORT = 21
ELSEWHERE = "127.0.0.2"
QUIET = 0.4
"""Seconds after which nothing will come, where nothing is on the way but a loopback."""

_FETCHING = {"RETR", "LIST", "NLST", "MLSD"}
_STORING = {"STOR", "APPE", "STOU"}
_LONGEST = 24
_SIZED = re.compile(r" \((\d+)\)$")


@dataclass(slots=True)
class Client:
    """A client in the middle of a script; what it opened ends with ``stack``."""

    talk: Talk
    stack: ExitStack = field(default_factory=ExitStack)
    held: list[socket.socket] = field(default_factory=list)
    others: list[Talk] = field(default_factory=list)

    def play(self, step: str) -> str:
        """Do a step; what comes of it."""
        if step.startswith("@"):
            name, _, argument = step[1:].partition(" ")
            return DEEDS[name](self, argument)
        show = step[0] if step[:1] in {"!", "=", '"'} else ""
        step = step.removeprefix(show)
        way, _, rest = step.partition(" ")
        if way in {"active", "pasv"}:
            return self._transfer(rest, way, show)
        if way in _FETCHING | _STORING:
            return self._transfer(step, "epsv", show)
        return _shown(self.ask(step), show)

    def ask(self, command: str) -> str:
        """The reply; empty at the end of the connection."""
        with suppress(ConnectionError):
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
                return _shown(first, show)
            data = opened()
            with closing(data):
                if command.partition(" ")[0] in _STORING:
                    with suppress(ConnectionError):
                        data.sendall(content)
                    came = None
                else:
                    came = _all_of(data)
            end = _shown(self.reply(), show)
            return end if came is None else f"{end}:{_told(command, came)}"

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


def host_port(address: str, port: int) -> str:
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}"


def _shown(reply: str, show: str) -> str:
    if not reply:
        return "0"
    last = reply.rpartition("\n")[2]
    quoted = last.partition('"')[2].rpartition('"')[0]
    shown = {
        "": last[:1],
        "!": last[:3],
        "=": f"{last[:1]}:{last[4:]}",
        '"': f"{last[:1]}:{quoted}",
    }
    return shown[show]


def _all_of(data: socket.socket) -> bytes:
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


# What is no command


def _login(client: Client, name: str) -> str:
    reply = client.ask(f"USER {name or 'anonymous'}")
    if reply.startswith("331"):
        reply = client.ask("PASS me@example.net")
    return _shown(reply, "")


def _bytes(client: Client, count: str) -> str:
    """A line of so many bytes."""
    with suppress(ConnectionError):
        client.talk.send("NOOP " + "x" * (int(count) - 7))
    return client.reply(QUIET)[:1] or "0"


def _theft(client: Client, verb: str) -> str:
    """Somebody else takes the passive data connection: what comes, and what is answered."""
    port = client.passive()
    if isinstance(port, str):
        return f"EPSV {port}"
    with client.connect(port, ELSEWHERE) as thief:
        thief.settimeout(QUIET)
        client.talk.send(verb)
        stolen = _all_of(thief).decode()
    answers = []
    while (reply := client.reply(QUIET)) not in {"-", ""}:
        answers.append(reply[:1])
    return f"{''.join(answers) or '-'}:{stolen}"


def _source(client: Client, verb: str) -> str:
    """The port that an active data connection leaves from."""
    with socket.create_server((HERE, 0)) as listener:
        listener.settimeout(client.talk.socket.gettimeout())
        client.ask(f"PORT {host_port(HERE, listener.getsockname()[1])}")
        client.talk.send(verb)
        data, (_, port) = listener.accept()
        with closing(data):
            _all_of(data)
    client.reply()
    client.reply()
    return "20" if port == 20 else "any"


def _passives(client: Client, argument: str) -> str:
    """Passive ports in so many sessions at a time, as ``4 30000-30001``."""
    count, _, asked = argument.partition(" ")
    first, last = map(int, asked.split("-"))
    answers = []
    for _ in range(int(count)):
        one = Client(Talk(PORT))
        client.stack.callback(one.talk.close)
        _login(one, "")
        port = one.passive("pasv")
        answers.append(port if isinstance(port, str) else "in" if first <= port <= last else "out")
    return " ".join(sorted(answers))


def _sessions(client: Client, argument: str) -> str:
    """How many of so many more log in at a time; from another address where one is named."""
    count, _, source = argument.partition(" ")
    answers = []
    for _ in range(int(count)):
        one = Client(client.stack.enter_context(closing(Talk(PORT, source or HERE))))
        greeting = one.talk.greeting[:3]
        answers.append(_login(one, "") if greeting == "220" else greeting[:1] or "0")
    return " ".join(answers)


def _banner(client: Client, argument: str) -> str:
    del argument
    return client.talk.greeting.rpartition("\n")[2]


def _text(client: Client, argument: str) -> str:
    """Whether a reply has some words in it: ``words | command``."""
    words, _, command = argument.partition(" | ")
    reply = client.ask(command) if command else client.talk.greeting
    return f"{reply[:1]}:{'said' if words in reply else 'unsaid'}"


def _address(client: Client, argument: str) -> str:
    """The address in the 227 reply."""
    del argument
    found = re.search(r"(\d+,\d+,\d+,\d+),\d+,\d+", client.ask("PASV"))
    return found[1] if found else "none"


def _end(client: Client, argument: str) -> str:
    """The server takes leave by itself: what it says, then the end."""
    del argument
    said = client.reply()
    if said in {"-", ""}:
        return said or "0"
    return f"{said[:1]} {client.reply()[:1] or '0'}"


def _line(client: Client, line: str) -> str:
    """A line that may not be answered."""
    client.talk.send(line)
    return client.reply(QUIET)[:1] or "0"


def _stall(client: Client, command: str) -> str:
    """A transfer begins and its data connection does not move: what is said in the end."""
    port = client.passive()
    if isinstance(port, str):
        return f"EPSV {port}"
    data = client.stack.enter_context(client.connect(port))
    client.held.append(data)
    return f"{client.ask(command)[:1]} {client.reply()[:1] or '0'}"


def _unmet(client: Client, command: str) -> str:
    """A transfer to whose passive port nobody comes."""
    client.passive()
    return _answers(client, command)


def _answers(client: Client, command: str) -> str:
    """The replies to a command, the second too where the first announces one."""
    first = client.ask(command)
    return f"{first[:1]} {client.reply()[:1] or '0'}" if first[:1] == "1" else first[:1] or "0"


def _break(client: Client, command: str) -> str:
    """An upload that ends in a reset after a hundred bytes."""
    port = client.passive()
    if isinstance(port, str):
        return f"EPSV {port}"
    data = client.connect(port)
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with closing(data):
        first = client.ask(command)
        if first[:1] != "1":
            return first[:1] or "0"
        data.sendall(bytes(100))
        select.select([data], [], [], QUIET)  # what is not read by then is lost with a reset
    return f"{first[:1]} {client.reply()[:1] or '0'}"


DEEDS: dict[str, Callable[[Client, str], str]] = {
    "login": _login,
    "bytes": _bytes,
    "theft": _theft,
    "source": _source,
    "passives": _passives,
    "sessions": _sessions,
    "banner": _banner,
    "text": _text,
    "address": _address,
    "end": _end,
    "line": _line,
    "stall": _stall,
    "unmet": _unmet,
    "answers": _answers,
    "break": _break,
}


def play(script: str, talk: Talk, *, login: bool = True) -> str:
    """Say a script on a connection; the answers, with blanks between them."""
    client = Client(talk)
    with client.stack:
        if login:
            if (answer := _login(client, "")) != "2":
                return f"login {answer}"
            client.ask("TYPE I")
        return " ".join(client.play(step) for step in script.split("; "))


def hang_up(talk: Talk) -> None:
    """End a session; it may have ended, or wait for something."""
    with closing(talk), suppress(OSError):
        talk.send("QUIT")
        talk.socket.settimeout(QUIET)
        talk.reply()
