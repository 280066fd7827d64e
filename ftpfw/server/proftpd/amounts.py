"""How much, and how long: sessions, bytes, speed and waiting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ftpfw.server.proftpd.arguments import number, seconds, size, text
from ftpfw.server.proftpd.grammar import Context, wrong
from ftpfw.server.proftpd.limits import Outcome, judge
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Path


def settings_of(site: Site) -> dict[Path, Any]:
    """Limits and times."""
    return {**_limits(site), **_timeouts(site)}


def _limits(site: Site) -> dict[Path, Any]:
    said = {}
    for who, contexts in (("anonymous", site.guests), ("user", site.users)):
        for way, verbs in (("upload", {"STOR", "APPE", "STOU"}), ("download", {"RETR"})):
            said[f"limits.{who}_{way}_rate"] = _rate(verbs, contexts)
    mine = find("MaxClients", (site.anonymous,)) if site.anonymous else None
    whoever = site.guests if judge("LOGIN", site.server) is Outcome.NONE else site.server
    clients, clients_late = _sessions(site.server, "MaxClients", "MaxInstances")
    each, each_late = _sessions(whoever, "MaxClientsPerHost", "MaxConnectionsPerHost")
    return {
        **said,
        "limits.clients": clients,
        "limits.clients_from_login": clients_late,
        "limits.clients_per_address": each,
        "limits.clients_per_address_from_login": each_late,
        "limits.clients_per_user": number(find("MaxClientsPerUser", whoever), None, lowest=1),
        "limits.anonymous_clients": number(mine, None, lowest=1),
        "limits.upload_bytes": size(find("MaxStoreFileSize", site.guests)),
    }


def _sessions(
    contexts: Sequence[Context], of_logins: str, of_connections: str
) -> tuple[int | None, bool]:
    """The lower of two limits, and whether it counts from the login on.

    With both, connections are held to the lower one, which is that of logins most often.
    """
    logins, connections = (
        number(find(name, contexts), None, lowest=1) for name in (of_logins, of_connections)
    )
    if logins is None or connections is None:
        return logins or connections, logins is not None
    return min(logins, connections), False


def _rate(verbs: set[str], contexts: Sequence[Context]) -> int | None:
    """Bytes a second for one of some verbs."""
    for context in contexts:
        for line in reversed(context.directives):
            if line.name == "TransferRate" and verbs & {*(text(line) or "").upper().split(",")}:
                word = line.arguments[1].partition(":")[0] if len(line.arguments) > 1 else ""
                if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", word, re.ASCII):
                    raise wrong(line, f"{word!r} is no rate in KiB", "RETR 100")
                return int(float(word) * 1024) or None
    return None


def _timeouts(site: Site) -> dict[Path, Any]:
    return {
        "timeouts.idle": seconds(find("TimeoutIdle", site.server), 600),
        "timeouts.login": seconds(find("TimeoutLogin", site.server), 300),
        "timeouts.no_transfer": seconds(find("TimeoutNoTransfer", site.server), 300),
        "timeouts.stalled": seconds(find("TimeoutStalled", site.server), 3600),
        "timeouts.session": seconds(find("TimeoutSession", site.guests), 0),
        "login.failures": number(find("MaxLoginAttempts", site.server), 3, lowest=1),
    }
