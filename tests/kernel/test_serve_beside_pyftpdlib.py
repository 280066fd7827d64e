"""What has to be mended in pyftpdlib: each attack harms it as it comes, and `ftpfw serve` not.

Seven points, most of them with more than one side. An attack returns whether there was harm, and
looks for it on the disk or the wire; what must work on both servers, it asserts.
"""

from __future__ import annotations

import ftplib
import importlib.util
import io
import os
import re
import signal
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from .beside import (
    BOX,
    CHANGES,
    CLIENTS,
    EACH,
    GREETING,
    IMPLICIT,
    INETD,
    LOCKED_UP,
    NARROW,
    NARROW_RANGE,
    PREFORK,
    QUOTA,
    TLS,
    OneConnection,
    Setup,
    rooted,
)
from .netns import require_root
from .served import HERE, PATIENCE, Served, Talk

WITHOUT_CHECKING = ssl._create_unverified_context()
POINTS = range(1, 8)


@dataclass(frozen=True, slots=True)
class Attack:
    """One row: which point it belongs to, what is the harm, and on servers of which kind."""

    point: int
    harm: str
    setup: Setup
    harms: Callable[[Served], bool]


ATTACKS: list[Attack] = []


def attack(point: int, harm: str, setup: Setup) -> Callable[[Callable[[Served], bool]], None]:
    """Add a row."""
    return lambda harms: ATTACKS.append(Attack(point, harm, setup, harms))


class Servers:
    """Started when they are first wanted, ended with the module."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory, self._stack = directory, stack
        self._running: dict[object, Served] = {}
        self._numbers = count()

    def server(self, start: Callable[[Path], object]) -> Served:
        if start not in self._running:
            directory = self._directory / str(next(self._numbers))
            directory.mkdir()
            started = start(rooted(directory))
            self._running[start] = self._stack.enter_context(started)  # type: ignore[arg-type]
        return self._running[start]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    require_root()
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("beside"), stack)


def leave(*talks: Talk) -> None:
    """End sessions, and see that they have ended."""
    for talk in talks:
        if talk.ask("QUIT"):
            assert talk.reply() == ""
        talk.close()


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def stored(one: Served, command: str, content: bytes) -> str:
    with one.login() as talk:
        return talk.store(command, content)


# 1


@attack(1, "a command in clear text behind AUTH TLS is obeyed inside TLS", TLS)
def clear_text_is_injected(one: Served) -> bool:
    with one.talk() as talk:
        talk.send("AUTH TLS", "USER anonymous", "PASS injected@example.net")
        if not talk.reply().startswith("234"):
            assert talk.reply() == "", "neither TLS nor an end"
            return False
        inside = WITHOUT_CHECKING.wrap_socket(talk.socket)
        inside.sendall(b"PWD\r\n")
        with inside, inside.makefile("rb") as lines:
            return any(line.startswith(b"257") for line in iter(lines.readline, b"530"))


# 2


@attack(2, "a passive port is outside of the range", NARROW_RANGE)
def passive_ports_run_out(one: Served) -> bool:
    talks = [one.login(f"127.0.3.{number + 1}") for number in range(len(NARROW) + 1)]
    replies = [talk.ask("EPSV") for talk in talks]
    assert {talk.code("PWD") for talk in talks} == {"257"}
    leave(*talks)
    ports = [int(found[1]) for reply in replies if (found := re.search(r"\|(\d+)\|", reply))]
    assert {*NARROW} <= {*ports}
    assert len(ports) + [reply[:3] for reply in replies].count("425") == len(replies)
    return not {*ports} <= {*NARROW}


# 3


def is_changed(one: Served, *commands: str, file: str = "incoming/seen.txt") -> bool:
    """Whether an upload has changed what was there; another one goes well."""
    seen = one.root / file
    seen.write_bytes(b"seen")
    seen.chmod(0o666)
    with one.login() as talk:
        for command in commands[:-1]:
            talk.ask(command)
        talk.store(commands[-1], b"OTHER")
    before = names(one.root / "incoming")
    assert stored(one, "STOR incoming/fresh.txt", b"fresh").startswith("226")
    assert any(name.startswith("fresh.txt") for name in names(one.root / "incoming")), before
    return seen.read_bytes() != b"seen"


@attack(3, "STOR overwrites, by the right to write alone", BOX)
def an_upload_replaces(one: Served) -> bool:
    return is_changed(one, "STOR incoming/seen.txt")


@attack(3, "REST and STOR write into the middle of a file", BOX)
def an_upload_goes_on(one: Served) -> bool:
    return is_changed(one, "REST 2", "STOR incoming/seen.txt")


@attack(3, "STOR writes through a link", BOX)
def an_upload_follows_a_link(one: Served) -> bool:
    link = one.root / "incoming" / "link.txt"
    link.symlink_to("../pub/aim.txt")
    return is_changed(one, "STOR incoming/link.txt", file="pub/aim.txt")


# 4


@attack(4, "fewer sessions than allowed, since descriptors are counted", NARROW_RANGE)
def data_connections_take_seats(one: Served) -> bool:
    talks = []
    for number in range(CLIENTS + 1):
        talk = one.talk(f"127.0.4.{number + 1}")
        talks.append(talk)
        if talk.greeting.startswith("220"):
            talk.login()
            talk.ask("EPSV")
    admitted = [talk.greeting.startswith("220") for talk in talks]
    for talk in talks:
        talk.close()
    return admitted != [True] * CLIENTS + [False]


@attack(4, "more sessions of an address than allowed, since each process counts its own", PREFORK)
def an_address_has_too_many_sessions(one: Served) -> bool:
    with one.talk("127.0.5.1") as talk:
        assert talk.greeting.startswith("220"), "it has begun to serve"
        leave(talk)
    workers = await_workers(one, 2)
    talks = []
    for stopped, _ in (workers, workers[::-1]):
        os.kill(stopped, signal.SIGSTOP)
        try:
            talks += [one.talk("127.0.5.2") for _ in range(EACH + 1)]
        finally:
            os.kill(stopped, signal.SIGCONT)
    greetings = [talk.greeting[:3] for talk in talks]
    for talk in talks:
        talk.close()
    assert greetings[: EACH + 1] == ["220"] * EACH + ["421"]
    return greetings.count("220") > EACH


def await_workers(one: Served, number: int) -> list[int]:
    for _ in range(int(PATIENCE / 0.05)):
        if len(found := one.workers()) == number:
            return found
        signal.sigtimedwait([], 0.05)
    raise AssertionError(one.said())


# 5


@attack(5, "the user ftp, whom every client knows, is refused", BOX)
def the_user_ftp_is_refused(one: Served) -> bool:
    with one.talk() as talk:
        assert talk.code("USER ftp") == "331"
        return talk.code("PASS me@example.net") != "230"


@attack(5, "a banner of two lines puts a client out of step", GREETING)
def a_banner_breaks_clients(one: Served) -> bool:
    ftp = ftplib.FTP(timeout=PATIENCE)
    try:
        ftp.connect(HERE, one.port)
        ftp.login()
        assert "Second line." in (ftp.welcome or "")
    except ftplib.Error:
        return True
    else:
        return False
    finally:
        ftp.close()


# 6


@attack(6, "a module that is missed once privileges are gone ends the session", LOCKED_UP)
def an_import_comes_too_late(one: Served) -> bool:
    """Commands that make the standard library import: strptime, and getaddrinfo's idna."""
    file = one.root / "open" / "old.txt"
    file.write_bytes(b"old")
    os.chown(file, file.parent.stat().st_uid, -1)
    with one.login() as talk, socket.create_server((HERE, 0)) as listener:
        before = one.said().count("import time:")
        port = listener.getsockname()[1]
        replies = [
            talk.ask("MFMT 20200101000000 open/old.txt"),
            talk.ask(f"PORT 127,0,0,1,{port >> 8},{port & 255}"),
        ]
    late = one.said().count("import time:") - before
    return late > 0 or "" in replies or file.stat().st_mtime != 1577836800


@attack(6, "a directory is exchanged for a link between two commands, and leads out", CHANGES)
def a_directory_becomes_a_link(one: Served) -> bool:
    directory, outside = one.root / "open" / "d", one.root.parent / "outside"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    (directory / "f").write_bytes(b"inside")
    (outside / "f").write_bytes(b"outside")
    with one.login() as talk:
        assert talk.code("RNFR open/d/f") == "350"
        directory.rename(directory.parent / "elsewhere")
        directory.symlink_to(outside)
        talk.ask("RNTO open/stolen")
    return not (outside / "f").exists()


# 7


@attack(7, "a file whose name begins with a dot is fetched", BOX)
def dot_files_are_fetched(one: Served) -> bool:
    with one.login() as talk:
        assert talk.fetch("RETR pub/hello.txt")[0] == b"hello\n"
        return talk.fetch("RETR pub/.secret")[0] == b"dot\n"


@attack(7, "a file whose name begins with a dot is stored", BOX)
def dot_files_are_stored(one: Served) -> bool:
    stored(one, "STOR incoming/.rhosts", b"+ +\n")
    return ".rhosts" in names(one.root / "incoming")


@attack(7, "the disk fills up", BOX)
def uploads_have_no_bound(one: Served) -> bool:
    for number in range(3):
        stored(one, f"STOR incoming/large-{number}", bytes(QUOTA // 2))
    box = one.root / "incoming"
    return sum(path.lstat().st_size for path in box.iterdir()) > QUOTA


@attack(7, "everybody on the host may read what was stored", BOX)
def uploads_are_open(one: Served) -> bool:
    assert stored(one, "STOR incoming/mode.txt", b"mode").startswith("226")
    (made,) = (one.root / "incoming").glob("mode.txt*")
    return bool(stat.S_IMODE(made.stat().st_mode) & 0o077)


@attack(7, "TLS from the first byte is not to be had", IMPLICIT)
def implicit_tls_is_missing(one: Served) -> bool:
    with socket.create_connection((HERE, one.port), PATIENCE) as raw:
        try:
            with WITHOUT_CHECKING.wrap_socket(raw) as inside:
                return not inside.recv(100).startswith(b"220")
        except ssl.SSLError:
            return True


@attack(7, "a data connection need not be the client's, for it resumes no TLS session", TLS)
def sessions_are_not_resumed(one: Served) -> bool:
    content = io.BytesIO()
    with ftplib.FTP_TLS(context=WITHOUT_CHECKING, timeout=PATIENCE) as ftp:
        ftp.connect(HERE, one.port)
        ftp.login()
        ftp.prot_p()
        try:
            said = ftp.retrbinary("RETR pub/hello.txt", content.write)
        except ftplib.error_perm as error:
            said = str(error)
    assert said[:3] in {"226", "522"}
    return content.getvalue() == b"hello\n"


@attack(7, "inetd's one connection is not served", INETD)
def inetd_is_missing(one: Served) -> bool:
    assert isinstance(one, OneConnection)
    with suppress(ConnectionError):
        return not one.client.recv(100).startswith(b"220")
    return True


def test_every_point_is_attacked() -> None:
    assert {one.point for one in ATTACKS} == {*POINTS}


@pytest.mark.xdist_group("beside pyftpdlib")
@pytest.mark.parametrize("row", ATTACKS, ids=[f"{one.point} {one.harm}" for one in ATTACKS])
def test_an_attack_harms_plain_pyftpdlib_and_not_ours(servers: Servers, row: Attack) -> None:
    if row.setup in {TLS, IMPLICIT} and importlib.util.find_spec("OpenSSL") is None:
        pytest.skip("plain pyftpdlib needs PyOpenSSL for TLS")
    assert row.harms(servers.server(row.setup.plain)), "the attack does not work"
    assert not row.harms(servers.server(row.setup.ours))
