"""Directories for uploads: where they are, and whether the session's user can add to them."""

from __future__ import annotations

import os
import stat

from ftpfw.errors import ConfigError
from ftpfw.server.embedded.jail import Jail
from ftpfw.server.embedded.obeyed import error_at
from ftpfw.server.embedded.paths import is_within, join
from ftpfw.server.embedded.privileges import Account
from ftpfw.server.settings import Settings

BOX_MODE = 0o1730
"""Root's; sessions can add to it and enter it, but neither look into it nor take away."""


def find_box(settings: Settings, jail: Jail, directory: str) -> tuple[str, str]:
    """A directory for uploads: as clients name it, and as it is."""
    real = os.path.realpath(directory)
    if not is_within(real, jail.directory) or real == jail.directory:
        raise error_at(
            settings,
            "anonymous.drop_box.directories",
            f"{directory} for uploads is not below {jail.directory}, which is served",
            "name a directory in it",
        )
    return join("/", real[len(jail.directory.rstrip("/")) :]), real


def open_box(jail: Jail, path: str, who: Account, settings: Settings) -> int:
    """Make the directory where it is missing; it must take files of the session's user."""
    real = f"{jail.directory.rstrip('/')}{path}"
    group = who.gid
    if not os.path.isdir(real):
        try:
            os.mkdir(real, 0o700)
        except OSError as error:
            raise _wrong_box(settings, real, who, error.strerror or "") from error
        if os.geteuid() == 0:
            os.chown(real, 0, group)
            os.chmod(real, BOX_MODE)
    descriptor = jail.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if os.geteuid() == 0 and who.uid and not may_add(found, who):
        os.close(descriptor)
        raise _wrong_box(settings, real, who, "its user cannot add to it")
    return descriptor


def may_add(found: os.stat_result, who: Account) -> bool:
    """Whether a user, by owner, group or the rest, can make files in a directory."""
    if found.st_uid == who.uid:
        needed = stat.S_IWUSR | stat.S_IXUSR
    elif found.st_gid == who.gid:
        needed = stat.S_IWGRP | stat.S_IXGRP
    else:
        needed = stat.S_IWOTH | stat.S_IXOTH
    return found.st_mode & needed == needed


def _wrong_box(settings: Settings, real: str, who: Account, why: str) -> ConfigError:
    return error_at(
        settings,
        "anonymous.drop_box.directories",
        f"{real} cannot take uploads: {why}",
        f"install -d -o root -g {who.gid} -m 1730 {real}",
    )
