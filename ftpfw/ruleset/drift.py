"""What differs between the rules a policy asks for and those that live in the kernel.

Chain by chain and rule by rule, as text: both sides are what iptables-save prints. The
place of a hook counts: a foreign rule ahead of ``ftpfw-forward`` or behind ``ftpfw-drop``
changes what the rules mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import zip_longest

from ftpfw.ruleset.live import NOTE_CHAIN, Part, Place, SavedTable, own_part
from ftpfw.ruleset.model import Family, Table


class Kind(StrEnum):
    """How a live rule or chain differs from the wanted one."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"
    MISPLACED = "misplaced"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. A chain as a whole has no rule text: both sides are None.

    ``family`` is that of the table: IPv4, IPv6, or inet, which is both.
    """

    kind: Kind
    family: str
    table: str
    chain: str
    wanted: str | None = None
    found: str | None = None


def find_drift(
    family: Family, table: Table, saved: SavedTable | None, wanted: Part
) -> Iterator[Drift]:
    """Every difference in one table; ``saved`` is None where the table does not exist."""
    live = own_part(saved)
    lengths = {chain: len(rules) for chain, rules in saved.rules.items()} if saved else {}
    chains = {name: rules for name, rules in live.chains.items() if name != NOTE_CHAIN}
    yield from chains_drift(str(family), table, wanted.chains, chains)
    yield from _hooks_drift(_Report(str(family), table), wanted.hooks, live.hooks, lengths)


def chains_drift(
    family: str,
    table: str,
    wanted: Mapping[str, tuple[str, ...]],
    found: Mapping[str, tuple[str, ...]],
) -> Iterator[Drift]:
    """Every difference between two sets of chains: names, and the texts of their rules."""
    drift = _Report(family, table)
    for name, rules in wanted.items():
        if name in found:
            yield from _rules_drift(drift, name, rules, found[name])
        else:
            yield drift(Kind.MISSING, name)
    for name in found.keys() - wanted.keys():
        yield drift(Kind.UNEXPECTED, name)


@dataclass(frozen=True, slots=True)
class _Report:
    family: str
    table: str

    def __call__(
        self, kind: Kind, chain: str, wanted: str | None = None, found: str | None = None
    ) -> Drift:
        return Drift(kind, self.family, self.table, chain, wanted, found)


def _rules_drift(
    drift: _Report, chain: str, wanted: tuple[str, ...], found: tuple[str, ...]
) -> Iterator[Drift]:
    if wanted == found:
        return
    matcher = SequenceMatcher(None, wanted, found, autojunk=False)
    for _, first, last, live_first, live_last in matcher.get_opcodes():
        if wanted[first:last] == found[live_first:live_last]:
            continue
        pairs = zip_longest(wanted[first:last], found[live_first:live_last])
        for want, have in pairs:
            kind = Kind.CHANGED if want and have else Kind.MISSING if want else Kind.UNEXPECTED
            yield drift(kind, chain, want, have)


def _hooks_drift(
    drift: _Report,
    wanted: tuple[Place, ...],
    found: tuple[Place, ...],
    lengths: dict[str, int],
) -> Iterator[Drift]:
    left = list(found)
    for hook in wanted:
        same = [place for place in left if (place.chain, place.rule) == (hook.chain, hook.rule)]
        if not same:
            yield drift(Kind.MISSING, hook.chain, hook.rule)
            continue
        left.remove(same[0])
        should = lengths[hook.chain] - 1 if hook.index is None else hook.index
        if same[0].index != should:
            stands = f"{hook.rule} (rule {(same[0].index or 0) + 1})"
            wants = f"{hook.rule} ({'last' if hook.index is None else 'first'} rule)"
            yield drift(Kind.MISPLACED, hook.chain, wants, stands)
    for place in left:
        yield drift(Kind.UNEXPECTED, place.chain, found=place.rule)
