"""What an audit looks for in the settings of a server: one row a finding.

Each row says what is wrong, why that matters, which settings show it, and what would be right. The
mend is then told in the daemon's own words (``audit``). ``otherwise`` is said where the daemon has
no word for it.

    error     can be abused as it stands, or does not work
    warning   can be abused together with something else, or hides that it is
    note      worth knowing
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ftpfw.server.settings import Audience, DotFiles, Path, Settings, Start, TlsLevel


class Severity(StrEnum):
    """How bad a finding is; the words are those of SARIF."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One row. ``paths`` are the settings to point at, ``right`` what mends it."""

    id: str
    severity: Severity
    what: str
    why: str
    holds: Callable[[Settings], bool]
    paths: tuple[Path, ...]
    right: Mapping[Path, Any] = field(default_factory=dict)
    otherwise: str = ""


def _anybody(settings: Settings) -> bool:
    return settings.anonymous.enabled


def _stores(settings: Settings) -> bool:
    return settings.anonymous.enabled and settings.anonymous.rights.upload


def _may(right: str) -> Callable[[Settings], bool]:
    return lambda all_: all_.anonymous.enabled and bool(getattr(all_.anonymous.rights, right))


def _standalone(settings: Settings) -> bool:
    return settings.listen.start is Start.STANDALONE


def _unpinned(settings: Settings) -> bool:
    ports = settings.passive.ports
    return settings.passive.enabled and (ports is None or len(ports) > WIDE)


def _tls(settings: Settings) -> bool:
    levels = [settings.tls.anonymous] * settings.anonymous.enabled
    levels += [settings.tls.users] * settings.users.enabled
    return any(level is not TlsLevel.OFF for level in levels)


WIDE = 4096
"""More passive ports than this are no range that a firewall would pin."""

EPHEMERAL = range(32768, 61000)
"""Linux's net.ipv4.ip_local_port_range, unless it is set to something else."""

PINNED = range(61000, 61200)
"""A range above it."""

_ALONE = "chown root:ftp and chmod 1730 the directory: clients can add to it, not look into it"

CHECKS = (
    # uploads of anybody
    Check(
        "anonymous-overwrite",
        Severity.ERROR,
        "anonymous clients can overwrite files",
        "anybody can replace what others have stored or will fetch",
        _may("overwrite"),
        ("anonymous.rights.overwrite",),
        {
            "anonymous.rights.overwrite": False,
            "anonymous.rights.resume": False,
            "anonymous.rights.append": False,
            "files.hidden_until_complete": False,
        },
        "switch off what else goes with it: append, delete, rename",
    ),
    Check(
        "anonymous-append",
        Severity.ERROR,
        "anonymous clients can write into files that exist",
        "APPE, and REST before STOR, change what others have stored",
        lambda all_: _may("append")(all_) or _may("resume")(all_),
        ("anonymous.rights.append", "anonymous.rights.resume"),
        {"anonymous.rights.append": False, "anonymous.rights.resume": False},
        "switch off what else goes with it: overwrite, delete, rename",
    ),
    Check(
        "anonymous-delete",
        Severity.ERROR,
        "anonymous clients can delete",
        "anybody can empty the drop box",
        lambda all_: _may("delete")(all_) or _may("remove_directory")(all_),
        ("anonymous.rights.delete", "anonymous.rights.remove_directory"),
        {"anonymous.rights.delete": False, "anonymous.rights.remove_directory": False},
        "switch off what else goes with it: overwrite, append, rename",
    ),
    Check(
        "anonymous-rename",
        Severity.ERROR,
        "anonymous clients can rename",
        "a rename replaces files, and moves them to where they can be fetched",
        _may("rename"),
        ("anonymous.rights.rename",),
        {"anonymous.rights.rename": False},
        "switch off what else goes with it: overwrite, append, delete",
    ),
    Check(
        "anonymous-chmod",
        Severity.ERROR,
        "anonymous clients can change permissions",
        "SITE CHMOD makes an upload readable to all, or executable",
        _may("chmod"),
        ("anonymous.rights.chmod",),
        {"anonymous.rights.chmod": False},
    ),
    Check(
        "anonymous-directories",
        Severity.WARNING,
        "anonymous clients can make directories",
        "trees of hidden directories are how a drop box becomes a warez dump",
        _may("make_directory"),
        ("anonymous.rights.make_directory",),
        {"anonymous.rights.make_directory": False},
    ),
    Check(
        "drop-box-readable",
        Severity.ERROR,
        "what anonymous clients upload, anonymous clients can fetch",
        "strangers exchange files through this server, and its owner answers for them",
        lambda all_: _stores(all_) and all_.anonymous.drop_box.readable,
        ("anonymous.drop_box.readable", "anonymous.rights.upload"),
        {
            "anonymous.drop_box.readable": False,
            "anonymous.drop_box.directories": ("incoming",),
            "anonymous.world_readable_only": True,
            "anonymous.file_umask": 0o177,
        },
        "give uploads a umask of 0177, to an owner that anonymous sessions do not run as",
    ),
    Check(
        "drop-box-anywhere",
        Severity.NOTE,
        "no directory for uploads is named: permissions of files alone decide where they go",
        "one directory too many that the user can write to is a second drop box",
        lambda all_: _stores(all_) and not all_.anonymous.drop_box.directories,
        ("anonymous.drop_box.directories", "anonymous.rights.upload"),
        {"anonymous.drop_box.directories": ("incoming",)},
        f"let the anonymous user own nothing, and give it one directory: {_ALONE}",
    ),
    Check(
        "drop-box-listed",
        Severity.NOTE,
        "nothing but permissions of files keeps the drop box from being listed",
        "names of uploads tell strangers what there is",
        lambda all_: _stores(all_) and all_.anonymous.drop_box.listed,
        ("anonymous.drop_box.listed", "anonymous.rights.upload"),
        {"anonymous.drop_box.listed": False, "anonymous.drop_box.directories": ("incoming",)},
        _ALONE,
    ),
    Check(
        "upload-modes",
        Severity.WARNING,
        "anonymous uploads can be written or executed by others",
        "what a stranger stored is run or changed by somebody else on this host",
        lambda all_: (
            _stores(all_)
            and all_.anonymous.drop_box.owner_mode is None
            and bool(all_.files.base_mode & ~all_.anonymous.file_umask & 0o133)
        ),
        ("anonymous.file_umask",),
        {"anonymous.file_umask": 0o177},
    ),
    Check(
        "dot-files",
        Severity.WARNING,
        "anonymous clients can store names that begin with a dot",
        ".rhosts, .ssh and .message mean something to other programs, and listings hide them",
        lambda all_: _stores(all_) and all_.anonymous.dot_files is DotFiles.FREE,
        ("anonymous.dot_files",),
        {"anonymous.dot_files": DotFiles.HIDDEN, "users.dot_files": DotFiles.HIDDEN},
    ),
    Check(
        "upload-without-bound",
        Severity.WARNING,
        "nothing bounds what anonymous clients can store",
        "a stranger fills the disk: for logs and mail on the same file system too",
        lambda all_: (
            _stores(all_) and all_.limits.full_disk is None and all_.limits.upload_bytes is None
        ),
        ("limits.full_disk", "limits.upload_bytes"),
        {"limits.full_disk": 90, "limits.upload_bytes": 1 << 30},
        "put the drop box onto a file system of its own",
    ),
    Check(
        "upload-without-log",
        Severity.WARNING,
        "anonymous uploads are logged nowhere",
        "nobody can tell later who stored what, and from where",
        lambda all_: (
            _stores(all_)
            and all_.logs.transfers is None
            and all_.logs.syslog is None
            and all_.logs.daemon is None
        ),
        ("logs.transfers", "logs.syslog"),
        {"logs.transfer_format": "xferlog", "logs.transfers": "/var/log/xferlog"},
    ),
    Check(
        "any-name",
        Severity.NOTE,
        "every user name logs in as anonymous",
        "who has an account somewhere sends its password to a server that takes any",
        lambda all_: _anybody(all_) and all_.anonymous.any_name,
        ("anonymous.any_name",),
        {"anonymous.any_name": False},
        "nothing: with accounts too, only anonymous and ftp would log in so",
    ),
    # data connections
    Check(
        "bounce",
        Severity.ERROR,
        "PORT may name another host",
        "the server opens connections to whomever a client names: port scans and worse (RFC 2577)",
        lambda all_: all_.active.enabled and all_.active.foreign is not Audience.NOBODY,
        ("active.foreign",),
        {
            "active.foreign": Audience.NOBODY,
            "passive.foreign": Audience.NOBODY,
        },
    ),
    Check(
        "passive-theft",
        Severity.ERROR,
        "passive data connections are taken from any address",
        "who guesses the port is sent the file, or stores another in its place (RFC 2577)",
        lambda all_: all_.passive.enabled and all_.passive.foreign is not Audience.NOBODY,
        ("passive.foreign",),
        {"passive.foreign": Audience.NOBODY, "active.foreign": Audience.NOBODY},
    ),
    Check(
        "passive-unpinned",
        Severity.WARNING,
        "the passive ports are no narrow range",
        "a firewall that cannot follow the session has to open all of them",
        lambda all_: _unpinned(all_) and not _tls(all_),
        ("passive.ports",),
        {"passive.ports": PINNED},
    ),
    Check(
        "ftps-unpinned",
        Severity.ERROR,
        "FTPS without a range of passive ports",
        "no firewall can read inside TLS which port comes next: data connections fail or all"
        " ports stay open",
        lambda all_: _unpinned(all_) and _tls(all_),
        ("passive.ports", "tls.users"),
        {"passive.ports": PINNED},
    ),
    Check(
        "passive-ephemeral",
        Severity.NOTE,
        "the passive ports are among those that the kernel gives to outgoing connections",
        "now and then one of them is taken already",
        lambda all_: (
            all_.passive.enabled
            and not _unpinned(all_)
            and bool(all_.passive.ports)
            and _overlap(all_.passive.ports or range(0), EPHEMERAL)
        ),
        ("passive.ports",),
        {"passive.ports": PINNED},
    ),
    Check(
        "active-from-20",
        Severity.NOTE,
        "active data leaves from port 20",
        "firewalls that trust source port 20 let anybody in who takes it",
        lambda all_: all_.active.enabled and all_.active.source_port == 20,
        ("active.source_port",),
        {"active.source_port": None},
        "have no firewall rule depend on it",
    ),
    # how many
    Check(
        "clients-without-limit",
        Severity.WARNING,
        "any number of clients at a time",
        "a flood of sessions takes all processes and memory of this host",
        lambda all_: _standalone(all_) and all_.limits.clients is None,
        ("limits.clients",),
        {"limits.clients": 50},
    ),
    Check(
        "clients-per-address-without-limit",
        Severity.WARNING,
        "one address can have every session",
        "a single client keeps all others out",
        lambda all_: _standalone(all_) and all_.limits.clients_per_address is None,
        ("limits.clients_per_address",),
        {"limits.clients_per_address": 5},
    ),
    Check(
        "idle-without-limit",
        Severity.WARNING,
        "sessions may stay idle for ever",
        "idle sessions use up the limit of clients",
        lambda all_: all_.timeouts.idle is None,
        ("timeouts.idle",),
        {"timeouts.idle": 300},
    ),
    Check(
        "failures-without-limit",
        Severity.WARNING,
        "passwords can be tried without end in one session",
        "guessing costs no new connection, and passes limits of connections",
        lambda all_: all_.users.enabled and all_.login.failures is None,
        ("login.failures",),
        {"login.failures": 3},
    ),
    # accounts
    Check(
        "root-login",
        Severity.ERROR,
        "root may log in",
        "one password away from the whole host",
        lambda all_: all_.users.enabled and all_.users.root_login,
        ("users.root_login",),
        {"users.root_login": False},
    ),
    Check(
        "users-not-jailed",
        Severity.WARNING,
        "users see the whole file system",
        "a stolen password shows /etc and every file that is readable to all",
        lambda all_: all_.users.enabled and not all_.users.jailed,
        ("users.jailed",),
        {"users.jailed": True},
    ),
    Check(
        "writable-root",
        Severity.ERROR,
        "users may write to the root of their jail",
        "who can write there can place files that the daemon reads inside of it, and break out",
        lambda all_: (
            all_.users.enabled
            and all_.users.jailed
            and all_.users.writable_root
            and all_.origin("users.writable_root").line is not None
        ),
        ("users.writable_root",),
        {"users.writable_root": False},
    ),
    Check(
        "users-executable",
        Severity.NOTE,
        "files of users can be written by all",
        "a umask without 002 leaves them open to every account",
        lambda all_: (
            all_.users.enabled
            and all_.users.rights.upload
            and bool(all_.files.base_mode & ~all_.users.file_umask & 0o002)
        ),
        ("users.file_umask",),
        {"users.file_umask": 0o077},
    ),
    # TLS
    Check(
        "password-in-clear",
        Severity.WARNING,
        "accounts log in without TLS",
        "passwords cross the network as they are",
        lambda all_: all_.users.enabled and all_.tls.users is TlsLevel.OFF,
        ("tls.users", "users.enabled"),
        {"tls.users": TlsLevel.DATA},
    ),
    Check(
        "tls-optional",
        Severity.WARNING,
        "accounts may log in without TLS",
        "who sits in between has only to take AUTH away",
        lambda all_: all_.users.enabled and all_.tls.users is TlsLevel.OPTIONAL,
        ("tls.users",),
        {"tls.users": TlsLevel.DATA},
    ),
    Check(
        "tls-session-reuse",
        Severity.WARNING,
        "data connections need not belong to their control connection",
        "who connects first to the passive port gets the file, TLS or not",
        lambda all_: _tls(all_) and not all_.tls.session_reuse,
        ("tls.session_reuse",),
        {"tls.session_reuse": True},
        "nothing: passive.foreign is the only guard here",
    ),
    Check(
        "tls-obsolete",
        Severity.WARNING,
        "versions before TLS 1.2 are spoken",
        "they can be broken, and a client may be talked into them",
        lambda all_: _tls(all_) and bool(all_.tls.obsolete),
        ("tls.obsolete",),
        {"tls.obsolete": ()},
    ),
    # the rest
    Check(
        "banner-tells",
        Severity.NOTE,
        "the greeting names the daemon",
        "it tells which holes to try",
        lambda all_: all_.messages.banner is None and all_.messages.banner_file is None,
        ("messages.banner",),
        {"messages.banner": "FTP server ready."},
    ),
    Check(
        "recursion",
        Severity.NOTE,
        "listings go through directories to any depth",
        "a single LIST -R keeps the disk busy",
        lambda all_: all_.listing.depth is None,
        ("listing.depth",),
        {"listing.depth": 0},
        "ListOptions with maxdepth",
    ),
)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
