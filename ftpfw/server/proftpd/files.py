"""How files are treated: their names, modes and owners, and uploads that are not whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftpfw.server.proftpd.arguments import FALSE, boolean, text, umasks
from ftpfw.server.proftpd.grammar import Context
from ftpfw.server.proftpd.site import Site, find, upload_directories
from ftpfw.server.settings import DotFiles, Names, Path, Syntax

DOT_FILES = r"(^|/)\.[^/]*$"
"""The pattern for names that begin with a dot, as a PathDenyFilter."""


def settings_of(site: Site) -> dict[Path, Any]:
    """Names, umasks, owners and what broke off."""
    guest, server = (find("PathDenyFilter", one) for one in (site.guests, site.users))
    denied = text(guest)
    said = {}
    for who, contexts in (("anonymous", site.guests), ("users", site.users)):
        files, directories = umasks(find("Umask", contexts))
        said[f"{who}.file_umask"] = files
        said[f"{who}.directory_umask"] = directories
    hides = hides_stores(site.guests)
    owner = next(
        (
            text(line)
            for contexts in ((*upload_directories(site), *site.guests),)
            if (line := find("UserOwner", contexts))
        ),
        None,
    )
    passwd = boolean(find("PersistentPasswd", site.server), False)
    return {
        **said,
        "anonymous.drop_box.owner": owner if passwd else None,
        "anonymous.dot_files": _dots(denied),
        "users.dot_files": _dots(text(server)),
        "files.denied_uploads": Names(denied, Syntax.REGEX)
        if denied and denied != DOT_FILES
        else None,
        "files.allowed_uploads": _regex(text(find("PathAllowFilter", site.guests))),
        "files.hidden_until_complete": hides,
        "files.keep_partial": not hides
        and not boolean(find("DeleteAbortedStores", site.guests), False),
    }


def hides_stores(contexts: Sequence[Context]) -> bool:
    """Whether uploads have another name until they are whole."""
    hidden = find("HiddenStores", contexts)
    return hidden is not None and text(hidden, "off") not in {*FALSE, None}


def _dots(pattern: str | None) -> DotFiles:
    return DotFiles.READ_ONLY if pattern == DOT_FILES else DotFiles.FREE


def _regex(pattern: str | None) -> Names | None:
    return Names(pattern, Syntax.REGEX) if pattern else None
