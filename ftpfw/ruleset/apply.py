"""Apply, check and remove rule sets: every table of both families, or nothing.

One table is one transaction (see ``firewall``). Around several of them: what of ours
was there before is kept, and if anything goes wrong in any table, a signal included,
every table that differs from it is set back. Foreign rules are neither read into nor
written by any of this. A table that is already as wanted is left alone, counters and
all, so applying twice is applying once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from ftpfw.errors import HostError
from ftpfw.ruleset.drift import Drift, find_drift
from ftpfw.ruleset.firewall import Firewall, run_program
from ftpfw.ruleset.legacy import Legacy
from ftpfw.ruleset.live import EMPTY, Tables, own_part, wanted_parts
from ftpfw.ruleset.model import Family, RuleSet, Table
from ftpfw.ruleset.nft_compat import NftCompat

_IPTABLES = {"nft-compat": "iptables-nft", "legacy": "iptables-legacy"}


def open_firewall(name: str) -> Firewall:
    """The applier called ``name``, ``legacy`` or ``nft-compat``."""
    if name == NftCompat.name:
        return NftCompat()
    return Legacy()


def choose_firewall() -> str:
    """``legacy`` or ``nft-compat``: where rules of ours live, else where any rules live.

    Without rules: what ``iptables`` itself is on this host, else what is installed.
    Raises HostError where neither works.
    """
    found = _survey()
    for populated in (_has_ours, _has_rules):
        for name, firewall in found.items():
            if populated(firewall):
                return name
    return next(iter(found))


def firewalls_with_ours() -> list[str]:
    """The firewalls in which rules of ours live; more than one after a change of mind."""
    return [name for name, firewall in _survey().items() if _has_ours(firewall)]


def apply(rulesets: Iterable[RuleSet], firewall: str | Firewall) -> Tables:
    """Make the rules live and take an older set of ours away; returns what was before.

    Raises HostError with nothing changed.
    """
    opened = _opened(firewall)
    with opened.locked():
        before = _present(opened)
        try:
            _change(opened, wanted_parts(tuple(rulesets)))
        except BaseException as error:
            _undo(opened, before, error)
            raise
    return before


def restore(before: Tables, firewall: str | Firewall) -> None:
    """Set our part back to what ``apply`` found."""
    opened = _opened(firewall)
    with opened.locked():
        _change(opened, before)


def remove(firewall: str | Firewall) -> None:
    """Take every rule and chain of ours away, and each table that was made for them."""
    apply((), firewall)


def check(rulesets: Iterable[RuleSet], firewall: str | Firewall) -> list[Drift]:
    """Every difference between the wanted rules and the live ones."""
    return list(_drift(_opened(firewall), wanted_parts(tuple(rulesets))))


def rules_attach_helpers() -> bool:
    """Whether any rule of this network namespace, whoever's, attaches a conntrack helper."""
    return any(
        " -j CT " in f" {rule} "
        for firewall in _survey().values()
        for family in Family
        for rules in _raw_rules(firewall, family)
        for rule in rules
    )


def _raw_rules(firewall: Firewall, family: Family) -> Iterable[tuple[str, ...]]:
    saved = firewall.save(family).get(Table.RAW)
    return saved.rules.values() if saved else ()


def _opened(firewall: str | Firewall) -> Firewall:
    return open_firewall(firewall) if isinstance(firewall, str) else firewall


def _present(firewall: Firewall) -> Tables:
    return {
        (family, Table(name)): own_part(saved)
        for family in Family
        for name, saved in firewall.save(family).items()
        if name in set(Table)
    }


def _drift(firewall: Firewall, wanted: Tables) -> Iterable[Drift]:
    saved = {family: firewall.save(family) for family in Family}
    for (family, table), part in wanted.items():
        yield from find_drift(family, table, saved[family].get(table), part)


def _change(firewall: Firewall, wanted: Tables) -> None:
    for family in Family:
        saved = firewall.save(family)
        for table in Table:
            live = saved.get(table)
            part = wanted.get((family, table), EMPTY)
            unwanted = own_part(live) and not part
            if unwanted or any(find_drift(family, table, live, part)):
                firewall.replace(family, table, live, part)


def _undo(firewall: Firewall, before: Tables, error: BaseException) -> None:
    try:
        _change(firewall, before)
    except HostError as second:
        raise HostError(
            f"{error}\n  and setting the rules back failed too: {second.what}",
            mend="`ftpfw rules remove` takes away what is left",
        ) from error


def _survey() -> dict[str, Firewall]:
    """The firewalls that work here, the one that ``iptables`` stands for first."""
    found: dict[str, Firewall] = {}
    fault: HostError | None = None
    default = _default()
    for name in sorted(_IPTABLES, key=lambda name: name != default):
        if shutil.which(f"{_IPTABLES[name]}-save"):
            firewall = open_firewall(name)
            try:
                firewall.save(Family.IPV4)
                found[name] = firewall
            except HostError as error:  # installed, but the kernel lacks its half
                fault = error
    if not found:
        mend = "install the package iptables (on Fedora and RHEL, iptables-nft)"
        raise fault or HostError("iptables is not installed", mend=mend)
    return found


def _default() -> str:
    """What ``iptables --version`` says it is; before 1.8 there was only the legacy kind."""
    if not shutil.which("iptables"):
        return NftCompat.name
    version = run_program(["iptables", "--version"])
    return NftCompat.name if "nf_tables" in version else "legacy"


def _has_ours(firewall: Firewall) -> bool:
    return any(_present(firewall).values())


def _has_rules(firewall: Firewall) -> bool:
    return any(not saved.is_bare for family in Family for saved in firewall.save(family).values())
