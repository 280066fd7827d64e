"""Many rules as one rule with a set: what a firewall with sets and maps makes of a chain (pure).

Rules that do the same and ask for the same fields differ only in the values, one server's or
network's addresses and ports. A Gathered is all of them at once: ``keys`` are the fields,
``rows`` a tuple of values for each rule. A thousand servers are as many rules as two.

Putting a rule beside one further up moves it ahead of those between, so that is done only
where no packet can tell: they do the same, or no packet matches both. Rows never overlap, so
that their order means nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeAlias

from ftpfw.ruleset.model import (
    ANY_STATE,
    Action,
    DestinationNat,
    Family,
    Match,
    Rule,
)
from ftpfw.ruleset.rows import Rows, Value

ADDRESSES = ("source", "destination", "orig_source", "orig_destination")
PORTS = ("sport", "dport", "orig_dport")
KEYS = ("source", "destination", "sport", "dport", "orig_source", "orig_destination", "orig_dport")
"""The fields of which a row may have a value."""


@dataclass(slots=True)
class Gathered:
    """Rules with one ``action`` and all of ``common``, each with a row of values for ``keys``.

    ``targets`` are the addresses of DestinationNat, a row's each; else empty. ``families`` are
    those whose packets it is for. ``whys`` are the rules' sentences.
    """

    common: Match
    action: Action
    keys: tuple[str, ...]
    rows: Rows
    families: tuple[Family, ...]
    targets: list[IPv4Address | IPv6Address] = field(default_factory=list)
    whys: list[str] = field(default_factory=list)


def gather(chain: Iterable[tuple[Family, Rule]]) -> list[Gathered]:
    """The rules of a chain, of one family after the other, as few rules as may be."""
    singles = [_single(family, rule) for family, rule in chain]
    rows = _joined(singles, _apart_from_rows, _has_room, _add_row)
    return _joined(rows, _apart_from_families, _always, _add_families)


def _single(family: Family, rule: Rule) -> Gathered:
    match = rule.match
    asked: dict[str, Value] = {key: value for key in KEYS if (value := getattr(match, key))}
    # A network that is the whole world asks nothing.
    row = {key: value for key, value in asked.items() if getattr(value, "prefixlen", 1)}
    blank: dict[str, Any] = dict.fromkeys(asked)
    common = replace(match, **blank)
    one = Gathered(common, rule.action, tuple(row), Rows(), (family,), whys=[rule.why])
    one.rows.add(tuple(row.values()))
    if isinstance(rule.action, DestinationNat):
        one.targets = [rule.action.to]
    return one


_Name: TypeAlias = Callable[[Gathered], object]
_Fits: TypeAlias = Callable[[Gathered, Gathered], bool]
_Join: TypeAlias = Callable[[Gathered, Gathered], None]


def _joined(ones: list[Gathered], name: _Name, fits: _Fits, join: _Join) -> list[Gathered]:
    """Join each with the last of the same ``name``, where it fits and no packet can tell."""
    joined: list[Gathered] = []
    places: dict[object, int] = {}
    alike = 0  # from here to the end, all do the same
    for one in ones:
        called = name(one)
        at = places.get(called)
        same = bool(joined) and joined[-1].action == one.action
        if at is not None and fits(joined[at], one):
            between = joined[at + 1 : alike if same else None]
            if all(_commute(one, other) for other in between):
                join(joined[at], one)
                continue
        if not same:
            alike = len(joined)
        places[called] = len(joined)
        joined.append(one)
    return joined


def _commute(one: Gathered, other: Gathered) -> bool:
    """Whether the order of the two means nothing."""
    return (
        one.action == other.action
        or not set(one.families) & set(other.families)
        or _disjoint(one.common, other.common)
    )


def _disjoint(one: Match, other: Match) -> bool:
    """Whether no packet matches both, as far as their common parts tell."""
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


def _apart_from_rows(one: Gathered) -> object:
    action = type(one.action) if one.targets else one.action
    return one.common, action, one.keys, one.families


def _has_room(group: Gathered, one: Gathered) -> bool:
    """Whether the row of ``one`` is in ``group`` already, or overlaps none of it."""
    row = one.rows.all[0]
    return all(other == row for other in group.rows.overlapping(row))


def _add_row(group: Gathered, one: Gathered) -> None:
    """A row that is there already comes too late to mean anything."""
    row = one.rows.all[0]
    if next(group.rows.overlapping(row), None) is None:
        group.rows.add(row)
        group.targets += one.targets
    group.whys += one.whys


def _always(_group: Gathered, _one: Gathered) -> bool:
    return True


def _apart_from_families(one: Gathered) -> object:
    """What names addresses is of one family anyhow."""
    if not set(one.keys) <= set(PORTS):
        return id(one)
    return one.common, one.action, one.keys, tuple(one.rows.all), tuple(one.whys)


def _add_families(group: Gathered, one: Gathered) -> None:
    group.families += one.families
