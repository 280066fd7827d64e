"""What a client of a script does that is no command (``@what …``): each says what came of it."""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
import warnings
from contextlib import ExitStack, closing, suppress

from .ftp_servers import PORT
from .scripts import QUIET, Client, Deed, all_of, host_port, log_in, shown
from .served import HERE, PATIENCE, Talk

ELSEWHERE = "127.0.0.2"


def _login(client: Client, name: str) -> str:
    return log_in(client, name or "anonymous")


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
        stolen = all_of(thief).decode()
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
            all_of(data)
    client.reply()
    client.reply()
    return "20" if port == 20 else "any"


def _passives(client: Client, argument: str) -> str:
    """Passive ports in so many sessions at a time, as ``4 30000-30001``."""
    count, _, asked = argument.partition(" ")
    first, last = map(int, asked.split("-"))
    answers = []
    for _ in range(int(count)):
        one = Client(client.stack.enter_context(closing(Talk(PORT))))
        log_in(one)
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
        answers.append(log_in(one) if greeting == "220" else greeting[:1] or "0")
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


def _end(client: Client, within: str) -> str:
    """The server takes leave by itself, ``within`` so many seconds: what it says, then the end."""
    said = client.reply(float(within or PATIENCE))
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
    client.stack.enter_context(client.connect(port))
    return _answers(client, command)


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


def _reach(client: Client, address: str) -> str:
    """Whether it answers at another address of its host."""
    del client
    try:
        with closing(Talk(PORT, "::" if ":" in address else "0.0.0.0", address)) as talk:
            return talk.greeting[:3]
    except OSError:
        return "refused"


def _takes(client: Client, argument: str) -> str:
    """Whether a step takes at least so many seconds: ``0.5 RETR pub/big``."""
    seconds, _, step = argument.partition(" ")
    began = time.monotonic()
    answer = client.play(step)
    return f"{answer} {'slow' if time.monotonic() - began >= float(seconds) else 'fast'}"


def _fields(client: Client, argument: str) -> str:
    """Some fields of a line of LIST: ``2-3 pub/small``."""
    which, _, path = argument.partition(" ")
    first, _, last = which.partition("-")
    port = client.passive()
    assert isinstance(port, int)
    with client.connect(port) as data:
        client.ask(f"LIST {path}")
        line = all_of(data).decode()
    client.reply()
    return " ".join(line.split()[int(first) : int(last) + 1])


def _count(client: Client, step: str) -> str:
    """How many names come."""
    answer = client.play(step).partition(":")
    return f"{answer[0]}:{len(answer[2].strip('[]').split())}"


def _deaf(client: Client, command: str) -> str:
    """A transfer to whose active port nobody answers: its queue is full."""
    with socket.create_server((HERE, 0), backlog=0) as listener, ExitStack() as stack:
        for _ in range(3):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        client.ask(f"PORT {host_port(HERE, listener.getsockname()[1])}")
        return _answers(client, command)


def _secure(client: Client, version: str) -> str:
    """AUTH TLS; of one version alone where it is named, or with another session for data."""
    if not (reply := client.ask("AUTH TLS")).startswith("2"):
        return shown(reply, "")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = context.minimum_version = _VERSIONS[version or "TLSv1.2"]
    if client.certificate is not None:
        context.load_cert_chain(client.certificate)
    try:
        wrapped = context.wrap_socket(client.talk.socket)
    except OSError:
        return "failed"
    client.talk.lines.close()
    client.talk.socket, client.talk.lines = wrapped, wrapped.makefile("rb")
    client.context = context
    return wrapped.version() or "none"


_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
}


def _present(client: Client, name: str) -> str:
    """Have a certificate to show in the next handshake: a file of the server's /etc."""
    client.certificate = client.files / "etc" / name
    return "-"


def _hello(client: Client, version: str) -> str:
    """AUTH TLS, and a ClientHello of a version that no library speaks any more, byte by byte."""
    client.ask("AUTH TLS")
    client.talk.socket.sendall(_HELLOS[version])
    with suppress(ConnectionError):
        return "answered" if client.talk.socket.recv(1) == b"\x16" else "refused"
    return "refused"


def _client_hello(version: bytes) -> bytes:
    """A record with a ClientHello (RFC 5246 7.4.1.2): ECDHE and RSA with AES, no extensions."""
    suites = bytes.fromhex("c030c02fc014c0130035002f000a")
    body = version + bytes(32) + b"\0" + len(suites).to_bytes(2, "big") + suites + b"\1\0"
    handshake = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16" + version + len(handshake).to_bytes(2, "big") + handshake


_HELLOS = {
    # CLIENT-HELLO, version 0.2, two kinds of ciphers, a challenge of 16 bytes
    "SSLv2": bytes.fromhex("801f 01 0002 0006 0000 0010 0700c0 010080") + bytes(16),
    "SSLv3": _client_hello(b"\3\0"),
    "TLSv1.2": _client_hello(b"\3\3"),
}


def _cipher(client: Client, argument: str) -> str:
    del argument
    assert isinstance(client.talk.socket, ssl.SSLSocket)
    found = client.talk.socket.cipher()
    return found[0] if found else "none"


def _forget(client: Client, argument: str) -> str:
    """Data connections resume no session from now on."""
    del argument
    client.resumes = False
    return "-"


DEEDS: dict[str, Deed] = {
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
    "reach": _reach,
    "takes": _takes,
    "fields": _fields,
    "count": _count,
    "deaf": _deaf,
    "secure": _secure,
    "cipher": _cipher,
    "hello": _hello,
    "present": _present,
    "forget": _forget,
}
