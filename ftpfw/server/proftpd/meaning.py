"""What a tree of contexts means: the main server and its first ``<Anonymous>``.

A directive of a context goes before one of the context around it, the server's before those of
``<Global>``. ``ALWAYS`` is what the daemon does whatever its file says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

from ftpfw.server.proftpd.grammar import Context, Directive, wrong
from ftpfw.server.proftpd.limits import GROUPS, UNLIMITED, Outcome, judge, limits_of, names
from ftpfw.server.settings import (
    VERBS,
    Audience,
    DotFiles,
    Family,
    Host,
    Names,
    Path,
    Start,
    Syntax,
    TlsLevel,
)

DOT_FILES = r"(^|/)\.[^/]*$"
"""The pattern for names that begin with a dot, as a PathDenyFilter."""

ALWAYS: Mapping[Path, Any] = {
    "active.source_port": None,
    "anonymous.ask_password": True,
    "anonymous.refused_passwords": None,
    "anonymous.world_readable_only": False,
    "anonymous.drop_box.owner_mode": None,
    "anonymous.drop_box.quota_bytes": None,
    "anonymous.drop_box.quota_files": None,
    "users.writable_root": True,
    "users.user_list": None,
    "users.user_list_allows": False,
    "users.lowest_uid": None,
    "files.denied": None,
    "files.allowed_downloads": None,
    "files.unlisted": None,
    "files.base_mode": 0o666,
    "files.rename_uploads": False,
    "limits.quota_files": None,
    "limits.quota_bytes": None,
    "limits.full_disk": None,
    "limits.load": None,
    "timeouts.accept": None,
    "timeouts.connect": None,
    "login.failure_delay": 0,
    "login.success_delay": 0,
    "logs.transfer_format": "xferlog",
    "commands.allowed": None,
}

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

BY_ITSELF = ("pam", "unix")
"""Where accounts are if no AuthOrder says so."""

SOURCES = {"mod_auth_pam.c": "pam", "mod_auth_unix.c": "unix"}

PAM_ALONE = ("mod_auth_pam.c* mod_auth_unix.c", "mod_auth_pam.c")
"""How it is said that PAM alone decides, and what is meant by it."""

_TRUE = {"on", "yes", "true", "1"}
_FALSE = {"off", "no", "false", "0"}
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SPANS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600}


@dataclass(frozen=True, slots=True)
class Site:
    """A file's main server, with what is set for all, and its anonymous sessions."""

    server: tuple[Context, ...]
    anonymous: Context | None

    @classmethod
    def of(cls, tree: Context) -> Site:
        """The one that a tree describes."""
        server = (tree, *reversed(tree.inner("Global")))
        found = [one for context in server for one in context.inner("Anonymous")]
        return cls(server, found[0] if found else None)

    @property
    def guests(self) -> tuple[Context, ...]:
        """The contexts of an anonymous session, the innermost first."""
        return self.server if self.anonymous is None else (self.anonymous, *self.server)


def find(name: str, contexts: Sequence[Context]) -> Directive | None:
    """The directive that counts, from the innermost context on; it has been heard then."""
    for context in contexts:
        if line := context.first(name):
            context.heard.add(name)
            return line
    return None


def boolean(line: Directive | None, default: bool) -> bool:
    """On or off."""
    if line is None:
        return default
    word = line.arguments[0].lower() if line.arguments else ""
    if word not in _TRUE | _FALSE:
        raise wrong(line, f"{word!r} is neither on nor off", "on")
    return word in _TRUE


def number(
    line: Directive | None, default: int | None, *, lowest: int = 0, highest: int = 2**31
) -> int | None:
    """A number; ``none`` is None."""
    if line is None:
        return default
    word = line.arguments[0] if line.arguments else ""
    if word.lower() == "none":
        return None
    if not re.fullmatch(r"[0-9]{1,10}", word, re.ASCII) or not lowest <= int(word) <= highest:
        what = f"{word!r} is no number from {lowest} to {highest}"
        raise wrong(line, what, str(max(lowest, 10)))
    return int(word)


def text(line: Directive | None, default: str | None = None) -> str | None:
    """The first argument; ``none`` is None."""
    if line is None:
        return default
    if not line.arguments:
        raise wrong(line, "it has no argument", "VALUE")
    return None if line.arguments[0].lower() == "none" else line.arguments[0]


def seconds(line: Directive | None, default: int) -> int | None:
    """A time, as in 60, 5m or 1h; 0 is None."""
    word = line.arguments[0].lower() if line and line.arguments else str(default)
    match = re.fullmatch(r"([0-9]{1,10})([a-z]*)", word, re.ASCII)
    if not match or match[2] not in _SPANS or int(match[1]) >= 2**31:
        assert line
        raise wrong(line, f"{word!r} is no time", "300")
    return int(match[1]) * _SPANS[match[2]] or None


def settings_of(site: Site) -> dict[Path, Any]:
    """Every setting that a file says. ConfigError for an argument that means nothing."""
    return {
        **ALWAYS,
        **_server(site),
        **_data(site),
        **_anonymous(site),
        **_users(site),
        **_rights(site),
        **_files(site),
        **_limits(site),
        **_timeouts(site),
        **_tls(site),
        **_logs(site),
    }


def parse_host(word: str) -> Host:
    """An address, or else a name."""
    try:
        return ip_address(word)
    except ValueError:
        return word


def _server(site: Site) -> dict[Path, Any]:
    kind = find("ServerType", site.server)
    inetd = kind is not None and text(kind) == "inetd"
    if kind and text(kind) not in {"inetd", "standalone"}:
        raise wrong(kind, f"{text(kind)!r} is no type", "standalone")
    addresses = find("DefaultAddress", site.server)
    tight = boolean(find("SocketBindTight", site.server), False)
    port = number(find("Port", site.server), 21, highest=65535)
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
        "process.pid_file": text(find("PidFile", site.server), "/run/proftpd.pid"),
    }


def _banner(line: Directive | None) -> str | None:
    """The text of the greeting; empty where it is switched off."""
    if not boolean(line, True):
        return ""
    return line.arguments[1] if line and len(line.arguments) > 1 else None


def _data(site: Site) -> dict[Path, Any]:
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
        "passive.ports": _ports(ports) if ports else None,
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
    return word not in _FALSE


def _ports(line: Directive) -> range:
    if len(line.arguments) != 2 or not all(
        re.fullmatch("[0-9]{1,5}", a, re.ASCII) for a in line.arguments
    ):
        raise wrong(line, "it takes two ports", "50000 50100")
    first, last = map(int, line.arguments)
    if not 1024 <= first < last <= 65535:
        what = f"{first} to {last} is no range of ports from 1024 to 65535"
        raise wrong(line, what, "50000 50100")
    return range(first, last + 1)


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


def upload_directories(site: Site) -> list[Context]:
    """Directories of anonymous sessions to which files can be stored, if to no others."""
    if site.anonymous is None or judge("STOR", site.guests) is not Outcome.NONE:
        return []
    below = site.anonymous.inner("Directory")
    return [
        one
        for one in below
        if judge("STOR", (one, *site.guests)) is not Outcome.NONE and one.inner("Limit")
    ]


def _rights(site: Site) -> dict[Path, Any]:
    said: dict[Path, Any] = {}
    for right, allowed in _may(site.server):
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
    in_place = over and restart and not _hides(contexts)  # otherwise APPE too is answered by 451
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
        if "_" not in verb and not _may_say(verb, places) and _may_say(verb, [site.server])
    )


def _may_say(verb: str, places: Sequence[Sequence[Context]]) -> bool:
    return any(judge(verb, contexts) is not Outcome.NONE for contexts in places)


def _places(site: Site) -> Iterator[tuple[Context, ...]]:
    """The contexts of those who may log in, and of directories for uploads."""
    if site.anonymous is None or judge("LOGIN", site.server) is not Outcome.NONE:
        yield site.server
    if site.anonymous is not None:
        yield site.guests
        yield from ((box, *site.guests) for box in upload_directories(site))


def _files(site: Site) -> dict[Path, Any]:
    guest, server = (find("PathDenyFilter", one) for one in (site.guests, site.server))
    denied = text(guest)
    said = {}
    for who, contexts in (("anonymous", site.guests), ("users", site.server)):
        files, directories = _umask(find("Umask", contexts))
        said[f"{who}.file_umask"] = files
        said[f"{who}.directory_umask"] = directories
    hides = _hides(site.guests)
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


def _hides(contexts: Sequence[Context]) -> bool:
    hidden = find("HiddenStores", contexts)
    return hidden is not None and text(hidden, "off") not in {*_FALSE, None}


def _dots(pattern: str | None) -> DotFiles:
    return DotFiles.READ_ONLY if pattern == DOT_FILES else DotFiles.FREE


def _regex(pattern: str | None) -> Names | None:
    return Names(pattern, Syntax.REGEX) if pattern else None


def _umask(line: Directive | None) -> tuple[int, int]:
    masks = line.arguments if line else ("022",)
    if not masks or not all(re.fullmatch("[0-7]{1,4}", mask) for mask in masks):
        assert line
        raise wrong(line, f"{' '.join(masks)!r} is no umask", "0177 0077")
    return int(masks[0], 8), int(masks[-1], 8)


def _limits(site: Site) -> dict[Path, Any]:
    said = {}
    for who, contexts in (("anonymous", site.guests), ("user", site.server)):
        for way, verbs in (("upload", {"STOR", "APPE", "STOU"}), ("download", {"RETR"})):
            said[f"limits.{who}_{way}_rate"] = _rate(verbs, contexts)
    mine = number(find("MaxClients", (site.anonymous,)), None, lowest=1) if site.anonymous else None
    ftp = _least(site.guests, "MaxClientsPerUser")  # which all anonymous sessions are
    alone = judge("LOGIN", site.server) is Outcome.NONE
    everybody = site.guests if alone else site.server
    return {
        **said,
        "limits.clients": _least(site.server, "MaxClients", "MaxInstances"),
        "limits.clients_per_address": _least(
            everybody, "MaxClientsPerHost", "MaxConnectionsPerHost"
        ),
        "limits.clients_per_user": number(find("MaxClientsPerUser", everybody), None, lowest=1),
        "limits.anonymous_clients": min((one for one in (mine, ftp) if one), default=None),
        "limits.upload_bytes": _size(find("MaxStoreFileSize", site.guests)),
    }


def _least(contexts: Sequence[Context], *directives: str) -> int | None:
    numbers = [number(find(name, contexts), None, lowest=1) for name in directives]
    return min((one for one in numbers if one is not None), default=None)


def _rate(verbs: set[str], contexts: Sequence[Context]) -> int | None:
    """Bytes a second for one of some verbs."""
    for context in contexts:
        for line in reversed(context.directives):
            if line.name == "TransferRate" and verbs & {*line.arguments[0].upper().split(",")}:
                word = line.arguments[1].partition(":")[0] if len(line.arguments) > 1 else ""
                if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", word, re.ASCII):
                    raise wrong(line, f"{word!r} is no rate in KiB", "RETR 100")
                return int(float(word) * 1024) or None
    return None


def _size(line: Directive | None) -> int | None:
    if line is None or line.arguments[:1] == ("*",):
        return None
    if (
        len(line.arguments) < 2
        or line.arguments[1].lower() not in _UNITS
        or not line.arguments[0].isdecimal()
    ):
        raise wrong(line, "it takes a number and a unit", "500 Mb")
    return int(line.arguments[0]) * _UNITS[line.arguments[1].lower()]


def _timeouts(site: Site) -> dict[Path, Any]:
    return {
        "timeouts.idle": seconds(find("TimeoutIdle", site.server), 600),
        "timeouts.login": seconds(find("TimeoutLogin", site.server), 300),
        "timeouts.no_transfer": seconds(find("TimeoutNoTransfer", site.server), 300),
        "timeouts.stalled": seconds(find("TimeoutStalled", site.server), 3600),
        "timeouts.session": seconds(find("TimeoutSession", site.guests), 0),
        "login.failures": number(find("MaxLoginAttempts", site.server), 3, lowest=1),
    }


def _tls(site: Site) -> dict[Path, Any]:
    on = boolean(find("TLSEngine", site.server), False)
    line = find("TLSOptions", site.server)
    options = {word.lower() for word in line.arguments} if line else set()
    verify = find("TLSVerifyClient", site.server)
    users, guests = (
        _level(on, find("TLSRequired", contexts)) for contexts in (site.server, site.guests)
    )
    return {
        # who has not logged in yet is held to the server's: off in a section lets nobody in
        # (measured on 1.3.8)
        "tls.anonymous": max(users, guests, key=list(TlsLevel).index),
        "tls.users": users,
        "tls.implicit": on and "useimplicitssl" in options,
        "tls.certificate": text(find("TLSRSACertificateFile", site.server)),
        "tls.key": text(find("TLSRSACertificateKeyFile", site.server)),
        "tls.ciphers": text(find("TLSCipherSuite", site.server)),
        "tls.session_reuse": "nosessionreuserequired" not in options,
        "tls.client_certificate": boolean(verify, False) if text(verify) != "optional" else False,
        "tls.authorities": text(find("TLSCACertificateFile", site.server)),
        "tls.obsolete": _obsolete(find("TLSProtocol", site.server)) if on else (),
    }


VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OBSOLETE = VERSIONS[:3]


def _obsolete(line: Directive | None) -> tuple[str, ...]:
    """Without the directive TLS 1.0 is spoken, where the ciphers let it (measured on 1.3.8)."""
    if line is None:
        return _OBSOLETE[1:]
    every = any(word.lower() == "all" for word in line.arguments)
    said = {word.lower().lstrip("+") for word in line.arguments}
    return tuple(
        version
        for version in _OBSOLETE
        if version.lower() in said or (every and f"-{version.lower()}" not in said)
    )


def _level(on: bool, line: Directive | None) -> TlsLevel:
    if not on:
        return TlsLevel.OFF
    word = (text(line) or "off").lower()
    if word in _TRUE or word in {"ctrl+data", "auth+data"}:
        return TlsLevel.DATA
    return TlsLevel.CONTROL if word.startswith(("ctrl", "auth")) else TlsLevel.OPTIONAL


def _logs(site: Site) -> dict[Path, Any]:
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
        "listing.depth": _bound(line, bounds.get("maxdepth")),
        "listing.entries": _bound(line, bounds.get("maxfiles")),
        "listing.dot_files": bool(options)
        and options[0].startswith("-")
        and bool({*"aA"} & {*options[0]}),
        "listing.local_time": not boolean(find("TimesGMT", site.server), True),
    }


def _bound(line: Directive | None, word: str | None) -> int | None:
    if word is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", word, re.ASCII):
        assert line
        raise wrong(line, f"{word!r} is no number from 1 on", '"-l" maxdepth 3 maxfiles 2000')
    return int(word)
