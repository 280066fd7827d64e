"""Settings to the text of a proftpd.conf.

What the daemon does by itself is left out, but for who may log in, what may be written,
AllowForeignAddress, which protects passive connections only where it is written out, and User and
Group, without which it stays root.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from ftpfw.server.options import Written, unexpressed
from ftpfw.server.proftpd.files import DOT_FILES
from ftpfw.server.proftpd.limits import UNLIMITED
from ftpfw.server.proftpd.logins import BY_ITSELF, PAM_ALONE, SOURCES
from ftpfw.server.proftpd.reader import read
from ftpfw.server.proftpd.rights import LIMITED, VERB_OF, WRITING
from ftpfw.server.proftpd.table import TABLE
from ftpfw.server.proftpd.tls import VERSIONS
from ftpfw.server.settings import (
    Audience,
    DotFiles,
    Family,
    Names,
    Rights,
    Settings,
    Start,
    Syntax,
    TlsLevel,
    settled,
    umask_for,
)

_PLAIN = re.compile(r"[!$-~]*[!$-\[\]-~]")  # no blank, no quote, no #, no \ that ends the line
_WRITABLE = re.compile(r"[^\n\r\0]*")

_HIGHEST = 2**31 - 1
"""It does not start with a larger number (measured on 1.3.8)."""

Lines = Iterator[str]


def write(settings: Settings) -> Written:
    """A commented proftpd.conf, and what it cannot say."""
    wanted = settled(settings)
    text = "".join(f"{line}\n" for line in _file(wanted))
    return Written(text, unexpressed(wanted, read(text, "proftpd.conf").settings))


Leaf = tuple[tuple[str, ...], str, str]
"""The contexts a line stands in, the command that it limits or nothing, and the line."""


def amends(before: Settings, after: Settings) -> list[str]:
    """The lines that make one configuration the other, with the contexts they belong into."""
    old, new = (list(_leaves(_file(settled(one)))) for one in (before, after))
    again = {(where, verb, line.partition(" ")[0]) for where, verb, line in new}
    gone = [leaf for leaf in old if (*leaf[:2], leaf[2].partition(" ")[0]) not in again]
    added = _joined([leaf for leaf in new if leaf not in old])
    return added + [f"without {line}" for line in _joined(gone)]


def _joined(leaves: list[Leaf]) -> list[str]:
    """Lines as they are written, those that limit commands alike as one."""
    limits: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for where, verb, line in leaves:
        limits.setdefault((where, line), []).append(verb)
    return [f"{''.join(where)}{_limit(verbs)}{line}" for (where, line), verbs in limits.items()]


def _limit(verbs: list[str]) -> str:
    return f"<Limit {' '.join(verbs)}> " if verbs[0] else ""


def _leaves(lines: Lines) -> Iterator[Leaf]:
    """Each directive with the contexts that it stands in, once for every limited command."""
    around: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("</"):
            around.pop()
        elif line.startswith("<"):
            around.append(f"{line} ")
        elif around and around[-1].startswith("<Limit "):
            if line != "AllowAll" or not _is_repeated(around):
                for verb in around[-1].strip("<> ").split()[1:]:
                    yield tuple(around[:-1]), verb, line
        elif not line.startswith("#"):
            yield tuple(around), "", line


def _is_repeated(around: list[str]) -> bool:
    """Whether a limit that allows only says once more what holds without it."""
    return "LOGIN" not in around[-1] and not any("<Directory" in one for one in around)


def _file(settings: Settings) -> Lines:
    yield from _server(settings)
    yield from _data(settings)
    yield from _messages(settings)
    yield from _limits(settings)
    yield from _tls(settings)
    yield from _logs(settings)
    yield from _users(settings)
    if settings.anonymous.enabled:
        yield from _anonymous(settings)


def _line(name: str, *arguments: object) -> Lines:
    """A directive under its sentence; nothing where an argument cannot be written."""
    words = [str(argument) for argument in arguments]
    if all(_WRITABLE.fullmatch(word) for word in words):
        yield f"# {TABLE[name].what}"
        yield " ".join([name, *map(_quoted, words)])


def _optional(name: str, value: object) -> Lines:
    return _line(name, value) if value is not None else iter(())


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _on(value: bool) -> str:
    return "on" if value else "off"


def _within(context: str, lines: Lines) -> Lines:
    yield f"<{context}>"
    yield from (f"  {line}" for line in lines)
    yield f"</{context.partition(' ')[0]}>"


def _server(settings: Settings) -> Lines:
    listen, process = settings.listen, settings.process
    yield from _line("ServerType", "inetd" if listen.start is Start.INETD else "standalone")
    yield from _line("DefaultServer", "on")
    yield from _line("UseIPv6", _on(listen.family is not Family.IPV4))
    if listen.addresses:
        yield from _line("DefaultAddress", *listen.addresses)
        yield from _line("SocketBindTight", "on")
    yield from _line("Port", listen.port)
    yield from _line("User", process.user or "nobody")
    yield from _line("Group", process.group or "nogroup")
    if process.pid_file != "/run/proftpd.pid" and (process.pid_file or "").startswith("/"):
        yield from _optional("PidFile", process.pid_file)
    yield from _line("UseReverseDNS", _on(settings.logs.resolve))
    if settings.anonymous.drop_box.owner is not None:
        yield from _line("PersistentPasswd", "on")


def _data(settings: Settings) -> Lines:
    passive, active = settings.passive, settings.active
    if passive.ports is not None:
        yield from _line("PassivePorts", *_two(passive.ports))
    yield from _optional("MasqueradeAddress", passive.announced)
    if not (passive.foreign is Audience.EVERYBODY and active.foreign is Audience.NOBODY):
        foreign = _narrower(settings)
        yield from _line("AllowForeignAddress", _on(foreign is not Audience.NOBODY))
    denied = [verb for verb in settings.commands.denied if verb not in UNLIMITED]
    denied += [] if passive.enabled else ["PASV", "EPSV"]
    denied += [] if active.enabled else ["PORT", "EPRT"]
    if denied:
        yield from _within(f"Limit {' '.join(denied)}", iter(["DenyAll"]))


def _two(ports: range) -> tuple[int, int]:
    """The first and the last, which have to be two (measured on 1.3.8)."""
    last = ports.stop - 1
    return (
        (ports.start, last) if len(ports) > 1 else (min(ports.start, 65534), min(last, 65534) + 1)
    )


def _narrower(settings: Settings) -> Audience:
    """Both directions have one word: the audience of the narrower."""
    order = list(Audience)
    return min(settings.passive.foreign, settings.active.foreign, key=order.index)


def _messages(settings: Settings) -> Lines:
    messages = settings.messages
    if messages.banner == "":
        yield from _line("ServerIdent", "off")
    elif messages.banner is not None:
        yield from _line("ServerIdent", "on", messages.banner)
    yield from _optional("DisplayConnect", messages.banner_file)
    yield from _optional("DisplayLogin", messages.login_file)
    yield from _optional("DisplayQuit", messages.goodbye_file)
    yield from _optional("DisplayChdir", messages.directory_file)


def _limits(settings: Settings) -> Lines:
    limits, timeouts = settings.limits, settings.timeouts
    if not limits.clients_from_login:
        yield from _count("MaxInstances", limits.clients)
    yield from _count("MaxClients", limits.clients)
    kind = "Clients" if limits.clients_per_address_from_login else "Connections"
    yield from _count(f"Max{kind}PerHost", limits.clients_per_address)
    yield from _count("MaxClientsPerUser", limits.clients_per_user)
    yield from _rates(limits.user_upload_rate, limits.user_download_rate)
    if limits.upload_bytes is not None:
        yield from _line("MaxStoreFileSize", limits.upload_bytes, "B")
    yield from _time("TimeoutIdle", timeouts.idle)
    yield from _time("TimeoutLogin", timeouts.login)
    yield from _time("TimeoutNoTransfer", timeouts.no_transfer)
    yield from _time("TimeoutStalled", timeouts.stalled)
    if timeouts.session is not None:
        yield from _time("TimeoutSession", timeouts.session)
    if settings.login.failures is None:
        yield from _line("MaxLoginAttempts", "none")
    yield from _count("MaxLoginAttempts", settings.login.failures)


def _count(name: str, value: int | None) -> Lines:
    return iter(()) if value is None else _line(name, min(max(value, 1), _HIGHEST))


def _time(name: str, seconds: int | None) -> Lines:
    return _line(name, min(seconds or 0, _HIGHEST))


def _rates(upload: int | None, download: int | None) -> Lines:
    for verbs, rate in (("STOR,APPE,STOU", upload), ("RETR", download)):
        if rate is not None:
            yield from _line(
                "TransferRate", verbs, f"{max(rate, 1) / 1024:.10f}".rstrip("0").rstrip(".")
            )


def _tls(settings: Settings) -> Lines:
    tls = settings.tls
    if tls.users is TlsLevel.OFF and tls.anonymous is TlsLevel.OFF:
        return
    yield from _within("IfModule !mod_tls.c", _line("LoadModule", "mod_tls.c"))
    yield from _line("TLSEngine", "on")
    level = tls.users if settings.users.enabled else tls.anonymous
    yield from _line("TLSRequired", _REQUIRED[level])
    yield from _optional("TLSRSACertificateFile", tls.certificate)
    yield from _optional("TLSRSACertificateKeyFile", tls.key)
    yield from _optional("TLSCipherSuite", tls.ciphers)
    yield from _optional("TLSCACertificateFile", tls.authorities)
    if tls.client_certificate or tls.certificate_checked:
        yield from _line("TLSVerifyClient", "on" if tls.client_certificate else "optional")
    options = ["NoSessionReuseRequired"] * (not tls.session_reuse)
    options += ["UseImplicitSSL"] * tls.implicit
    if options:
        yield from _line("TLSOptions", *options)
    yield from _line("TLSProtocol", *_versions(tls.obsolete))


def _versions(obsolete: tuple[str, ...]) -> tuple[str, ...]:
    """Versions without a gap: OpenSSL speaks none above one (measured)."""
    first = min((VERSIONS.index(one) for one in obsolete if one in VERSIONS), default=None)
    return VERSIONS[VERSIONS.index("TLSv1.2") if first is None else first :]


_REQUIRED = {
    TlsLevel.OFF: "off",
    TlsLevel.OPTIONAL: "off",
    TlsLevel.CONTROL: "ctrl",
    TlsLevel.DATA: "on",
}


def _logs(settings: Settings) -> Lines:
    logs, listing = settings.logs, settings.listing
    yield from _line("TransferLog", logs.transfers or "none")
    if logs.daemon is not None:
        yield from _line("SystemLog", logs.daemon)
    elif logs.syslog is None:
        yield from _line("SystemLog", "none")
    elif logs.syslog != "daemon":
        yield from _line("SyslogFacility", logs.syslog.upper())
    if logs.commands:
        yield from _line("ExtendedLog", "/var/log/proftpd/commands.log", "ALL")
    yield from _line("WtmpLog", _on(logs.wtmp))
    yield from _line("TimesGMT", _on(not listing.local_time))
    if listing.hide_ids:
        yield from _line("DirFakeUser", "on", "ftp")
        yield from _line("DirFakeGroup", "on", "ftp")
    bounds: list[object] = ["-la" if listing.dot_files else "-l"]
    if listing.depth is not None:
        bounds += ["maxdepth", max(1, listing.depth)]  # 0 is refused
    if listing.entries is not None:
        bounds += ["maxfiles", max(1, listing.entries)]
    if bounds != ["-l"]:
        yield from _line("ListOptions", *bounds)


def _users(settings: Settings) -> Lines:
    users = settings.users
    if users.jailed:
        exceptions = (users.jail_exceptions or "").partition("groups ")[2]
        yield from _line("DefaultRoot", users.root or "~", *exceptions.split())
    yield from _line("RootLogin", _on(users.root_login))
    yield from _line("RequireValidShell", _on(users.valid_shell))
    yield from _line("UseFtpUsers", _on(users.denied_list))
    if users.enabled:
        yield from _sources(users.sources)
    yield from _umask(settings, "users")
    yield from _files(settings)
    if not users.enabled:
        yield from _within("Limit LOGIN", iter(["DenyAll"]))
        return
    yield from _line("AllowOverwrite", _on(users.rights.overwrite))
    yield from _line("AllowStoreRestart", _on(users.rights.resume))
    yield from _denied(users.rights, tuple(VERB_OF))


def _umask(settings: Settings, who: str) -> Lines:
    masks = umask_for(settings, who, 0o666), settings.get(f"{who}.directory_umask")
    return _line("Umask", *(f"{mask:04o}" for mask in masks))


def _sources(sources: tuple[str, ...]) -> Lines:
    modules = {name: module for module, name in SOURCES.items()}
    files = [one.partition(":")[2] for one in sources if one.startswith("file:")]
    if sources == BY_ITSELF or len(files) > 1:
        return
    known = [
        "mod_auth_file.c" if one.startswith("file:") else modules.get(one, one) for one in sources
    ]
    if all(re.fullmatch(r"mod_\w+\.c", one) for one in known):
        said, meant = PAM_ALONE
        if "mod_auth_unix.c" not in known:
            known = " ".join(known).replace(meant, said).split()
        yield from _line("AuthOrder", *known)
        yield from _optional("AuthUserFile", files[0] if files else None)


def _files(settings: Settings) -> Lines:
    files = settings.files
    if settings.users.dot_files is not DotFiles.FREE:
        yield from _line("PathDenyFilter", DOT_FILES)
    elif denied := _pattern(files.denied_uploads):
        yield from _line("PathDenyFilter", denied)
    if allowed := _pattern(files.allowed_uploads):
        yield from _line("PathAllowFilter", allowed)
    if files.hidden_until_complete:
        yield from _line("HiddenStores", "on")
    elif not files.keep_partial:
        yield from _line("DeleteAbortedStores", "on")


def _pattern(wanted: Names | None) -> str | None:
    return wanted.pattern if wanted and wanted.syntax is Syntax.REGEX else None


def _denied(rights: Rights, among: tuple[str, ...]) -> Lines:
    """A limit for what is not among the rights."""
    verbs = [verb for right in among if not getattr(rights, right) for verb in LIMITED[right]]
    if verbs:
        yield from _within(f"Limit {' '.join(verbs)}", iter(["DenyAll"]))


def _allowed(rights: Rights, among: tuple[str, ...], denied: Collection[str]) -> Lines:
    """A limit for the rights, without verbs that the server denies by name."""
    verbs = [
        verb
        for right in among
        if getattr(rights, right)
        for verb in LIMITED[right]
        if verb not in denied
    ]
    if verbs:
        yield from _within(f"Limit {' '.join(verbs)}", iter(["AllowAll"]))


def _anonymous(settings: Settings) -> Lines:
    anonymous = settings.anonymous
    root = anonymous.root or f"~{anonymous.user}"
    if _WRITABLE.fullmatch(root):
        yield f"# {TABLE['<Anonymous>'].what}"
        yield from _within(f"Anonymous {_quoted(root)}", _section(settings))


def _section(settings: Settings) -> Lines:
    anonymous, limits = settings.anonymous, settings.limits
    yield from _line("User", anonymous.user)
    aliases = ["*"] if anonymous.any_name else [n for n in anonymous.names if n != anonymous.user]
    for alias in aliases:
        yield from _line("UserAlias", alias, anonymous.user)
    if anonymous.user not in anonymous.names and not anonymous.any_name:
        yield from _line("AuthAliasOnly", "on")
    yield from _line("RequireValidShell", "off")
    if _narrower(settings) is Audience.USERS:
        yield from _line("AllowForeignAddress", "off")
    yield from _count("MaxClients", limits.anonymous_clients)
    each, all_ = limits.clients_per_user, limits.anonymous_clients
    if settings.users.enabled and each and (all_ is None or all_ > each):
        yield from _line("MaxClientsPerUser", "none")
    yield from _rates(limits.anonymous_upload_rate, limits.anonymous_download_rate)
    yield from _umask(settings, "anonymous")
    if anonymous.dot_files is not DotFiles.FREE:
        yield from _line("PathDenyFilter", DOT_FILES)
    if settings.tls.users is not settings.tls.anonymous and settings.tls.users is not TlsLevel.OFF:
        yield from _line("TLSRequired", _REQUIRED[settings.tls.anonymous])
    if not settings.users.enabled:
        yield from _within("Limit LOGIN", iter(["AllowAll"]))
    if settings.listing.hide_unreachable:
        yield from _line("HideNoAccess", "on")
    yield from _rights(settings)


def _rights(settings: Settings) -> Lines:
    """What may be done anywhere, and what in the drop boxes alone."""
    anonymous, box = settings.anonymous, settings.anonymous.drop_box
    rights = anonymous.rights
    if not box.directories:
        yield from _store(settings)
        yield from _denied(rights, tuple(VERB_OF))
        yield from _allowed(rights, tuple(VERB_OF), settings.commands.denied)
        return
    reading = ("list", "download")
    nothing = Rights(rights.list, rights.download)
    yield from _denied(nothing, tuple(VERB_OF))
    yield from _allowed(rights, reading, settings.commands.denied)
    inside = Rights(
        **{**{r: getattr(rights, r) for r in WRITING}, "list": box.listed, "download": box.readable}
    )
    for directory in box.directories:
        if _WRITABLE.fullmatch(directory):
            yield from _within(f"Directory {_quoted(directory)}", _box(settings, inside))


def _box(settings: Settings, inside: Rights) -> Lines:
    yield from _store(settings)
    yield from _denied(inside, tuple(VERB_OF))
    yield from _allowed(inside, tuple(VERB_OF), settings.commands.denied)


def _store(settings: Settings) -> Lines:
    rights = settings.anonymous.rights
    yield from _line("AllowOverwrite", _on(rights.overwrite))
    yield from _line("AllowStoreRestart", _on(rights.resume))
    yield from _optional("UserOwner", settings.anonymous.drop_box.owner)
