"""Real FTP daemons, set up by the commands of a recipe in a /etc, /srv and /run of their own.

``ip netns exec`` gives a mount namespace, so what is mounted there is seen nowhere else; the
daemon runs in a PID namespace, whose init takes everything in it along when it is killed. Pure-FTPd
and ProFTPD conflict with vsftpd as packages: tools/setup unpacks them into the virtual
environment.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ftpfw.server.options import Form
from ftpfw.server.recipes import FILES, Recipe

from .netns import inside
from .sockets import PACE

DAEMONS = Path(sys.prefix) / "daemons"
PROGRAMS = {
    Form.VSFTPD: "vsftpd",
    Form.PURE_CONF: "pure-ftpd",
    Form.PURE_ARGS: "pure-ftpd",
    Form.PURE_DEBIAN: "pure-ftpd-wrapper",
    Form.PROFTPD: "proftpd",
}
HERE = "127.0.0.1"
PORT = 21
PASSWORD = "secret"
STUBS = {
    # The daemon is started by us, and packages are what they are; nobody is there to type.
    **dict.fromkeys(("systemctl", "apt-get", "proftpd", "pure-ftpd"), "exit 0"),
    "passwd": f'echo "$1:{PASSWORD}" | chpasswd',
}
INETD = "/etc/inetd.conf"
PATIENCE = 10.0
STARTS_WITHIN = 60.0 * PACE
"""Seconds until a server answers at the latest."""

# The daemon is started by a shell that stays: it is init in there, and reaps what it left behind.
SCRIPT = """
set -e
for directory in etc srv run var/log; do mount --bind "$0/$directory" "/$directory"; done
if [ "$SBIN" ]; then mount -t overlay overlay -o "lowerdir=$SBIN:/usr/sbin" /usr/sbin; fi
export PATH="$0/stubs:$PATH"
sh -e "$0/setup.sh" > "$0/setup.log" 2>&1 </dev/null
"$@"; exit $?
"""


def program(name: str) -> str:
    """The path of a daemon; skips where it is not there."""
    unpacked = DAEMONS / "usr" / "sbin" / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"needs the daemon {name}, which tools/setup unpacks")
    return found


@contextmanager
def serving(
    namespace: str,
    form: Form,
    recipe: Recipe,
    directory: Path,
    *,
    by_inetd: bool = False,
    ours: bool = False,
    at: tuple[str, int] = (HERE, PORT),
) -> Iterator[Path]:
    """Set the server up and run it; its /srv when this yields. It ends with everything of it.

    ``ours``: the embedded server takes the daemon's place, and has the same configuration.
    ``at`` is where it answers.
    """
    _prepare(form, recipe, directory)
    command = _ours(form, recipe) if ours else _command(form, recipe)
    if by_inetd:
        if INETD not in recipe.commands:
            _give_to_inetd(command, directory)
        command = [program("inetd"), "-i", INETD]
    # Both name daemons by where a package puts them.
    sbin = f"{DAEMONS}/usr/sbin" if by_inetd or form is Form.PURE_DEBIAN else ""
    argv = ["ip", "netns", "exec", namespace, "unshare", "--pid", "--fork", "--kill-child"]
    with (directory / "output").open("w+b") as output:
        process = subprocess.Popen(  # vsftpd complains on descriptor 0
            [*argv, "sh", "-c", SCRIPT, str(directory), *command],
            stdin=output,
            stdout=output,
            stderr=output,
            env={**os.environ, "SBIN": sbin},
        )
        try:
            _await_ready(namespace, process, directory, at)
            yield directory / "srv"
        finally:
            _end(process)


def _give_to_inetd(command: list[str], directory: Path) -> None:
    """A line of its own, where the recipe has none; what keeps it in the foreground is left out."""
    script = directory / "stubs" / "ftpd"
    here = [word for word in command if word != "-n"]
    script.write_text(f"#!/bin/sh\nexec {shlex.join(here)}\n")
    script.chmod(0o755)
    line = f"{HERE}:ftp stream tcp nowait root {script} ftpd\n"
    (directory / INETD.removeprefix("/")).write_text(line)


def _prepare(form: Form, recipe: Recipe, directory: Path) -> None:
    shutil.copytree("/etc", directory / "etc", symlinks=True)
    for path in ("srv", "run/vsftpd/empty", "var/log", "stubs", "etc/proftpd", "etc/pure-ftpd"):
        (directory / path).mkdir(parents=True, exist_ok=True)
    for there in (directory, *directory.iterdir()):  # clients run as users that own nothing here
        there.chmod(0o755)
    if form is Form.PURE_DEBIAN:
        shutil.copytree(
            DAEMONS / "etc" / "pure-ftpd",
            directory / "etc" / "pure-ftpd",
            symlinks=True,
            dirs_exist_ok=True,
        )
        (directory / "run" / "pure-ftpd").mkdir()
        (directory / "setup.sh").write_text(recipe.configuration + recipe.commands)
    else:
        (directory / "setup.sh").write_text(recipe.commands)
    for name, body in STUBS.items():
        stub = directory / "stubs" / name
        stub.write_text(f"#!/bin/sh\n{body}\n")
        stub.chmod(0o755)
    for service in (DAEMONS / "etc" / "pam.d").glob("*"):
        shutil.copy(service, directory / "etc" / "pam.d")
    if form in FILES:
        text = f"ModulePath {DAEMONS}/usr/lib/proftpd\n" if form is Form.PROFTPD else ""
        (directory / FILES[form].removeprefix("/")).write_text(text + recipe.configuration)


def _command(form: Form, recipe: Recipe) -> list[str]:
    path = program(PROGRAMS[form])
    match form:
        case Form.PROFTPD:
            return [path, "-n", "-c", FILES[form]]
        case Form.PURE_ARGS:
            return [path, *recipe.configuration.split()[1:]]
        case Form.PURE_DEBIAN:
            return [path]
        case _:
            return [path, FILES[form]]


def _ours(form: Form, recipe: Recipe) -> list[str]:
    """The embedded server by the same configuration."""
    serve = [sys.executable, "-m", "ftpfw", "serve"]
    match form:
        case Form.PURE_ARGS:
            return [*serve, "--pure-ftpd", recipe.configuration.removeprefix("pure-ftpd").strip()]
        case Form.PURE_CONF:
            return [*serve, "--pure-ftpd", FILES[form]]
        case _:
            return [*serve, f"--{form}", FILES[form]]


def _await_ready(
    namespace: str,
    process: subprocess.Popen[bytes],
    directory: Path,
    at: tuple[str, int],
    within: float = STARTS_WITHIN,
) -> None:
    """Connect until the server answers; if it never does, or not with 220, it says why itself."""

    def banner() -> bytes:
        with socket.create_connection(at, timeout=PATIENCE) as connection:
            first = connection.recv(64)
            connection.sendall(b"QUIT\r\n")  # its seat is to be free for who comes next
            with suppress(ConnectionError):
                while connection.recv(4096):
                    pass
            return first

    seen = f"nobody answers at {at} after {within} s"
    end = time.monotonic() + within
    while process.poll() is None and time.monotonic() < end:
        with suppress(ConnectionError, TimeoutError):
            greeting = inside(namespace, banner)
            if greeting.startswith(b"220"):
                return
            seen = f"{at} greets with {greeting!r}"
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    if process.returncode is not None:
        seen = f"it has ended with status {process.returncode}"
    logs = [(directory / name) for name in ("setup.log", "output")]
    said = [log.read_text(errors="replace") for log in logs if log.exists()]
    pytest.fail("\n".join([f"the server is not ready: {seen}", *said]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the init of the PID namespace; ip netns exec has become unshare, its parent."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        (init,) = children.read_text(encoding="ascii").split()
        os.kill(int(init), signal.SIGKILL)
    except (OSError, ValueError):  # it has ended already
        process.kill()
    process.wait()


def mode(path: Path) -> int:
    """A file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)
