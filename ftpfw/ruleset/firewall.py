"""What the appliers have in common: each keeps our rules in one of the kernel's firewalls.

    legacy       iptables-legacy        ``xtables`` with ``legacy``
    nft-compat   iptables on nf_tables  ``xtables`` with ``nft_compat``
    nftables     nf_tables' own rules   ``nft_native``

None of them reads or writes foreign rules. Making changes all or nothing is ``apply``'s work.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from ftpfw.errors import HostError
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.model import RuleSet

DOCTOR = "`ftpfw doctor` shows what this kernel lacks; the rules are as they were before"
NOTHING: Mapping[str, str] = {}
PROGRAM_WITHIN = 60.0
"""Seconds for iptables-save and -restore, which may wait for a lock."""

Undo: TypeAlias = Callable[[], None]
"""Sets the rules of ours back to what they were when it was made."""

IPTABLES_PACKAGE = "iptables (iptables-nft or iptables-legacy on some systems)"
PACKAGES = {"nft": "nftables", "unshare": "util-linux"}


class Firewall(Protocol):
    """Where rules of ours can live; asked of the network namespace that this process is in."""

    name: str

    def locked(self) -> AbstractContextManager[None]:
        """Keep other programs from changing rules meanwhile, where the backend can."""

    def keep(self) -> Undo:
        """What sets our part back to how it is now."""

    def change(self, rulesets: Sequence[RuleSet]) -> None:
        """Make our part what ``rulesets`` say; what is so already stays, counters and all.

        Raises HostError where the kernel refuses; a part of it may be changed then.
        """

    def drift(self, rulesets: Sequence[RuleSet]) -> Iterator[Drift]:
        """Every difference between the wanted rules and the live ones."""

    def texts(self, rulesets: Sequence[RuleSet]) -> tuple[list[str], list[str]]:
        """Our part as it is and as ``rulesets`` want it, in lines that can be compared."""

    def has_ours(self) -> bool:
        """Whether anything of ours lives here."""

    def has_rules(self) -> bool:
        """Whether anybody's rules live here."""

    def takes(self, rulesets: Sequence[RuleSet]) -> bool:
        """Whether the rules can live here."""

    def attaches_helpers(self) -> bool:
        """Whether a rule, whoever's, would suffer if a conntrack helper were unregistered."""


def run_program(
    argv: list[str], text: str | None = None, environment: Mapping[str, str] = NOTHING
) -> str:
    """The output of a firewall's program fed with ``text``; HostError where it fails.

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
        mend = f"install the package {PACKAGES.get(argv[0], IPTABLES_PACKAGE)}"
        raise HostError(f"{argv[0]} is not installed", mend=mend) from None
    except subprocess.TimeoutExpired:
        raise HostError(
            f"{argv[0]} did not end", mend="does another program hold the xtables lock?"
        ) from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise HostError(f"{' '.join(argv)}: {said}", mend=DOCTOR)
    return done.stdout
