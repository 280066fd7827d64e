"""The daemon itself: where it listens, what it says to clients, what it runs as."""

from __future__ import annotations

from typing import Any

from ftpfw.server.proftpd.arguments import boolean, number, parse_host, text
from ftpfw.server.proftpd.grammar import Directive, wrong
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Family, Path, Start


def settings_of(site: Site) -> dict[Path, Any]:
    """Who accepts, where, as whom, and every text."""
    kind = find("ServerType", site.server)
    inetd = kind is not None and text(kind) == "inetd"
    if kind and text(kind) not in {"inetd", "standalone"}:
        raise wrong(kind, f"{text(kind)!r} is no type", "standalone")
    addresses = find("DefaultAddress", site.server)
    tight = boolean(find("SocketBindTight", site.server), False)
    port = _port(find("Port", site.server))
    both = boolean(find("UseIPv6", site.server), True)
    return {
        "listen.start": Start.INETD if inetd else Start.STANDALONE,
        "listen.family": Family.BOTH if both else Family.IPV4,
        "listen.addresses": tuple(parse_host(one) for one in addresses.arguments)
        if addresses and tight
        else (),
        "listen.port": port,
        "messages.banner": _banner(find("ServerIdent", site.server)),
        "messages.banner_file": text(find("DisplayConnect", site.server)),
        "messages.login_file": text(find("DisplayLogin", site.guests)),
        "messages.goodbye_file": text(find("DisplayQuit", site.guests)),
        "messages.directory_file": text(find("DisplayChdir", site.guests)),
        "process.user": text(find("User", site.server)),
        "process.group": text(find("Group", site.server)),
        "process.pid_file": _pid_file(find("PidFile", site.server)),
    }


def _pid_file(line: Directive | None) -> str:
    file = text(line, "/run/proftpd.pid")
    if line and not (file or "").startswith("/"):
        raise wrong(line, f"{file!r} is no absolute path", "/run/proftpd.pid")
    return file or ""


def _port(line: Directive | None) -> int:
    port = number(line, 21, highest=65535)
    if line and not port:
        what = "without a port there are only other servers, which are not read here"
        raise wrong(line, what, "21")
    return port or 21


def _banner(line: Directive | None) -> str | None:
    """The text of the greeting; empty where it is switched off."""
    if not boolean(line, True):
        return ""
    return line.arguments[1] if line and len(line.arguments) > 1 else None
