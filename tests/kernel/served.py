"""`ftpfw serve` on loopback, and clients that talk to it line by line."""

from __future__ import annotations

import ftplib
import io
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest

from ftpfw.helper.notify import listening
from ftpfw.lab.hosts import is_alive

HERE = "127.0.0.1"
PATIENCE = 10.0
STARTS_WITHIN = 30.0
EVERYBODY = 0o755
FAULT = ": a fault in "
"""What is logged of an exception that nobody has thought of."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs. ``said`` is what it has printed and logged so far."""

    process: subprocess.Popen[bytes]
    port: int
    root: Path
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def await_said(self, text: str, times: int = 1) -> None:
        """Wait until it has said something so many times."""
        descriptor = os.pidfd_open(self.process.pid)
        try:
            for _ in range(int(PATIENCE / 0.05)):
                if self.said().count(text) >= times:
                    return
                if select.select([descriptor], [], [], 0.05)[0]:
                    break
        finally:
            os.close(descriptor)
        assert self.said().count(text) >= times, self.said()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def workers(self) -> list[int]:
        """The pids of its workers that live."""
        pid = self.process.pid
        pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in pids if is_alive(int(one))]

    def talk(self, source: str = HERE) -> Talk:
        return Talk(self.port, source)

    def login(self, source: str = HERE) -> Talk:
        talk = self.talk(source)
        talk.login()
        return talk

    @contextmanager
    def ftp(self) -> Iterator[ftplib.FTP]:
        """ftplib, logged in."""
        with ftplib.FTP(timeout=PATIENCE) as ftp:
            ftp.connect(HERE, self.port)
            ftp.login()
            yield ftp


class Talk:
    """A control connection, by hand."""

    def __init__(self, port: int, source: str = HERE, host: str = HERE) -> None:
        self.socket = socket.create_connection((host, port), PATIENCE, source_address=(source, 0))
        self.lines = self.socket.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.lines.close()
        self.socket.close()

    def send(self, *commands: str) -> None:
        """Commands, in one segment."""
        self.socket.sendall("".join(f"{one}\r\n" for one in commands).encode())

    def reply(self) -> str:
        """A whole reply; empty at the end of the connection."""
        lines: list[str] = []
        while True:
            line = self.lines.readline().decode("utf-8", "replace")
            lines.append(line.rstrip("\r\n"))
            if not line or re.match(r"\d{3} ", line):
                return "\n".join(lines)

    def ask(self, command: str) -> str:
        self.send(command)
        return self.reply()

    def code(self, command: str) -> str:
        return self.ask(command)[:3]

    def login(self) -> None:
        assert self.code("USER anonymous") == "331"
        assert self.code("PASS me@example.net") == "230"
        assert self.code("TYPE I") == "200"

    def passive(self) -> tuple[str, int]:
        """Where to connect for data."""
        reply = self.ask("EPSV")
        found = re.search(r"\|\|\|(\d+)\|", reply)
        assert found, reply
        return HERE, int(found[1])

    def data(self) -> socket.socket:
        """A passive data connection, from the address of this one."""
        source = (self.socket.getsockname()[0], 0)
        return socket.create_connection(self.passive(), PATIENCE, source_address=source)

    def fetch(self, command: str) -> tuple[bytes, str]:
        """What a command sends, and its last reply."""
        with self.data() as data:
            first = self.ask(command)
            if not first.startswith("1"):
                return b"", first
            with data.makefile("rb") as stream:
                content = stream.read()
        return content, self.reply()

    def store(self, command: str, content: bytes) -> str:
        """The last reply to storing something."""
        with self.data() as data:
            first = self.ask(command)
            if not first.startswith("1"):
                return first
            with suppress(ConnectionError):  # it may be refused on the way
                data.sendall(content)
        return self.reply()


@contextmanager
def serve(
    root: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    listen: tuple[str, ...] = ("--address", HERE, "--port", "0"),
    options: tuple[str, ...] = (),
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Served]:
    """Run the server; it is ready when this yields, and gone with all of its workers after."""
    scratch = root.parent / f"{root.name}.server"
    scratch.mkdir()
    output = scratch / "output"
    argv = [*prefix, sys.executable, *options, "-m", "ftpfw", "serve", *arguments, *listen]
    with listening(scratch / "notify") as ready, output.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "NOTIFY_SOCKET": str(scratch / "notify"), **(environment or {})},
            pass_fds=pass_fds,
        )
        try:
            if not ready(process.pid, STARTS_WITHIN):
                pytest.fail(output.read_text(errors="replace"))
            found = re.search(r" on \S*:(\d+)", output.read_text(errors="replace"))
            served = Served(process, int(found[1]) if found else 0, root, output)
            yield served
            before, fault, after = served.said().partition(FAULT)
            assert not fault, before[-500:] + fault + after
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Asked twice, it ends at once."""
    if process.poll() is not None:
        return
    descriptor = os.pidfd_open(process.pid)
    try:
        process.terminate()
        if process.poll() is None and not select.select([descriptor], [], [], 0.2)[0]:
            process.terminate()
        process.wait(PATIENCE)
    finally:
        os.close(descriptor)
        if process.poll() is None:
            process.kill()
            process.wait()


def await_line(file: Path, text: str) -> None:
    """Wait until a file's last line has a text: a log is written after the reply."""
    for _ in range(int(PATIENCE / 0.02)):
        if text in file.read_text().rpartition("\n")[0].rpartition("\n")[2]:
            return
        select.select([], [], [], 0.02)
    pytest.fail(file.read_text())


def make_root(directory: Path) -> Path:
    """A root to serve, which anybody can read: the paths to it too."""
    root = directory / "root"
    (root / "pub").mkdir(parents=True)
    (root / "pub" / "hello.txt").write_bytes(b"hello\n")
    (root / "pub" / "big.bin").write_bytes(os.urandom(1 << 20))
    (root / "pub" / ".secret").write_bytes(b"dot\n")
    (root / "pub" / "private.txt").write_bytes(b"private\n")
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (root / "pub" / "private.txt").chmod(0o600)
    for above in (directory, *directory.parents):
        if above.stat().st_uid == os.geteuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o711)
    return root


def stores(ftp: ftplib.FTP, name: str, content: bytes) -> str:
    """The reply to an upload by ftplib."""
    try:
        return ftp.storbinary(f"STOR {name}", io.BytesIO(content))
    except ftplib.Error as error:
        return str(error)
