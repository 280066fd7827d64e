"""The rules that live in the kernel, as iptables-save prints them, and our part of them.

Of a table only this is ours: the chains whose names start with ``ftpfw-``, and the rules
of other chains that jump into them (the hooks). A Part holds that and nothing else, so
a change that goes from Part to Part cannot touch foreign rules. Counters are left out.

NOTE_CHAIN marks tables and chains that iptables-nft made for us, see ``nft_compat``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ftpfw.ruleset.iptables import hook_rule, parse_rule, to_xtables
from ftpfw.ruleset.model import PREFIX, Family, Position, RuleSet, Table
from ftpfw.ruleset.spread import spread

NOTE_CHAIN = "ftpfw-note"


@dataclass(frozen=True, slots=True)
class Place:
    """A hook: ``rule`` in the foreign chain ``chain``, at ``index`` from 0 or, None, last."""

    chain: str
    index: int | None
    rule: str


@dataclass(frozen=True, slots=True)
class Part:
    """Our part of one table: chains with their rules' texts, and the hooks in order."""

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hooks: tuple[Place, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.chains or self.hooks)


@dataclass(frozen=True, slots=True)
class SavedTable:
    """One table of iptables-save: each chain's policy (``-`` for user chains) and rules."""

    policies: Mapping[str, str]
    rules: Mapping[str, tuple[str, ...]]

    @property
    def is_bare(self) -> bool:
        """Nothing in it but builtin chains, without rules, that accept."""
        return all(self.is_idle(chain) for chain in self.policies)

    def is_idle(self, chain: str) -> bool:
        """A builtin chain, without rules, that accepts: as good as none."""
        return self.policies[chain] == "ACCEPT" and not self.rules[chain]


EMPTY = Part()
Tables = dict[tuple[Family, Table], Part]


def parse_save(text: str) -> dict[str, SavedTable]:
    """The tables in the output of iptables-save, with or without counters."""
    tables: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {}
    policies: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    for line in text.split("\n"):  # splitlines() would cut at a form feed in a comment too
        word, _, rest = line.partition(" ")
        if line.startswith("*"):
            policies, rules = tables[line[1:]] = {}, {}
        elif line.startswith(":"):
            policies[word[1:]] = rest.partition(" ")[0]
            rules[word[1:]] = []
        elif word == "-A":
            chain, _, rule = rest.partition(" ")
            rules.setdefault(chain, []).append(rule)
    return {
        name: SavedTable(policies, {chain: tuple(held) for chain, held in rules.items()})
        for name, (policies, rules) in tables.items()
    }


def own_part(saved: SavedTable | None) -> Part:
    """What of a table is ours; nothing where the table does not exist."""
    if saved is None:
        return EMPTY
    chains = {name: rules for name, rules in saved.rules.items() if name.startswith(PREFIX)}
    return Part(chains, tuple(_hooks(saved)))


def part_lines(part: Part) -> Iterator[str]:
    """A part as iptables-save prints rules, in an order that tells nothing of how it was made.

    What ftpfw notes for itself is left out.
    """
    for hook in part.hooks:
        yield f"-A {hook.chain} {hook.rule}"
    for chain, rules in sorted(part.chains.items()):
        if chain != NOTE_CHAIN:
            yield from (f"-A {chain} {rule}" for rule in rules)


def wanted_parts(rulesets: Iterable[RuleSet]) -> Tables:
    """Our part of every table of both families; empty where no rule set says anything."""
    parts: Tables = {(family, table): EMPTY for family in Family for table in Table}
    for ruleset in rulesets:
        spreading = spread(ruleset)
        for table in Table:
            parts[ruleset.family, table] = _wanted_part(spreading, table)
    return parts


def placed(hooks: tuple[Place, ...], saved: SavedTable | None) -> Iterator[tuple[Place, int]]:
    """Each hook with the index to insert it at, in order, once ours are out of ``saved``.

    An index beyond the foreign rules that are left means the end.
    """
    lengths: dict[str, int] = {}
    if saved:
        ours = [hook.chain for hook in _hooks(saved)]
        lengths = {name: len(rules) - ours.count(name) for name, rules in saved.rules.items()}
    for hook in sorted(hooks, key=lambda hook: (hook.index is None, hook.index or 0)):
        length = lengths.get(hook.chain, 0)
        yield hook, length if hook.index is None else min(hook.index, length)
        lengths[hook.chain] = length + 1


def _hooks(saved: SavedTable) -> Iterator[Place]:
    for chain, rules in saved.rules.items():
        if chain.startswith(PREFIX):
            continue
        for index, rule in enumerate(rules):
            if PREFIX in rule and _jumps_to_us(rule):
                yield Place(chain, index, rule)


def _jumps_to_us(rule: str) -> bool:
    try:
        target = parse_rule(rule).target
    except ValueError:  # somebody's comment has a line end in it; none of our hooks does
        return False
    return target is not None and target.name.startswith(PREFIX)


def _wanted_part(ruleset: RuleSet, table: Table) -> Part:
    chains = {
        chain.name: tuple(
            str(to_xtables(rule.match, rule.action, ruleset.family)) for rule in chain.rules
        )
        for chain in ruleset.chains
        if chain.table is table
    }
    hooks = tuple(
        Place(hook.builtin, 0 if hook.position is Position.FIRST else None, str(hook_rule(hook)))
        for hook in ruleset.hooks
        if hook.table is table
    )
    return Part(chains, hooks)
