"""How curl, lftp, ncftp, tnftp and wget are told what to do, and in which mode.

What a client printed, its trace, is the evidence of the mode: clients change to another one on
their own when one fails, which must not count as a pass of the mode that was asked for. Sources:
curl(1), lftp(1), ncftpget(1), ncftpput(1), ncftpls(1), ftp(1) of tnftp, wget(1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

PATIENCE = 10.0
"""Seconds that a client waits for each thing: only a busy machine needs more than one."""


class Mode(StrEnum):
    """The command that opens the way for a data connection."""

    PORT = "PORT"
    PASV = "PASV"
    EPRT = "EPRT"
    EPSV = "EPSV"

    @property
    def active(self) -> bool:
        """Whether the server connects to the client."""
        return self in {Mode.PORT, Mode.EPRT}

    @property
    def extended(self) -> bool:
        """Whether it is of RFC 2428, and so for IPv6 too."""
        return self in {Mode.EPRT, Mode.EPSV}


class What(StrEnum):
    """What a transfer does."""

    DOWN = "down"
    UP = "up"
    LIST = "list"


class ClientFailed(Exception):  # noqa: N818 -- reads as the event it is
    """The client gave up; its text is its trace.

    ``asked`` tells whether it had come to asking for a data connection.
    """

    def __init__(self, trace: str, *, asked: bool) -> None:
        super().__init__(trace)
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Errand:
    """One transfer: a file of the server's to or from a local one, or a directory's listing.

    ``remote`` is relative to the server's root. ``tls`` is explicit FTPS with protected data;
    nobody's certificate is looked at. ``patience`` is in seconds. ``login``, as ``user:password``,
    is for clients that take it in a URL; without it they are anonymous.
    """

    what: What
    mode: Mode
    server: str
    remote: str
    local: PurePath
    tls: bool = False
    patience: float = PATIENCE
    login: str = ""

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if ":" in self.server else 4

    @property
    def authority(self) -> str:
        """The server as URLs write it, after the login."""
        host = f"[{self.server}]" if self.version == 6 else self.server
        return f"{self.login}@{host}" if self.login else host


@dataclass(frozen=True, slots=True)
class Invocation:
    """A program's arguments, what it is told on standard input, and where its trace is.

    ``trace`` is a file that it writes beside what it prints.
    """

    argv: tuple[str, ...]
    stdin: str = ""
    trace: PurePath | None = None


_CURL_MODES: Mapping[Mode, tuple[str, ...]] = {
    Mode.PORT: ("--ftp-port", "-", "--disable-eprt"),
    Mode.EPRT: ("--ftp-port", "-"),
    Mode.PASV: ("--ftp-pasv", "--disable-epsv"),
    Mode.EPSV: ("--ftp-pasv",),
}


def curl(errand: Errand) -> Invocation:
    """One transfer by curl."""
    limits = ("--connect-timeout", f"{errand.patience}", "--max-time", f"{2 * errand.patience}")
    tls = ("--ssl-reqd", "--insecure") if errand.tls else ()
    url = f"ftp://{errand.authority}/{errand.remote}"
    match errand.what:
        case What.DOWN:
            what: tuple[str, ...] = ("--output", str(errand.local), url)
        case What.UP:
            what = ("--upload-file", str(errand.local), url)
        case What.LIST:
            what = ("--output", str(errand.local), f"{url.rstrip('/')}/")
    return Invocation(
        ("curl", "-q", "-sS", "-v", "-g", *limits, *_CURL_MODES[errand.mode], *tls, *what)
    )


_LFTP_MODES: Mapping[Mode, tuple[str, ...]] = {
    Mode.PORT: ("set ftp:passive-mode no",),
    Mode.EPRT: ("set ftp:passive-mode no",),
    Mode.PASV: ("set ftp:passive-mode yes", "set ftp:prefer-epsv no"),
    Mode.EPSV: ("set ftp:passive-mode yes", "set ftp:prefer-epsv yes"),
}


def lftp(errand: Errand) -> Invocation:
    """One lftp that ends at the first failure, without anybody's lftprc."""
    doing = {
        What.DOWN: f"get {errand.remote} -o {errand.local}",
        What.UP: f"put {errand.local} -o {errand.remote}",
        What.LIST: f"ls {errand.remote} > {errand.local}",
    }
    tls = (
        "set ftp:ssl-force yes",
        "set ftp:ssl-allow-anonymous yes",
        "set ftp:ssl-protect-data yes",
        "set ssl:verify-certificate no",
    )
    script = (
        "debug 5",
        "set cmd:fail-exit yes",
        "set net:max-retries 1",
        f"set net:timeout {errand.patience}",
        *_LFTP_MODES[errand.mode],
        *(tls if errand.tls else ("set ftp:ssl-allow no",)),
        f"open ftp://{errand.authority}",
        doing[errand.what],
    )
    return Invocation(("lftp", "--norc", "-c", "; ".join(script)))


def ncftp(errand: Errand) -> Invocation:
    """One of ncftpget, ncftpput, ncftpls; its log of commands is a file."""
    own = PurePath(errand.remote).name if errand.what is What.UP else errand.local.name
    trace = errand.local.with_name(f"{own}.trace")
    mode = "-E" if errand.mode.active else "-F"
    seconds = str(max(1, round(errand.patience)))
    common = (mode, "-t", seconds, "-d", str(trace))
    url = f"ftp://{errand.authority}/{errand.remote}"
    match errand.what:
        case What.DOWN:
            argv: tuple[str, ...] = ("ncftpget", *common, "-r", "1", "-V", "-c", url)
        case What.UP:
            path = PurePath(errand.remote)
            argv = ("ncftpput", *common, "-r", "1", "-V", "-c", errand.server, str(path))
        case What.LIST:
            argv = ("ncftpls", *common, "-r", "1", "-l", f"{url.rstrip('/')}/")
    return Invocation(argv, trace=trace)


def tnftp(errand: Errand) -> Invocation:
    """The BSD client; ``epsv4`` and ``epsv6`` toggle RFC 2428, which it starts with."""
    doing = {
        What.DOWN: f"get {errand.remote} {errand.local}",
        What.UP: f"put {errand.local} {errand.remote}",
        What.LIST: f"ls {errand.remote or '.'} {errand.local}",
    }
    lines = (
        *(() if errand.mode.extended else ("epsv4",)),
        f"open {errand.server}",
        "user anonymous lab@",
        "binary",
        doing[errand.what],
        "quit",
    )
    argv = ("tnftp", "-A" if errand.mode.active else "-p", "-n", "-d", "-v", "-i")
    seconds = str(max(1, round(errand.patience)))
    return Invocation((*argv, "-q", seconds), stdin="".join(f"{line}\n" for line in lines))


def wget(errand: Errand) -> Invocation:
    """Wget fetches only."""
    mode = ("--no-passive-ftp",) if errand.mode.active else ()
    seconds = str(max(1, round(errand.patience)))
    url = f"ftp://{errand.authority}/{errand.remote}"
    if errand.what is What.LIST:
        url = f"{url.rstrip('/')}/"
    argv = ("wget", "--no-config", "-v", *mode, "-T", seconds, "-t", "1", "-O", str(errand.local))
    return Invocation((*argv, url))


COMMANDS: Mapping[str, Callable[[Errand], Invocation]] = {
    "curl": curl,
    "lftp": lftp,
    "ncftp": ncftp,
    "tnftp": tnftp,
    "wget": wget,
}
"""The clients that are programs."""

PROGRAMS = {"ncftp": ("ncftpget", "ncftpput", "ncftpls")}
"""The programs of a client whose name is none."""

SPEAKS_TLS = {"curl", "lftp", "ftplib"}

_SPOKEN = re.compile(
    r"(?:^-*> |^==> |^\S+ \S+ {2}Cmd: |==> )(PORT|PASV|EPRT|EPSV|LPRT|LPSV)\b", re.MULTILINE
)


def modes_sent(trace: str) -> frozenset[str]:
    """Which of PORT, PASV, EPRT, EPSV a client sent, by its own trace.

    curl writes ``> PORT …``, lftp and tnftp ``---> PORT …``, ncftp ``Cmd: PORT …``, wget
    ``==> PORT ...``.
    """
    return frozenset(_SPOKEN.findall(trace))


def cannot(client: str, mode: Mode, version: int, what: What, *, tls: bool = False) -> str | None:
    """Why a client has no such transfer; None where it has."""
    reasons = (
        (
            version == 6 and not mode.extended,
            f"{mode} has no room for an IPv6 address (RFC 2428)",
        ),
        (client == "ncftp" and version == 6, "ncftp speaks IPv4 only"),
        (client == "wget" and what is What.UP, "wget does not upload"),
        (tls and client not in SPEAKS_TLS, f"{client} speaks no TLS"),
        (
            version == 4 and mode.extended and client in {"ncftp", "wget"},
            f"{client} sends {mode} on IPv6 only",
        ),
        (
            version == 4 and mode is Mode.EPRT and client == "lftp",
            "lftp sends EPRT on IPv6 only: active on IPv4 is always PORT",
        ),
    )
    return next((reason for holds, reason in reasons if holds), None)
