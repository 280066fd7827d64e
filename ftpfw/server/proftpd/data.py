"""Data connections: ports, the address that is announced, and whose peers may be others."""

from __future__ import annotations

from typing import Any

from ftpfw.server.proftpd.arguments import FALSE, parse_host, port_range, text
from ftpfw.server.proftpd.grammar import Directive
from ftpfw.server.proftpd.limits import Outcome, judge
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Audience, Path


def settings_of(site: Site) -> dict[Path, Any]:
    """Passive and active ones."""
    ports = find("PassivePorts", site.server)
    announced = text(find("MasqueradeAddress", site.server))
    users = _foreign(find("AllowForeignAddress", site.server))
    anybody = _foreign(find("AllowForeignAddress", site.guests))
    unsaid = find("AllowForeignAddress", site.guests) is None
    audience = Audience.USERS if users else Audience.NOBODY
    if anybody:
        audience = Audience.EVERYBODY
    contexts = site.guests
    return {
        "passive.enabled": judge("PASV", contexts) is not Outcome.NONE,
        "passive.ports": port_range(ports) if ports else None,
        "passive.announced": parse_host(announced) if announced else None,
        "passive.foreign": Audience.EVERYBODY if unsaid else audience,
        "active.enabled": judge("PORT", contexts) is not Outcome.NONE,
        "active.foreign": audience,
    }


def _foreign(line: Directive | None) -> bool:
    """Whether any data may be foreign: a class of addresses counts as some."""
    if line is None:
        return False
    word = line.arguments[0].lower() if line.arguments else ""
    return word not in FALSE
