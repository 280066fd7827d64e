"""A client's errand on a lab host, done, with its trace."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from ftpfw.lab.clients import python
from ftpfw.lab.clients.commands import (
    COMMANDS,
    PROGRAMS,
    ClientFailed,
    Errand,
    Invocation,
    What,
    modes_sent,
)
from ftpfw.lab.hosts import LabHost

NAMELESS = 'mount --bind /dev/null /etc/resolv.conf 2>/dev/null; exec "$0" "$@"'
"""``ip netns exec`` gives a mount namespace. No name server answers in a lab: ncftp, which asks
for the server's name, would wait for one."""

TO_STDOUT = {"ncftpget", "ncftpls"}
FROM_STDIN = {"ncftpput"}


def missing(client: str) -> str | None:
    """Why a client cannot run on this host; None where it can."""
    for name in PROGRAMS.get(client, (client,) if client in COMMANDS else ()):
        if shutil.which(name) is None:
            return f"there is no {name} on this host: make setup"
    return None


def transfer(client: str, host: LabHost, errand: Errand) -> str:
    """Do an errand with a client; its trace. Raises ClientFailed.

    A client that ends well, but has used another mode, has failed.
    """
    if client == "ftplib":
        return host.call(lambda: python.transfer(errand))
    trace, code = _run(host, COMMANDS[client](errand), errand)
    asked = modes_sent(trace)
    if code != 0:
        raise ClientFailed(trace, asked=bool(asked))
    if asked != {errand.mode.value}:
        what = f"asked for {errand.mode}, sent {', '.join(sorted(asked)) or 'nothing of the kind'}"
        raise ClientFailed(f"{trace}{what}\n", asked=bool(asked))
    if errand.what is not What.UP and not Path(errand.local).exists():
        raise ClientFailed(f"{trace}{client} ended without a file\n", asked=True)
    return trace


def _run(host: LabHost, invocation: Invocation, errand: Errand) -> tuple[str, int]:
    argv, local = invocation.argv, Path(errand.local)
    stdin = invocation.stdin.encode()
    if argv[0] in FROM_STDIN:
        stdin = local.read_bytes()
    command = ["ip", "netns", "exec", host.namespace, "sh", "-c", NAMELESS, *argv]
    # wget keeps a listing in a file of the current directory that bears always the same name.
    with (
        tempfile.TemporaryDirectory(dir=local.parent) as own,
        subprocess.Popen(
            command,
            cwd=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as process,
    ):
        try:
            printed, complaints = process.communicate(stdin, timeout=3 * errand.patience)
            ending = b""
        except subprocess.TimeoutExpired:
            process.kill()
            printed, complaints = process.communicate()
            ending = f"{argv[0]}: killed after {3 * errand.patience:.0f} s\n".encode()
    if argv[0] in TO_STDOUT:
        local.write_bytes(printed)
        printed = b""
    trace = (printed + complaints + ending).decode("utf-8", "replace")
    if invocation.trace is not None:
        with suppress(FileNotFoundError):
            trace += Path(invocation.trace).read_text(encoding="utf-8", errors="replace")
            Path(invocation.trace).unlink()
    return trace, process.returncode
