"""Every option of Pure-FTPd 1.0.50: keyword, flags, default.

The keyword is that of pure-ftpd.conf, which Debian's ``conf/`` directory uses as well. The
argument is written here as for the flag, with a colon between two numbers. An empty default
is that of an option that is not given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftpfw.server.options import Link, Option, inverse, link, none_is
from ftpfw.server.settings import Path, paths

YES_NO = "yes or no"
NUMBER = "a number"
TEXT = "text"
PAIR = "two numbers"  # with a blank between them in pure-ftpd.conf
COLON_PAIR = "two numbers and a colon"
UMASK = "two octal numbers"
RATE = "one or two numbers"

KIB = 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Flag:
    """How an option is given on the command line."""

    short: str
    long: str


def _times(unit: int, path: Path) -> Link:
    """A setting in a finer unit than the option's; rounded down, but never to nothing."""
    return Link(
        path,
        lambda raw: raw * unit if raw else None,
        lambda value: max(1, value // unit) if value else 0,
    )


def _few(path: Path, highest: int = 2**31 - 1) -> Link:
    """A number from 1 on, None where the option is not given."""
    return Link(
        path,
        lambda raw: None if raw == "" else raw,
        lambda value: "" if value is None else min(max(value, 1), highest),
    )


def _row(
    keyword: str,
    flag: str,
    kind: str,
    target: tuple[Path, ...] | Link | str,
    what: str = "",
    *,
    default: str = "",
    harmless: tuple[str, ...] | None = None,
    documented: str = "",
    build: str = "",
) -> tuple[Option, Flag]:
    """A row; ``target`` is a link, the paths it has a say in, or what it is about."""
    if kind == YES_NO:
        default = "no"
    short, _, long = flag.partition(" ")
    option = Option(keyword, kind, default, (), None, what, harmless, documented, build)
    match target:
        case Link():
            sentence = what or paths()[target.path]
            option = replace(option, paths=(target.path,), link=target, what=sentence)
        case str():
            option = replace(option, what=target)
        case _:
            option = replace(option, paths=target)
    return option, Flag(short, long)


_SOURCES = ("users.sources",)
_FXP = ("active.foreign", "passive.foreign")
_UPLOAD = ("anonymous.rights.upload", "anonymous.rights.overwrite")
_TRUNCATE = ("anonymous.rights.overwrite", "files.hidden_until_complete")
_RATE_OF_ALL = (
    "limits.user_upload_rate",
    "limits.user_download_rate",
    "limits.anonymous_upload_rate",
    "limits.anonymous_download_rate",
)
_MASKS = (
    "anonymous.file_umask",
    "anonymous.directory_umask",
    "users.file_umask",
    "users.directory_umask",
    "files.base_mode",
)
_WAITING = ("timeouts.idle", "timeouts.stalled", "timeouts.accept", "timeouts.connect")
_NO = ("no",)

_ROWS = (
    _row(
        "SyslogFacility",
        "f syslogfacility",
        TEXT,
        none_is("none", "logs.syslog"),
        default="ftp",
    ),
    # control connections
    _row(
        "Bind",
        "S bind",
        TEXT,
        ("listen.addresses", "listen.port"),
        "a port, an address and a comma, or both with a comma between them",
    ),
    _row("IPV4Only", "4 ipv4only", YES_NO, ("listen.family",), "listens on IPv4 alone"),
    _row("IPV6Only", "6 ipv6only", YES_NO, ("listen.family",), "listens on IPv6 alone"),
    _row("Daemonize", "B daemonize", YES_NO, "whether the start-up command returns"),
    _row(
        "PIDFile",
        "g pidfile",
        TEXT,
        none_is("", "process.pid_file"),
        default="/var/run/pure-ftpd.pid",
    ),
    _row("Bonjour", "v bonjour", TEXT, "announces the server on macOS", build="macOS"),
    # messages
    _row("FortunesFile", "F fortunesfile", TEXT, none_is("", "messages.banner_file")),
    # data connections
    _row(
        "PassivePortRange",
        "p passiveportrange",
        PAIR,
        ("passive.ports", "limits.clients"),
        "passive ports; there are half as many sessions at most",
        default="1024:65535",
    ),
    _row(
        "ForcePassiveIP",
        "P forcepassiveip",
        TEXT,
        ("passive.announced",),
        "the address in the 227 reply",
    ),
    _row("NATmode", "N natmode", YES_NO, inverse("passive.enabled"), "active connections alone"),
    _row("AllowUserFXP", "w allowuserfxp", YES_NO, _FXP, "data of users from other addresses"),
    _row(
        "AllowAnonymousFXP", "W allowanonymousfxp", YES_NO, _FXP, "data of all from other addresses"
    ),
    _row(
        "BrokenClientsCompatibility",
        "b brokenclientscompatibility",
        YES_NO,
        "bends the protocol for odd clients",
    ),
    # who logs in
    _row(
        "NoAnonymous",
        "E noanonymous",
        YES_NO,
        ("anonymous.enabled",),
        "nobody logs in without an account",
    ),
    _row(
        "AnonymousOnly",
        "e anonymousonly",
        YES_NO,
        ("users.enabled", "anonymous.any_name"),
        "no accounts; every user name is an anonymous one",
    ),
    _row("UnixAuthentication", "", YES_NO, _SOURCES, "accounts of /etc/passwd"),
    _row("PAMAuthentication", "", YES_NO, _SOURCES, "accounts that PAM knows"),
    _row("PureDB", "", TEXT, _SOURCES, "file of virtual users"),
    _row("LDAPConfigFile", "", TEXT, _SOURCES, "accounts of a directory"),
    _row("MySQLConfigFile", "", TEXT, _SOURCES, "accounts of a MySQL database"),
    _row("PGSQLConfigFile", "", TEXT, _SOURCES, "accounts of a PostgreSQL database"),
    _row("ExtAuth", "", TEXT, _SOURCES, "socket of a program that knows the accounts"),
    _row("MinUID", "u minuid", NUMBER, none_is(0, "users.lowest_uid"), default="0"),
    _row("TrustedIP", "V trustedip", TEXT, "accounts only on one local address", harmless=("",)),
    _row("CreateHomeDir", "j createhomedir", YES_NO, "makes homes that are missing"),
    _row(
        "ChrootEveryone",
        "A chrooteveryone",
        YES_NO,
        ("users.jailed", "users.jail_exceptions"),
        "users see nothing above their home",
    ),
    _row(
        "TrustedGID",
        "a trustedgid",
        NUMBER,
        ("users.jailed", "users.jail_exceptions"),
        "the same, but for members of one group",
    ),
    # rights
    _row(
        "AnonymousCantUpload",
        "i anonymouscantupload",
        YES_NO,
        _UPLOAD,
        "anonymous clients store nothing; otherwise they do, where permissions allow",
    ),
    _row(
        "AnonymousCanCreateDirs",
        "M anonymouscancreatedirs",
        YES_NO,
        link("anonymous.rights.make_directory"),
    ),
    _row("NoRename", "G norename", YES_NO, inverse("users.rights.rename"), "nobody renames"),
    _row("NoChmod", "R nochmod", YES_NO, inverse("users.rights.chmod"), "no SITE CHMOD"),
    _row("KeepAllFiles", "K keepallfiles", YES_NO, inverse("users.rights.delete"), "no DELE"),
    _row(
        "AntiWarez",
        "s antiwarez",
        YES_NO,
        inverse("anonymous.drop_box.readable"),
        "anonymous clients do not fetch what belongs to ftp",
    ),
    _row(
        "NoTruncate",
        "0 notruncate",
        YES_NO,
        _TRUNCATE,
        "uploads have another name until they are whole; anonymous ones may replace files",
    ),
    _row(
        "AutoRename",
        "r autorename",
        YES_NO,
        ("files.rename_uploads", "users.rights.overwrite"),
        "an upload whose name exists gets a new one",
    ),
    _row(
        "AllowDotFiles",
        "z allowdotfiles",
        YES_NO,
        ("anonymous.dot_files",),
        "anonymous clients fetch names that begin with a dot",
    ),
    _row(
        "ProhibitDotFilesWrite",
        "x prohibitdotfileswrite",
        YES_NO,
        ("users.dot_files",),
        "users write no names that begin with a dot",
    ),
    _row(
        "ProhibitDotFilesRead",
        "X prohibitdotfilesread",
        YES_NO,
        ("users.dot_files",),
        "nor read them",
    ),
    _row("CustomerProof", "Z customerproof", YES_NO, "refuses a chmod that locks out its owner"),
    _row("Umask", "U umask", UMASK, _MASKS, "umask of files and of directories", default="133:022"),
    _row("CallUploadScript", "o uploadscript", YES_NO, "reports uploads to a script", harmless=_NO),
    # limits
    _row(
        "MaxClientsNumber",
        "c maxclientsnumber",
        NUMBER,
        ("limits.clients",),
        "sessions at a time",
        default="50",
    ),
    _row("MaxClientsPerIP", "C maxclientsperip", NUMBER, _few("limits.clients_per_address")),
    _row(
        "PerUserLimits",
        "y peruserlimits",
        COLON_PAIR,
        ("limits.clients_per_user", "limits.anonymous_clients"),
        "sessions of one user, and anonymous ones; 0: no limit",
        default="0:0",
    ),
    _row(
        "AnonymousBandwidth",
        "t anonymousbandwidth",
        RATE,
        ("limits.anonymous_upload_rate", "limits.anonymous_download_rate"),
        "KiB a second for anonymous uploads and downloads",
    ),
    _row(
        "UserBandwidth",
        "T userbandwidth",
        RATE,
        _RATE_OF_ALL,
        "KiB a second for all, unless anonymous clients have a rate of their own",
    ),
    _row("AnonymousRatio", "q anonymousratio", PAIR, "uploads that downloads cost, anonymous"),
    _row("UserRatio", "Q userratio", PAIR, "uploads that downloads cost"),
    _row(
        "Quota",
        "n quota",
        COLON_PAIR,
        ("limits.quota_files", "limits.quota_bytes"),
        "files and MiB of a user",
    ),
    _row("MaxDiskUsage", "k maxdiskusagepct", NUMBER, _few("limits.full_disk", 100)),
    _row("MaxLoad", "m maxload", NUMBER, _few("limits.load")),
    _row(
        "MaxIdleTime", "I maxidletime", NUMBER, _WAITING, "minutes without a command", default="15"
    ),
    # TLS
    _row(
        "TLS",
        "Y tls",
        NUMBER,
        ("tls.anonymous", "tls.users"),
        "0: none; 1: may be; 2: has to be, for the control connection; 3: for data too",
        default="0",
    ),
    _row(
        "CertFile",
        "2 certfile",
        TEXT,
        ("tls.certificate", "tls.key", "tls.authorities"),
        "file of the certificate, or it, a comma and that of its key",
        default="/etc/ssl/private/pure-ftpd.pem",
    ),
    _row("ExtCert", "3 extcert", TEXT, "asks a program for certificates", harmless=("",)),
    _row(
        "TLSCipherSuite",
        "J tlsciphersuite",
        TEXT,
        (
            "tls.ciphers",
            "tls.client_certificate",
            "tls.certificate_checked",
            "tls.authorities",
        ),
        "cipher list; -C: before it demands a certificate of clients, which CertFile vouches for",
    ),
    # logs and listings
    _row(
        "AltLog",
        "O altlog",
        TEXT,
        ("logs.transfers", "logs.transfer_format"),
        "log of transfers, FORMAT:FILE",
    ),
    _row("VerboseLog", "d verboselog", YES_NO, link("logs.commands")),
    _row("LogPID", "1 logpid", YES_NO, "the pid is in the log"),
    _row("DontResolve", "H dontresolve", YES_NO, inverse("logs.resolve"), "does not ask the DNS"),
    _row(
        "LimitRecursion",
        "L limitrecursion",
        PAIR,
        ("listing.entries", "listing.depth"),
        "entries and depth of a listing; -1: no limit",
        default="10000:5",
        documented="2000:5",
    ),
    _row("DisplayDotFiles", "D displaydotfiles", YES_NO, "nothing since 1.0.48"),
    _row("FSCharset", "8 fscharset", TEXT, "nothing since 1.0.48", build="Debian's wrapper"),
    _row(
        "ClientCharset", "9 clientcharset", TEXT, "nothing since 1.0.48", build="Debian's wrapper"
    ),
    _row("Help", "h help", YES_NO, "prints the flags"),
)

ROWS = tuple(option for option, _ in _ROWS)
TABLE = {option.name: option for option in ROWS}
FLAGS = {option.name: flag for option, flag in _ROWS if flag.short}

LOGINS = {
    "unix": "UnixAuthentication",
    "pam": "PAMAuthentication",
    "puredb": "PureDB",
    "ldap": "LDAPConfigFile",
    "mysql": "MySQLConfigFile",
    "pgsql": "PGSQLConfigFile",
    "extauth": "ExtAuth",
}
"""What follows -l → the keyword for it."""

NOT_DEBIAN = frozenset({"PIDFile", "CertFile", "ExtCert", "Bonjour", "Help"})
"""What Debian's wrapper does not know, and ends at."""

LOGIN_FLAG = Flag("l", "login")
