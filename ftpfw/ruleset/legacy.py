"""Applier for iptables-legacy: one ``iptables-legacy-restore --noflush`` a table.

A restore reads a whole table, changes it in memory and writes it back in one commit, so
two programs at once would lose each other's rules; iptables takes /run/xtables.lock against
that (xtables_lock() in iptables/xshared.c). Here it is held from the first reading to the
last commit, over several restores, which therefore get another file to lock
(XTABLES_LOCKFILE, iptables(8)).

Not python-iptables: its structures are those of one libxtables, and with that of iptables
1.8.13 it finds no option of any extension. The text and the program that reads it always
fit each other.

A table that is used for the first time in a network namespace stays visible in
iptables-legacy-save, empty: the kernel has no way to unload it from one namespace.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ftpfw.errors import HostError
from ftpfw.ruleset.firewall import run_program
from ftpfw.ruleset.live import Part, SavedTable
from ftpfw.ruleset.model import Family, Table
from ftpfw.ruleset.restore import restore_text
from ftpfw.ruleset.xtables import save_tables

LOCK_FILE = "/run/xtables.lock"
LOCK_WITHIN = 10.0
"""Seconds to wait for other programs; iptables holds the lock for milliseconds."""

NO_LOCK = {"XTABLES_LOCKFILE": "/dev/null"}

_PREFIX = {Family.IPV4: "iptables-legacy", Family.IPV6: "ip6tables-legacy"}


class Legacy:
    """iptables-legacy, through its own programs."""

    name = "legacy"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the xtables lock; HostError if another program does not let go of it."""
        path = os.environ.get("XTABLES_LOCKFILE") or LOCK_FILE
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"cannot open the lock {path}: {error.strerror}") from error
        try:
            _wait_for_lock(descriptor, path)
            yield
        finally:
            os.close(descriptor)

    def save(self, family: Family) -> dict[str, SavedTable]:
        """The tables that this network namespace has used so far."""
        return save_tables(f"{_PREFIX[family]}-save")

    def replace(self, family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
        """One commit; until then everything happens in memory."""
        text = restore_text(table, saved, wanted)
        run_program([f"{_PREFIX[family]}-restore", "--noflush", "--wait"], text, NO_LOCK)


def _wait_for_lock(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + LOCK_WITHIN
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise HostError(
                    f"another program holds {path}", mend=f"fuser {path} names it"
                ) from None
            time.sleep(0.05)
        else:
            return
