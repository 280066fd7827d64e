"""Apply, check and remove rule sets: every table of both families, or nothing.

Each firewall changes its tables in transactions of its own (see ``firewall``). Around them:
what of ours was there before is kept, and if anything goes wrong, a signal included, all of it
is set back. Foreign rules are neither read into nor written by any of this. What is
already as wanted is left alone, counters and all, so applying twice is applying once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence

from ftpfw.errors import HostError
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.firewall import Firewall, Undo, run_program
from ftpfw.ruleset.legacy import Legacy
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.nft_compat import NftCompat
from ftpfw.ruleset.nft_native import Nftables
from ftpfw.ruleset.xtables import Xtables

_PROGRAM = {
    NftCompat.name: "iptables-nft-save",
    Legacy.name: "iptables-legacy-save",
    Nftables.name: "nft",
}
NAMES = tuple(_PROGRAM)
"""The firewalls, by the names that users give them."""


def open_firewall(name: str) -> Firewall:
    """The applier called ``name``, one of NAMES."""
    if name == Nftables.name:
        return Nftables()
    return Xtables(NftCompat() if name == NftCompat.name else Legacy())


def choose_firewall(rulesets: Sequence[RuleSet] = (), named: str | None = None) -> str:
    """The one ``named``, else where ours live, else where others do that ``rulesets`` can join.

    Without rules: what ``iptables`` itself is on this host, else what is installed.
    Raises HostError where nothing works, and where ours live in another one.
    """
    found = _survey()
    homes = [name for name, firewall in found.items() if firewall.has_ours()]
    chosen = named or next(iter(homes), None) or _best(found, rulesets)
    _require_one_home(homes, chosen)
    return chosen


def _best(found: dict[str, Firewall], rulesets: Sequence[RuleSet]) -> str:
    for populated in (True, False):
        for name, firewall in found.items():
            if firewall.has_rules() is populated and firewall.takes(rulesets):
                return name
    return next(iter(found))


def require_one_home(firewall: str) -> None:
    """Raise HostError where rules of ours live in another firewall than this one."""
    _require_one_home(firewalls_with_ours(), firewall)


def _require_one_home(homes: list[str], firewall: str) -> None:
    for home in homes:
        if home != firewall:
            raise HostError(
                f"rules of ftpfw's live on {home} already, where packets would meet both",
                mend=f"ftpfw rules remove POLICY, then again; rules apply has --backend {home} too",
            )


def firewalls_with_ours() -> list[str]:
    """The firewalls in which rules of ours live; more than one after a change of mind."""
    return [name for name, firewall in _survey().items() if firewall.has_ours()]


def apply(rulesets: Iterable[RuleSet], firewall: str | Firewall) -> Undo:
    """Make the rules live and take an older set of ours away; what sets back what was before.

    Raises HostError with nothing changed.
    """
    opened = _opened(firewall)
    with opened.locked():
        back = opened.keep()
        try:
            opened.change(tuple(rulesets))
        except BaseException as error:
            _undo(back, error)
            raise

    def undo() -> None:
        with opened.locked():
            back()

    return undo


def remove(firewall: str | Firewall) -> None:
    """Take every rule and chain of ours away, and each table that was made for them."""
    apply((), firewall)


def check(rulesets: Iterable[RuleSet], firewall: str | Firewall) -> list[Drift]:
    """Every difference between the wanted rules and the live ones."""
    return list(_opened(firewall).drift(tuple(rulesets)))


def texts(rulesets: Iterable[RuleSet], firewall: str) -> tuple[list[str], list[str]]:
    """Our rules as they are, and as they would be, in lines that can be compared."""
    return open_firewall(firewall).texts(tuple(rulesets))


def rules_attach_helpers() -> bool:
    """Whether a rule of this network namespace would suffer if a helper were unregistered."""
    return any(firewall.attaches_helpers() for firewall in _survey().values())


def _opened(firewall: str | Firewall) -> Firewall:
    return open_firewall(firewall) if isinstance(firewall, str) else firewall


def _undo(back: Undo, error: BaseException) -> None:
    try:
        back()
    except HostError as second:
        raise HostError(
            f"{error}\n  and setting the rules back failed too: {second.what}",
            mend="`ftpfw rules remove` takes away what is left",
        ) from error


def _survey() -> dict[str, Firewall]:
    """The firewalls that work here: what ``iptables`` stands for first, nftables last."""
    found: dict[str, Firewall] = {}
    fault: HostError | None = None
    default = _default()
    for name in sorted(NAMES, key=lambda name: (name == Nftables.name, name != default)):
        if shutil.which(_PROGRAM[name]):
            firewall = open_firewall(name)
            try:
                firewall.has_rules()
                found[name] = firewall
            except HostError as error:  # installed, but the kernel lacks its half
                fault = error
    if not found:
        mend = "install the package iptables (on Fedora and RHEL, iptables-nft), or nftables"
        raise fault or HostError("neither iptables nor nft is installed", mend=mend)
    return found


def _default() -> str:
    """What ``iptables --version`` says it is; before 1.8 there was only the legacy kind."""
    if not shutil.which("iptables"):
        return NftCompat.name
    version = run_program(["iptables", "--version"])
    return NftCompat.name if "nf_tables" in version else Legacy.name
