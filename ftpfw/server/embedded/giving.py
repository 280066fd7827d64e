"""Whole uploads go to their keeper: the one thing that a worker may ask of its parent."""

from __future__ import annotations

import logging
import os
import stat

from ftpfw.server.embedded.site import Site

log = logging.getLogger(__name__)


def _may_give(site: Site, found: os.stat_result) -> bool:
    """Whether a file is a whole upload of the worker's user, and nothing else."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == site.who.uid and found.st_nlink == 1


def give(site: Site, descriptor: int) -> bool:
    """Whether an upload is its keeper's now."""
    if site.keeper is None or not _may_give(site, os.fstat(descriptor)):
        return False
    mode = site.settings.anonymous.drop_box.owner_mode
    try:
        os.fchown(descriptor, site.keeper.uid, site.keeper.gid)
        if mode is not None:
            os.fchmod(descriptor, mode)
    except OSError as error:
        log.error("an upload could not be given away: %s", error.strerror)  # noqa: TRY400
        return False
    return True
