"""How the embedded server starts, reads its configuration again and ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.table import table

from .netns import require_program, require_root
from .served import HERE, PATIENCE, Talk, make_root, serve

VSFTPD = "listen=YES\nlisten_port=2121\nanon_root={root}\nftpd_banner={banner}\nmax_per_ip=0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    require_root()
    return make_root(tmp_path)


def configured(root: Path, banner: str) -> Path:
    file = root.parent / "vsftpd.conf"
    file.write_text(VSFTPD.format(root=root, banner=banner))
    return file


def test_a_reload_is_for_new_sessions_and_the_old_ones_go_on(root: Path) -> None:
    file = configured(root, "First.")
    with serve(root, "--vsftpd", str(file), "--workers", "2") as one:
        old = one.workers()
        with one.login() as talk, talk.data() as data:
            assert talk.greeting == "220 First."
            configured(root, "Second.")
            one.signal(signal.SIGHUP)
            one.await_said("read again and is in force")
            with one.talk() as later:
                assert later.greeting == "220 Second."
            assert talk.code("RETR pub/hello.txt") == "150"
            assert data.recv(100) == b"hello\n"
            assert talk.reply().startswith("226")
        for pid in old:
            await_end(pid)
        assert len(one.workers()) == 2


def test_a_reload_may_change_the_port(root: Path) -> None:
    with socket.create_server((HERE, 0)) as first, socket.create_server((HERE, 0)) as second:
        ports = [first.getsockname()[1], second.getsockname()[1]]
    file = root.parent / "vsftpd.conf"
    text = "listen=YES\nlisten_address=127.0.0.1\nlisten_port={}\nanon_root={}\n"
    file.write_text(text.format(ports[0], root))
    with serve(root, "--vsftpd", str(file), listen=()) as one:
        file.write_text(text.format(ports[1], root))
        one.signal(signal.SIGHUP)
        one.await_said("read again and is in force")
        with Talk(ports[1]) as talk:
            assert talk.greeting.startswith("220")
        one.await_said("connected")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HERE, ports[0]), PATIENCE)


def await_end(pid: int) -> None:
    """Wait until a process is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE)[0]
    finally:
        os.close(descriptor)


BROKEN = [
    ("not a setting", "no_such_option=YES\n", "no_such_option"),
    ("accounts", "listen=YES\nlocal_enable=YES\n", "accounts may log in"),
    ("a root that is not there", "listen=YES\nanon_root=/nowhere\n", "/nowhere cannot be served"),
    (
        "a user that is not there",
        "listen=YES\nanon_root=/\nftp_username=nosuch\n",
        "no user nosuch",
    ),
]


@pytest.mark.parametrize(
    ("text", "why"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_configuration_is_refused_and_changes_nothing(
    root: Path, text: str, why: str
) -> None:
    file = configured(root, "First.")
    with serve(root, "--vsftpd", str(file)) as one:
        before = one.workers()
        with one.login() as talk:
            file.write_text(text)
            one.signal(signal.SIGHUP)
            one.await_said("refused, the old one stays")
            assert why in one.said()
            assert talk.code("PWD") == "257"
        with one.talk() as talk:
            assert talk.greeting == "220 First."
        assert one.workers() == before


def test_limits_hold_over_a_reload(root: Path) -> None:
    with serve(root, "--root", str(root), "--max-clients", "2") as one, one.login():
        one.signal(signal.SIGHUP)
        one.await_said("read again and is in force")
        with one.login(), one.talk("127.0.0.2") as third:
            assert third.greeting.startswith("421")


def test_sigterm_lets_a_transfer_end_and_sends_others_away(root: Path) -> None:
    (root / "pub" / "huge.bin").write_bytes(bytes(64 << 20))
    (root / "pub" / "huge.bin").chmod(0o644)
    with serve(root, "--root", str(root)) as one:
        with one.login() as idle, one.login() as busy, busy.data() as data:
            assert busy.code("RETR pub/huge.bin") == "150"
            one.signal(signal.SIGTERM)
            assert idle.reply().startswith("421 The server is going down")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HERE, one.port), PATIENCE)
            received = 0
            while chunk := data.recv(1 << 20):
                received += len(chunk)
            assert received == 64 << 20
            assert busy.reply().startswith("226")
            assert busy.reply() == ""
        assert one.process.wait(PATIENCE) == 0


def test_workers_end_with_a_parent_that_is_killed(root: Path) -> None:
    with serve(root, "--root", str(root), "--workers", "2") as one:
        workers = one.workers()
        one.process.kill()
        one.process.wait()
        for pid in workers:
            await_end(pid)


def test_the_pid_file_is_there_as_long_as_the_server(root: Path) -> None:
    file = root.parent / "pid"
    with serve(root, "--root", str(root), "--pid-file", str(file)) as one:
        assert file.read_text() == f"{one.process.pid}\n"
    assert not file.exists()


@contextmanager
def activated(
    root: Path, given: socket.socket, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that was handed a socket as systemd does it."""
    start = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&"$0"'
    command = [sys.executable, "-m", "ftpfw", "serve", "--root", str(root), *arguments]
    process = subprocess.Popen(
        ["bash", "-c", start, str(given.fileno()), *command],
        pass_fds=[given.fileno()],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_sockets_of_systemd_are_taken(root: Path) -> None:
    with socket.create_server((HERE, 0)) as listener:
        port = listener.getsockname()[1]
        with activated(root, listener), Talk(port) as talk:
            assert talk.greeting == "220 FTP server ready."
            talk.login()
            assert talk.fetch("RETR pub/hello.txt")[0] == b"hello\n"


def accepted() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection, the client's first."""
    with socket.create_server((HERE, 0)) as listener:
        client = socket.create_connection(listener.getsockname(), PATIENCE)
        return client, listener.accept()[0]


def test_a_connection_of_systemd_is_served(root: Path) -> None:
    client, server = accepted()
    with client, server, activated(root, server) as process:
        assert client.recv(100) == b"220 FTP server ready.\r\n"
        client.sendall(b"QUIT\r\n")
        assert client.recv(100).startswith(b"221")
        assert process.wait(PATIENCE) == 0


@contextmanager
def by_systemd(root: Path, *options: str, inetd: bool = False) -> Iterator[int]:
    """What a socket unit of systemd does, by systemd's own program; the port.

    It listens, and starts the server at the first connection, or with ``--accept`` at each.
    """
    require_program("systemd-socket-activate")
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    path = f"--setenv=PYTHONPATH={os.pathsep.join(sys.path)}"
    start = ["systemd-socket-activate", f"--listen={HERE}:{port}", path, *options]
    serve = [sys.executable, "-m", "ftpfw", "serve", "--root", str(root)]
    process = subprocess.Popen(
        [*start, *serve, *(("--inetd",) if inetd else ())], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    try:
        assert "Listening on" in process.stderr.readline()
        yield port
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(PATIENCE)


ACTIVATED = [
    ("Accept=no", (), False),
    ("Accept=yes", ("--accept",), False),
    ("StandardInput=socket", ("--accept", "--inetd"), True),
]


@pytest.mark.parametrize(("options", "inetd"), **table(ACTIVATED))
def test_systemd_starts_it_when_a_client_comes(
    root: Path, options: tuple[str, ...], inetd: bool
) -> None:
    with by_systemd(root, *options, inetd=inetd) as port:
        for _ in range(2):
            with Talk(port) as talk:
                assert talk.greeting == "220 FTP server ready."
                talk.login()
                assert talk.fetch("RETR pub/hello.txt")[0] == b"hello\n"


def test_inetd_serves_the_one_connection(root: Path) -> None:
    client, server = accepted()
    command = [sys.executable, "-m", "ftpfw", "serve", "--root", str(root), "--upload", "--inetd"]
    with client, server:
        theirs = server.fileno()
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        server.close()
        assert client.recv(100) == b"220 FTP server ready.\r\n"
        for line, code in ((b"USER ftp", b"331"), (b"PASS x", b"230"), (b"PWD", b"257")):
            client.sendall(line + b"\r\n")
            assert client.recv(100).startswith(code)
    assert process.wait(PATIENCE) == 0


REFUSED = [
    ("nothing to serve", [], 2, "--root"),
    (
        "two configurations",
        ["--vsftpd", "/etc/hostname", "--proftpd", "/etc/hostname"],
        2,
        "exclude",
    ),
    ("no connection", ["--root", "/", "--inetd"], 1, "standard input is no connection"),
    ("no such user", ["--root", "/", "--user", "nosuch", "--port", "0"], 1, "no user nosuch"),
    (
        "no certificate",
        ["--root", "/", "--tls", "/etc/hostname", "--port", "0"],
        2,
        "no certificate",
    ),
    (
        "a box elsewhere",
        ["--root", "/srv", "--upload", "--box", "/tmp", "--port", "0"],
        2,
        "not below",
    ),
    ("accounts", ["--pure-ftpd", "-E"], 2, "anybody may not log in"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "why"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_cannot_be_served_is_refused_in_words(
    arguments: list[str], code: int, why: str
) -> None:
    require_root()
    done = subprocess.run(
        [sys.executable, "-m", "ftpfw", "serve", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(root: Path, served_port: int) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ftpfw",
            "serve",
            "--root",
            str(root),
            "--address",
            HERE,
            "--port",
            str(served_port),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"cannot listen on {HERE} port {served_port}: Address already in use" in done.stderr


@pytest.fixture
def served_port() -> Iterator[int]:
    with socket.create_server((HERE, 0)) as listener:
        yield listener.getsockname()[1]
