"""Debian's vsftpd as the lab's server, with a configuration of its own (vsftpd.conf(5)).

Anonymous download from the root, which vsftpd refuses to serve while its user may write
there, and upload into ``incoming``. The sandboxes that make a network namespace or a seccomp
filter for each session are off: the bench is not about them, and a process in a network
namespace of its own would escape the lab's clean-up.

vsftpd leaves half of each session for init to reap. It runs in a PID namespace (unshare(1)) with
a shell for init, whose end is the end of all in it. It cannot be init itself: it gives up when
it reaps a child that it does not know.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.hosts import LabHost, Process

PID_NAMESPACE = ("unshare", "--pid", "--fork", "--kill-child")
RUN = 'vsftpd "$0" 0>&1; exit $?'  # it complains on descriptor 0; the exit keeps the shell alive
USER = "ftp"  # made by Debian's package; its own default
DATA_TIMEOUT = 10
READY_WITHIN = 5.0
RETRY_AFTER = 0.01


@dataclass(frozen=True, slots=True)
class Site:
    """Where the server serves files from, and takes them to."""

    root: Path

    @property
    def incoming(self) -> Path:
        """The directory for uploads."""
        return self.root / "incoming"

    def publish(self, name: str, content: bytes) -> None:
        """Put a file where anonymous clients can fetch it, whatever our umask is."""
        (self.root / name).write_bytes(content)
        (self.root / name).chmod(0o644)


def settings(address: str, site: Site, empty: Path) -> dict[str, str]:
    """The lab's vsftpd.conf. ``empty`` is a directory that nobody may write to."""
    return {
        "listen": "YES",
        "listen_address": address,
        "background": "NO",
        "anonymous_enable": "YES",
        "ftp_username": USER,
        "anon_root": str(site.root),
        "secure_chroot_dir": str(empty),
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_umask": "022",
        "seccomp_sandbox": "NO",
        "isolate": "NO",
        "isolate_network": "NO",
        "accept_timeout": str(DATA_TIMEOUT),
        "connect_timeout": str(DATA_TIMEOUT),
        "data_connection_timeout": str(DATA_TIMEOUT),
        "idle_session_timeout": "30",
        "max_clients": "0",
        "max_per_ip": "0",
    }


@contextmanager
def serving(host: LabHost, address: str, directory: Path) -> Iterator[Site]:
    """Run vsftpd on a host, ready when this yields; ``directory`` holds its files."""
    site, empty, config = Site(directory / "root"), directory / "empty", directory / "vsftpd.conf"
    _make_directories(site, empty)
    lines = settings(address, site, empty).items()
    config.write_text("".join(f"{key}={value}\n" for key, value in lines))
    with host.start([*PID_NAMESPACE, "sh", "-c", RUN, str(config)]) as process:
        try:
            _await_ready(host, address, process)
            yield site
        finally:
            _end(process)


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
        path.mkdir()
        path.chmod(0o755)
    try:
        uploader = pwd.getpwnam(USER)
    except KeyError:
        raise HostError(
            f"there is no user {USER} for vsftpd to serve anonymous clients as",
            mend=f"reinstall the package vsftpd, or: useradd --system {USER}",
        ) from None
    shutil.chown(site.incoming, uploader.pw_uid)


def _await_ready(host: LabHost, address: str, process: Process) -> None:
    """Connect until the server answers; its early end is an error with its own words."""

    def banner() -> bytes:
        with socket.create_connection((address, 21), timeout=READY_WITHIN) as connection:
            return connection.recv(64)

    for _ in range(int(READY_WITHIN / RETRY_AFTER)):
        with suppress(ConnectionRefusedError):
            host.call(banner)
            return
        with suppress(subprocess.TimeoutExpired):
            output, _ = process.communicate(timeout=RETRY_AFTER)
            raise HostError(f"vsftpd ended at once: {output.strip()}")
    raise HostError(f"vsftpd did not listen on {address} port 21 within {READY_WITHIN:.0f} s")
