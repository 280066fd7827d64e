"""What somebody can do to a server whose configuration the audit objects to: a harm each.

A harm is a function of a running server; True: it was done. What a server answers with a refusal
is no harm; what breaks off in another way is an error of the test.
"""

from __future__ import annotations

import ftplib
import io
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .ftp_servers import PASSWORD, PATIENCE
from .netns import inside

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
SHORT = 0.5
"""Seconds after which what has not come will not, where nothing is on the way but a loopback."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running daemon, its namespace, and its files as this host sees them."""

    namespace: str
    files: Path

    @property
    def incoming(self) -> Path:
        return self.files / "srv" / "ftp" / "incoming"


Harm = Callable[[Server], bool]
Talk = Callable[[ftplib.FTP], bool]


@contextmanager
def session(user: str = "anonymous") -> Iterator[ftplib.FTP]:
    """Hangs up at the end: QUIT would be sent even in the middle of a transfer."""
    with closing(ftplib.FTP(timeout=PATIENCE)) as ftp:
        ftp.connect(HERE)
        ftp.login(user, PASSWORD)
        yield ftp


def anonymous(talk: Talk) -> Harm:
    return _as("anonymous", talk)


def as_user(talk: Talk, user: str = "alice") -> Harm:
    return _as(user, talk)


def _as(user: str, talk: Talk) -> Harm:
    def body() -> bool:
        try:
            with session(user) as ftp:
                return talk(ftp)
        except (ftplib.error_perm, ftplib.error_temp):
            return False

    return lambda server: inside(server.namespace, body)


def store(ftp: ftplib.FTP, name: str, content: bytes = b"stored", verb: str = "STOR") -> str:
    return ftp.storbinary(f"{verb} {name}", io.BytesIO(content))


def fetch(ftp: ftplib.FTP, name: str) -> bytes:
    content = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", content.write)
    return content.getvalue()


def obeys(*commands: str) -> Harm:
    """Anonymous sessions may say all of it."""
    return anonymous(lambda ftp: all(ftp.sendcmd(command) for command in commands))


def may_log_in(user: str = "anonymous") -> Harm:
    return _as(user, lambda _: True)


def may_fetch(name: str, user: str = "anonymous") -> Harm:
    return _as(user, lambda ftp: bool(fetch(ftp, name)))


def may_store(name: str, user: str = "anonymous") -> Harm:
    return _as(user, lambda ftp: bool(store(ftp, name)))


def changes_what_others_stored(verb: str) -> Harm:
    """By a second session; the file on disk tells."""

    def harm(server: Server) -> bool:
        may_store("incoming/victim")(server)
        before = (server.incoming / "victim").read_bytes()
        anonymous(lambda ftp: bool(store(ftp, "incoming/victim", b"CHANGED", verb)))(server)
        victim = server.incoming / "victim"
        return not victim.exists() or victim.read_bytes() != before

    return harm


def rest_deletes(server: Server) -> bool:
    """REST before STOR: refused, and the file is gone."""

    def talk(ftp: ftplib.FTP) -> bool:
        ftp.storbinary("STOR incoming/victim", io.BytesIO(b"more"), rest=2)
        return True

    may_store("incoming/victim")(server)
    stored = (server.incoming / "victim").exists()
    anonymous(talk)(server)
    return stored and not (server.incoming / "victim").exists()


def append_after_a_rename(server: Server) -> bool:
    """Pure-FTPd's AutoRename: who has stored one file appends over that of another."""

    def talk(ftp: ftplib.FTP) -> bool:
        store(ftp, "incoming/own")
        store(ftp, "incoming/victim", b"CHANGED", "APPE")
        return True

    may_store("incoming/victim")(server)
    if not (server.incoming / "victim").exists():
        return False
    anonymous(talk)(server)
    return (server.incoming / "victim").read_bytes() != b"stored"


def deletes_what_is_stored(ftp: ftplib.FTP) -> bool:
    store(ftp, "incoming/x")
    return bool(ftp.delete("incoming/x"))


def renames(name: str, to: str, *, over: bool = False) -> Talk:
    """What the session stored itself; ``over``: something that is there."""

    def talk(ftp: ftplib.FTP) -> bool:
        store(ftp, name)
        if over:
            store(ftp, to)
        return bool(ftp.rename(name, to))

    return talk


def changes_modes(ftp: ftplib.FTP) -> bool:
    store(ftp, "incoming/x")
    return bool(ftp.sendcmd("SITE CHMOD 777 incoming/x"))


def fetches_what_it_stored(ftp: ftplib.FTP) -> bool:
    store(ftp, "incoming/new")
    return fetch(ftp, "incoming/new") == b"stored"


def lists_what_is_stored(ftp: ftplib.FTP) -> bool:
    lines: list[str] = []
    store(ftp, "incoming/new")
    ftp.retrlines("LIST incoming", lines.append)
    return any("new" in line for line in lines)


def lists_deep(ftp: ftplib.FTP) -> bool:
    lines: list[str] = []
    ftp.retrlines("LIST -R", lines.append)
    return any("deepest" in line for line in lines)


def stored_mode(bits: int, path: str, user: str = "anonymous") -> Harm:
    """A new file has one of these bits."""

    def harm(server: Server) -> bool:
        may_store(path, user)(server)
        home = "ftp" if user == "anonymous" else f"ftp/{user}"
        found = [server.files / "srv" / root / path for root in (home, "ftp")]
        return any(bool(file.stat().st_mode & bits) for file in found if file.exists())

    return harm


def stays_with(uid_of: str) -> Harm:
    """An upload belongs to the user that anonymous sessions run as."""

    def harm(server: Server) -> bool:
        may_store("incoming/new")(server)
        passwd = (server.files / "etc" / "passwd").read_text().splitlines()
        (uid,) = (int(line.split(":")[2]) for line in passwd if line.startswith(f"{uid_of}:"))
        return (server.incoming / "new").stat().st_uid == uid

    return harm


def unlogged(server: Server) -> bool:
    """No log of this host names what was stored."""
    if not may_store("incoming/telltale")(server):
        return False
    logs = (server.files / "var" / "log").rglob("*")
    return not any("telltale" in log.read_text(errors="replace") for log in logs if log.is_file())


def fills_the_disk(server: Server) -> bool:
    """The drop box has 1 MiB: 960 KiB are stored, and then some more."""

    def talk(ftp: ftplib.FTP) -> bool:
        store(ftp, "incoming/first", bytes(960 << 10))
        store(ftp, "incoming/second", bytes(32 << 10))
        return True

    return anonymous(talk)(server)


# Data connections


def connects(address: str, port: int) -> Harm:
    """The server opens a connection to where PORT points: a bounce."""

    def body() -> bool:
        with socket.create_server((address, port)) as listener:
            listener.settimeout(PATIENCE)
            number = listener.getsockname()[1]
            with session() as ftp:
                host = address.replace(".", ",")
                try:
                    ftp.sendcmd(f"PORT {host},{number >> 8},{number & 255}")
                    ftp.putcmd("RETR pub/file")
                    ftp.getresp()
                except ftplib.error_perm:
                    return False
                listener.accept()[0].close()
                return True

    return lambda server: inside(server.namespace, body)


def is_stolen(server: Server) -> bool:
    """Who connects to the passive port from another address is sent the file."""

    def body() -> bool:
        with session() as ftp:
            where = ftp.makepasv()
            with socket.create_connection(where, PATIENCE, (ELSEWHERE, 0)) as thief:
                ftp.putcmd("RETR pub/file")
                thief.settimeout(SHORT)
                with suppress(TimeoutError, ConnectionResetError):
                    return thief.recv(64) == b"content"
                return False

    return inside(server.namespace, body)


def passive_outside(pinned: range) -> Harm:
    def talk(ftp: ftplib.FTP) -> bool:
        return any(ftp.makepasv()[1] not in pinned for _ in range(4))

    return anonymous(talk)


def fails_passive(sessions: int) -> Harm:
    return lambda server: inside(server.namespace, lambda: _fails_passive(sessions))


def _fails_passive(sessions: int) -> bool:
    """So many sessions at a time, of which one finds no passive port."""
    with ExitStack() as stack:
        try:
            for _ in range(sessions):
                stack.enter_context(session()).makepasv()
        except (*ftplib.all_errors,):
            return True
        return False


def taken_by_others(ports: range) -> Harm:
    """What the kernel gave to outgoing connections is not there for data."""

    def body() -> bool:
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server((HERE, 0)))
            for port in ports:
                taken = stack.enter_context(socket.socket())
                taken.bind((HERE, port))
                taken.connect(listener.getsockname())
            return _fails_passive(1)

    return lambda server: inside(server.namespace, body)


def data_from(port: int) -> Harm:
    def body() -> bool:
        with socket.create_server((HERE, 0)) as listener, session() as ftp:
            number = listener.getsockname()[1]
            ftp.sendcmd(f"PORT 127,0,0,1,{number >> 8},{number & 255}")
            ftp.putcmd("RETR pub/file")
            accepted, (_, source) = listener.accept()
            accepted.close()
            return bool(source == port)

    return lambda server: inside(server.namespace, body)


# Sessions


def sessions_at_a_time(count: int) -> Harm:
    def body() -> bool:
        with ExitStack() as stack:
            try:
                for _ in range(count):
                    stack.enter_context(session())
            except (ftplib.error_perm, ftplib.error_temp, EOFError, ConnectionResetError):
                return False
            return True

    return lambda server: inside(server.namespace, body)


def stays_idle(seconds: float) -> Harm:
    """The session hears nothing for so long. The mended one is told after a second."""

    def talk(ftp: ftplib.FTP) -> bool:
        assert ftp.sock
        ftp.sock.settimeout(seconds)
        try:
            ftp.sock.recv(64)
        except TimeoutError:
            return True
        return False

    return anonymous(talk)


def password_counts(server: Server) -> bool:
    """A right password lets in, and a wrong one does not: it can be guessed."""

    def is_let_in(password: str) -> bool:
        with closing(ftplib.FTP(timeout=PATIENCE)) as ftp:
            ftp.connect(HERE)
            try:
                return ftp.login("alice", password).startswith("230")
            except ftplib.error_perm:
                return False

    return inside(server.namespace, lambda: is_let_in(PASSWORD) and not is_let_in("wrong"))


def guesses(count: int) -> Harm:
    """So many wrong passwords in one session, and it still is one."""

    def body() -> bool:
        with ftplib.FTP(HERE, timeout=3 * PATIENCE) as ftp:
            try:
                for number in range(count):
                    with suppress(ftplib.error_perm):
                        ftp.login("alice", f"wrong{number}")
                return ftp.sendcmd("USER alice").startswith("331")
            except (EOFError, OSError, ftplib.error_temp, ftplib.error_perm):
                return False

    return lambda server: inside(server.namespace, body)


def greets_with(word: str) -> Harm:
    def body() -> bool:
        with ftplib.FTP(HERE, timeout=PATIENCE) as ftp:
            return word.lower() in ftp.getwelcome().lower()

    return lambda server: inside(server.namespace, body)


def reaches(address: str) -> Harm:
    def body() -> bool:
        try:
            with socket.create_connection((address, 21), PATIENCE) as connection:
                return connection.recv(3) == b"220"
        except ConnectionRefusedError:
            return False

    return lambda server: inside(server.namespace, body)


def turned_away(server: Server) -> bool:
    """A client of another address, though no setting says so."""

    def body() -> bool:
        with socket.create_connection((HERE, 21), PATIENCE, (ELSEWHERE, 0)) as connection:
            return not connection.recv(64).startswith(b"220")

    return inside(server.namespace, body)


# TLS


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def another_tls_session_gets_it(server: Server) -> bool:
    """ftplib resumes no session, so its data connections could be anybody's."""

    def body() -> bool:
        with ftplib.FTP_TLS(HERE, timeout=PATIENCE, context=unchecked()) as ftps:
            ftps.login("alice", PASSWORD)
            ftps.prot_p()
            lines: list[str] = []
            try:
                ftps.retrlines("LIST", lines.append)
            except (*ftplib.all_errors,):
                return False
            return True

    return inside(server.namespace, body)


def speaks_tls_1(server: Server) -> bool:
    """TLS 1.0, which Python warns of and OpenSSL speaks at its lowest level alone."""

    def body() -> bool:
        context = unchecked()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        with closing(ftplib.FTP_TLS(timeout=PATIENCE, context=context)) as ftps:
            ftps.connect(HERE)
            try:
                ftps.auth()
            except (ssl.SSLError, OSError, EOFError):
                return False
            assert isinstance(ftps.sock, ssl.SSLSocket)
            return ftps.sock.version() == "TLSv1"

    return inside(server.namespace, body)
