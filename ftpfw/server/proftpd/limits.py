"""``<Limit>``: whether a command is obeyed, by the rules of mod_core.

A limit of the command itself goes before one of its group, that before ALL; each is looked for
in the innermost context first, then further out. LOGIN is in no group. Without any limit a
command is obeyed.

Inside one: ``Order allow,deny``, the default, obeys who is in neither list; the reverse
order obeys only who is allowed. Conditions on addresses, users or groups make it ``SOME``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from ftpfw.server.proftpd.grammar import Context

GROUPS = {
    "READ": ("RETR", "SIZE"),
    "WRITE": (
        "APPE", "DELE", "MKD", "MFF", "MFMT", "RMD", "RNFR", "RNTO", "SITE_CHGRP", "SITE_CHMOD",
        "STOR", "STOU", "XMKD", "XRMD",
    ),
    "DIRS": (
        "CDUP", "CWD", "LIST", "MDTM", "MLSD", "MLST", "NLST", "PWD", "STAT", "XCUP", "XCWD",
        "XPWD",
    ),
}  # fmt: skip
"""As 1.3.8 has them; its manual leaves SITE_CHMOD, MFMT and RNFR out of WRITE."""

UNLIMITED = frozenset(
    ("ABOR", "ALLO", "CLNT", "CSID", "MODE", "OPTS", "PASS", "QUIT", "REST", "SITE", "STRU", "SYST",
     "TYPE", "USER")
)  # fmt: skip
"""Commands that are obeyed whatever a limit says of them (measured on 1.3.8)."""

_CONDITIONS = {"AllowUser", "DenyUser", "AllowGroup", "DenyGroup", "AllowClass", "DenyClass"}


class Outcome(StrEnum):
    """Who a command is obeyed for."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


def outcome(limit: Context) -> Outcome:
    """What one ``<Limit>`` says."""
    names = {one.name for one in limit.directives}
    if names & _CONDITIONS:
        return Outcome.SOME
    if "DenyAll" in names:
        return Outcome.NONE
    if "AllowAll" in names:
        return Outcome.ALL
    allowed, denied = _addresses(limit, "Allow"), _addresses(limit, "Deny")
    order = limit.first("Order")
    first = "".join(order.arguments).lower() if order else "allow,deny"
    if first == "deny,allow":
        return _by_lists(denied, allowed, Outcome.NONE)
    return _by_lists(allowed, denied, Outcome.ALL)


def _by_lists(first: set[str], second: set[str], otherwise: Outcome) -> Outcome:
    """What two lists say; ``otherwise`` is for who is in neither."""
    mine = Outcome.NONE if otherwise is Outcome.NONE else Outcome.ALL
    other = Outcome.ALL if mine is Outcome.NONE else Outcome.NONE
    if "all" in first:
        return mine
    if "all" in second:
        return Outcome.SOME if first else other
    return Outcome.SOME if second else mine


def _addresses(limit: Context, name: str) -> set[str]:
    found = set()
    for line in limit.directives:
        if line.name == name:
            words = ",".join(line.arguments).lower().split(",")
            found |= {word for word in words if word not in {"", "from", "none"}}
    return found


def limits_of(contexts: Sequence[Context]) -> Iterable[Context]:
    """Every limit of some contexts."""
    return (limit for context in contexts for limit in context.inner("Limit"))


def judge(verb: str, contexts: Sequence[Context]) -> Outcome:
    """Who a verb is obeyed for, in contexts from the innermost on."""
    group = next((name for name, verbs in GROUPS.items() if verb in verbs), None)
    keys = ["LOGIN"] if verb == "LOGIN" else [key for key in (verb, group, "ALL") if key]
    for key in keys:
        for context in contexts:
            for limit in reversed(context.inner("Limit")):
                if key in names(limit):
                    return outcome(limit)
    return Outcome.ALL


def names(limit: Context) -> set[str]:
    """The verbs and groups that a limit is about."""
    return {word.upper() for word in ",".join(limit.arguments).split(",") if word}


def lets_in_by_order(limit: Context) -> bool:
    """Whether its only list is one of those allowed, which lets all others in too."""
    allowed = _addresses(limit, "Allow")
    alone = allowed and not _addresses(limit, "Deny") and "all" not in allowed
    return bool(alone) and outcome(limit) is Outcome.ALL
