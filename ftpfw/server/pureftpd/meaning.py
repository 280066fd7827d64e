"""What Pure-FTPd's options mean, and which options say a setting: both ways, without any text.

``values`` holds every option: bool, int, text, or a tuple of numbers; "" where it is neither
given nor has a default. ``ALWAYS`` is what the daemon does whatever its options are. Measured
on 1.0.50: KeepAllFiles stops DELE alone, AutoRename keeps STOR but not APPE from an existing
file, and NoTruncate lets anonymous clients replace files. They store no name that begins with a
dot, whatever is set, and AllowDotFiles alone decides whether they fetch one.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from ftpfw.server.pureftpd.table import KIB, LOGINS, MIB, ROWS
from ftpfw.server.settings import (
    Audience,
    DotFiles,
    Family,
    Host,
    Path,
    Settings,
    Start,
    TlsLevel,
    umask_for,
)

Values = Mapping[str, Any]

ANY_PORT = range(1024, 65536)
BY_ITSELF = ("pam",)
"""Where accounts are if no option says so."""

ALWAYS: Mapping[Path, Any] = {
    "listen.start": Start.STANDALONE,
    "messages.banner": None,
    "messages.login_file": ".banner",
    "messages.goodbye_file": None,
    "messages.directory_file": ".message",
    "active.enabled": True,
    "active.source_port": 20,
    "anonymous.names": ("anonymous", "ftp"),
    "anonymous.user": "ftp",
    "anonymous.root": None,
    "anonymous.ask_password": True,
    "anonymous.refused_passwords": None,
    "anonymous.world_readable_only": False,
    "anonymous.rights.list": True,
    "anonymous.rights.download": True,
    "anonymous.rights.append": False,
    "anonymous.rights.resume": False,
    "anonymous.rights.delete": False,
    "anonymous.rights.rename": False,
    "anonymous.rights.remove_directory": False,
    "anonymous.rights.chmod": False,
    "anonymous.rights.touch": False,
    "anonymous.drop_box.directories": (),
    "anonymous.drop_box.listed": True,
    "anonymous.drop_box.shown": True,
    "anonymous.drop_box.owner": None,
    "anonymous.drop_box.owner_mode": None,
    "anonymous.drop_box.quota_bytes": None,
    "anonymous.drop_box.quota_files": None,
    "users.root": None,
    "users.writable_root": True,
    "users.user_list": None,
    "users.user_list_allows": False,
    "users.denied_list": True,  # pam_listfile of Debian's PAM service, on /etc/ftpusers
    "users.root_login": False,
    "users.valid_shell": True,
    "users.rights.list": True,
    "users.rights.download": True,
    "users.rights.upload": True,
    "users.rights.append": True,
    "users.rights.resume": True,
    "users.rights.make_directory": True,
    "users.rights.remove_directory": True,
    "users.rights.touch": True,
    "files.denied": None,
    "files.denied_uploads": None,
    "files.allowed_uploads": None,
    "files.allowed_downloads": None,
    "files.unlisted": None,
    "files.keep_partial": True,
    "limits.clients_from_login": False,
    "limits.clients_per_address_from_login": False,
    "limits.upload_bytes": None,
    "timeouts.login": None,
    "timeouts.no_transfer": None,
    "timeouts.session": None,
    "login.failures": 5,
    "login.failure_delay": 3,
    "login.success_delay": 0,
    "tls.implicit": False,
    "tls.session_reuse": False,
    "tls.obsolete": (),
    "logs.daemon": None,
    "logs.wtmp": False,
    "listing.hide_ids": False,
    "listing.dot_files": False,
    "listing.hide_unreachable": False,
    "listing.local_time": False,
    "commands.denied": (),
    "commands.allowed": None,
    "process.user": None,
    "process.group": None,
}

HIGHEST = 2**31 - 1

ENDLESS = 10**9
"""As good as no limit of a listing. -1 is none too, but its double overflows (measured on 1.0.50):
a pattern in LIST then finds nothing."""

DEFAULT_IDLE = 15
"""Minutes; there is no word for none."""

_LEVELS = tuple(TlsLevel)
_CERTIFICATE_WANTED = "-C:"


def settings_of(values: Values, sources: tuple[str, ...]) -> dict[Path, Any]:
    """Every setting that the options say. ``sources`` are the logins, in order."""
    linked = {row.link.path: row.link.value(values[row.name]) for row in ROWS if row.link}
    return {
        **ALWAYS,
        **linked,
        **_listen(values),
        **_data(values),
        **_logins(values),
        **_files(values),
        **_limits(values),
        **_tls(values),
        **_logs(values),
        "users.sources": sources or BY_ITSELF,
    }


def values_of(settings: Settings) -> dict[str, Any]:
    """The options that say the settings as well as Pure-FTPd can; the logins are not in it."""
    linked = {row.name: row.link.raw(settings.get(row.link.path)) for row in ROWS if row.link}
    return {
        **linked,
        **_say_listen(settings),
        **_say_data(settings),
        **_say_logins(settings),
        **_say_files(settings),
        **_say_limits(settings),
        **_say_tls(settings),
        **_say_logs(settings),
    }


def logins_of(sources: tuple[str, ...]) -> list[tuple[str, str]]:
    """The keyword and argument of each source that Pure-FTPd knows."""
    if sources == BY_ITSELF:
        return []
    said = []
    for source in sources:
        name, colon, argument = source.partition(":")
        if name in LOGINS and bool(colon) == (name not in {"unix", "pam"}):
            said.append((LOGINS[name], argument or "yes"))
    return said


def parse_bind(text: str) -> tuple[Host | None, int]:
    """``port``, ``address,`` or ``address,port``. ValueError for what Pure-FTPd takes amiss."""
    address, comma, port = text.rpartition(",")
    if not port.isdecimal() and (port or not comma):
        raise ValueError(f"{text!r} names no port: a value without a comma is one")
    number = int(port) if port else 21
    if not 0 < number < 65536:
        raise ValueError(f"{number} is no port")
    return parse_host(address) if address else None, number


def parse_host(text: str) -> Host:
    """An address, or else a name."""
    try:
        return ip_address(text)
    except ValueError:
        return text


def _listen(values: Values) -> dict[Path, Any]:
    host, port = parse_bind(values["Bind"]) if values["Bind"] else (None, 21)
    family = Family.IPV4 if values["IPV4Only"] else Family.BOTH
    return {
        "listen.addresses": () if host is None else (host,),
        "listen.port": port,
        "listen.family": Family.IPV6 if values["IPV6Only"] else family,
    }


def _say_listen(settings: Settings) -> dict[str, Any]:
    listen = settings.listen
    address = str(listen.addresses[0]) if len(listen.addresses) == 1 else ""
    port = "" if listen.port in {0, 21} else str(listen.port)
    return {
        "Bind": f"{address},{port}" if address else port,
        "IPV4Only": listen.family is Family.IPV4,
        "IPV6Only": listen.family is Family.IPV6,
    }


def _data(values: Values) -> dict[Path, Any]:
    first, last = values["PassivePortRange"]
    ports = range(first, last + 1)
    announced = values["ForcePassiveIP"]
    fxp = Audience.USERS if values["AllowUserFXP"] else Audience.NOBODY
    if values["AllowAnonymousFXP"]:
        fxp = Audience.EVERYBODY
    return {
        "passive.ports": None if ports == ANY_PORT else ports,
        "passive.announced": parse_host(announced) if announced else None,
        "passive.foreign": fxp,
        "active.foreign": fxp,
        "limits.clients": min(values["MaxClientsNumber"], max(1, len(ports) // 2)),
    }


def _say_data(settings: Settings) -> dict[str, Any]:
    ports = settings.passive.ports or ANY_PORT
    both = settings.active.foreign, settings.passive.foreign
    return {
        "PassivePortRange": (ports.start, ports.stop - 1),
        "ForcePassiveIP": str(settings.passive.announced or ""),
        "AllowUserFXP": all(one is not Audience.NOBODY for one in both),
        "AllowAnonymousFXP": all(one is Audience.EVERYBODY for one in both),
        "MaxClientsNumber": min(settings.limits.clients or 65535, HIGHEST),
    }


def _logins(values: Values) -> dict[Path, Any]:
    exceptions = values["TrustedGID"]
    return {
        "anonymous.enabled": not values["NoAnonymous"],
        "anonymous.any_name": values["AnonymousOnly"],
        "users.enabled": not values["AnonymousOnly"],
        "users.jailed": values["ChrootEveryone"] or exceptions != "",
        "users.jail_exceptions": None if exceptions == "" else f"gid {exceptions}",
    }


def _say_logins(settings: Settings) -> dict[str, Any]:
    users = settings.users
    kind, _, gid = (users.jail_exceptions or "").partition(" ")
    trusted = int(gid) if kind == "gid" and gid.isdecimal() and users.jailed else ""
    return {
        "NoAnonymous": not settings.anonymous.enabled,
        "AnonymousOnly": not users.enabled,
        "TrustedGID": trusted,
        "ChrootEveryone": users.jailed and trusted == "",
    }


def _files(values: Values) -> dict[Path, Any]:
    upload = not values["AnonymousCantUpload"]
    files, directories = values["Umask"]
    users = DotFiles.READ_ONLY if values["ProhibitDotFilesWrite"] else DotFiles.FREE
    if values["ProhibitDotFilesRead"]:
        users = DotFiles.HIDDEN
    return {
        "anonymous.rights.upload": upload,
        "anonymous.rights.overwrite": upload and values["NoTruncate"],
        "users.rights.overwrite": not values["AutoRename"],
        "anonymous.dot_files": DotFiles.READ_ONLY if values["AllowDotFiles"] else DotFiles.HIDDEN,
        "users.dot_files": users,
        "anonymous.file_umask": files,
        "anonymous.directory_umask": directories,
        "users.file_umask": files,
        # it makes files with 0777 (measured on 1.0.50): a umask of 022 leaves them executable
        "files.base_mode": 0o666 if files & 0o111 == 0o111 else 0o777,
        "users.directory_umask": directories,
        "files.hidden_until_complete": values["NoTruncate"],
        "files.rename_uploads": values["AutoRename"],
    }


def _say_files(settings: Settings) -> dict[str, Any]:
    anonymous, users = settings.anonymous, settings.users
    who = "anonymous" if anonymous.enabled else "users"
    directories = settings.get(f"{who}.directory_umask")
    hidden = settings.files.hidden_until_complete
    return {
        "AnonymousCantUpload": not anonymous.rights.upload,
        "NoTruncate": hidden and (anonymous.rights.overwrite or not anonymous.rights.upload),
        "AutoRename": settings.files.rename_uploads,
        # it keeps anonymous clients from all that belongs to ftp, not from uploads alone
        "AntiWarez": anonymous.rights.upload and not anonymous.drop_box.readable,
        "AllowDotFiles": anonymous.dot_files is not DotFiles.HIDDEN,
        "ProhibitDotFilesWrite": users.dot_files is not DotFiles.FREE,
        "ProhibitDotFilesRead": users.dot_files is DotFiles.HIDDEN,
        "Umask": (umask_for(settings, who, 0o777) & 0o777, directories),
    }


def _limits(values: Values) -> dict[Path, Any]:
    of_user, anonymous = values["PerUserLimits"]
    everybody = _rates(values["UserBandwidth"])
    mine = _rates(values["AnonymousBandwidth"]) if values["AnonymousBandwidth"] else everybody
    files, quota = values["Quota"] or (None, None)
    waiting = values["MaxIdleTime"] * 60 or None
    return {
        "limits.clients_per_user": of_user or None,
        "limits.anonymous_clients": anonymous or None,
        "limits.user_upload_rate": everybody[0],
        "limits.user_download_rate": everybody[1],
        "limits.anonymous_upload_rate": mine[0],
        "limits.anonymous_download_rate": mine[1],
        "limits.quota_files": files,
        "limits.quota_bytes": None if quota is None else quota * MIB,
        "timeouts.idle": waiting,
        "timeouts.stalled": waiting,
        "timeouts.accept": waiting,
        "timeouts.connect": waiting,
    }


def _rates(raw: Any) -> tuple[int | None, int | None]:
    """Bytes a second up and down; one number counts for both."""
    if raw == "":
        return None, None
    up, down = raw
    return (up * KIB if up else None), (down * KIB if down else None)


def _say_limits(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    everybody = _say_rates(limits.user_upload_rate, limits.user_download_rate)
    mine = _say_rates(limits.anonymous_upload_rate, limits.anonymous_download_rate)
    quota: Any = ""
    if limits.quota_files is not None and limits.quota_bytes is not None:
        quota = (limits.quota_files, limits.quota_bytes // MIB)
    idle = settings.timeouts.idle
    return {
        "PerUserLimits": (limits.clients_per_user or 0, limits.anonymous_clients or 0),
        "UserBandwidth": everybody,
        "AnonymousBandwidth": "" if mine == everybody else mine,
        "Quota": quota,
        "MaxIdleTime": DEFAULT_IDLE if idle is None else max(1, idle // 60),
    }


def _say_rates(up: int | None, down: int | None) -> Any:
    if up is None and down is None:
        return ""
    return tuple(0 if rate is None else max(1, rate // KIB) for rate in (up, down))


def _tls(values: Values) -> dict[Path, Any]:
    certificate, _, key = values["CertFile"].partition(",")
    ciphers = values["TLSCipherSuite"]
    asks = ciphers.startswith(_CERTIFICATE_WANTED)
    level = _LEVELS[values["TLS"]]
    return {
        "tls.anonymous": level,
        "tls.users": level,
        "tls.certificate": certificate or None,
        "tls.key": key or None,
        "tls.ciphers": ciphers.removeprefix(_CERTIFICATE_WANTED) or None,
        "tls.client_certificate": asks,
        "tls.certificate_checked": asks,
        "tls.authorities": (certificate or None) if asks else None,  # measured on 1.0.50
    }


def _say_tls(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    prefix, every = (_CERTIFICATE_WANTED, "DEFAULT") if tls.client_certificate else ("", "")
    certificate = ",".join(file for file in (tls.certificate, tls.key) if file)
    wanted = [tls.users] * settings.users.enabled + [tls.anonymous] * settings.anonymous.enabled
    return {
        "TLS": max(map(_LEVELS.index, wanted), default=0),
        "CertFile": certificate,
        "TLSCipherSuite": f"{prefix}{tls.ciphers or every}",
    }


def _logs(values: Values) -> dict[Path, Any]:
    style, _, file = values["AltLog"].partition(":")
    entries, depth = (
        None if bound < 0 or bound >= ENDLESS else bound for bound in values["LimitRecursion"]
    )
    return {
        "logs.transfers": file or None,
        "logs.transfer_format": style if file else "xferlog",
        "listing.entries": entries,
        "listing.depth": depth,
    }


def _say_logs(settings: Settings) -> dict[str, Any]:
    logs = settings.logs
    file = logs.transfers or ""
    known = file.startswith("/") and logs.transfer_format in {"clf", "stats", "w3c", "xferlog"}
    bounds = settings.listing.entries, settings.listing.depth
    return {
        "AltLog": f"{logs.transfer_format}:{logs.transfers}" if known else "",
        "LimitRecursion": tuple(ENDLESS if bound is None else max(1, bound) for bound in bounds),
    }
