"""What is written down, and what listings show."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ftpfw.server.proftpd.arguments import boolean, bound, text
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Path


def settings_of(site: Site) -> dict[Path, Any]:
    """Files, syslog and the look of listings."""
    system = find("SystemLog", site.server)
    syslog = (text(find("SyslogFacility", site.server), "daemon") or "daemon").lower()
    fakes = (boolean(find(name, site.guests), False) for name in ("DirFakeUser", "DirFakeGroup"))
    line = find("ListOptions", site.guests)
    options = line.arguments if line else ()
    bounds = dict(pairwise(options))
    return {
        "logs.transfers": text(find("TransferLog", site.guests), "/var/log/xferlog"),
        "logs.daemon": text(system),
        "logs.syslog": syslog if system is None else None,
        "logs.commands": text(find("ExtendedLog", site.guests)) is not None,
        "logs.wtmp": boolean(find("WtmpLog", site.guests), True),
        "logs.resolve": boolean(find("UseReverseDNS", site.server), True),
        "listing.hide_ids": all(fakes),
        "listing.depth": bound(line, bounds.get("maxdepth")),
        "listing.entries": bound(line, bounds.get("maxfiles")),
        "listing.hide_unreachable": boolean(find("HideNoAccess", site.guests), False),
        "listing.dot_files": bool(options)
        and options[0].startswith("-")
        and bool({*"aA"} & {*options[0]}),
        "listing.local_time": not boolean(find("TimesGMT", site.server), True),
    }
