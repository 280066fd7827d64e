"""The rules of nf_tables, as ``nft -j list ruleset`` prints them.

Spec: libnftables-json(5). Rules keep their statements as they are; ``matching`` says what
those that compare ports and protocols mean for one packet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Statement: TypeAlias = Mapping[str, Any]
TableName: TypeAlias = tuple[str, str]
"""A table's family and name."""


@dataclass(frozen=True, slots=True)
class NftRule:
    """One rule; ``handle`` names it to nft within its chain."""

    table: TableName
    chain: str
    handle: int
    statements: tuple[Statement, ...]

    @property
    def place(self) -> str:
        """The rule's chain, as nft's commands take it."""
        return f"{' '.join(self.table)} {self.chain}"


@dataclass(frozen=True, slots=True)
class Nftables:
    """``helpers``: the type of each ``ct helper`` object, by table and name."""

    rules: tuple[NftRule, ...] = ()
    helpers: Mapping[tuple[TableName, str], str] = field(default_factory=dict)

    def tables(self) -> dict[TableName, int]:
        """Each table that has rules, with their number."""
        counts: dict[TableName, int] = {}
        for rule in self.rules:
            counts[rule.table] = counts.get(rule.table, 0) + 1
        return counts


def parse_ruleset(text: str) -> Nftables:
    """The rules in nft's output; ValueError where it is not such an output."""
    try:
        entries = json.loads(text)["nftables"]
        rules = tuple(_rule(entry["rule"]) for entry in entries if "rule" in entry)
        helpers = dict(_helper(entry["ct helper"]) for entry in entries if "ct helper" in entry)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a listing of nft's: {error}") from error
    return Nftables(rules, helpers)


def _rule(rule: Mapping[str, Any]) -> NftRule:
    table = (rule["family"], rule["table"])
    return NftRule(table, rule["chain"], rule["handle"], tuple(rule["expr"]))


def _helper(helper: Mapping[str, Any]) -> tuple[tuple[TableName, str], str]:
    return ((helper["family"], helper["table"]), helper["name"]), helper["type"]


def parse_rule_texts(text: str) -> dict[int, str]:
    """Handle → the rule's own words, from ``nft -a list table``."""
    found = {}
    for line in text.splitlines():
        words, mark, handle = line.strip().rpartition(" # handle ")
        if mark and handle.isdigit() and not words.endswith("{"):
            found[int(handle)] = words
    return found
