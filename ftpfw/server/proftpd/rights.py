"""What sessions may do, as the limits of commands have it, and the directories for uploads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftpfw.server.proftpd.arguments import boolean
from ftpfw.server.proftpd.files import hides_stores
from ftpfw.server.proftpd.grammar import Context
from ftpfw.server.proftpd.limits import GROUPS, UNLIMITED, Outcome, judge, limits_of, names
from ftpfw.server.proftpd.site import Site, find, upload_directories
from ftpfw.server.settings import VERBS, Path

VERB_OF = {
    "list": "LIST",
    "download": "RETR",
    "upload": "STOR",
    "append": "APPE",
    "delete": "DELE",
    "rename": "RNFR",
    "make_directory": "MKD",
    "remove_directory": "RMD",
    "chmod": "SITE_CHMOD",
    "touch": "MFMT",
}
"""Right → the command that stands for it."""

_MORE = {
    "list": (*VERBS["list"], "MDTM"),
    "download": (*VERBS["download"], "SIZE"),
    "chmod": ("SITE_CHMOD", "SITE_CHGRP"),
    "touch": ("MFMT", "MFF"),
}
LIMITED: Mapping[str, tuple[str, ...]] = {
    right: _MORE.get(right) or VERBS[right] for right in VERB_OF
}
"""Right → the commands that a limit names for it."""

WRITING = tuple(right for right in VERB_OF if right not in {"list", "download"})


def settings_of(site: Site) -> dict[Path, Any]:
    """Rights, drop boxes and verbs that are denied."""
    said: dict[Path, Any] = {}
    for right, allowed in _may(site.users):
        said[f"users.rights.{right}"] = allowed
    boxes = [(box, *site.guests) for box in upload_directories(site)]
    outside = dict(_may(site.guests))
    inside = [dict(_may(contexts)) for contexts in boxes] or [outside]
    for right in outside:
        where = inside if right not in {"list", "download"} else [outside]
        said[f"anonymous.rights.{right}"] = any(may[right] for may in where)
    roots = [box[0].arguments[0] for box in boxes]
    said["anonymous.drop_box.directories"] = tuple(_place(site, path) for path in roots)
    said["anonymous.drop_box.readable"] = any(may["download"] for may in inside)
    said["anonymous.drop_box.listed"] = any(may["list"] for may in inside)
    said["anonymous.drop_box.shown"] = said["anonymous.drop_box.listed"]  # measured on 1.3.8
    return said | {"commands.denied": _denied(site)}


def may_differ(site: Site, box: Context) -> bool:
    """Whether less is possible in a drop box than in another one."""
    mine = dict(_may((box, *site.guests)))
    others = [dict(_may((one, *site.guests))) for one in upload_directories(site)]
    return any(other[right] and not mine[right] for other in others for right in mine)


def _place(site: Site, path: str) -> str:
    """A directory as it is named outside of the jail, without ``/*``."""
    plain = path.removesuffix("/*").rstrip("/") or "/"
    if plain.startswith(("/", "~")) or site.anonymous is None:
        return plain
    return f"{site.anonymous.arguments[0].rstrip('/')}/{plain}"


def _may(contexts: Sequence[Context]) -> Iterator[tuple[str, bool]]:
    """Every right, as contexts give it."""
    allowed = {right: judge(verb, contexts) is not Outcome.NONE for right, verb in VERB_OF.items()}
    over = boolean(find("AllowOverwrite", contexts), False)
    restart = boolean(find("AllowStoreRestart", contexts), False)
    # With HiddenStores APPE too is answered by 451.
    in_place = over and restart and not hides_stores(contexts)
    yield from (
        allowed
        | {
            "overwrite": allowed["upload"] and over,
            "append": allowed["append"] and in_place,
            "resume": allowed["upload"] and in_place,
            "rename": allowed["rename"] and judge("RNTO", contexts) is not Outcome.NONE,
        }
    ).items()


_HANDLED = {
    *(verb for verbs in LIMITED.values() for verb in verbs),
    *("LOGIN", "PASV", "EPSV", "PORT", "EPRT", "ALL", "READ", "WRITE", "DIRS"),
    *UNLIMITED,
}
"""What a limit may name without that it is one of the denied verbs."""


def _denied(site: Site) -> tuple[str, ...]:
    """Verbs that nobody may use, though their right is granted or they have none.

    A verb that goes with a right is denied where a limit lets through another of that right alone,
    as STOR without STOU, wherever the right is granted.
    """
    places = list(_places(site))

    def is_denied(verb: str) -> bool:
        return all(judge(verb, contexts) is Outcome.NONE for contexts in places)

    named = {verb for limit in limits_of(site.guests) for verb in names(limit)}
    named |= {*GROUPS["DIRS"]} if named & {"DIRS", "ALL"} else set()
    denied = {verb for verb in named - _HANDLED if re.fullmatch("[A-Z]+", verb) and is_denied(verb)}
    for right, verbs in LIMITED.items():
        granted = [
            contexts for contexts in places if judge(VERB_OF[right], contexts) is not Outcome.NONE
        ]
        denied |= {
            verb
            for verb in verbs[1:]
            if granted and "_" not in verb and not _may_say(verb, granted)
        }
    return tuple(sorted(denied))


def denied_to_guests(site: Site) -> tuple[str, ...]:
    """Verbs that anonymous sessions alone may use nowhere, though they have the right."""
    if site.anonymous is None or judge("LOGIN", site.server) is Outcome.NONE:
        return ()
    places = [site.guests, *((box, *site.guests) for box in upload_directories(site))]
    return tuple(
        verb
        for right, (first, *verbs) in LIMITED.items()
        if _may_say(VERB_OF.get(right, first), places)
        for verb in verbs
        if "_" not in verb and not _may_say(verb, places) and _may_say(verb, [site.users])
    )


def _may_say(verb: str, places: Sequence[Sequence[Context]]) -> bool:
    return any(judge(verb, contexts) is not Outcome.NONE for contexts in places)


def _places(site: Site) -> Iterator[tuple[Context, ...]]:
    """The contexts of those who may log in, and of directories for uploads."""
    if site.anonymous is None or judge("LOGIN", site.server) is not Outcome.NONE:
        yield site.users
    if site.anonymous is not None:
        yield site.guests
        yield from ((box, *site.guests) for box in upload_directories(site))
