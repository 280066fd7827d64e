"""What differs between the rules a policy asks for and those that live in the kernel.

Chain by chain and rule by rule, as text: both sides are what iptables-save prints. The
place of a hook counts: a foreign rule ahead of ``ftpfw-forward`` or behind ``ftpfw-drop``
changes what the rules mean.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """One difference. A chain as a whole has no rule text: both sides are None."""

    kind: Kind
    family: Family
    table: Table
    chain: str
    wanted: str | None = None
    found: str | None = None


def find_drift(
    family: Family, table: Table, saved: SavedTable | None, wanted: Part
) -> Iterator[Drift]:
    """Every difference in one table; ``saved`` is None where the table does not exist."""
    live = own_part(saved)
    lengths = {chain: len(rules) for chain, rules in saved.rules.items()} if saved else {}
    drift = _Report(family, table)
    for name, rules in wanted.chains.items():
        if name in live.chains:
            yield from _rules_drift(drift, name, rules, live.chains[name])
        else:
            yield drift(Kind.MISSING, name)
    for name in live.chains:
        if name not in wanted.chains and name != NOTE_CHAIN:
            yield drift(Kind.UNEXPECTED, name)
    yield from _hooks_drift(drift, wanted.hooks, live.hooks, lengths)


@dataclass(frozen=True, slots=True)
class _Report:
    family: Family
    table: Table

    def __call__(
        self, kind: Kind, chain: str, wanted: str | None = None, found: str | None = None
    ) -> Drift:
        return Drift(kind, self.family, self.table, chain, wanted, found)


def _rules_drift(
    drift: _Report, chain: str, wanted: tuple[str, ...], found: tuple[str, ...]
) -> Iterator[Drift]:
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
