"""Servers for three purposes: settings, the commands that make room, the firewall's policy.

    anonymous-download   anybody fetches, nobody stores
    drop-box             anybody fetches, and stores into a directory that nobody can look into
    users                accounts in their own roots, inside TLS alone

Each starts from what the daemon does by itself, so what it cannot say of the purpose is told, and
nothing else. What a daemon leaves to permissions of files, the commands see to.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ftpfw.server.forms import DAEMON_OF, WRITERS, read_text
from ftpfw.server.options import Form, Unexpressed
from ftpfw.server.pureftpd.reader import read_debian
from ftpfw.server.pureftpd.writer import in_few_words
from ftpfw.server.settings import (
    ALL_RIGHTS,
    Audience,
    Daemon,
    DotFiles,
    Family,
    Host,
    Names,
    Path,
    Settings,
    Start,
    Syntax,
    TlsLevel,
    changed,
)


class Purpose(StrEnum):
    """What the server is for."""

    DOWNLOAD = "anonymous-download"
    DROP_BOX = "drop-box"
    USERS = "users"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is and what it serves. ``address`` None: every one of this host.

    ``public`` is the address under which a gateway publishes it; None: it needs no gateway.
    """

    root: str = "/srv/ftp"
    address: Host | None = None
    port: int = 21
    passive_ports: range = range(61000, 61200)
    inetd: bool = False
    public: Host | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that makes the server."""

    configuration: str
    unexpressed: tuple[Unexpressed, ...]
    commands: str
    policy: str


KEEPER = "ftpsecure"
"""Owns what anonymous clients have stored; no session runs as it."""

CERTIFICATES = {
    Daemon.VSFTPD: "/etc/ssl/private/vsftpd.pem",
    Daemon.PURE_FTPD: "/etc/ssl/private/pure-ftpd.pem",  # where it looks by itself
    Daemon.PROFTPD: "/etc/ssl/private/proftpd.pem",
}


def make(purpose: Purpose, form: Form, place: Place) -> Recipe:
    """The recipe for one daemon, in one of its syntaxes."""
    wanted = changed(_by_itself(form), _changes(purpose, form, place))
    written = WRITERS[form](wanted)
    missing = tuple(one for one in written.unexpressed if one.path not in _LEFT_TO_PERMISSIONS)
    commands = "\n".join([*_room(purpose, form, place), "", *_start(form, place, written.text)])
    return Recipe(written.text, missing, commands + "\n", _policy(place))


_LEFT_TO_PERMISSIONS = {
    "anonymous.drop_box.directories",
    "anonymous.drop_box.listed",
    "anonymous.drop_box.shown",
    "anonymous.drop_box.owner",
    "anonymous.drop_box.owner_mode",
    "anonymous.root",
    "listen.start",
}
"""Settings that the commands see to where the daemon cannot."""


def _by_itself(form: Form) -> Settings:
    if form is Form.PURE_DEBIAN:
        return read_debian({}, (), "").settings
    return read_text("", "", form).settings


def _changes(purpose: Purpose, form: Form, place: Place) -> dict[Path, Any]:
    changes: dict[Path, Any] = {
        "listen.start": Start.INETD if place.inetd else Start.STANDALONE,
        "listen.family": _family(place.address),
        "listen.addresses": () if place.address is None else (place.address,),
        "listen.port": place.port,
        "passive.ports": place.passive_ports,
        "passive.foreign": Audience.NOBODY,
        "active.foreign": Audience.NOBODY,
        "limits.clients": len(place.passive_ports) // 2,
        "limits.clients_per_address": 5,
        "timeouts.idle": 300,
        "logs.transfer_format": "xferlog",
        "logs.transfers": "/var/log/xferlog",
        "logs.resolve": False,
        "users.enabled": purpose is Purpose.USERS,
        "anonymous.enabled": purpose is not Purpose.USERS,
    }
    daemon = DAEMON_OF[form]
    if daemon is not Daemon.PURE_FTPD:
        changes["messages.banner"] = "FTP server ready."
    if daemon is Daemon.PROFTPD:
        changes |= {"process.user": "nobody", "process.group": "nogroup"}
    if daemon is Daemon.PURE_FTPD:
        waiting = ("stalled", "accept", "connect")
        changes |= {f"timeouts.{name}": 300 for name in waiting}
    return changes | _of_purpose(purpose, daemon, place)


def _family(address: Host | None) -> Family:
    version = getattr(address, "version", None)
    return {4: Family.IPV4, 6: Family.IPV6}.get(version or 0, Family.BOTH)


def _of_purpose(purpose: Purpose, daemon: Daemon, place: Place) -> dict[Path, Any]:
    if purpose is Purpose.USERS:
        return {**_of_users(daemon), **_announced(place.public)}
    changes: dict[Path, Any] = {
        "anonymous.root": place.root,
        "anonymous.names": ("anonymous", "ftp"),
    }
    if daemon is Daemon.PURE_FTPD:
        changes["anonymous.any_name"] = True
    for right in ALL_RIGHTS.__slots__:
        changes[f"anonymous.rights.{right}"] = right in {"list", "download"}
    if purpose is Purpose.DROP_BOX:
        changes |= {
            "anonymous.rights.upload": True,
            "anonymous.drop_box.directories": (f"{place.root}/incoming",),
            "anonymous.drop_box.readable": False,
            "anonymous.drop_box.listed": False,
            "anonymous.drop_box.shown": daemon is not Daemon.PROFTPD,
            "anonymous.file_umask": 0o177,
            "anonymous.directory_umask": 0o177 if daemon is Daemon.VSFTPD else 0o077,
            "anonymous.dot_files": DotFiles.READ_ONLY
            if daemon is Daemon.PROFTPD
            else DotFiles.HIDDEN,
        }
        changes |= _OF_UPLOADS[daemon]
    return changes | _BOUNDS[daemon]


UPLOAD_RATE = 16 << 20
"""Bytes a second."""

_OF_UPLOADS: Mapping[Daemon, dict[Path, Any]] = {
    Daemon.VSFTPD: {
        "anonymous.drop_box.owner": KEEPER,
        "anonymous.drop_box.owner_mode": 0o600,
        "users.dot_files": DotFiles.HIDDEN,
        "limits.anonymous_upload_rate": UPLOAD_RATE,
        "limits.anonymous_download_rate": UPLOAD_RATE,  # it has one for both
    },
    Daemon.PURE_FTPD: {
        "limits.anonymous_upload_rate": UPLOAD_RATE,
        "limits.anonymous_download_rate": UPLOAD_RATE,
    },
    Daemon.PROFTPD: {
        "anonymous.drop_box.owner": KEEPER,
        "files.allowed_uploads": Names("^[a-zA-Z0-9_.,/-]+$", Syntax.REGEX),
        "limits.anonymous_upload_rate": UPLOAD_RATE,
    },
}
"""What the daemon can do against what strangers store, but does not by itself.

Nothing against what breaks off: vsftpd and ProFTPD give a file away when they open it, and then can
neither remove it from a sticky directory nor rename it there.
"""

_BOUNDS: Mapping[Daemon, dict[Path, Any]] = {
    Daemon.VSFTPD: {"listing.hide_ids": True},
    Daemon.PURE_FTPD: {"limits.full_disk": 90},
    Daemon.PROFTPD: {"limits.upload_bytes": 1 << 30, "listing.depth": 3, "listing.hide_ids": True},
}


def _of_users(daemon: Daemon) -> dict[Path, Any]:
    changes: dict[Path, Any] = {
        "users.jailed": True,
        "tls.users": TlsLevel.DATA,
        "tls.certificate": CERTIFICATES[daemon],
        "tls.obsolete": (),
    }
    for right in ALL_RIGHTS.__slots__:
        changes[f"users.rights.{right}"] = True
    if daemon is Daemon.PURE_FTPD:
        changes |= {"users.lowest_uid": 1000, "tls.anonymous": TlsLevel.DATA}
    return changes


def _announced(public: Host | None) -> dict[Path, Any]:
    """Inside TLS no gateway can put another address into a 227 reply; IPv6 has no such reply."""
    return {"passive.announced": public} if getattr(public, "version", None) == 4 else {}


_TLS_PACKAGE = {
    Form.PROFTPD: (
        "# TLS is in a package of its own",
        "apt-get install proftpd-mod-crypto",
    )
}


# Commands


def _room(purpose: Purpose, form: Form, place: Place) -> list[str]:
    """The users and directories."""
    root = shlex.quote(place.root)
    if purpose is Purpose.USERS:
        file = CERTIFICATES[DAEMON_OF[form]]
        return [
            *_TLS_PACKAGE.get(form, ()),
            "# a certificate, which its owner alone can read",
            f"test -e {file} || openssl req -x509 -newkey rsa:2048 -nodes -days 365 \\",
            f'    -subj "/CN=$(hostname)" -keyout {file} -out {file}',
            f"chmod 0600 {file}",
            "# one user as an example: a root that is not the user's, and a directory that is",
            f"useradd --home-dir {root}/alice --no-create-home --shell /bin/sh alice",
            f"install -d -o root -g root -m 0755 {root} {root}/alice",
            f"install -d -o alice -g alice -m 0700 {root}/alice/files",
            "passwd alice",
        ]
    lines = [
        "# the user that anonymous sessions run as; its home is their root",
        _system_user("ftp", place.root),
        f"usermod --home {root} ftp",
        "# nothing here belongs to it",
        f"install -d -o root -g root -m 0755 {root} {root}/pub",
    ]
    if purpose is Purpose.DROP_BOX:
        lines += [
            "# it can add to this directory, but neither look into it nor take away",
            f"install -d -o root -g ftp -m 1730 {root}/incoming",
        ]
        if DAEMON_OF[form] is not Daemon.PURE_FTPD:
            lines += [
                "# the owner of what has been stored, as whom nobody logs in",
                _system_user(KEEPER, "/nonexistent"),
            ]
    return lines


def _system_user(name: str, home: str) -> str:
    return (
        f"id {name} >/dev/null 2>&1 || useradd --system --user-group --no-create-home"
        f" --home-dir {shlex.quote(home)} --shell /usr/sbin/nologin {name}"
    )


FILES = {
    Form.VSFTPD: "/etc/vsftpd.conf",
    Form.PURE_CONF: "/etc/pure-ftpd/pure-ftpd.conf",
    Form.PROFTPD: "/etc/proftpd/proftpd.conf",
}
"""Where a daemon looks for its configuration."""


def _start(form: Form, place: Place, text: str) -> list[str]:
    if place.inetd:
        return _inetd(form, place, text)
    match form:
        case Form.VSFTPD:
            return [*_configured(form), "systemctl restart vsftpd"]
        case Form.PROFTPD:
            return [
                *_configured(form),
                f"proftpd -t -c {FILES[form]} && systemctl restart proftpd",
            ]
        case Form.PURE_CONF:
            return [
                *_configured(form),
                "systemctl disable --now pure-ftpd  # Debian's service reads conf/ instead",
                f"pure-ftpd {FILES[form]} --daemonize",
            ]
        case Form.PURE_DEBIAN:
            return [*_configured(form), "systemctl restart pure-ftpd"]
        case _:
            return [
                "# Debian's service reads conf/ instead",
                "systemctl disable --now pure-ftpd",
                f"{text.strip()} -B",
            ]


def _inetd(form: Form, place: Place, text: str) -> list[str]:
    match form:
        case Form.VSFTPD:
            server = f"/usr/sbin/vsftpd vsftpd {FILES[form]}"
        case Form.PROFTPD:
            server = "/usr/sbin/proftpd in.proftpd"
        case Form.PURE_ARGS:
            server = f"/usr/sbin/pure-ftpd {in_few_words(text)}"
        case Form.PURE_CONF:
            server = f"/usr/sbin/pure-ftpd pure-ftpd {FILES[form]}"
        case _:
            server = "/usr/sbin/pure-ftpd-wrapper pure-ftpd-wrapper"
    service = f"{_listening(place)}{'ftp' if place.port == 21 else place.port}"
    line = shlex.quote(f"{service} stream tcp nowait root {server}")
    return [
        "# the port is inetd's",
        f"systemctl disable --now {_SERVICES[DAEMON_OF[form]]}",
        *_configured(form),
        "# each session comes from inetd: without .MAX behind nowait 256 a minute, then for ten",
        "# minutes none",
        f"echo {line} >> /etc/inetd.conf",
        "systemctl reload-or-restart inetd",
    ]


_SERVICES = {
    Daemon.VSFTPD: "vsftpd",
    Daemon.PURE_FTPD: "pure-ftpd",
    Daemon.PROFTPD: "proftpd",
}


def _listening(place: Place) -> str:
    """The address before a service in inetd.conf."""
    if place.address is None:
        return ""
    return (
        f"{place.address}:" if _family(place.address) is not Family.IPV6 else f"[{place.address}]:"
    )


def _configured(form: Form) -> list[str]:
    """What is to be done with the configuration before anything starts."""
    if form in FILES:
        return [f"# put the configuration into {FILES[form]}, then:"]
    if form is Form.PURE_DEBIAN:
        return ["# run the commands of the configuration, then:"]
    return []


def _policy(place: Place) -> str:
    """What lets clients in: `ftpfw load` of it on the server's own host, or on its gateway."""
    address = place.address if place.address is not None else "192.0.2.10"
    comment = "" if place.address is not None else "  # the server's address"
    ports = place.passive_ports
    if place.public is None:
        title, inside, public = "firewall of the FTP server's own host", "[]", ""
        more = (
            "# It accepts what FTP needs, ahead of rules of your own, and shuts nothing: that is up"
            " to\n# those, as: iptables -P INPUT DROP; ip6tables -P INPUT DROP\n"
        )
    else:
        title, inside, more = "gateway that publishes the FTP server", '["eth1"]', ""
        public = f'public = "{place.public}"\n'
    return (
        f"# The {title}: ftpfw load gateway.toml\n"
        f"{more}"
        "[gateway]\n"
        f"inside  = {inside}\n"
        'outside = "eth0"\n'
        "\n"
        "[[server]]\n"
        f'address = "{address}"{comment}\n'
        f"{public}"
        f"port = {place.port}\n"
        f'passive_ports = "{ports.start}-{ports.stop - 1}"\n'
    )
