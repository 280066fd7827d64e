"""What vsftpd's options mean, and which options say a setting: both ways, without any text.

``values`` holds every option as bool, int or str. An option that is linked to one setting needs
no word here. What vsftpd always does, whatever its configuration, is in ``ALWAYS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from ftpfw.server.settings import (
    ALL_RIGHTS,
    VERBS,
    Audience,
    DotFiles,
    Family,
    Host,
    Names,
    Path,
    Rights,
    Settings,
    Start,
    Syntax,
    TlsLevel,
    file_mode,
)
from ftpfw.server.vsftpd.table import ROWS

Values = Mapping[str, Any]

DOT_FILES = "{.*}"
"""The pattern for names that begin with a dot."""

ANY_PORT = range(1024, 65536)

ALWAYS: Mapping[Path, Any] = {
    "messages.login_file": None,
    "messages.goodbye_file": None,
    "anonymous.names": ("anonymous", "ftp"),
    "anonymous.any_name": False,
    "anonymous.drop_box.directories": (),
    "anonymous.drop_box.listed": True,
    "anonymous.drop_box.shown": True,
    "anonymous.drop_box.quota_bytes": None,
    "anonymous.drop_box.quota_files": None,
    "anonymous.rights.chmod": False,
    "users.sources": ("pam",),
    "users.denied_list": True,  # pam_listfile of Debian's PAM service, on /etc/ftpusers
    "users.root_login": False,  # who is in that file
    "users.valid_shell": True,  # pam_shells of the same
    "users.lowest_uid": None,
    "files.denied_uploads": None,
    "files.hidden_until_complete": False,
    "files.rename_uploads": False,
    "limits.clients_from_login": False,
    "limits.clients_per_address_from_login": False,
    "limits.clients_per_user": None,
    "limits.anonymous_clients": None,
    "limits.quota_files": None,
    "limits.quota_bytes": None,
    "limits.upload_bytes": None,
    "limits.full_disk": None,
    "limits.load": None,
    "timeouts.login": None,
    "timeouts.no_transfer": None,
    "timeouts.session": None,
    "logs.resolve": False,
    "listing.entries": None,
    "listing.hide_unreachable": False,
    "process.group": None,
    "process.pid_file": None,
}

_OTHERS = ("overwrite", "append", "resume", "delete", "rename", "remove_directory")
"""What anon_other_write_enable lets through, MDTM with a time apart."""

_OBSOLETE = {"ssl_sslv2": "SSLv2", "ssl_sslv3": "SSLv3", "ssl_tlsv1": "TLSv1"}


def settings_of(values: Values) -> dict[Path, Any]:
    """Every setting that the options say. ValueError for an address that is none."""
    linked = {row.link.path: row.link.value(values[row.name]) for row in ROWS if row.link}
    return {
        **ALWAYS,
        **linked,
        **_listen(values),
        **_data(values),
        **_anonymous(values),
        **_users(values),
        **_rights(values),
        **_files(values),
        **_tls(values),
        **_logs(values),
    }


def values_of(settings: Settings) -> dict[str, Any]:
    """The options that say the settings as well as vsftpd can."""
    linked = {row.name: row.link.raw(settings.get(row.link.path)) for row in ROWS if row.link}
    return {
        **linked,
        **_say_listen(settings),
        **_say_data(settings),
        **_say_anonymous(settings),
        **_say_users(settings),
        **_say_rights(settings),
        **_say_files(settings),
        **_say_tls(settings),
        **_say_logs(settings),
    }


def _listen(values: Values) -> dict[Path, Any]:
    start = Start.STANDALONE if values["listen"] or values["listen_ipv6"] else Start.INETD
    name = "listen_address" if values["listen"] else "listen_address6"
    address = values[name] if start is Start.STANDALONE else ""
    everywhere = address in {"", "::"}
    family = Family.IPV4 if values["listen"] else Family.BOTH if everywhere else Family.IPV6
    return {
        "listen.start": start,
        "listen.family": family,
        "listen.addresses": () if everywhere else (ip_address(address),),
    }


def _say_listen(settings: Settings) -> dict[str, Any]:
    listen = settings.listen
    alone = listen.start is Start.STANDALONE
    ipv4 = listen.family is Family.IPV4
    address = ""
    if len(listen.addresses) == 1 and isinstance(
        listen.addresses[0], IPv4Address if ipv4 else IPv6Address
    ):
        address = str(listen.addresses[0])
    return {
        "listen": alone and ipv4,
        "listen_ipv6": alone and not ipv4,
        "listen_address": address if ipv4 else "",
        "listen_address6": "" if ipv4 else address,
    }


def _data(values: Values) -> dict[Path, Any]:
    low, high = values["pasv_min_port"], values["pasv_max_port"]
    ports = range(
        low if ANY_PORT.start < low < 65536 else ANY_PORT.start,
        (high if 1024 <= high < 65535 else 65535) + 1,
    )
    everybody = Audience.EVERYBODY if values["port_promiscuous"] else Audience.NOBODY
    shown = bool(values["dirmessage_enable"])
    return {
        "messages.directory_file": values["message_file"] if shown else None,
        "passive.ports": None if ports == ANY_PORT else ports,
        "passive.announced": _announced(values),
        "active.source_port": values["ftp_data_port"] if values["connect_from_port_20"] else None,
        "active.foreign": everybody,
    }


def _announced(values: Values) -> Host | None:
    text: str = values["pasv_address"]
    if not text:
        return None
    try:
        return IPv4Address(text)
    except ValueError:
        if values["pasv_addr_resolve"]:
            return text
        raise


def _say_data(settings: Settings) -> dict[str, Any]:
    ports = settings.passive.ports or ANY_PORT
    announced = settings.passive.announced
    if isinstance(announced, IPv6Address):  # no 227 reply has room for it
        announced = None
    said: dict[str, Any] = {
        "pasv_min_port": ports.start if ports.start > 1024 else 0,
        "pasv_max_port": ports.stop - 1 if ports.stop <= 65535 else 0,
        "pasv_addr_resolve": isinstance(announced, str),
        "pasv_address": str(announced or ""),
        "connect_from_port_20": settings.active.source_port is not None,
        "dirmessage_enable": settings.messages.directory_file is not None,
        "port_promiscuous": settings.active.foreign is Audience.EVERYBODY,
    }
    if settings.active.source_port is not None:
        said["ftp_data_port"] = settings.active.source_port
    if settings.messages.directory_file is not None:
        said["message_file"] = settings.messages.directory_file
    return said


def _anonymous(values: Values) -> dict[Path, Any]:
    given = bool(values["chown_uploads"])
    mode = values["file_open_mode"] & ~values["anon_umask"]
    if given:
        mode = values["chown_upload_mode"]
    hidden = values["anon_world_readable_only"] and not mode & 0o004
    rate = values["anon_max_rate"] or None
    refused = values["banned_email_file"] if values["deny_email_enable"] else None
    return {
        "anonymous.world_readable_only": values["anon_world_readable_only"],
        "anonymous.refused_passwords": refused,
        "anonymous.file_umask": values["anon_umask"],
        "anonymous.directory_umask": values["anon_umask"],
        "anonymous.drop_box.readable": not hidden,
        "anonymous.drop_box.owner": values["chown_username"] if given else None,
        "anonymous.drop_box.owner_mode": values["chown_upload_mode"] if given else None,
        "limits.anonymous_upload_rate": rate,
        "limits.anonymous_download_rate": rate,
    }


def _say_anonymous(settings: Settings) -> dict[str, Any]:
    anonymous = settings.anonymous
    box = anonymous.drop_box
    said: dict[str, Any] = {
        "deny_email_enable": anonymous.refused_passwords is not None,
        "anon_umask": _say_umask(settings, "anonymous"),
        "anon_world_readable_only": anonymous.world_readable_only
        or (anonymous.rights.upload and not box.readable),
        "chown_uploads": box.owner is not None,
        "anon_max_rate": _lower(
            settings.limits.anonymous_upload_rate, settings.limits.anonymous_download_rate
        ),
    }
    if anonymous.refused_passwords is not None:
        said["banned_email_file"] = anonymous.refused_passwords
    if box.owner is not None:
        said["chown_username"] = box.owner
        said["chown_upload_mode"] = file_mode(settings, "anonymous") & 0o7777
    return said


def _say_umask(settings: Settings, who: str) -> int:
    """One umask for files and directories: that of directories where files get the same mode."""
    directories: int = settings.get(f"{who}.directory_umask")
    files: int = settings.get(f"{who}.file_umask")
    same = settings.files.base_mode & ~directories == file_mode(settings, who)
    return directories if same else files


def _lower(one: int | None, other: int | None) -> int:
    """One rate for both directions: the lower; 0 is none."""
    return min((rate for rate in (one, other) if rate), default=0)


def _users(values: Values) -> dict[Path, Any]:
    listed, exceptions = values["userlist_enable"], values["chroot_list_enable"]
    rate = values["local_max_rate"] or None
    return {
        "users.jail_exceptions": values["chroot_list_file"] if exceptions else None,
        "users.user_list": values["userlist_file"] if listed else None,
        "users.user_list_allows": listed and not values["userlist_deny"],
        "users.file_umask": values["local_umask"],
        "users.directory_umask": values["local_umask"],
        "limits.user_upload_rate": rate,
        "limits.user_download_rate": rate,
    }


def _say_users(settings: Settings) -> dict[str, Any]:
    users = settings.users
    limits = settings.limits
    said: dict[str, Any] = {
        "chroot_list_enable": users.jail_exceptions is not None,
        "userlist_enable": users.user_list is not None,
        "userlist_deny": not users.user_list_allows,
        "local_umask": _say_umask(settings, "users"),
        "local_max_rate": _lower(limits.user_upload_rate, limits.user_download_rate),
    }
    if users.jail_exceptions is not None:
        said["chroot_list_file"] = users.jail_exceptions
    if users.user_list is not None:
        said["userlist_file"] = users.user_list
    return said


def _rights(values: Values) -> dict[Path, Any]:
    anonymous, users = _switched(values)
    said = {f"anonymous.rights.{name}": right for name, right in asdict(anonymous).items()}
    said |= {f"users.rights.{name}": right for name, right in asdict(users).items()}
    allowed = _verbs(values["cmds_allowed"])
    return said | {
        "commands.denied": _verbs(values["cmds_denied"]),
        "commands.allowed": allowed or None,
    }


def _switched(values: Values) -> tuple[Rights, Rights]:
    """The rights of anonymous sessions and of users, before verbs are denied."""
    write = values["write_enable"]
    upload = write and values["anon_upload_enable"]
    other = write and values["anon_other_write_enable"]
    common = {"list": values["dirlist_enable"], "download": values["download_enable"]}
    anonymous = Rights(
        upload=upload,
        overwrite=upload and other,
        resume=upload and other,
        append=other,
        delete=other,
        rename=other,
        make_directory=write and values["anon_mkdir_write_enable"],
        remove_directory=other,
        touch=other and values["mdtm_write"],
        **common,
    )
    users = ALL_RIGHTS if write else Rights()
    users = replace(
        users,
        chmod=write and values["chmod_enable"],
        touch=write and values["mdtm_write"],
        **common,
    )
    return anonymous, users


def _verbs(text: str) -> tuple[str, ...]:
    return tuple(sorted({verb for verb in text.split(",") if verb}))


def _say_rights(settings: Settings) -> dict[str, Any]:
    """The switches, and denied verbs for what they would let through and nobody is to do."""
    anonymous, users = settings.anonymous.rights, settings.users.rights
    others = _takes_others(anonymous, users)
    said: dict[str, Any] = {
        "write_enable": _writes(anonymous) or _writes(users),
        "anon_upload_enable": anonymous.upload,
        "anon_mkdir_write_enable": anonymous.make_directory,
        "anon_other_write_enable": others,
        "download_enable": anonymous.download or users.download,
        "dirlist_enable": anonymous.list or users.list,
        "chmod_enable": users.chmod,
        "mdtm_write": users.touch and (anonymous.touch or not others),
    }
    switched = _switched(said)
    superfluous = {
        verb
        for right, verbs in VERBS.items()
        if any(getattr(rights, right) for rights in switched)
        and not getattr(anonymous, right)
        and not getattr(users, right)
        for verb in verbs
    }
    commands = settings.commands
    return said | {
        "cmds_denied": ",".join(sorted({*commands.denied, *superfluous})),
        "cmds_allowed": ",".join(commands.allowed or ()),
    }


def _writes(rights: Rights) -> bool:
    return any(right for name, right in asdict(rights).items() if name not in {"list", "download"})


def _takes_others(anonymous: Rights, users: Rights) -> bool:
    """Whether anon_other_write_enable lets through nothing but what is wanted.

    A verb can be denied for all sessions alone: so only where users do without it too.
    """
    wanted = [name for name in _OTHERS if getattr(anonymous, name)]
    excess = [
        name
        for name in _OTHERS
        if name not in wanted and (anonymous.upload or name not in {"overwrite", "resume"})
    ]
    return bool(wanted) and all(name in VERBS and not getattr(users, name) for name in excess)


def _files(values: Values) -> dict[Path, Any]:
    denied = values["deny_file"]
    hidden = denied == DOT_FILES
    return {
        "files.denied": None if hidden else _names(denied),
        "files.unlisted": _names(values["hide_file"]),
        "files.allowed_uploads": _names(values["upload_file"]),
        "files.allowed_downloads": _names(values["download_file"]),
        "files.base_mode": values["file_open_mode"],
        "anonymous.dot_files": DotFiles.HIDDEN if hidden else DotFiles.FREE,
        "users.dot_files": DotFiles.HIDDEN if hidden else DotFiles.FREE,
    }


def _names(pattern: str) -> Names | None:
    return Names(pattern, Syntax.VSFTPD) if pattern else None


def _say_files(settings: Settings) -> dict[str, Any]:
    files = settings.files
    who = [one for one in (settings.anonymous, settings.users) if one.enabled]
    hidden = any(one.dot_files is not DotFiles.FREE for one in who)
    denied = _say_names(files.denied)
    return {
        "deny_file": denied or (DOT_FILES if hidden else ""),
        "hide_file": _say_names(files.unlisted),
        "upload_file": _say_names(files.allowed_uploads),
        "download_file": _say_names(files.allowed_downloads),
        "file_open_mode": files.base_mode,
    }


def _say_names(names: Names | None) -> str:
    return names.pattern if names and names.syntax is Syntax.VSFTPD else ""


def _tls(values: Values) -> dict[Path, Any]:
    on = values["ssl_enable"]
    logins, data = values["force_anon_logins_ssl"], values["force_anon_data_ssl"]
    spoken = tuple(version for name, version in _OBSOLETE.items() if values[name])
    return {
        "tls.anonymous": _level(on and values["allow_anon_ssl"], logins, data),
        "tls.users": _level(on, values["force_local_logins_ssl"], values["force_local_data_ssl"]),
        "tls.implicit": on and values["implicit_ssl"],
        "tls.client_certificate": values["ssl_request_cert"] and values["require_cert"],
        "tls.certificate_checked": values["ssl_request_cert"] and values["validate_cert"],
        "tls.obsolete": spoken if on else (),
    }


def _level(on: bool, logins: bool, data: bool) -> TlsLevel:
    if not on:
        return TlsLevel.OFF
    if not logins:
        return TlsLevel.OPTIONAL
    return TlsLevel.DATA if data else TlsLevel.CONTROL


def _say_tls(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    levels = (TlsLevel.CONTROL, TlsLevel.DATA)
    demands = {"require_cert": tls.client_certificate, "validate_cert": tls.certificate_checked}
    if tls.anonymous is TlsLevel.OFF and tls.users is TlsLevel.OFF:
        return {**demands, "ssl_enable": False}
    said: dict[str, Any] = {
        **demands,
        "ssl_enable": True,
        "allow_anon_ssl": tls.anonymous is not TlsLevel.OFF,
        "force_anon_logins_ssl": tls.anonymous in levels,
        "force_anon_data_ssl": tls.anonymous is TlsLevel.DATA,
        "force_local_logins_ssl": tls.users in levels,
        "force_local_data_ssl": tls.users is TlsLevel.DATA,
        "implicit_ssl": tls.implicit,
    }
    return said | {name: version in tls.obsolete for name, version in _OBSOLETE.items()}


def _logs(values: Values) -> dict[Path, Any]:
    """How it logs: two files, the second of them or syslog.

    The standard format goes to xferlog_file, its own to vsftpd_log_file or, where that is
    wanted, to syslog.
    """
    both = values["dual_log_enable"]
    logged = values["xferlog_enable"] or both
    standard = logged and (both or values["xferlog_std_format"])
    own = logged and (both or not values["xferlog_std_format"])
    syslog = own and values["syslog_enable"]
    file = values["vsftpd_log_file"] if own and not syslog else None
    return {
        "logs.transfers": values["xferlog_file"] if standard else file,
        "logs.transfer_format": "xferlog" if standard else "vsftpd",
        "logs.daemon": file,
        "logs.syslog": "ftp" if syslog else None,
    }


def _say_logs(settings: Settings) -> dict[str, Any]:
    logs = settings.logs
    standard = logs.transfers is not None and logs.transfer_format == "xferlog"
    own = (
        logs.daemon is not None
        or logs.syslog is not None
        or (logs.transfers is not None and not standard)
    )
    said: dict[str, Any] = {
        "xferlog_enable": standard or own,
        "xferlog_std_format": standard and not own,
        "dual_log_enable": standard and own,
        "syslog_enable": logs.syslog is not None,
    }
    if standard:
        said["xferlog_file"] = logs.transfers
    if own and logs.syslog is None:
        said["vsftpd_log_file"] = logs.transfers if logs.daemon is None else logs.daemon
    return said
