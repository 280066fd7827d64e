"""Settings without a daemon's file: safe ones, for downloads or with a drop box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftpfw.server.settings import Host, Path, Settings, Start, TlsLevel, changed

PASSIVE_PORTS = range(61000, 61200)
"""Above Linux's ephemeral ports, and two for each of as many clients as there may be."""

BOX = "incoming"
GIB = 1 << 30
RATE = 16 << 20
"""Bytes a second of one upload."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; None: not asked for."""

    root: str | None = None
    upload: bool = False
    address: Host | None = None
    port: int | None = None
    public: Host | None = None
    passive_ports: range | None = None
    user: str | None = None
    clients: int | None = None
    clients_per_address: int | None = None
    quota: int | None = None
    upload_rate: int | None = None
    box: str | None = None
    pid_file: str | None = None
    xferlog: str | None = None
    inetd: bool = False
    certificate: str | None = None
    key: str | None = None
    implicit_tls: bool = False


def base(*, privileged: bool) -> Settings:
    """What is served without a daemon's file; ``privileged`` servers may have port 21."""
    changes: dict[Path, Any] = {
        "listen.port": 21 if privileged else 2121,
        "passive.ports": PASSIVE_PORTS,
        "anonymous.enabled": True,
        "anonymous.user": "ftp" if privileged else "",
        "logs.transfers": None,
        "logs.syslog": None,
    }
    return changed(Settings(), changes)


def drop_box(root: str, box: str | None, keeper: str | None) -> dict[Path, Any]:
    """Every precaution for uploads of anybody; ``keeper`` is whom they are given to."""
    directory = box or f"{root.rstrip('/')}/{BOX}"
    return {
        "anonymous.rights.upload": True,
        "anonymous.drop_box.directories": (directory,),
        "anonymous.drop_box.readable": False,
        "anonymous.drop_box.listed": False,
        "anonymous.drop_box.owner": keeper,
        "anonymous.drop_box.owner_mode": 0o600,
        "anonymous.drop_box.quota_files": 1000,
        "anonymous.drop_box.quota_bytes": 8 * GIB,
        "anonymous.file_umask": 0o177,
        "files.rename_uploads": True,
        "files.keep_partial": False,
        "limits.upload_bytes": GIB,
        "limits.anonymous_upload_rate": RATE,
    }


def asked(wish: Wish) -> dict[Path, Any]:
    """The changes that the command line makes to whatever the settings come from."""
    given: dict[Path, Any] = {
        "anonymous.root": wish.root,
        "listen.addresses": None if wish.address is None else (wish.address,),
        "listen.port": wish.port,
        "listen.start": Start.INETD if wish.inetd else None,
        "passive.announced": wish.public,
        "passive.ports": wish.passive_ports,
        "anonymous.user": wish.user,
        "anonymous.drop_box.quota_bytes": wish.quota,
        "anonymous.drop_box.directories": None if wish.box is None else (wish.box,),
        "limits.clients": wish.clients,
        "limits.clients_per_address": wish.clients_per_address,
        "process.pid_file": wish.pid_file,
        "logs.transfers": wish.xferlog,
        "logs.transfer_format": wish.xferlog and "xferlog",
        "tls.certificate": wish.certificate,
        "tls.key": wish.key,
    }
    changes = {path: value for path, value in given.items() if value is not None}
    if wish.upload_rate is not None:
        changes["limits.anonymous_upload_rate"] = wish.upload_rate or None
    if wish.certificate is not None:
        changes |= {"tls.anonymous": TlsLevel.OPTIONAL, "tls.implicit": wish.implicit_tls}
    return changes
