"""Who logs in: anonymous clients by their names, and accounts."""

from __future__ import annotations

from typing import Any

from ftpfw.server.proftpd.arguments import boolean, text
from ftpfw.server.proftpd.limits import Outcome, judge
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Path

BY_ITSELF = ("pam", "unix")
"""Where accounts are if no AuthOrder says so."""

SOURCES = {"mod_auth_pam.c": "pam", "mod_auth_unix.c": "unix"}

PAM_ALONE = ("mod_auth_pam.c* mod_auth_unix.c", "mod_auth_pam.c")
"""How it is said that PAM alone decides, and what is meant by it."""


def settings_of(site: Site) -> dict[Path, Any]:
    """Anonymous sessions, and those of accounts."""
    return {**_anonymous(site), **_users(site)}


def _anonymous(site: Site) -> dict[Path, Any]:
    context = site.anonymous
    user = text(find("User", (context,))) if context else None
    user = user or "ftp"
    root = context.arguments[0] if context else f"~{user}"
    aliases = [
        line.arguments[0]
        for one in site.guests
        for line in one.directives
        if line.name == "UserAlias" and len(line.arguments) == 2 and line.arguments[1] == user
    ]
    alias_alone = boolean(find("AuthAliasOnly", site.guests), False)
    allowed = context is not None and judge("LOGIN", site.guests) is not Outcome.NONE
    by_name = {alias for alias in aliases if alias != "*"} | (
        {user} - {user} if alias_alone else {user}
    )
    return {
        "anonymous.enabled": allowed,
        "anonymous.names": tuple(sorted(by_name)),
        "anonymous.any_name": "*" in aliases,
        "anonymous.user": user,
        "anonymous.root": None if root == f"~{user}" else root,
    }


def _users(site: Site) -> dict[Path, Any]:
    root = find("DefaultRoot", site.server)
    where = text(root)
    groups = " ".join(root.arguments[1:]) if root else ""
    return {
        "users.enabled": judge("LOGIN", site.server) is not Outcome.NONE,
        "users.sources": _sources(site),
        "users.root": None if where == "~" else where,
        "users.jailed": where is not None,
        "users.jail_exceptions": f"groups {groups}" if groups else None,
        "users.denied_list": boolean(find("UseFtpUsers", site.server), True),
        "users.root_login": boolean(find("RootLogin", site.server), False),
        "users.valid_shell": boolean(find("RequireValidShell", site.server), True),
    }


def _sources(site: Site) -> tuple[str, ...]:
    """Where accounts are. PAM only says who is right: it takes mod_auth_unix to find accounts.

    With ``*`` PAM's word is the last, and mod_auth_unix behind it no source of its own.
    """
    file = text(find("AuthUserFile", site.server))
    order = find("AuthOrder", site.server)
    mine = f"file:{file}"
    if order is None:
        return (mine, *BY_ITSELF) if file else BY_ITSELF
    modules = " ".join(order.arguments).replace(*PAM_ALONE).split()
    known = {**SOURCES, "mod_auth_file.c": mine}
    names = [module.rstrip("*") for module in modules]
    return tuple(known.get(one, one) for one in names if file or one != "mod_auth_file.c")
