"""What an FTP server does, whichever daemon it is.

One value for each thing that can be set, grouped as an administrator thinks of it. Units are in
each setting's sentence: seconds, bytes, bytes a second; None is "no limit", "not set" or "off" as
the sentence says. The defaults are the safe ones: nobody can log in, nothing can be
written, no port is foreign. What a daemon does by default is the daemon's table's to say.

A setting is named by its path, ``anonymous.rights.overwrite``. ``Settings.origins`` has, for
each path, the file and line that set it, so that whoever judges a value can point at it.

Rights are what the daemon lets through; the permissions of files come on top of it. They are
kept in one form (``settled``): who may not upload may not overwrite either, and a verb that no
right admits is not denied once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

Host = IPv4Address | IPv6Address | str
"""An address, or a name that the server resolves."""

Path = str
"""Where a setting stands in `Settings`: the names of its fields, joined by dots."""


class Daemon(StrEnum):
    """Whose configuration it is."""

    VSFTPD = "vsftpd"
    PURE_FTPD = "pure-ftpd"
    PROFTPD = "proftpd"
    WU_FTPD = "wu-ftpd"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    ``line`` counts from 1; None: no line says it, and it is what the daemon does by itself.
    ``option`` is the daemon's name for it, empty where it has none.
    """

    file: str
    line: int | None = None
    option: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else f"{self.file} (default)"


class Start(StrEnum):
    """Who accepts control connections."""

    STANDALONE = "standalone"
    INETD = "inetd"


class Family(StrEnum):
    """Of which addresses control connections are accepted."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    BOTH = "both"


class Audience(StrEnum):
    """Who may do something that is not for all."""

    NOBODY = "nobody"
    USERS = "users"
    EVERYBODY = "everybody"


class TlsLevel(StrEnum):
    """How much of a session has to be inside TLS."""

    OFF = "off"
    OPTIONAL = "optional"
    CONTROL = "control"
    DATA = "data"


class DotFiles(StrEnum):
    """What may be done with names that begin with a dot."""

    FREE = "free"
    READ_ONLY = "read-only"
    HIDDEN = "hidden"


class Syntax(StrEnum):
    """How a pattern of names is written."""

    VSFTPD = "vsftpd"  # ? * {a,b}
    REGEX = "regex"  # POSIX extended


@dataclass(frozen=True, slots=True)
class Names:
    """A pattern that file names are held to."""

    pattern: str
    syntax: Syntax

    def __str__(self) -> str:
        return f"{self.pattern} ({self.syntax})"


class Section:
    """Settings that belong together."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Listen(Section):
    """Where control connections come in."""

    start: Annotated[Start, "a server of its own, or one session from inetd"] = Start.STANDALONE
    family: Annotated[Family, "of which addresses it accepts connections"] = Family.BOTH
    addresses: Annotated[tuple[Host, ...], "addresses it listens on; none named: every one"] = ()
    port: Annotated[int, "port of the control connection"] = 21


@dataclass(frozen=True, slots=True)
class Messages(Section):
    """What clients are told."""

    banner: Annotated[str | None, "text of the greeting; none: the daemon's"] = "FTP server ready."
    banner_file: Annotated[str | None, "file with the greeting, which goes first"] = None
    login_file: Annotated[str | None, "file shown after login"] = None
    goodbye_file: Annotated[str | None, "file shown at QUIT"] = None
    directory_file: Annotated[str | None, "name of the file shown on entering a directory"] = None


@dataclass(frozen=True, slots=True)
class Passive(Section):
    """Data connections that the client opens."""

    enabled: Annotated[bool, "PASV and EPSV are obeyed"] = True
    ports: Annotated[range | None, "ports it listens on; none named: any free one"] = None
    announced: Annotated[Host | None, "address in the 227 reply; none: the connection's own"] = None
    foreign: Annotated[Audience, "whose data may come from another address"] = Audience.NOBODY


@dataclass(frozen=True, slots=True)
class Active(Section):
    """Data connections that the server opens."""

    enabled: Annotated[bool, "PORT and EPRT are obeyed"] = True
    source_port: Annotated[int | None, "port it connects from; none: any free one"] = None
    foreign: Annotated[Audience, "whose PORT may name another address (bounce)"] = Audience.NOBODY


@dataclass(frozen=True, slots=True)
class Rights(Section):
    """What a session may do, as far as the daemon decides it."""

    list: Annotated[bool, "list directories"] = True
    download: Annotated[bool, "fetch files"] = True
    upload: Annotated[bool, "store new files"] = False
    overwrite: Annotated[bool, "store over files that exist"] = False
    append: Annotated[bool, "append to files that exist"] = False
    resume: Annotated[bool, "go on with an upload in the middle of a file (REST, STOR)"] = False
    delete: Annotated[bool, "delete files"] = False
    rename: Annotated[bool, "rename files and directories"] = False
    make_directory: Annotated[bool, "make directories"] = False
    remove_directory: Annotated[bool, "remove directories"] = False
    chmod: Annotated[bool, "change permissions (SITE CHMOD)"] = False
    touch: Annotated[bool, "set a file's time (MDTM with a time, MFMT)"] = False


ALL_RIGHTS = Rights(*(True,) * 12)
NO_RIGHTS = Rights(*(False,) * 12)

VERBS: Mapping[str, tuple[str, ...]] = {
    "list": ("LIST", "NLST", "MLSD", "MLST", "STAT"),
    "download": ("RETR",),
    "upload": ("STOR", "STOU"),
    "append": ("APPE",),
    "delete": ("DELE",),
    "rename": ("RNFR", "RNTO"),
    "make_directory": ("MKD", "XMKD"),
    "remove_directory": ("RMD", "XRMD"),
    "touch": ("MFMT",),
}
"""Right → the verbs that need it. The first is the one that it cannot do without."""


@dataclass(frozen=True, slots=True)
class DropBox(Section):
    """Where anonymous clients may upload, and what becomes of it."""

    directories: Annotated[
        tuple[str, ...],
        "directories for uploads; none named: wherever permissions of files allow it",
    ] = ()
    readable: Annotated[bool, "what anonymous clients uploaded can be fetched by them"] = False
    listed: Annotated[bool, "the directories for uploads can be listed"] = False
    shown: Annotated[bool, "the directories for uploads are named where they are"] = True
    owner: Annotated[str | None, "owner that uploads are given to; none: who uploaded"] = None
    owner_mode: Annotated[int | None, "mode of files that were given away; none: as uploaded"] = (
        None
    )
    quota_files: Annotated[int | None, "files in all of those directories"] = None
    quota_bytes: Annotated[int | None, "bytes in all of those directories"] = None


@dataclass(frozen=True, slots=True)
class Anonymous(Section):
    """Sessions of anybody."""

    enabled: Annotated[bool, "anybody may log in"] = False
    names: Annotated[tuple[str, ...], "user names that log in so"] = ("anonymous", "ftp")
    any_name: Annotated[bool, "every user name logs in so"] = False
    user: Annotated[str, "system user that the sessions run as"] = "ftp"
    root: Annotated[str | None, "root of what they see; none: the user's home"] = None
    ask_password: Annotated[bool, "a password is asked for, though any will do"] = True
    refused_passwords: Annotated[str | None, "file of passwords that are refused"] = None
    world_readable_only: Annotated[bool, "only files that all may read can be fetched"] = True
    dot_files: Annotated[DotFiles, "names that begin with a dot"] = DotFiles.HIDDEN
    file_umask: Annotated[int, "umask of files (octal)"] = 0o177
    directory_umask: Annotated[int, "umask of directories (octal)"] = 0o077
    rights: Rights = Rights()
    drop_box: DropBox = DropBox()


@dataclass(frozen=True, slots=True)
class Users(Section):
    """Sessions of those who have an account."""

    enabled: Annotated[bool, "accounts may log in"] = False
    sources: Annotated[tuple[str, ...], "where accounts are, in order: unix, pam, …"] = ("unix",)
    root: Annotated[str | None, "root of what they see; none: their home"] = None
    jailed: Annotated[bool, "they see nothing above their root"] = True
    jail_exceptions: Annotated[str | None, "who is an exception to that: a file, gid or group"] = (
        None
    )
    writable_root: Annotated[bool, "they may log in though they could write to their root"] = False
    user_list: Annotated[str | None, "file of user names that is asked before the password"] = None
    user_list_allows: Annotated[bool, "only those in that file may log in, not all others"] = False
    denied_list: Annotated[bool, "those in /etc/ftpusers may not log in"] = True
    root_login: Annotated[bool, "root may log in"] = False
    valid_shell: Annotated[bool, "only who has a shell of /etc/shells may log in"] = True
    lowest_uid: Annotated[int | None, "lowest uid that may log in"] = 1000
    dot_files: Annotated[DotFiles, "names that begin with a dot"] = DotFiles.FREE
    file_umask: Annotated[int, "umask of files (octal)"] = 0o077
    directory_umask: Annotated[int, "umask of directories (octal)"] = 0o077
    rights: Rights = Rights()


@dataclass(frozen=True, slots=True)
class Files(Section):
    """How files and their names are treated, whoever has logged in."""

    denied: Annotated[Names | None, "names that can be neither stored nor fetched"] = None
    denied_uploads: Annotated[Names | None, "names that cannot be stored"] = None
    allowed_uploads: Annotated[Names | None, "only names like this can be stored"] = None
    allowed_downloads: Annotated[Names | None, "only names like this can be fetched"] = None
    unlisted: Annotated[Names | None, "names that are not listed, though they can be fetched"] = (
        None
    )
    base_mode: Annotated[int, "mode of new files, before the umask (octal)"] = 0o666
    hidden_until_complete: Annotated[bool, "uploads have another name until they are whole"] = True
    rename_uploads: Annotated[bool, "an upload whose name exists gets a new one"] = False
    keep_partial: Annotated[bool, "uploads that broke off are kept"] = True


@dataclass(frozen=True, slots=True)
class Limits(Section):
    """How much of everything."""

    clients: Annotated[int | None, "sessions at a time"] = 50
    clients_per_address: Annotated[int | None, "sessions at a time from one address"] = 5
    clients_from_login: Annotated[
        bool, "sessions count from the login on, not from the connection"
    ] = False
    clients_per_address_from_login: Annotated[
        bool, "those of one address count from the login on, not from the connection"
    ] = False
    clients_per_user: Annotated[int | None, "sessions at a time of one user name"] = None
    anonymous_clients: Annotated[int | None, "anonymous sessions at a time"] = None
    anonymous_upload_rate: Annotated[int | None, "bytes a second, anonymous uploads"] = None
    anonymous_download_rate: Annotated[int | None, "bytes a second, anonymous downloads"] = None
    user_upload_rate: Annotated[int | None, "bytes a second, uploads of users"] = None
    user_download_rate: Annotated[int | None, "bytes a second, downloads of users"] = None
    quota_files: Annotated[int | None, "files in a user's root"] = None
    quota_bytes: Annotated[int | None, "bytes in a user's root"] = None
    upload_bytes: Annotated[int | None, "bytes of one upload"] = None
    full_disk: Annotated[int | None, "per cent; no uploads to a file system fuller than this"] = 90
    load: Annotated[int | None, "no anonymous downloads above this load"] = None


@dataclass(frozen=True, slots=True)
class Timeouts(Section):
    """How long it waits, in seconds."""

    idle: Annotated[int | None, "seconds between two commands"] = 300
    login: Annotated[int | None, "seconds until login"] = 60
    no_transfer: Annotated[int | None, "seconds without a data connection"] = None
    stalled: Annotated[int | None, "seconds without progress of a transfer"] = 300
    session: Annotated[int | None, "seconds of a whole session"] = None
    accept: Annotated[int | None, "seconds until a passive connection comes"] = 60
    connect: Annotated[int | None, "seconds until an active connection is made"] = 60


@dataclass(frozen=True, slots=True)
class Login(Section):
    """Failed logins."""

    failures: Annotated[int | None, "failed logins until the session ends"] = 3
    failure_delay: Annotated[int, "seconds until a failed login is answered"] = 1
    success_delay: Annotated[int, "seconds until a login is answered"] = 0


@dataclass(frozen=True, slots=True)
class Tls(Section):
    """FTPS."""

    anonymous: Annotated[TlsLevel, "anonymous sessions: what has to be inside TLS"] = TlsLevel.OFF
    users: Annotated[TlsLevel, "sessions of users: what has to be inside TLS"] = TlsLevel.OFF
    implicit: Annotated[bool, "TLS from the first byte (port 990)"] = False
    certificate: Annotated[str | None, "file of the certificate"] = None
    key: Annotated[str | None, "file of the key; none: in the certificate's"] = None
    ciphers: Annotated[str | None, "OpenSSL's cipher list; none: the daemon's"] = None
    session_reuse: Annotated[bool, "data connections must resume their control connection's"] = True
    client_certificate: Annotated[bool, "clients must have a certificate"] = False
    certificate_checked: Annotated[bool, "one that a client shows must be vouched for"] = False
    authorities: Annotated[str | None, "file of the authorities of clients' certificates"] = None
    obsolete: Annotated[tuple[str, ...], "versions before TLS 1.2 that are spoken"] = ()


@dataclass(frozen=True, slots=True)
class Logs(Section):
    """What is written down."""

    transfers: Annotated[str | None, "file of transfers"] = "/var/log/xferlog"
    transfer_format: Annotated[str, "how: xferlog, clf, stats, w3c or vsftpd"] = "xferlog"
    daemon: Annotated[str | None, "file of the daemon's own log"] = None
    syslog: Annotated[str | None, "syslog facility of the daemon's log; none: no syslog"] = "ftp"
    commands: Annotated[bool, "every command is logged"] = False
    wtmp: Annotated[bool, "logins are in wtmp"] = False
    resolve: Annotated[bool, "client addresses are resolved to names"] = False


@dataclass(frozen=True, slots=True)
class Listing(Section):
    """What a listing shows."""

    hide_ids: Annotated[bool, "owners and groups are not shown"] = True
    depth: Annotated[
        int | None, "levels of a recursive listing; 0: no recursion, none: no limit"
    ] = 0
    entries: Annotated[int | None, "entries at most"] = 10000
    dot_files: Annotated[bool, "names that begin with a dot are shown unasked"] = False
    hide_unreachable: Annotated[bool, "what the session could not open is not shown"] = False
    local_time: Annotated[bool, "times are local, not GMT"] = False


@dataclass(frozen=True, slots=True)
class Commands(Section):
    """Verbs, beyond what rights say (upper case, sorted)."""

    denied: Annotated[tuple[str, ...], "verbs that are refused"] = ()
    allowed: Annotated[tuple[str, ...] | None, "no other verbs are obeyed; none: all"] = None


@dataclass(frozen=True, slots=True)
class Process(Section):
    """What the daemon runs as."""

    user: Annotated[str | None, "system user of what needs no privilege"] = "nobody"
    group: Annotated[str | None, "its group; none: the user's"] = None
    pid_file: Annotated[str | None, "file with the pid of the server"] = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it; ``origins`` says for each path where its value comes from."""

    listen: Listen = Listen()
    messages: Messages = Messages()
    passive: Passive = Passive()
    active: Active = Active()
    anonymous: Anonymous = Anonymous()
    users: Users = Users()
    files: Files = Files()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    login: Login = Login()
    tls: Tls = Tls()
    logs: Logs = Logs()
    listing: Listing = Listing()
    commands: Commands = Commands()
    process: Process = Process()
    origins: Mapping[Path, Origin] = field(
        default_factory=dict, compare=False, repr=False, hash=False
    )

    def origin(self, path: Path) -> Origin:
        """Where a value comes from; the safe defaults of this module where nobody said."""
        return self.origins.get(path, DEFAULTS)

    def get(self, path: Path) -> Any:
        """The value at a path."""
        value: Any = self
        for name in path.split("."):
            value = getattr(value, name)
        return value


DEFAULTS = Origin("ftpfw")


@cache
def paths() -> Mapping[Path, str]:
    """Every path, in order, and its sentence."""
    return MappingProxyType(dict(_leaves(Settings(), "")))


def _leaves(node: Any, prefix: str) -> Iterator[tuple[Path, str]]:
    for name, hint in get_type_hints(type(node), include_extras=True).items():
        below = getattr(node, name)
        if isinstance(below, Section):
            yield from _leaves(below, f"{prefix}{name}.")
        elif name != "origins":
            yield prefix + name, *hint.__metadata__


def changed(settings: Settings, changes: Mapping[Path, Any]) -> Settings:
    """The settings with other values at some paths; KeyError for a path that there is not."""
    if unknown := changes.keys() - paths().keys():
        raise KeyError(*sorted(unknown))
    made: Settings = _changed(settings, changes, "")
    return made


def _changed(node: Any, changes: Mapping[Path, Any], prefix: str) -> Any:
    values = {}
    for one in fields(node):
        path = prefix + one.name
        below = getattr(node, one.name)
        if isinstance(below, Section):
            if any(other.startswith(f"{path}.") for other in changes):
                values[one.name] = _changed(below, changes, f"{path}.")
        elif path in changes:
            values[one.name] = changes[path]
    return replace(node, **values)


def differences(one: Settings, other: Settings) -> tuple[Path, ...]:
    """The paths at which two settings differ, in order."""
    return tuple(path for path in paths() if one.get(path) != other.get(path))


def file_mode(settings: Settings, who: str) -> int:
    """The mode of a new file of ``anonymous`` sessions or ``users``, after it was given away."""
    box = settings.anonymous.drop_box
    if who == "anonymous" and box.owner is not None and box.owner_mode is not None:
        return box.owner_mode
    umask: int = settings.get(f"{who}.file_umask")
    return settings.files.base_mode & ~umask


def umask_for(settings: Settings, who: str, base: int) -> int:
    """The umask by which files get the same mode from another base; the same if that is the base.

    Bits that the base lacks cannot be given by any umask.
    """
    umask: int = settings.get(f"{who}.file_umask")
    if settings.files.base_mode & ~umask == file_mode(settings, who) == base & ~umask:
        return umask
    return ~file_mode(settings, who) & 0o777


def alike(one: Settings, other: Settings, path: Path) -> bool:
    """Whether what differs at a path comes to the same: modes of files, whatever makes them."""
    match path.rpartition("."):
        case ("anonymous" | "users") as who, _, "file_umask":
            return file_mode(one, who) == file_mode(other, who)
        case "anonymous.drop_box", _, "owner_mode":
            return file_mode(one, "anonymous") == file_mode(other, "anonymous")
        case "files", _, "base_mode":
            store = [who for who in ("anonymous", "users") if matters(one, f"{who}.file_umask")]
            return all(file_mode(one, who) == file_mode(other, who) for who in store)
        case _:
            return False


def matters(settings: Settings, path: Path) -> bool:
    """Whether a setting has any effect, as the others are."""
    return not any(path.startswith(prefix) and idle(settings) for prefix, idle in _IDLE)


def _no_tls(settings: Settings) -> bool:
    return settings.tls.anonymous is TlsLevel.OFF and settings.tls.users is TlsLevel.OFF


def _stores(settings: Settings) -> bool:
    return any(who.enabled and who.rights.upload for who in (settings.anonymous, settings.users))


_IDLE: tuple[tuple[Path, Callable[[Settings], bool]], ...] = (
    ("anonymous.", lambda all_: not all_.anonymous.enabled),
    ("limits.anonymous_", lambda all_: not all_.anonymous.enabled),
    ("tls.anonymous", lambda all_: not all_.anonymous.enabled),
    ("anonymous.names", lambda all_: all_.anonymous.any_name),
    ("anonymous.drop_box.", lambda all_: not all_.anonymous.rights.upload),
    ("anonymous.file_umask", lambda all_: not all_.anonymous.rights.upload),
    ("files.base_mode", lambda all_: not _stores(all_)),
    ("anonymous.directory_umask", lambda all_: not all_.anonymous.rights.make_directory),
    ("limits.anonymous_upload_rate", lambda all_: not all_.anonymous.rights.upload),
    ("users.", lambda all_: not all_.users.enabled),
    ("limits.user_", lambda all_: not all_.users.enabled),
    ("limits.quota_", lambda all_: not all_.users.enabled),
    ("tls.users", lambda all_: not all_.users.enabled),
    ("users.file_umask", lambda all_: not all_.users.rights.upload),
    ("users.directory_umask", lambda all_: not all_.users.rights.make_directory),
    ("limits.user_upload_rate", lambda all_: not all_.users.rights.upload),
    ("passive.", lambda all_: not all_.passive.enabled),
    ("active.", lambda all_: not all_.active.enabled),
    *(
        (f"tls.{name}", _no_tls)
        for name in ("certificate", "key", "ciphers", "session_reuse", "client_certificate")
    ),
    ("tls.certificate_checked", _no_tls),
    ("listing.hide_unreachable", lambda all_: not all_.anonymous.enabled),
    ("tls.authorities", _no_tls),
    ("tls.obsolete", _no_tls),
    ("logs.transfer_format", lambda all_: all_.logs.transfers is None),
    ("limits.clients_from_login", lambda all_: all_.limits.clients is None),
    (
        "limits.clients_per_address_from_login",
        lambda all_: all_.limits.clients_per_address is None,
    ),
    ("anonymous.drop_box.shown", lambda all_: not all_.anonymous.drop_box.directories),
)
"""The beginning of a path, and when what it names does nothing.

``anonymous.enabled`` and ``users.enabled`` differ where one of two is on, so they are not lost.
"""


def settled(settings: Settings) -> Settings:
    """The same in its one form: see the module's text."""
    denied = frozenset(settings.commands.denied)
    allowed = settings.commands.allowed
    anonymous, users = (
        _settled_rights(rights, denied, allowed)
        for rights in (settings.anonymous.rights, settings.users.rights)
    )
    implied = {
        verb
        for right, verbs in VERBS.items()
        if not getattr(anonymous, right) and not getattr(users, right)
        for verb in verbs
    }
    return replace(
        settings,
        anonymous=replace(settings.anonymous, rights=anonymous),
        users=replace(settings.users, rights=users),
        commands=Commands(
            tuple(sorted(denied - implied)),
            None if allowed is None else tuple(sorted({*allowed})),
        ),
    )


def _settled_rights(
    rights: Rights, denied: frozenset[str], allowed: tuple[str, ...] | None
) -> Rights:
    """Rights without those whose verb is refused, or that need one which is not there."""
    lost = {
        right: False
        for right, (verb, *_) in VERBS.items()
        if verb in denied or (allowed is not None and verb not in allowed)
    }
    if "SITE" in denied or (allowed is not None and "SITE" not in allowed):
        lost["chmod"] = False
    rights = replace(rights, **lost)
    if not rights.upload:
        rights = replace(rights, overwrite=False, resume=False)
    return rights
