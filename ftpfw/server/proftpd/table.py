"""The directives of ProFTPD 1.3.8 that say what a server does, and where each may stand.

What is not here is not known: nobody can tell whether it may be ignored, so it is refused.
Contexts: s the main server, v VirtualHost, g Global, a Anonymous, d Directory, l Limit, c Class.
"""

from __future__ import annotations

from ftpfw.server.options import Option
from ftpfw.server.settings import Path

_SERVER = "svg"
_LOGIN = "svga"
_EVERYWHERE = "svgad"
_ALL = "svgadl"

_RIGHTS_OF_UPLOAD = tuple(
    f"{who}.rights.{right}"
    for who in ("anonymous", "users")
    for right in ("overwrite", "append", "resume")
)
_EVERY_RIGHT = tuple(
    f"{who}.rights.{right}"
    for who in ("anonymous", "users")
    for right in (
        "list",
        "download",
        "upload",
        "overwrite",
        "append",
        "resume",
        "delete",
        "rename",
        "make_directory",
        "remove_directory",
        "chmod",
        "touch",
    )
)
_BOX = (
    "anonymous.drop_box.directories",
    "anonymous.drop_box.readable",
    "anonymous.drop_box.listed",
    "anonymous.drop_box.shown",
)
_FROM_LIMITS = (
    "anonymous.enabled",
    "users.enabled",
    "passive.enabled",
    "active.enabled",
    "commands.denied",
    *_EVERY_RIGHT,
    *_BOX,
)
_MASKS = tuple(
    f"{who}.{what}_umask" for who in ("anonymous", "users") for what in ("file", "directory")
)
_NAMES = ("files.denied_uploads", "anonymous.dot_files", "users.dot_files")
_LEVELS = ("tls.anonymous", "tls.users")
_RATES = tuple(
    f"limits.{who}_{way}_rate" for who in ("anonymous", "user") for way in ("upload", "download")
)
_CLIENTS = ("limits.clients", "limits.clients_from_login")
_FROM_ONE_ADDRESS = ("limits.clients_per_address", "limits.clients_per_address_from_login")
_OFF = ("off", "no", "false", "0", "none")
ON = ("on", "yes", "true", "1")


def _row(
    name: str,
    contexts: str,
    default: str,
    target: tuple[Path, ...] | str,
    what: str = "",
    *,
    harmless: tuple[str, ...] | None = None,
    documented: str = "",
) -> Option:
    """A row; ``target`` are the paths it has a say in, or what it is about."""
    if isinstance(target, str):
        return Option(name, contexts, default, what=target, harmless=harmless)
    return Option(name, contexts, default, target, what=what, documented=documented)


ROWS = (
    # the server
    _row("ServerType", "s", "standalone", ("listen.start",), "standalone, or inetd"),
    _row("ServerName", _SERVER, "ProFTPD", "a name in the default greeting"),
    _row("ServerIdent", _SERVER, "on", ("messages.banner",), "text of the greeting"),
    _row("ServerAdmin", _SERVER, "", "an address in messages"),
    _row("DeferWelcome", _SERVER, "off", "a greeting that tells nothing before login"),
    _row("DefaultServer", "sv", "off", "the server for addresses that no other has"),
    _row("Port", _SERVER, "21", ("listen.port",), "port of the control connection"),
    _row("DefaultAddress", "s", "", ("listen.addresses",), "the addresses it listens on"),
    _row("SocketBindTight", "s", "off", ("listen.addresses",), "it listens on these alone"),
    _row("UseIPv6", "s", "on", ("listen.family",), "IPv6 as well as IPv4"),
    _row(
        "User",
        _LOGIN,
        "",
        ("process.user", "anonymous.user", "anonymous.names"),
        "the system user it runs as",
    ),
    _row("Group", _LOGIN, "", ("process.group",), "its group"),
    _row("PidFile", "s", "/run/proftpd.pid", ("process.pid_file",), "the master's pid"),
    _row("ScoreboardFile", "s", "/run/proftpd.scoreboard", "table of the sessions"),
    _row("ScoreboardMutex", "s", "", "the lock of that table"),
    _row(
        "PersistentPasswd",
        "s",
        "off",
        ("anonymous.drop_box.owner",),
        "UserOwner works after chroot too",
    ),
    _row("UseReverseDNS", "s", "on", ("logs.resolve",), "client addresses are resolved"),
    _row("IdentLookups", _SERVER, "off", "asks the client's ident service"),
    _row("UseSendfile", _EVERYWHERE, "on", "sends files by sendfile(2)"),
    _row("DelayEngine", "s", "on", "hides by time which user names exist"),
    _row("ControlsEngine", "s", "on", "a socket for ftpdctl"),
    _row("ControlsACLs", "s", "", "who may use that socket"),
    _row("ControlsInterval", "s", "", "how often it is looked at"),
    _row("ControlsLog", "s", "", "its log"),
    _row("ControlsMaxClients", "s", "", "clients of that socket"),
    _row("ControlsSocket", "s", "", "its path"),
    _row("AdminControlsEngine", "s", "on", "more commands for ftpdctl"),
    _row("AdminControlsACLs", "s", "", "who may use them"),
    _row("LoadModule", "s", "", "loads a module"),
    _row("ModulePath", "s", "", "where modules are"),
    _row("ModuleControlsACLs", "s", "", "who may load modules"),
    _row("SetEnv", _SERVER, "", "an environment variable"),
    _row("UseEncoding", _SERVER, "", "the encoding of names"),
    _row("UseLastlog", _SERVER, "off", "logins are in lastlog"),
    _row("CapabilitiesEngine", "s", "on", "gives up capabilities"),
    _row("RootRevoke", _LOGIN, "UseNonCompliantActiveTransfers", "gives up root after login"),
    # messages
    _row("DisplayConnect", _SERVER, "", ("messages.banner_file",), "file shown before login"),
    _row("DisplayLogin", _LOGIN, "", ("messages.login_file",), "file shown after login"),
    _row(
        "DisplayChdir", _EVERYWHERE, "", ("messages.directory_file",), "file shown in a directory"
    ),
    _row("DisplayQuit", _LOGIN, "", ("messages.goodbye_file",), "file shown at QUIT"),
    _row("AccessGrantMsg", _LOGIN, "", "what is said after login"),
    _row("AccessDenyMsg", _SERVER, "", "what is said after a failed one"),
    # data connections
    _row("PassivePorts", _SERVER, "", ("passive.ports",), "passive ports"),
    _row("MasqueradeAddress", _SERVER, "", ("passive.announced",), "the address in the 227 reply"),
    _row(
        "AllowForeignAddress",
        _LOGIN,
        "",
        ("passive.foreign", "active.foreign"),
        "data from and to other addresses",
        documented="off",
    ),
    # who logs in
    _row("<Anonymous>", _SERVER, "", ("anonymous.enabled", "anonymous.root"), "anonymous sessions"),
    _row(
        "UserAlias", _LOGIN, "", ("anonymous.names", "anonymous.any_name"), "another name of a user"
    ),
    _row("AuthAliasOnly", _LOGIN, "off", ("anonymous.names",), "users log in by an alias alone"),
    _row("AnonRequirePassword", "a", "off", "asks for the user's own password", harmless=_OFF),
    _row("AnonRejectPasswords", "a", "", "refuses some passwords", harmless=()),
    _row("RequireValidShell", _LOGIN, "on", ("users.valid_shell",), "a shell of /etc/shells"),
    _row("UseFtpUsers", _LOGIN, "on", ("users.denied_list",), "obeys /etc/ftpusers"),
    _row("RootLogin", _LOGIN, "off", ("users.root_login",), "root may log in"),
    _row(
        "DefaultRoot",
        _SERVER,
        "",
        ("users.root", "users.jailed", "users.jail_exceptions"),
        "users see nothing above it",
    ),
    _row("AuthOrder", "s", "", ("users.sources",), "modules that know accounts, in order"),
    _row("AuthUserFile", _SERVER, "", ("users.sources",), "a passwd file of its own"),
    _row("AuthGroupFile", _SERVER, "", "a group file of its own"),
    _row("AuthPAM", _SERVER, "on", "asks PAM"),
    _row(
        "AuthPAMConfig",
        _SERVER,
        "proftpd",
        "which PAM service decides",
        harmless=("proftpd", "ftp"),
    ),
    _row("CreateHome", _LOGIN, "off", "makes homes that are missing"),
    # limits of access
    _row("<Limit>", _EVERYWHERE, "", _FROM_LIMITS, "which commands are obeyed"),
    _row("<Directory>", "svga", "", _FROM_LIMITS, "settings of a directory"),
    _row("AllowAll", "adl", "", _FROM_LIMITS, "everybody"),
    _row("DenyAll", "adl", "", _FROM_LIMITS, "nobody"),
    _row("Allow", "l", "", _FROM_LIMITS, "clients that may"),
    _row("Deny", "l", "", _FROM_LIMITS, "clients that may not"),
    _row("Order", "l", "allow,deny", _FROM_LIMITS, "allow,deny: who is in neither, may"),
    _row("AllowUser", "l", "", "users who may", harmless=()),
    _row("DenyUser", "l", "", "users who may not", harmless=()),
    _row("AllowGroup", "l", "", "groups that may", harmless=()),
    _row("DenyGroup", "l", "", "groups that may not", harmless=()),
    _row("AllowClass", "l", "", "classes of addresses that may", harmless=()),
    _row("DenyClass", "l", "", "classes of addresses that may not", harmless=()),
    _row("<Class>", "s", "", "a class of addresses"),
    _row("From", "c", "", "addresses of a class"),
    _row("Satisfy", "c", "", "how a class combines them"),
    _row("<VirtualHost>", "s", "", "another server, on an address of its own", harmless=()),
    _row("<Global>", "sv", "", "settings of all servers"),
    _row("<IfModule>", _EVERYWHERE, "", "if a module is loaded"),
    _row("<IfDefine>", _EVERYWHERE, "", "if a name is defined"),
    _row("Define", "s", "", "defines a name"),
    _row("Include", _EVERYWHERE, "", "reads another file"),
    # files
    _row("AllowOverwrite", _EVERYWHERE, "off", _RIGHTS_OF_UPLOAD, "files may be stored over"),
    _row(
        "AllowStoreRestart",
        _EVERYWHERE,
        "off",
        _RIGHTS_OF_UPLOAD,
        "uploads may be resumed, and appended to",
        documented="on",
    ),
    _row("AllowRetrieveRestart", _EVERYWHERE, "on", "downloads may be resumed"),
    _row(
        "HiddenStores",
        _EVERYWHERE,
        "off",
        ("files.hidden_until_complete", "files.keep_partial"),
        "uploads have another name until they are whole",
    ),
    _row(
        "DeleteAbortedStores",
        _EVERYWHERE,
        "off",
        ("files.keep_partial",),
        "what broke off is removed",
    ),
    _row("StoreUniquePrefix", _EVERYWHERE, "ftp", "what names of STOU begin with"),
    _row("Umask", _EVERYWHERE, "022", _MASKS, "umask of files, and of directories"),
    _row("UserOwner", "ad", "", ("anonymous.drop_box.owner",), "owner that uploads are given to"),
    _row("GroupOwner", "ad", "", "group that uploads are given to"),
    _row(
        "PathAllowFilter", _EVERYWHERE, "", ("files.allowed_uploads",), "names that can be stored"
    ),
    _row("PathDenyFilter", _EVERYWHERE, "", _NAMES, "names that cannot be stored"),
    _row("AllowFilter", _EVERYWHERE, "", "arguments of commands that are obeyed", harmless=()),
    _row("DenyFilter", _EVERYWHERE, "", "arguments of commands that are not", harmless=("\\*.*/",)),
    _row(
        "HideNoAccess", "ad", "off", ("listing.hide_unreachable",), "hides what cannot be reached"
    ),
    _row("HideUser", "ad", "", "hides files of a user", harmless=()),
    _row("HideGroup", "ad", "", "hides files of a group", harmless=()),
    _row("HideFiles", "d", "none", "hides names", harmless=("none",)),
    _row("IgnoreHidden", "l", "off", "denies that hidden names exist", harmless=_OFF),
    _row(
        "MaxRetrieveFileSize", _EVERYWHERE, "", "refuses downloads of large files", harmless=("*",)
    ),
    _row("MaxStoreFileSize", _EVERYWHERE, "", ("limits.upload_bytes",), "bytes of one upload"),
    _row("CopyEngine", _SERVER, "on", "SITE CPFR and CPTO of mod_copy"),
    _row("QuotaEngine", _SERVER, "off", "quotas of mod_quotatab", harmless=_OFF),
    _row("Ratios", _LOGIN, "off", "ratios of mod_ratio", harmless=_OFF),
    # how much
    _row("MaxInstances", "s", "none", _CLIENTS, "processes at a time"),
    _row(
        "MaxClients",
        _LOGIN,
        "none",
        (*_CLIENTS, "limits.anonymous_clients"),
        "sessions at a time",
    ),
    _row(
        "MaxClientsPerHost",
        _LOGIN,
        "none",
        _FROM_ONE_ADDRESS,
        "of them, from one address",
    ),
    _row(
        "MaxClientsPerUser",
        _LOGIN,
        "none",
        ("limits.clients_per_user",),
        "of them, of one user name",
    ),
    _row("MaxHostsPerUser", _LOGIN, "none", "addresses of one user name", harmless=("none",)),
    _row(
        "MaxConnectionsPerHost",
        _SERVER,
        "none",
        _FROM_ONE_ADDRESS,
        "connections from one address",
    ),
    _row("MaxConnectionRate", "s", "none", "new connections a second"),
    _row("MaxCommandRate", _SERVER, "none", "commands a second"),
    _row("MaxTransfersPerHost", _EVERYWHERE, "none", "transfers at a time of one address"),
    _row("MaxTransfersPerUser", _EVERYWHERE, "none", "transfers at a time of one user"),
    _row("TransferRate", _EVERYWHERE, "none", _RATES, "KiB a second"),
    # waiting
    _row("TimeoutIdle", _SERVER, "600", ("timeouts.idle",), "seconds between commands"),
    _row("TimeoutLogin", _SERVER, "300", ("timeouts.login",), "seconds until login"),
    _row(
        "TimeoutNoTransfer",
        _SERVER,
        "300",
        ("timeouts.no_transfer",),
        "seconds without a data connection",
    ),
    _row("TimeoutStalled", _SERVER, "3600", ("timeouts.stalled",), "seconds without progress"),
    _row("TimeoutSession", _LOGIN, "0", ("timeouts.session",), "seconds of a session"),
    _row("TimeoutLinger", "s", "", "seconds until a data connection is closed"),
    _row("MaxLoginAttempts", _SERVER, "3", ("login.failures",), "failed logins until the end"),
    # TLS
    _row("TLSEngine", _SERVER, "off", _LEVELS, "FTPS"),
    _row("TLSRequired", _EVERYWHERE, "off", _LEVELS, "what has to be inside TLS"),
    _row("TLSRSACertificateFile", _SERVER, "", ("tls.certificate",), "the certificate"),
    _row("TLSRSACertificateKeyFile", _SERVER, "", ("tls.key",), "its key"),
    _row("TLSCipherSuite", _SERVER, "", ("tls.ciphers",), "OpenSSL's cipher list"),
    _row(
        "TLSOptions",
        _SERVER,
        "",
        ("tls.session_reuse", "tls.implicit"),
        "what of TLS is done otherwise",
    ),
    _row(
        "TLSVerifyClient",
        _SERVER,
        "off",
        ("tls.client_certificate", "tls.certificate_checked"),
        "asks for a certificate",
    ),
    _row("TLSCACertificateFile", _SERVER, "", ("tls.authorities",), "authorities of clients"),
    _row("TLSProtocol", _SERVER, "", ("tls.obsolete",), "versions that are spoken"),
    _row("TLSLog", _SERVER, "", "the log of TLS"),
    _row("TLSRenegotiate", _SERVER, "", "when keys are changed"),
    _row("TLSSessionCache", "s", "", "where sessions are kept"),
    # logs and listings
    _row("TransferLog", _LOGIN, "/var/log/xferlog", ("logs.transfers",), "log of transfers"),
    _row("SystemLog", "s", "", ("logs.daemon", "logs.syslog"), "the daemon's log"),
    _row("SyslogFacility", "s", "daemon", ("logs.syslog",), "or where else it goes"),
    _row("SyslogLevel", _SERVER, "", "how much goes there"),
    _row("ExtendedLog", _LOGIN, "none", ("logs.commands",), "log of commands"),
    _row("LogFormat", "s", "", "the form of a log"),
    _row("WtmpLog", _LOGIN, "on", ("logs.wtmp",), "logins are in wtmp"),
    _row("AllowLogSymlinks", _SERVER, "off", "logs may be symbolic links"),
    _row("DirFakeUser", _EVERYWHERE, "off", ("listing.hide_ids",), "hides owners"),
    _row("DirFakeGroup", _EVERYWHERE, "off", ("listing.hide_ids",), "hides groups"),
    _row("DirFakeMode", _EVERYWHERE, "", "hides permissions"),
    _row("ShowSymlinks", _LOGIN, "on", "shows links as links"),
    _row(
        "ListOptions",
        _EVERYWHERE,
        "",
        ("listing.depth", "listing.entries", "listing.dot_files"),
        "options of a listing, and its limits",
    ),
    _row("UseGlobbing", _LOGIN, "on", "patterns in listings"),
    _row("TimesGMT", _SERVER, "on", ("listing.local_time",), "times are GMT"),
    _row("DefaultTransferMode", _SERVER, "ascii", "the first TYPE"),
    _row("BanEngine", "s", "off", "bans of mod_ban", harmless=_OFF),
    _row("BanOnEvent", "s", "", "what is banned", harmless=()),
)

TABLE = {option.name: option for option in ROWS}

_BUILT_IN = (
    "core", "xfer", "rlimit", "auth_unix", "auth_file", "auth", "ls", "log", "site", "delay",
    "facts", "dso", "auth_pam", "cap", "ctrls", "lang",
)  # fmt: skip
MODULES = frozenset(f"mod_{name}.c" for name in _BUILT_IN)
"""What Debian's proftpd-core has built in; LoadModule adds to it."""
