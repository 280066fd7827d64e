"""What a tree of contexts means: every setting of its main server and its last ``<Anonymous>``.

``ALWAYS`` is what the daemon does whatever its file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftpfw.server.proftpd import amounts, daemon, data, files, logins, logs, rights, tls
from ftpfw.server.proftpd.site import Site
from ftpfw.server.settings import Path

ALWAYS: Mapping[Path, Any] = {
    "active.source_port": None,
    "anonymous.ask_password": True,
    "anonymous.refused_passwords": None,
    "anonymous.world_readable_only": False,
    "anonymous.drop_box.owner_mode": None,
    "anonymous.drop_box.quota_bytes": None,
    "anonymous.drop_box.quota_files": None,
    "users.writable_root": True,
    "users.user_list": None,
    "users.user_list_allows": False,
    "users.lowest_uid": None,
    "files.denied": None,
    "files.allowed_downloads": None,
    "files.unlisted": None,
    "files.base_mode": 0o666,
    "files.rename_uploads": False,
    "limits.quota_files": None,
    "limits.quota_bytes": None,
    "limits.full_disk": None,
    "limits.load": None,
    "timeouts.accept": None,
    "timeouts.connect": None,
    "login.failure_delay": 0,
    "login.success_delay": 0,
    "logs.transfer_format": "xferlog",
    "commands.allowed": None,
}


def settings_of(site: Site) -> dict[Path, Any]:
    """Every setting that a file says. ConfigError for an argument that means nothing."""
    said = dict(ALWAYS)
    for subject in (daemon, data, logins, rights, files, amounts, tls, logs):
        said |= subject.settings_of(site)
    return said
