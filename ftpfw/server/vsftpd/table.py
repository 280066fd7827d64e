"""Every option of vsftpd.conf, with its default as the running vsftpd 3.0.3 of Debian has it.

The manual page differs from the program on several defaults; ``documented`` is what it says.
Numbers are decimal, or octal with a leading zero. 0 is "no limit" where a limit is
meant, but for max_login_fails.
"""

from __future__ import annotations

from dataclasses import replace

from ftpfw.server.options import Link, Option, inverse, link, none_is
from ftpfw.server.settings import Audience, Path, paths

YES_NO = "YES or NO"
NUMBER = "a number"
TEXT = "text"

NO_END = 2**31 - 1
"""As good as no limit, where the option has no word for none."""

_WRITE = ("upload", "overwrite", "append", "resume", "delete", "rename")
_DIRECTORIES = ("make_directory", "remove_directory")
_OF_USERS = tuple(f"users.rights.{right}" for right in (*_WRITE, *_DIRECTORIES, "chmod", "touch"))
_OF_ANONYMOUS = tuple(f"anonymous.rights.{right}" for right in (*_WRITE, *_DIRECTORIES, "touch"))
_OTHER = tuple(
    f"anonymous.rights.{right}"
    for right in ("overwrite", "append", "resume", "delete", "rename", "remove_directory", "touch")
)
_EVERY_RIGHT = (
    "anonymous.rights.list",
    "users.rights.list",
    "anonymous.rights.download",
    "users.rights.download",
    *_OF_ANONYMOUS,
    *_OF_USERS,
)
_LEVELS = ("tls.anonymous", "tls.users", "tls.implicit", "tls.obsolete")
_START = ("listen.start", "listen.family", "listen.addresses")
_LOG = ("logs.transfers", "logs.transfer_format", "logs.daemon", "logs.syslog")
_MODE = ("files.base_mode", "anonymous.drop_box.readable")
_ANON_MASK = ("anonymous.file_umask", "anonymous.directory_umask", "anonymous.drop_box.readable")
_GIFT = ("anonymous.drop_box.owner", "anonymous.drop_box.owner_mode", "anonymous.drop_box.readable")


def _row(
    name: str,
    kind: str,
    default: str,
    target: tuple[Path, ...] | Link | str,
    *,
    what: str = "",
    harmless: tuple[str, ...] | None = None,
    documented: str = "",
    build: str = "",
) -> Option:
    """A row; ``target`` is a link, the paths it has a say in, or what it is about."""
    row = Option(name, kind, default, (), None, what, harmless, documented, build)
    match target:
        case Link():
            sentence = what or paths()[target.path]
            return replace(row, paths=(target.path,), link=target, what=sentence)
        case str():
            return replace(row, what=target)
        case _:
            return replace(row, paths=target)


def _promiscuous(path: Path) -> Link:
    return Link(
        path,
        lambda raw: Audience.EVERYBODY if raw else Audience.NOBODY,
        lambda audience: audience is Audience.EVERYBODY,
    )


_OFF = ("no", "false", "0")
_ON = ("yes", "true", "1")
_RED_HAT = "Red Hat"

ROWS = (
    # control connections
    _row(
        "listen",
        YES_NO,
        "NO",
        _START,
        what="a server of its own, for IPv4; otherwise sessions come from inetd",
    ),
    _row("listen_ipv6", YES_NO, "NO", _START, what="a server of its own, for IPv6 and IPv4"),
    _row("listen_address", TEXT, "", _START, what="the IPv4 address it listens on"),
    _row("listen_address6", TEXT, "", _START, what="the IPv6 address it listens on"),
    _row("listen_port", NUMBER, "21", link("listen.port")),
    _row("background", YES_NO, "NO", "whether the start-up command returns"),
    _row("ftp_enable", YES_NO, "YES", "whether FTP is spoken at all", harmless=_ON),
    _row("http_enable", YES_NO, "NO", "an experiment with HTTP", harmless=_OFF),
    _row("tcp_wrappers", YES_NO, "NO", "asks hosts.allow and hosts.deny", harmless=_OFF),
    # messages
    _row("ftpd_banner", TEXT, "", none_is("", "messages.banner")),
    _row("banner_file", TEXT, "", none_is("", "messages.banner_file")),
    _row(
        "dirmessage_enable",
        YES_NO,
        "NO",
        ("messages.directory_file",),
        what="a directory's message is shown on entering it",
    ),
    _row(
        "message_file",
        TEXT,
        ".message",
        ("messages.directory_file",),
        what="the name of that message's file",
    ),
    # data connections
    _row("pasv_enable", YES_NO, "YES", link("passive.enabled")),
    _row(
        "pasv_min_port",
        NUMBER,
        "5001",
        ("passive.ports",),
        documented="0",
        what="the lowest port of passive data connections",
    ),
    _row("pasv_max_port", NUMBER, "0", ("passive.ports",), what="the highest; 0 is 65535"),
    _row(
        "pasv_address",
        TEXT,
        "",
        ("passive.announced",),
        what="the address in the 227 reply, without it the connection's own",
    ),
    _row(
        "pasv_addr_resolve",
        YES_NO,
        "NO",
        ("passive.announced",),
        what="that address is a name, resolved at the start",
    ),
    _row(
        "pasv_promiscuous",
        YES_NO,
        "NO",
        _promiscuous("passive.foreign"),
        what="passive data may come from any address",
    ),
    _row("port_enable", YES_NO, "YES", link("active.enabled")),
    _row(
        "connect_from_port_20",
        YES_NO,
        "NO",
        ("active.source_port",),
        what="active data connections leave from ftp_data_port",
    ),
    _row("ftp_data_port", NUMBER, "20", ("active.source_port",), what="that port"),
    _row(
        "port_promiscuous",
        YES_NO,
        "NO",
        ("active.foreign",),
        what="PORT may name any address",
    ),
    # anonymous sessions
    _row("anonymous_enable", YES_NO, "YES", link("anonymous.enabled"), documented="NO"),
    _row("ftp_username", TEXT, "ftp", link("anonymous.user")),
    _row("anon_root", TEXT, "", none_is("", "anonymous.root")),
    _row("no_anon_password", YES_NO, "NO", inverse("anonymous.ask_password")),
    _row(
        "deny_email_enable",
        YES_NO,
        "NO",
        ("anonymous.refused_passwords",),
        what="anonymous passwords in a file are refused",
    ),
    _row(
        "banned_email_file",
        TEXT,
        "/etc/vsftpd.banned_emails",
        ("anonymous.refused_passwords",),
        what="that file",
    ),
    _row(
        "secure_email_list_enable",
        YES_NO,
        "NO",
        "admits anonymous clients by a list of passwords",
        harmless=_OFF,
    ),
    _row("email_password_file", TEXT, "/etc/vsftpd.email_passwords", "that list's file"),
    _row(
        "anon_world_readable_only",
        YES_NO,
        "YES",
        ("anonymous.world_readable_only", "anonymous.drop_box.readable"),
        what="anonymous clients fetch only what all may read",
    ),
    _row(
        "anon_upload_enable",
        YES_NO,
        "NO",
        _OF_ANONYMOUS,
        what="anonymous clients may store new files",
    ),
    _row(
        "anon_mkdir_write_enable",
        YES_NO,
        "NO",
        ("anonymous.rights.make_directory",),
        what="anonymous clients may make directories",
    ),
    _row(
        "anon_other_write_enable",
        YES_NO,
        "NO",
        _OTHER,
        what="anonymous clients may overwrite, append, delete and rename",
    ),
    _row("anon_umask", NUMBER, "077", _ANON_MASK, what="umask of anonymous uploads (octal)"),
    _row("chown_uploads", YES_NO, "NO", _GIFT, what="anonymous uploads are given to another owner"),
    _row("chown_username", TEXT, "root", _GIFT, what="that owner"),
    _row(
        "chown_upload_mode",
        NUMBER,
        "0600",
        _GIFT,
        what="the mode of files that were given away (octal)",
    ),
    # accounts
    _row("local_enable", YES_NO, "NO", link("users.enabled")),
    _row("local_root", TEXT, "", none_is("", "users.root")),
    _row(
        "local_umask",
        NUMBER,
        "077",
        ("users.file_umask", "users.directory_umask"),
        what="umask of what users make (octal)",
    ),
    _row("chroot_local_user", YES_NO, "NO", link("users.jailed")),
    _row(
        "chroot_list_enable",
        YES_NO,
        "NO",
        ("users.jail_exceptions",),
        what="a file names exceptions from chroot_local_user",
    ),
    _row(
        "chroot_list_file",
        TEXT,
        "/etc/vsftpd.chroot_list",
        ("users.jail_exceptions",),
        what="that file",
    ),
    _row("allow_writeable_chroot", YES_NO, "NO", link("users.writable_root")),
    _row(
        "userlist_enable",
        YES_NO,
        "NO",
        ("users.user_list", "users.user_list_allows"),
        what="a file of user names is asked before the password",
    ),
    _row(
        "userlist_deny",
        YES_NO,
        "YES",
        ("users.user_list_allows",),
        what="those in it are refused; otherwise all others",
    ),
    _row("userlist_file", TEXT, "/etc/vsftpd.user_list", ("users.user_list",), what="that file"),
    _row("userlist_log", YES_NO, "NO", "logs who is refused by the list", build=_RED_HAT),
    _row("passwd_chroot_enable", YES_NO, "NO", "takes jails from passwd(5)", harmless=_OFF),
    _row("guest_enable", YES_NO, "NO", "all accounts become one system user", harmless=_OFF),
    _row("guest_username", TEXT, "ftp", "that user's name"),
    _row("virtual_use_local_privs", YES_NO, "NO", "gives guests the rights of accounts"),
    _row("user_config_dir", TEXT, "", "holds settings for single users", harmless=("",)),
    _row("user_sub_token", TEXT, "", "stands for the user's name in paths", harmless=("",)),
    _row("pam_service_name", TEXT, "vsftpd", "which PAM service decides", harmless=("vsftpd",)),
    _row("check_shell", YES_NO, "YES", "asks /etc/shells, in builds without PAM", harmless=_ON),
    _row("tilde_user_enable", YES_NO, "NO", "understands ~user in paths"),
    # rights
    _row(
        "write_enable",
        YES_NO,
        "NO",
        (*_OF_ANONYMOUS, *_OF_USERS),
        what="files can be changed at all, by anybody",
    ),
    _row(
        "download_enable",
        YES_NO,
        "YES",
        ("anonymous.rights.download", "users.rights.download"),
        what="files can be fetched",
    ),
    _row(
        "dirlist_enable",
        YES_NO,
        "YES",
        ("anonymous.rights.list", "users.rights.list"),
        what="directories can be listed",
    ),
    _row(
        "chmod_enable", YES_NO, "YES", ("users.rights.chmod",), what="users may change permissions"
    ),
    _row(
        "mdtm_write",
        YES_NO,
        "YES",
        ("anonymous.rights.touch", "users.rights.touch"),
        what="MDTM may set a file's time",
    ),
    _row(
        "cmds_allowed",
        TEXT,
        "",
        ("commands.allowed", "commands.denied", *_EVERY_RIGHT),
        what="no other verbs are obeyed",
    ),
    _row(
        "cmds_denied", TEXT, "", ("commands.denied", *_EVERY_RIGHT), what="verbs that are refused"
    ),
    # files
    _row(
        "deny_file",
        TEXT,
        "",
        ("files.denied", "anonymous.dot_files", "users.dot_files"),
        what="names that can be neither stored nor fetched",
    ),
    _row("hide_file", TEXT, "", ("files.unlisted",), what="names that are not listed"),
    _row(
        "upload_file",
        TEXT,
        "",
        ("files.allowed_uploads",),
        build="Debian",
        what="only names like this can be stored",
    ),
    _row(
        "download_file",
        TEXT,
        "",
        ("files.allowed_downloads",),
        build="Debian",
        what="only names like this can be fetched",
    ),
    _row(
        "file_open_mode", NUMBER, "0666", _MODE, what="mode of new files, before the umask (octal)"
    ),
    _row("delete_failed_uploads", YES_NO, "NO", inverse("files.keep_partial")),
    _row("lock_upload_files", YES_NO, "YES", "locks files that are in transfer"),
    _row("ascii_download_enable", YES_NO, "NO", "converts line ends of downloads"),
    _row("ascii_upload_enable", YES_NO, "NO", "converts line ends of uploads"),
    _row("utf8_filesystem", YES_NO, "NO", "says that names are UTF-8", build="Debian"),
    # limits
    _row("max_clients", NUMBER, "2000", none_is(0, "limits.clients"), documented="0"),
    _row("max_per_ip", NUMBER, "50", none_is(0, "limits.clients_per_address"), documented="0"),
    _row(
        "anon_max_rate",
        NUMBER,
        "0",
        ("limits.anonymous_upload_rate", "limits.anonymous_download_rate"),
        what="bytes a second for anonymous clients; 0: no limit",
    ),
    _row(
        "local_max_rate",
        NUMBER,
        "0",
        ("limits.user_upload_rate", "limits.user_download_rate"),
        what="bytes a second for users; 0: no limit",
    ),
    _row("trans_chunk_size", NUMBER, "0", "bytes of one read"),
    # waiting
    _row("idle_session_timeout", NUMBER, "300", none_is(0, "timeouts.idle")),
    _row("data_connection_timeout", NUMBER, "300", none_is(0, "timeouts.stalled")),
    _row("accept_timeout", NUMBER, "60", none_is(0, "timeouts.accept")),
    _row("connect_timeout", NUMBER, "60", none_is(0, "timeouts.connect")),
    _row(
        "max_login_fails",
        NUMBER,
        "3",
        link("login.failures", lambda raw: max(raw, 1), lambda value: value or NO_END),
        what="failed logins until the session ends; 0 is as 1 (measured)",
    ),
    _row("delay_failed_login", NUMBER, "1", link("login.failure_delay")),
    _row("delay_successful_login", NUMBER, "0", link("login.success_delay")),
    # TLS
    _row("ssl_enable", YES_NO, "NO", _LEVELS, what="FTPS"),
    _row("allow_anon_ssl", YES_NO, "NO", ("tls.anonymous",), what="anonymous sessions may use TLS"),
    _row(
        "force_anon_logins_ssl",
        YES_NO,
        "NO",
        ("tls.anonymous",),
        what="anonymous logins have to be inside TLS",
    ),
    _row(
        "force_anon_data_ssl",
        YES_NO,
        "NO",
        ("tls.anonymous",),
        what="data of anonymous sessions has to be inside TLS",
    ),
    _row(
        "force_local_logins_ssl",
        YES_NO,
        "YES",
        ("tls.users",),
        what="logins of users have to be inside TLS",
    ),
    _row(
        "force_local_data_ssl",
        YES_NO,
        "YES",
        ("tls.users",),
        what="data of users has to be inside TLS",
    ),
    _row("implicit_ssl", YES_NO, "NO", ("tls.implicit",), what="TLS from the first byte"),
    _row(
        "rsa_cert_file",
        TEXT,
        "/usr/share/ssl/certs/vsftpd.pem",
        none_is("", "tls.certificate"),
    ),
    _row("rsa_private_key_file", TEXT, "", none_is("", "tls.key")),
    _row("dsa_cert_file", TEXT, "", "a DSA certificate, which no client takes any more"),
    _row("dsa_private_key_file", TEXT, "", "the key of a DSA certificate"),
    _row(
        "ssl_ciphers",
        TEXT,
        "ECDHE-RSA-AES256-GCM-SHA384",
        none_is("", "tls.ciphers"),
        documented="DES-CBC3-SHA",
    ),
    _row("require_ssl_reuse", YES_NO, "YES", link("tls.session_reuse")),
    _row(
        "ssl_request_cert",
        YES_NO,
        "YES",
        ("tls.client_certificate", "tls.certificate_checked"),
        what="asks clients for a certificate",
    ),
    _row(
        "require_cert",
        YES_NO,
        "NO",
        ("tls.client_certificate",),
        what="clients must have a certificate, any one, if they are asked",
    ),
    _row(
        "validate_cert",
        YES_NO,
        "NO",
        ("tls.certificate_checked",),
        what="one that a client shows must be vouched for",
    ),
    _row("ca_certs_file", TEXT, "", none_is("", "tls.authorities")),
    _row("ssl_sslv2", YES_NO, "NO", ("tls.obsolete",), what="speaks SSL 2"),
    _row("ssl_sslv3", YES_NO, "NO", ("tls.obsolete",), what="speaks SSL 3"),
    _row("ssl_tlsv1", YES_NO, "YES", ("tls.obsolete",), what="speaks TLS 1.0"),
    _row("ssl_tlsv1_1", YES_NO, "YES", "speaks TLS 1.1", build=_RED_HAT),
    _row("ssl_tlsv1_2", YES_NO, "YES", "speaks TLS 1.2", build=_RED_HAT),
    _row("dh_param_file", TEXT, "", "Diffie-Hellman parameters", build=_RED_HAT),
    _row("ecdh_param_file", TEXT, "", "elliptic curve parameters", build=_RED_HAT),
    _row("strict_ssl_read_eof", YES_NO, "YES", "uploads end with TLS's own end", documented="NO"),
    _row("strict_ssl_write_shutdown", YES_NO, "NO", "downloads end with TLS's own end"),
    _row("debug_ssl", YES_NO, "NO", "logs TLS in detail"),
    # logs
    _row("xferlog_enable", YES_NO, "NO", _LOG, what="transfers are logged"),
    _row("xferlog_std_format", YES_NO, "NO", _LOG, what="in the standard format of xferlog(5)"),
    _row(
        "xferlog_file", TEXT, "/var/log/xferlog", ("logs.transfers",), what="the log in that format"
    ),
    _row("dual_log_enable", YES_NO, "NO", _LOG, what="both logs are written"),
    _row(
        "vsftpd_log_file",
        TEXT,
        "/var/log/vsftpd.log",
        ("logs.transfers", "logs.daemon"),
        what="vsftpd's own log",
    ),
    _row("syslog_enable", YES_NO, "NO", _LOG, what="syslog takes the place of vsftpd's own log"),
    _row("log_ftp_protocol", YES_NO, "NO", link("logs.commands")),
    _row("no_log_lock", YES_NO, "NO", "does not lock log files"),
    _row("session_support", YES_NO, "NO", link("logs.wtmp")),
    _row("reverse_lookup_enable", YES_NO, "YES", "resolves client addresses", build=_RED_HAT),
    # listings
    _row("hide_ids", YES_NO, "NO", link("listing.hide_ids")),
    _row("text_userdb_names", YES_NO, "NO", "names rather than numbers of owners"),
    _row(
        "ls_recurse_enable",
        YES_NO,
        "NO",
        Link("listing.depth", lambda raw: None if raw else 0, lambda depth: depth is None),
        what="LIST -R goes through directories",
    ),
    _row(
        "force_dot_files",
        YES_NO,
        "NO",
        link("listing.dot_files"),
        what="names that begin with a dot are listed unasked",
    ),
    _row("use_localtime", YES_NO, "NO", link("listing.local_time")),
    # process
    _row(
        "nopriv_user",
        TEXT,
        "nobody",
        link("process.user", raw=lambda user: user or "nobody"),
    ),
    _row("secure_chroot_dir", TEXT, "/var/run/vsftpd/empty", "an empty jail for its own use"),
    _row("run_as_launching_user", YES_NO, "NO", "no privileges are given up", harmless=_OFF),
    _row("one_process_model", YES_NO, "NO", "one process a session instead of two"),
    _row("isolate", YES_NO, "YES", "PID and IPC namespaces for sessions"),
    _row("isolate_network", YES_NO, "YES", "network namespaces for sessions"),
    _row("seccomp_sandbox", YES_NO, "NO", "a filter of system calls"),
    _row("ptrace_sandbox", YES_NO, "NO", "an experimental sandbox"),
    _row("setproctitle_enable", YES_NO, "NO", "shows sessions in ps(1)"),
    _row("use_sendfile", YES_NO, "YES", "sends files by sendfile(2)"),
    _row("async_abor_enable", YES_NO, "NO", "understands ABOR out of band"),
)

TABLE = {option.name: option for option in ROWS}
