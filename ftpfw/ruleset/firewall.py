"""What the appliers have in common: a firewall is saved, locked and changed table by table.

``replace`` changes one table of one family in one kernel transaction, from the part of
ours that is in it to the one wanted; it must not touch anything else. Making several
such changes into one, with undo, is ``apply``'s work.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from ftpfw.errors import HostError
from ftpfw.ruleset.live import Part, SavedTable, parse_save
from ftpfw.ruleset.model import Family, Table

DOCTOR = "`ftpfw doctor` shows what this kernel lacks; the rules are as they were before"
NOTHING: Mapping[str, str] = {}
PROGRAM_WITHIN = 60.0
"""Seconds for iptables-save and -restore, which may wait for a lock."""


class Firewall(Protocol):
    """iptables-legacy, or iptables on nf_tables."""

    name: str

    def locked(self) -> AbstractContextManager[None]:
        """Keep other programs from changing rules meanwhile, where the backend can."""

    def save(self, family: Family) -> dict[str, SavedTable]:
        """The tables that exist now."""

    def replace(self, family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
        """Put ``wanted`` in the place of our part of ``saved``, the table as it is now.

        Raises HostError, and has changed nothing then, where the kernel refuses.
        """


def save_tables(program: str) -> dict[str, SavedTable]:
    """The tables that ``program``, an iptables-save, prints."""
    return parse_save(run_program([program]))


def run_program(
    argv: list[str], text: str | None = None, environment: Mapping[str, str] = NOTHING
) -> str:
    """The output of an iptables program fed with ``text``; HostError where it fails.

    ``environment`` is in addition to our own.
    """
    try:
        done = subprocess.run(
            argv,
            input=text,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_WITHIN,
        )
    except FileNotFoundError:
        mend = "install the package iptables (iptables-nft or iptables-legacy on some systems)"
        raise HostError(f"{argv[0]} is not installed", mend=mend) from None
    except subprocess.TimeoutExpired:
        raise HostError(
            f"{argv[0]} did not end", mend="does another program hold the xtables lock?"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise HostError(f"{' '.join(argv)}: {said}", mend=DOCTOR)
    return done.stdout
