"""Lines and contexts that no setting holds as they stand: what they are elsewhere, and why.

The settings are those of a whole server. A line of one directory, one for anonymous sessions
where accounts log in too, arguments that say for whom: the settings are silent about it, and
so a conversion has to name it. Which lines the settings come from is known by ``Context.heard``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ftpfw.server.options import Option
from ftpfw.server.proftpd.arguments import FALSE, TRUE, boolean
from ftpfw.server.proftpd.files import DOT_FILES
from ftpfw.server.proftpd.grammar import Context, Directive
from ftpfw.server.proftpd.limits import GROUPS, UNLIMITED, Outcome, judge, names, outcome
from ftpfw.server.proftpd.rights import LIMITED, may_differ
from ftpfw.server.proftpd.site import Site, upload_directories
from ftpfw.server.proftpd.table import ON, TABLE
from ftpfw.server.settings import Settings

_FOR_SOME = {
    "TransferRate": 2,
    "MaxStoreFileSize": 2,
    "TimeoutSession": 1,
    "AllowForeignAddress": 1,
    "AuthUserFile": 1,
}
"""What takes more arguments only to say for whom it is."""

_ARGUMENTS = {
    **dict.fromkeys(
        ("MaxClients", "MaxClientsPerHost", "MaxClientsPerUser", "MaxConnectionsPerHost"), 1
    ),
    "DisplayChdir": 1,
    "ExtendedLog": 0,
}
"""What takes more arguments that no setting holds: texts, and where commands are logged."""

_NOT_OF_GUESTS = {"RequireValidShell", "UseFtpUsers", "RootLogin"}
"""What anonymous sessions need not elsewhere, since no account logs in."""

_WITHOUT_HARM = {
    *_NOT_OF_GUESTS,
    *("DisplayLogin", "DisplayChdir", "DisplayQuit", "DirFakeUser", "DirFakeGroup"),
    *("DeleteAbortedStores", "WtmpLog", "UserAlias", "Group"),
}
"""What makes nothing less safe where it is left out, or is for others too."""

_RESTRICTIONS = {"commonnamerequired", "dnsnamerequired", "ipaddressrequired"}
_TLS_OPTIONS = {"nosessionreuserequired", "useimplicitssl"}
_OF_ONE_KIND = ("anonymous.", "users.", "limits.anonymous_", "limits.user_", "tls.")
_FOREIGN = "active.foreign"

DIRECTORY = "of one directory alone"
ACCOUNTS = "for accounts alone, where anonymous sessions have another"
GUESTS = "for anonymous sessions alone: elsewhere for accounts too"


def refused(name: str, why: str) -> Option:
    """An option that no server is safe without."""
    return Option(name, "", "", what=why, harmless=())


def ignored(name: str, why: str) -> Option:
    """An option that any server is safe without."""
    return Option(name, "", "", what=why)


def option_of(line: Directive, context: Context, site: Site, settings: Settings) -> Option:
    """What a line is: its row, or an option of its own where it is not obeyed as it stands."""
    if why := _why_refused(line):
        return refused(line.name, why)
    row = TABLE[line.name]
    why = _why_ignored(line, context, settings) or _unheard(line, context, site, settings)
    if not row.paths or not why:
        return row
    if why == DIRECTORY:
        return _of_directory(line, context, site)
    harmless = line.name in _WITHOUT_HARM
    return (ignored if harmless else refused)(line.name, f"{why}: {row.what}")


_SAFE_TO_LOSE: Mapping[str, tuple[str, ...] | None] = {
    "AllowAll": None,
    "AllowOverwrite": ON,
    "AllowStoreRestart": ON,
    "DeleteAbortedStores": None,
    "DisplayChdir": None,
    "HiddenStores": None,
    "TimesGMT": None,
}
"""What need not be obeyed in a directory, with these values; None: with any."""


def _of_directory(line: Directive, context: Context, site: Site) -> Option:
    """A line in a ``<Directory>`` that is read for all directories alone."""
    name, row = line.name, TABLE[line.name]
    outside = next((found for one in site.guests if (found := one.first(name))), None)
    said = " ".join(line.arguments)
    if said and said.lower() == " ".join(outside.arguments if outside else [row.default]):
        return ignored(name, f"{DIRECTORY}, and the same elsewhere: {row.what}")
    harmless = _SAFE_TO_LOSE.get(name, ())
    if name == "HideNoAccess" and judge("LIST", (context, *site.guests)) is Outcome.NONE:
        harmless = None
    return Option(name, "", "", what=f"{DIRECTORY}: {row.what}", harmless=harmless)


def _why_ignored(line: Directive, context: Context, settings: Settings) -> str:
    if line.name in _NOT_OF_GUESTS and context.kind == "Anonymous":
        return "anonymous sessions need it nowhere else"
    if line.name == "UserAlias" and line.arguments[1:] != (settings.anonymous.user,):
        return "for an account"
    return ""


def _why_refused(line: Directive) -> str:
    """What a line demands that no setting does."""
    if not line.known:
        return "a directive that ftpfw does not know"
    if len(line.arguments) > _FOR_SOME.get(line.name, 99):
        return "a limit for some alone"
    words = {word.lower() for word in line.arguments}
    if line.name == "TLSOptions" and words & _RESTRICTIONS:
        return "clients' certificates have to name them"
    if line.name == "TLSRequired" and words == {"data"}:
        return "data has to be inside TLS, though logins need not"
    return ""


def _unheard(line: Directive, context: Context, site: Site, settings: Settings) -> str:
    """Why the settings are not what a line says; empty where they are."""
    first = next(one for one in context.directives if one.name == line.name)
    if first is not line and line.name not in {"UserAlias", "TransferRate"}:
        return "another root, for some accounts" if line.name == "DefaultRoot" else ""
    match context.kind:
        case "Directory":
            return "" if line.name in context.heard else DIRECTORY
        case "Anonymous" if context is site.anonymous:
            return _unheard_of_guests(line, context, settings)
        case "" | "Global":
            return _unheard_of_accounts(line, context, site, settings)
        case _:
            return ""


def _unheard_of_guests(line: Directive, context: Context, settings: Settings) -> str:
    if line.name == "Group":
        return "the group of anonymous sessions, elsewhere that of their user"
    if line.name == "TransferRate":
        return ""
    if line.name not in context.heard:
        return "for anonymous sessions alone"
    for_all = [p for p in TABLE[line.name].paths if not p.startswith(_OF_ONE_KIND)]
    if line.name == "PathDenyFilter" and line.arguments[:1] == (DOT_FILES,):
        for_all = []
    narrow = not for_all or _FOREIGN in for_all or line.name in {"User", "UserAlias"}
    return "" if narrow or not settings.users.enabled else GUESTS


def _unheard_of_accounts(line: Directive, context: Context, site: Site, settings: Settings) -> str:
    """A line that the section's own stands before, though accounts go by it."""
    if not settings.users.enabled:
        return ""
    if line.name == "AuthAliasOnly" and boolean(line, False):
        return "accounts log in by an alias alone"
    if line.name == "PathDenyFilter":
        mine = site.anonymous is not None and site.anonymous.first(line.name) is not None
        return ACCOUNTS if mine and line.arguments[:1] != (DOT_FILES,) else ""
    if line.name in context.heard or line.name in {"UserAlias", "TransferRate"}:
        return ""
    outer = context.kind == "Global" and site.server[0].first(line.name) is not None
    mine = site.anonymous is not None and site.anonymous.first(line.name) is not None
    return ACCOUNTS if mine and not outer else ""


def rest_of(line: Directive, settings: Settings) -> Iterator[Option]:
    """What of a line is obeyed nowhere else, though the line is."""
    if more := _more(line, settings):
        what = f"what {' '.join(more)} says of it: {TABLE[line.name].what}"
        yield ignored(line.name, what)


def _more(line: Directive, settings: Settings) -> Sequence[str]:
    """The words of a line that no setting holds."""
    more: Sequence[str] = line.arguments[_ARGUMENTS.get(line.name, 99) :]
    words = [word.lower() for word in line.arguments]
    match line.name:
        case "TLSOptions":
            more = tuple(w for w in line.arguments if w.lower() not in _TLS_OPTIONS)
        case "TLSRequired":
            more = line.arguments if "!" in "".join(words) else ()
        case "TLSVerifyClient":
            more = line.arguments if words[:1] not in (["on"], ["off"], ["optional"]) else ()
        case "TransferRate":
            more = tuple(w for w in line.arguments[1:2] if ":" in w)
        case "ListOptions":
            known = {"maxdepth", "maxfiles"}
            more = tuple(
                word
                for before, word in zip(("", *words), line.arguments[1:], strict=False)
                if word.lower() not in known and before not in known
            )
        case "DirFakeUser" | "DirFakeGroup" if not settings.listing.hide_ids:
            more = line.arguments if words[:1] != ["off"] else ()
        case "HiddenStores":
            more = line.arguments if boolean_word(words) is None else ()
        case _:
            pass
    return more


def boolean_word(words: Collection[str]) -> bool | None:
    """On or off, None for another word."""
    word = next(iter(words), "")
    if word in TRUE:
        return True
    return False if word in FALSE | {"none"} else None


def of_context(inner: Context, around: Context, site: Site, settings: Settings) -> Option:
    """What a context is: its row, or an option of its own where it cannot be obeyed."""
    name = f"<{inner.kind}>"
    boxes = upload_directories(site)
    if inner.kind == "Anonymous" and inner is not site.anonymous:
        return refused(name, "another anonymous section")
    if inner.kind == "Directory" and inner.contexts and inner not in (*boxes, *site.everywhere):
        return refused(name, "limits of a directory that is no drop box")
    if inner.kind == "Directory" and inner in boxes and may_differ(site, inner):
        return refused(name, "limits that are not those of the other drop boxes")
    if inner.kind == "Limit" and (why := _limit(inner, site.kind(around), settings)):
        return ignored(name, why) if why == _OF_PROFTPD else refused(name, why)
    return TABLE[name]


_DATA = {"PASV", "EPSV", "PORT", "EPRT"}
_OF_PROFTPD = "a limit of commands that are obeyed all the same, or of ProFTPD alone"


def _limit(limit: Context, kind: str, settings: Settings) -> str:
    """Why a limit cannot be obeyed; empty where it can."""
    if outcome(limit) is Outcome.SOME:
        return "a limit for some users, groups or addresses alone"
    if outcome(limit) is Outcome.ALL:
        return ""
    if kind == "Anonymous" and settings.users.enabled and names(limit) & _DATA:
        return GUESTS
    lost = {verb for verb in names(limit) if not _holds(verb, kind, settings)}
    if lost and all("_" in verb or verb in UNLIMITED for verb in lost):
        return _OF_PROFTPD
    if lost and kind == "Anonymous":
        return "a limit for anonymous sessions alone"
    return "a limit of one directory alone" if lost else ""


def _holds(verb: str, kind: str, settings: Settings) -> bool:
    """Whether the settings deny a verb, or all of a group."""
    if verb in {*GROUPS, "ALL", "LOGIN", *settings.commands.denied}:
        return True
    if verb in {"PASV", "EPSV"} and kind != "Directory":
        return not settings.passive.enabled
    if verb in {"PORT", "EPRT"} and kind != "Directory":
        return not settings.active.enabled
    who = settings.users if kind in {"", "Global"} else settings.anonymous
    rights = [right for right, verbs in LIMITED.items() if verb in verbs]
    denied = [right for right in rights if not getattr(who.rights, right)]
    if kind == "Anonymous" and settings.anonymous.drop_box.directories:
        return bool(rights)  # the rights are those of the drop boxes, and there alone
    if kind == "Directory":
        box = settings.anonymous.drop_box
        denied += ["list"] * (not box.listed) + ["download"] * (not box.readable)
    return any(right in denied for right in rights)
