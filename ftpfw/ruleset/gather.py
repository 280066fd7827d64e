"""Many rules as one rule with a set: what a firewall with sets and maps makes of a chain (pure).

Rules that do the same and ask for the same fields differ only in the values, one server's or
network's addresses and ports. A Gathered is all of them at once: ``keys`` are the fields,
``rows`` a tuple of values for each rule. A thousand servers are as many rules as two.

Putting a rule beside one further up moves it ahead of those between, so that is done only
where no packet can tell: they do the same, or no packet matches both. Rows never overlap, so
that their order means nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter
from typing import Any

from ftpfw.ruleset.model import (
    ANY_STATE,
    Action,
    DestinationNat,
    Family,
    Match,
    PortRange,
    Rule,
)
from ftpfw.ruleset.rows import Row, Rows

ADDRESSES = ("source", "destination", "orig_source", "orig_destination")
PORTS = ("sport", "dport", "orig_dport")
KEYS = ("source", "destination", "sport", "dport", "orig_source", "orig_destination", "orig_dport")
"""The fields of which a row may have a value."""


_values = attrgetter(*KEYS)
_others = attrgetter(*(one.name for one in fields(Match) if one.name not in KEYS))


@dataclass(slots=True)
class Gathered:
    """Rules with one ``action`` and all of ``common``, each with a row of values for ``keys``.

    ``targets`` are the addresses of DestinationNat, a row's each; else empty. ``families`` are
    those whose packets it is for. ``whys`` are the rules' sentences.
    """

    common: Match
    action: Action
    keys: tuple[str, ...]
    families: tuple[Family, ...]
    rows: Rows = field(default_factory=Rows)
    targets: list[IPv4Address | IPv6Address] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)

    def take(self, row: Row, rule: Rule) -> bool:
        """Take one more rule in; False where its row overlaps another.

        One that is there already comes too late to mean anything.
        """
        known = len(self.rows.all)
        if not self.rows.add(row):
            return False
        if isinstance(rule.action, DestinationNat) and len(self.rows.all) > known:
            self.targets.append(rule.action.to)
        self.whys.append(rule.why)
        return True


def gather(chain: Iterable[tuple[Family, Rule]]) -> list[Gathered]:
    """The rules of a chain, of one family after the other, as few rules as may be."""
    gathered = _Gathering()
    for family, rule in chain:
        keys, row = _asked(rule.match)
        action = DestinationNat if isinstance(rule.action, DestinationNat) else rule.action
        name = (_others(rule.match), action, keys, family)
        home = gathered.home(name, rule.action, rule.match, (family,))
        if home is None or not home.take(row, rule):
            home = Gathered(_without_keys(rule.match), rule.action, keys, (family,))
            home.take(row, rule)
            gathered.append(name, home)
    return _families_joined(gathered.rules)


def _asked(match: Match) -> tuple[tuple[str, ...], Row]:
    """The fields and values of a rule's row; a network that is the whole world asks nothing."""
    asked = [
        (key, value)
        for key, value in zip(KEYS, _values(match), strict=True)
        if value is not None and (isinstance(value, PortRange) or value.prefixlen)
    ]
    return tuple(key for key, _ in asked), tuple(value for _, value in asked)


def _without_keys(match: Match) -> Match:
    blank: dict[str, Any] = dict.fromkeys(KEYS)
    return replace(match, **blank)


def _families_joined(rules: list[Gathered]) -> list[Gathered]:
    """What is asked of both families alike, once; what names addresses is of one anyhow."""
    joined = _Gathering()
    for one in rules:
        rows = tuple(one.rows.all)
        name: object = (one.common, one.action, one.keys, rows, tuple(one.whys))
        if not set(one.keys) <= set(PORTS):
            name = id(one)
        home = joined.home(name, one.action, one.common, one.families)
        if home is None:
            joined.append(name, one)
        else:
            home.families += one.families
    return joined.rules


class _Gathering:
    """Rules in their order, and where one more may join another."""

    def __init__(self) -> None:
        self.rules: list[Gathered] = []
        self._places: dict[object, int] = {}
        self._alike = 0  # from here to the end, all do the same

    def home(
        self, name: object, action: Action, match: Match, families: tuple[Family, ...]
    ) -> Gathered | None:
        """The last rule of the same ``name``, where no packet can tell if one more joins it."""
        at = self._places.get(name)
        if at is None:
            return None
        alike = self.rules[-1].action == action
        between = self.rules[at + 1 : self._alike if alike else None]
        if all(_commute(action, match, families, other) for other in between):
            return self.rules[at]
        return None

    def append(self, name: object, rule: Gathered) -> None:
        """Put a rule at the end, for others of its ``name`` to join."""
        if not self.rules or self.rules[-1].action != rule.action:
            self._alike = len(self.rules)
        self._places[name] = len(self.rules)
        self.rules.append(rule)


def _commute(action: Action, match: Match, families: tuple[Family, ...], other: Gathered) -> bool:
    """Whether the order of a rule and another means nothing."""
    return (
        action == other.action
        or not set(families) & set(other.families)
        or _disjoint(match, other.common)
    )


def _disjoint(one: Match, other: Match) -> bool:
    """Whether no packet matches both, as far as this can be told without the keys."""
    states = one.states, other.states
    if ANY_STATE not in states and not one.states & other.states:
        return True
    pairs = (
        (one.in_interface, other.in_interface),
        (one.out_interface, other.out_interface),
        (one.protocol, other.protocol),
        (one.direction, other.direction),
        (one.share, other.share),
    )
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)
