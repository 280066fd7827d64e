"""Rules in iptables-legacy and in nf_tables at once: each packet meets both.

The two know nothing of each other, and what one accepts the other may still drop. Rules of
nft's own tables cannot go to iptables-legacy, so all go to nf_tables, except where nothing but
iptables-nft's is there and ftpfw's rules or the program ``iptables`` are legacy.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.helper.doctor.nftables import Nftables, TableName
from ftpfw.ruleset.live import SavedTable, own_part
from ftpfw.ruleset.model import Family

LEGACY, COMPAT = "legacy", "nft"
"""The two kinds of iptables, by the ends of their programs' names."""

PROGRAM = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_NFT_FAMILY = {Family.IPV4: "ip", Family.IPV6: "ip6"}
_SAVED_WORD = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\S+')
_BOTH_FAMILIES = {"inet"}

Saved = Mapping[str, SavedTable]


@dataclass(frozen=True, slots=True)
class Unread:
    """Rules that may be there and are not known: whose, why, and what would show them."""

    whose: str
    why: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules there are: by kind of iptables and family, and those of nf_tables as nft says.

    ``default`` is the kind that ``iptables`` stands for.
    """

    saved: Mapping[tuple[str, Family], Saved] = field(default_factory=dict)
    nftables: Nftables = field(default_factory=Nftables)
    texts: Mapping[TableName, Mapping[int, str]] = field(default_factory=dict)
    default: str = COMPAT
    unread: tuple[Unread, ...] = ()

    def of(self, kind: str, family: Family) -> Saved:
        """The tables of one kind of iptables in which there is anything."""
        saved = self.saved.get((kind, family), {})
        return {name: table for name, table in saved.items() if not table.is_bare}

    def native(self, family: Family) -> dict[TableName, int]:
        """The tables of nft's own that packets of ``family`` meet, with their rules' number."""
        compat = {(_NFT_FAMILY[one], name) for one in Family for name in self._compat(one)}
        families = {_NFT_FAMILY[family], *_BOTH_FAMILIES}
        counts = self.nftables.tables().items()
        return {table: n for table, n in counts if table[0] in families and table not in compat}

    def _compat(self, family: Family) -> Saved:
        return self.saved.get((COMPAT, family), {})


def judge_rulesets(rules: Rules) -> Iterator[Finding]:
    """For each family, whether its rules are in one place."""
    for unread in rules.unread:
        yield note(f"rules of {unread.whose}", False, f"not read: {unread.why}", unread.mend)
    mixed = [family for family in Family if _is_mixed(rules, family)]
    for family in mixed:
        yield _mixed(rules, family)
    if not mixed and not rules.unread:
        yield note("rule sets", True, _where(rules))


def _is_mixed(rules: Rules, family: Family) -> bool:
    nf_tables = rules.of(COMPAT, family) or rules.native(family)
    return bool(rules.of(LEGACY, family) and nf_tables)


def _where(rules: Rules) -> str:
    legacy = any(rules.of(LEGACY, family) for family in Family)
    nf_tables = any(rules.of(COMPAT, family) or rules.native(family) for family in Family)
    if legacy and nf_tables:
        return "each family's in one place"
    return "in iptables-legacy" if legacy else "in nf_tables" if nf_tables else "none yet"


def _mixed(rules: Rules, family: Family) -> Finding:
    legacy, compat = rules.of(LEGACY, family), rules.of(COMPAT, family)
    native = rules.native(family)
    nf_tables = [*_counts(compat), *(f"{' '.join(name)} {n}" for name, n in native.items())]
    moved, kept = LEGACY, COMPAT
    if not native and _stays_legacy(rules, family):
        moved, kept = COMPAT, LEGACY
    leaving = rules.of(moved, family)
    advice, mend, alternative = _ways(family, moved, kept, leaving, rules.of(kept, family))
    found = (
        f"in iptables-legacy ({', '.join(_counts(legacy))}) and in nf_tables"
        f" ({', '.join(nf_tables)}), and each packet meets both; {advice}"
    )
    return note(f"{family} rules", False, found, mend, alternative)


def _ways(
    family: Family, moved: str, kept: str, leaving: Saved, staying: Saved
) -> tuple[str, str, str]:
    """What to do about the rules that are ``leaving``, with one or two commands for it."""
    those = f"those of iptables-{moved}"
    if any(own_part(table) for table in leaving.values()):
        return f"ftpfw's own are among {those}", "ftpfw unload", "ftpfw rules remove POLICY"
    cleared = clear(family, moved, leaving)
    if both := sorted(_own_chains(leaving) & _own_chains(staying)):
        chains = ", ".join(f"{table} {chain}" for table, chain in both)
        return f"clear {those} (they cannot be moved, as both have {chains})", cleared, ""
    return f"move {those}, or clear them", _move(family, moved, kept, leaving), cleared


def _own_chains(saved: Saved) -> set[tuple[str, str]]:
    """Table and name of chains that somebody made; a restore empties those that it names."""
    return {
        (name, chain)
        for name, table in saved.items()
        for chain, policy in table.policies.items()
        if policy == "-"
    }


def _stays_legacy(rules: Rules, family: Family) -> bool:
    for kind in (LEGACY, COMPAT):
        if any(own_part(table) for table in rules.of(kind, family).values()):
            return kind == LEGACY
    return rules.default == LEGACY


def _counts(saved: Saved) -> Iterator[str]:
    for name, table in saved.items():
        yield f"{name} {sum(len(rules) for rules in table.rules.values())}"


def _move(family: Family, moved: str, kept: str, tables: Saved) -> str:
    """Copy, then clear, which happens only if the copy was read and taken, each as a whole.

    A policy of ACCEPT is not copied: it would undo another one there.
    """
    program = f"{PROGRAM[family]}-{{}}"
    save = f"{program.format(moved)}-save -t $t || exit"
    copy = f"rules=$(for t in {shlex.join(tables)}; do {save}; done)"
    paste = f"{program.format(kept)}-restore --noflush"
    piped = f"printf '%s\\n' \"$rules\" | sed '/^:.* ACCEPT /d' | {paste}"
    return f"{copy} && {piped} && {clear(family, moved, tables)}"


def clear(family: Family, kind: str, tables: Saved) -> str:
    """The command that empties tables and has their chains accept."""
    lines = []
    for name, table in tables.items():
        policies = [
            chain for chain, policy in table.policies.items() if policy not in {"-", "ACCEPT"}
        ]
        lines += [f"*{name}", *(f":{chain} ACCEPT [0:0]" for chain in policies), "COMMIT"]
    quoted = " ".join(shlex.quote(line) for line in lines)
    return f"printf '%s\\n' {quoted} | {PROGRAM[family]}-{kind}-restore"


def saved_words(rule: str) -> list[str]:
    """The words of a rule as iptables-save quotes them (xtables_save_string()).

    Neither shlex nor a shell reads them so: a quote of either kind is escaped within double
    quotes, and a dollar is not.
    """
    words = _SAVED_WORD.finditer(rule)
    return [
        word[0] if word["quoted"] is None else re.sub(r"\\(.)", r"\1", word["quoted"])
        for word in words
    ]


def foreign(tables: Iterable[tuple[str, SavedTable]]) -> Iterator[tuple[str, str, str]]:
    """Table, chain and text of every rule that is not in a chain of ours."""
    for name, saved in tables:
        ours = own_part(saved).chains
        for chain, rules in saved.rules.items():
            if chain not in ours:
                yield from ((name, chain, rule) for rule in rules)
