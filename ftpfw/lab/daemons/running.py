"""A daemon on a lab host: started, known to be ready, ended with everything of it.

vsftpd leaves half of each session for init to reap. So each daemon runs in a PID namespace
(unshare(1)) with a shell for init, whose end is the end of all in it. A daemon cannot be init
itself: vsftpd gives up when it reaps a child that it does not know.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.daemons.configurations import DAEMONS, USER, Place, Start
from ftpfw.lab.hosts import LabHost, Process

PID_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child")
RUN = '[ -z "$PASSWD" ] || mount --bind "$PASSWD" /etc/passwd; "$0" "$@" 0>&1; exit $?'
"""``ip netns exec`` gives a mount namespace, so the mount is seen by the daemon alone.

vsftpd complains on descriptor 0. The exit keeps the shell alive.
"""
READY_WITHIN = 60.0
RETRY_AFTER = 0.01
UNPACKED = Path(sys.prefix) / "daemons"
"""Where tools/setup unpacks the daemons that cannot be installed beside vsftpd."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server serves files from, and takes them to."""

    root: Path

    @property
    def incoming(self) -> Path:
        """The directory for uploads."""
        return self.root / "incoming"

    def publish(self, name: str, content: bytes) -> None:
        """Put a file where anonymous clients can fetch it, whatever our umask is."""
        (self.root / name).write_bytes(content)
        (self.root / name).chmod(0o644)


def program(name: str) -> str | None:
    """The path of a daemon; None where there is none."""
    if name == "ftpfw":
        return str(Path(sys.executable).with_name("ftpfw"))
    unpacked = UNPACKED / "usr" / "sbin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


@contextmanager
def serving(host: LabHost, daemon: str, place: Place, options: Mapping[str, str]) -> Iterator[Site]:
    """Run a daemon on a host, ready when this yields. ``place.own`` exists, the rest is made.

    Raises HostError, with the daemon's own words, where it does not come up.
    """
    path = program(daemon)
    if path is None:
        raise HostError(f"there is no {daemon} on this host", mend="make setup")
    site = Site(Path(place.root))
    _make_directories(site, Path(place.empty))
    start = DAEMONS[daemon](place, options)
    for file, text in start.files.items():
        Path(file).write_text(
            text.replace("{modules}", str(UNPACKED / "usr" / "lib" / "proftpd")), encoding="utf-8"
        )
    passwd = _passwd(place) if start.home else ""
    with _started(host, path, start, passwd, Path(place.own) / "output") as process:
        _await_ready(host, place.address, process, daemon, Path(place.own) / "output")
        yield site


@contextmanager
def _started(
    host: LabHost, path: str, start: Start, passwd: str, output: Path
) -> Iterator[Process]:
    argv = [*PID_NAMESPACE, "sh", "-c", RUN, path, *start.arguments]
    with output.open("w") as said:
        process = host.start(argv, {"PASSWD": passwd}, output=said)
    with process:
        try:
            yield process
        finally:
            _end(process)


def _passwd(place: Place) -> str:
    """A passwd(5) with another home for the user that serves; its path."""
    lines = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()
    fields = [line.split(":") for line in lines]
    for each in fields:
        if each[0] == USER and len(each) > 5:
            each[5] = place.root
    file = Path(place.own) / "passwd"
    file.write_text("".join(":".join(each) + "\n" for each in fields), encoding="utf-8")
    return str(file)


def _end(process: Process) -> None:
    """Kill the init of the PID namespace, so that unshare, its parent, reaps it and ends."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        (init,) = children.read_text(encoding="ascii").split()
        os.kill(int(init), signal.SIGKILL)
    except (OSError, ValueError):  # unshare has ended, or has not forked yet
        process.kill()
    process.wait()


def _make_directories(site: Site, empty: Path) -> None:
    for path in (site.root, site.incoming, empty):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
    try:
        uploader = pwd.getpwnam(USER)
    except KeyError:
        raise HostError(
            f"there is no user {USER} to serve anonymous clients as",
            mend=f"reinstall the package vsftpd, or: useradd --system {USER}",
        ) from None
    shutil.chown(site.incoming, uploader.pw_uid)


def _await_ready(host: LabHost, address: str, process: Process, daemon: str, output: Path) -> None:
    """Connect until the server answers; its early end is an error with its own words."""

    def banner() -> bytes:
        with socket.create_connection((address, 21), timeout=READY_WITHIN) as connection:
            return connection.recv(64)

    for _ in range(int(READY_WITHIN / RETRY_AFTER)):
        with suppress(ConnectionRefusedError):
            host.call(banner)
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=RETRY_AFTER)
            said = output.read_text(encoding="utf-8", errors="replace").strip()
            raise HostError(f"{daemon} ended at once: {said}")
    raise HostError(f"{daemon} did not listen on {address} port 21 within {READY_WITHIN:.0f} s")
