"""Listings: what LIST, MLSD and MLST say of a file (RFC 3659 7, and what ls(1) has made usual).

A listing tells no more than a client can use: no inode, and no owner where these are hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from time import gmtime, strftime, struct_time

from ftpfw.server.embedded.paths import shown

RECENT = 180 * 24 * 3600
"""Seconds for which ls shows the time of day, later the year."""

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LETTERS = "rwxrwxrwx"
FACTS = ("type", "size", "modify", "perm")


LISTS = {"LIST", "NLST"}
_OPTIONS = re.compile(r"(?:-[A-Za-z1]+(?: +|$))+")


def without_options(argument: str) -> str:
    """The path in an argument of LIST or NLST, without the options of ls(1) before it.

    RFC 959 has none, but clients send them (ncftp ``NLST -1``), and every daemon passes over them.
    """
    found = _OPTIONS.match(argument)
    return argument[found.end() :] if found else argument


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or directory; ``mode`` are the nine bits of permissions."""

    name: str
    is_directory: bool
    mode: int
    links: int
    owner: str
    group: str
    size: int
    modified: float


def format_ls(entry: Entry, now: float, broken_down: struct_time) -> str:
    """A line of LIST; ``broken_down`` is the time of modification, as it is to be shown."""
    bits = "".join(
        letter if entry.mode >> (8 - place) & 1 else "-" for place, letter in enumerate(_LETTERS)
    )
    at = broken_down
    when = (
        f"{at.tm_hour:02}:{at.tm_min:02}"
        if 0 <= now - entry.modified < RECENT
        else f"{at.tm_year:5}"
    )
    kind = "d" if entry.is_directory else "-"
    return (
        f"{kind}{bits} {entry.links:3} {entry.owner:8} {entry.group:8} {entry.size:8} "
        f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday:2} {when} {shown(entry.name)}\r\n"
    )


def format_facts(entry: Entry, wanted: tuple[str, ...], perm: str) -> str:
    """The facts of MLSD and MLST, each with its semicolon; ``perm`` as in RFC 3659 7.5.5."""
    facts = {
        "type": "dir" if entry.is_directory else "file",
        "size": str(entry.size),
        "modify": strftime("%Y%m%d%H%M%S", gmtime(entry.modified)),
        "perm": perm,
    }
    return "".join(f"{name}={facts[name]};" for name in FACTS if name in wanted)
