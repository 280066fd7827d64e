"""The real clients: curl, lftp and Python's ftplib, each told which mode to use.

Each one downloads a file, then uploads one. What a client printed, its trace, is the
evidence of the mode: ``-v`` of curl(1), ``debug`` of lftp(1), the same notation for ftplib.
"""

from __future__ import annotations

import ftplib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ftpfw.lab.hosts import LabHost
from ftpfw.lab.results import modes_sent
from ftpfw.lab.scenario import Client, Mode

PATIENCE = 10.0
"""Seconds that a client waits for each thing: only a busy machine needs more than one."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a client is to fetch and bring; paths on the server are relative to its root."""

    server: str
    remote_download: str
    local_download: Path
    local_upload: Path
    remote_upload: str


class ClientFailed(Exception):  # noqa: N818 -- reads as the event it is
    """The client gave up; its text is its trace.

    ``asked`` tells whether it had come to asking for a data connection.
    """

    def __init__(self, trace: str, *, asked: bool) -> None:
        super().__init__(trace)
        self.asked = asked


CURL_MODES: Mapping[Mode, tuple[str, ...]] = {
    Mode.PORT: ("--ftp-port", "-", "--disable-eprt"),
    Mode.EPRT: ("--ftp-port", "-"),
    Mode.PASV: ("--ftp-pasv", "--disable-epsv"),
    Mode.EPSV: ("--ftp-pasv",),
}

LFTP_MODES: Mapping[Mode, tuple[str, ...]] = {
    Mode.PORT: ("set ftp:passive-mode no",),
    Mode.PASV: ("set ftp:passive-mode yes", "set ftp:prefer-epsv no"),
    Mode.EPSV: ("set ftp:passive-mode yes", "set ftp:prefer-epsv yes"),
}


def curl_commands(mode: Mode, errand: Errand) -> tuple[list[str], ...]:
    """Download and upload, one curl each: one run would stop at neither's failure."""
    limits = ["--connect-timeout", str(PATIENCE), "--max-time", str(2 * PATIENCE)]
    curl = ["curl", "-q", "--silent", "--show-error", "-v", *limits, *CURL_MODES[mode]]
    url = f"ftp://{errand.server}"
    fetch = ["--output", str(errand.local_download), f"{url}/{errand.remote_download}"]
    bring = ["--upload-file", str(errand.local_upload), f"{url}/{errand.remote_upload}"]
    return [*curl, *fetch], [*curl, *bring]


def lftp_commands(mode: Mode, errand: Errand) -> tuple[list[str], ...]:
    """One lftp that ends at the first failure, without anybody's lftprc."""
    script = (
        "debug 5",
        "set cmd:fail-exit yes",
        "set net:max-retries 1",
        f"set net:timeout {PATIENCE}",
        *LFTP_MODES[mode],
        f"open ftp://{errand.server}",
        f"get {errand.remote_download} -o {errand.local_download}",
        f"put {errand.local_upload} -o {errand.remote_upload}",
    )
    return (["lftp", "--norc", "-c", "; ".join(script)],)


def _run_commands(host: LabHost, commands: tuple[list[str], ...]) -> str:
    trace = ""
    for argv in commands:
        with host.start(argv) as process:
            try:
                output, _ = process.communicate(timeout=3 * PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                output = (
                    process.communicate()[0] + f"{argv[0]}: killed after {3 * PATIENCE:.0f} s\n"
                )
        trace += output
        if process.returncode != 0:
            raise ClientFailed(trace, asked=bool(modes_sent(trace)))
    return trace


class ModeFTP(ftplib.FTP):
    """ftplib made to use one mode, and to write down what it says and hears.

    On IPv4 ftplib only knows PORT and PASV; EPRT and EPSV it keeps for IPv6.
    """

    def __init__(self, mode: Mode) -> None:
        super().__init__(timeout=PATIENCE)
        self.mode = mode
        self.trace = ""
        self.set_pasv(not mode.active)

    def putline(self, line: str) -> None:
        """As ftplib, and noted."""
        self.trace += f"> {line}\n"
        super().putline(line)

    def getline(self) -> str:
        """As ftplib, and noted."""
        line = super().getline()
        self.trace += f"< {line}\n"
        return line

    def sendport(self, host: str, port: int) -> str:
        """EPRT where ftplib would send PORT."""
        return self.sendeprt(host, port) if self.mode is Mode.EPRT else super().sendport(host, port)

    def makepasv(self) -> tuple[str, int]:
        """EPSV where ftplib would send PASV; else the address that PASV names."""
        if self.mode is not Mode.EPSV or self.sock is None:
            return super().makepasv()
        reply = self.sendcmd("EPSV")
        return ftplib.parse229(reply, self.sock.getpeername())  # noqa: S321 -- FTP is the subject


def _run_ftplib(mode: Mode, errand: Errand) -> str:
    session = ModeFTP(mode)
    try:
        with session, errand.local_download.open("wb") as got, errand.local_upload.open("rb") as up:
            session.connect(errand.server)
            session.login()
            session.retrbinary(f"RETR {errand.remote_download}", got.write)
            session.storbinary(f"STOR {errand.remote_upload}", up)
    except (OSError, EOFError, ftplib.Error) as error:
        asked = bool(modes_sent(session.trace))
        raise ClientFailed(f"{session.trace}ftplib: {error!r}\n", asked=asked) from error
    return session.trace


def run(client: Client, mode: Mode, host: LabHost, errand: Errand) -> str:
    """Do the errand with a client; its trace. Raises ClientFailed."""
    commands: Mapping[Client, Callable[[Mode, Errand], tuple[list[str], ...]]] = {
        Client.CURL: curl_commands,
        Client.LFTP: lftp_commands,
    }
    if client is Client.FTPLIB:
        return host.call(lambda: _run_ftplib(mode, errand))
    return _run_commands(host, commands[client](mode, errand))
