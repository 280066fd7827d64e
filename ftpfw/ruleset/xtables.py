"""iptables as a firewall: our part of every table of both families, one transaction a table.

What legacy and nft-compat do differently is their Tool: a table is saved, and our part of it
replaced by another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import product
from typing import Protocol

from ftpfw.ruleset.drift import Drift, find_drift
from ftpfw.ruleset.firewall import Undo, run_program
from ftpfw.ruleset.live import (
    EMPTY,
    Part,
    SavedTable,
    Tables,
    own_part,
    parse_save,
    part_lines,
    wanted_parts,
)
from ftpfw.ruleset.model import Family, RuleSet, Table


class Tool(Protocol):
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


class Xtables:
    """Our rules in iptables' tables, by one of its two programs."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self.name = tool.name
        self._seen: dict[Family, dict[str, SavedTable]] = {}

    def locked(self) -> AbstractContextManager[None]:
        """See Tool."""
        return self._tool.locked()

    def keep(self) -> Undo:
        """What sets our part of every table back."""
        before = self._present()
        return lambda: self._change(before)

    def change(self, rulesets: Sequence[RuleSet]) -> None:
        """Change each table that differs, in its own transaction."""
        self._change(wanted_parts(rulesets))

    def drift(self, rulesets: Sequence[RuleSet]) -> Iterator[Drift]:
        """Table by table, hooks and their places too."""
        saved = {family: self._tool.save(family) for family in Family}
        for (family, table), part in wanted_parts(rulesets).items():
            yield from find_drift(family, table, saved[family].get(table), part)

    def texts(self, rulesets: Sequence[RuleSet]) -> tuple[list[str], list[str]]:
        """As iptables-save prints rules, under the names of family and table."""
        return _lines(self._present()), _lines(wanted_parts(rulesets))

    def has_ours(self) -> bool:
        """Whether any table has a chain or a hook of ours, at the first look."""
        return any(own_part(saved) for saved in self._first_look())

    def has_rules(self) -> bool:
        """Whether any table is more than idle builtin chains, at the first look."""
        return any(not saved.is_bare for saved in self._first_look())

    def takes(self, rulesets: Sequence[RuleSet]) -> bool:
        """What iptables lacks here, only a rule of that kind shows."""
        return True

    def attaches_helpers(self) -> bool:
        """Whether any rule of table raw is a CT rule, which a zone's is too."""
        tables = (self._tool.save(family).get(Table.RAW) for family in Family)
        chains = (rules for saved in tables if saved for rules in saved.rules.values())
        return any(" -j CT " in f" {rule} " for rules in chains for rule in rules)

    def _first_look(self) -> Iterator[SavedTable]:
        """The tables as they were when first asked for: where they are many, it takes a second."""
        for family in Family:
            if family not in self._seen:
                self._seen[family] = self._tool.save(family)
            yield from self._seen[family].values()

    def _present(self) -> Tables:
        return {
            (family, Table(name)): own_part(saved)
            for family in Family
            for name, saved in self._tool.save(family).items()
            if name in set(Table)
        }

    def _change(self, wanted: Tables) -> None:
        for family in Family:
            saved = self._tool.save(family)
            for table in Table:
                live = saved.get(table)
                part = wanted.get((family, table), EMPTY)
                unwanted = own_part(live) and not part
                if unwanted or any(find_drift(family, table, live, part)):
                    self._tool.replace(family, table, live, part)


def save_tables(program: str) -> dict[str, SavedTable]:
    """The tables that ``program``, an iptables-save, prints."""
    return parse_save(run_program([program]))


def _lines(tables: Tables) -> list[str]:
    return [
        f"{family} {table}: {line}"
        for family, table in product(Family, Table)
        for line in part_lines(tables.get((family, table), EMPTY))
    ]
