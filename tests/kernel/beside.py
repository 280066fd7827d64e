"""Plain pyftpdlib and `ftpfw serve`, set up for the same purpose as far as each can be."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ftpfw.server.embedded.certificate import keep

from .served import HERE, PATIENCE, Served, end, make_root, serve

NARROW = range(61390, 61392)
CLIENTS, EACH, QUOTA = 8, 2, 1 << 20
BANNER = "First line.\nSecond line."
IMPORTS = ("-X", "importtime")
"""Python says what it imports."""

Server = AbstractContextManager[Served]

VSFTPD = """listen=YES
anonymous_enable=YES
anon_root={root}
banner_file={banner}
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
mdtm_write=YES
anon_umask=022
"""


@contextmanager
def plain(root: Path, *arguments: str) -> Iterator[Served]:
    """pyftpdlib's own server; it accepts as soon as it can."""
    output = root.parent / "output"
    with socket.create_server((HERE, 0)) as listener, output.open("wb") as out:
        process = started(root, listener, out.fileno(), *arguments)
        port = listener.getsockname()[1]
        listener.close()
        try:
            yield Served(process, port, root, output)
        finally:
            end(process)
            with suppress(ProcessLookupError):  # its workers do not end with it
                os.killpg(process.pid, signal.SIGKILL)


def started(root: Path, given: socket.socket, out: int, *arguments: str) -> subprocess.Popen[bytes]:
    """The process of plain pyftpdlib, which has been handed a socket."""
    number = given.fileno()
    module = [sys.executable, *IMPORTS, "-m", "tests.kernel.plain_pyftpdlib"]
    return subprocess.Popen(
        [*module, str(root), str(number), *arguments],
        stdout=out,
        stderr=out,
        pass_fds=[number],
        start_new_session=True,
    )


def writable(root: Path, *directories: str) -> None:
    """Directories of the user that sessions run as, where a file is too."""
    for name in directories:
        directory = root / name
        directory.mkdir(mode=0o755)
        who = pwd.getpwnam("ftp")
        os.chown(directory, who.pw_uid, who.pw_gid)


@dataclass(frozen=True, slots=True)
class Setup:
    """How each of the two is started on a root of its own."""

    plain: Callable[[Path], Server]
    ours: Callable[[Path], Server]


def _ours(root: Path, *arguments: str) -> Server:
    return serve(root, "--root", str(root), *arguments, options=IMPORTS)


def _plain_box(root: Path) -> Server:
    writable(root, "incoming")
    return plain(root)


def _our_box(root: Path) -> Server:
    return _ours(root, "--upload", "--quota", str(QUOTA))


def _plain_narrow(root: Path) -> Server:
    first, last = str(NARROW[0]), str(NARROW[-1])
    return plain(root, "--first-port", first, "--last-port", last, "--clients", str(CLIENTS))


def _our_narrow(root: Path) -> Server:
    ports = f"{NARROW[0]}-{NARROW[-1]}"
    return _ours(root, "--passive-ports", ports, "--max-clients", str(CLIENTS), "--workers", "2")


def _plain_prefork(root: Path) -> Server:
    return plain(root, "--workers", "2", "--clients-per-address", str(EACH))


def _our_prefork(root: Path) -> Server:
    return _ours(root, "--workers", "2", "--max-per-address", str(EACH))


def certificate(root: Path) -> str:
    """A file with a certificate and its key."""
    file = root.parent / "server.pem"
    keep(file, HERE)
    return str(file)


def _plain_tls(root: Path) -> Server:
    return plain(root, "--tls", certificate(root))


def _our_tls(root: Path) -> Server:
    return _ours(root, "--tls", certificate(root))


def _our_implicit(root: Path) -> Server:
    return _ours(root, "--tls", certificate(root), "--implicit-tls")


def _plain_changes(root: Path) -> Server:
    writable(root, "open")
    return plain(root, "--rights", "elrfwT")


def _plain_banner(root: Path) -> Server:
    return plain(root, "--banner", BANNER)


def _our_changes(root: Path) -> Server:
    writable(root, "open")
    banner, file = root.parent / "banner", root.parent / "vsftpd.conf"
    banner.write_text(BANNER)
    file.write_text(VSFTPD.format(root=root, banner=banner))
    return serve(root, "--vsftpd", str(file), options=IMPORTS)


def _plain_locked_up(root: Path) -> Server:
    writable(root, "open")
    return plain(root, "--rights", "elrfwT", "--chroot")


@dataclass(frozen=True, slots=True)
class OneConnection(Served):
    """A server that was handed a connection; ``client`` is its other end."""

    client: socket.socket


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server((HERE, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        return client, listener.accept()[0]


@contextmanager
def _plain_inetd(root: Path) -> Iterator[Served]:
    output = root.parent / "output"
    client, server = _pair()
    with client, output.open("wb") as out:
        with server:
            process = started(root, server, out.fileno())
        try:
            yield OneConnection(process, 0, root, output, client)
        finally:
            end(process)


@contextmanager
def _our_inetd(root: Path) -> Iterator[Served]:
    output = root.parent / "output"
    command = [sys.executable, "-m", "ftpfw", "serve", "--root", str(root), "--inetd"]
    client, server = _pair()
    with client, output.open("wb") as out:
        with server:
            process = subprocess.Popen(command, stdin=server.fileno(), stdout=out, stderr=out)
        try:
            yield OneConnection(process, 0, root, output, client)
        finally:
            end(process)


BOX = Setup(_plain_box, _our_box)
NARROW_RANGE = Setup(_plain_narrow, _our_narrow)
PREFORK = Setup(_plain_prefork, _our_prefork)
TLS = Setup(_plain_tls, _our_tls)
IMPLICIT = Setup(_plain_tls, _our_implicit)
GREETING = Setup(_plain_banner, _our_changes)
CHANGES = Setup(_plain_changes, _our_changes)
LOCKED_UP = Setup(_plain_locked_up, _our_changes)
INETD = Setup(_plain_inetd, _our_inetd)


def rooted(directory: Path) -> Path:
    """A root, and beside it what is not served."""
    root = make_root(directory)
    outside = directory / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    return root
