"""Applier for iptables-nft: iptables' rules kept in nf_tables.

Each table is one ``iptables-nft-restore --noflush``, one nf_tables transaction.

iptables-nft makes a table when a rule is first put into it, and from then on
iptables-nft-save prints it, rules or not. So that nothing stays behind, a table that
``apply`` brought into being carries a note: the chain ``ftpfw-note``, with a comment.
When our part leaves such a table, the table goes too if nobody has put anything into it:
iptables-nft deletes its builtin chains (the kernel refuses while they hold rules), and
the kernel's use count of the table tells whether something is left (NFTA_TABLE_USE).
The note lives and dies with the rules, in the kernel; there is no file to lose.
An iptables that cannot delete builtin chains leaves the empty table.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from socket import AF_INET, AF_INET6

from pyroute2.nftables.main import NFTables

from ftpfw.ruleset.firewall import run_program, save_tables
from ftpfw.ruleset.live import NOTE_CHAIN, Part, SavedTable, own_part, placed
from ftpfw.ruleset.model import Family, Table

NOTE = '-m comment --comment "This table was not here before ftpfw; it goes with its rules."'

_PREFIX = {Family.IPV4: "iptables-nft", Family.IPV6: "ip6tables-nft"}
_AF = {Family.IPV4: AF_INET, Family.IPV6: AF_INET6}


class NftCompat:
    """iptables on nf_tables, through its own programs."""

    name = "nft-compat"

    def locked(self) -> AbstractContextManager[None]:
        """nf_tables has transactions, and no lock that could be held across several."""
        return nullcontext()

    def save(self, family: Family) -> dict[str, SavedTable]:
        """The tables that exist now."""
        return save_tables(f"{_PREFIX[family]}-save")

    def replace(self, family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
        """One transaction; afterwards a table that was made for us is taken away if bare."""
        noted = saved is None or NOTE_CHAIN in saved.rules
        if wanted and noted:
            wanted = Part({**wanted.chains, NOTE_CHAIN: (NOTE,)}, wanted.hooks)
        text = restore_text(table, saved, wanted)
        run_program([f"{_PREFIX[family]}-restore", "--noflush"], text)
        if noted and not wanted:
            self._drop_if_bare(family, table)

    def _drop_if_bare(self, family: Family, table: Table) -> None:
        """Delete a table that holds nothing but empty builtin chains that accept."""
        left = self.save(family).get(table)
        if left is None or not left.is_bare:
            return
        for chain in left.policies:
            # Fails for a chain that iptables-nft-save prints though the kernel has none.
            argv = [_PREFIX[family], "-t", table, "-X", chain]
            subprocess.run(argv, capture_output=True, check=False)
        with NFTables(nfgen_family=_AF[family]) as kernel:
            for one in kernel.get_tables():
                if one.get_attr("NFTA_TABLE_NAME") == table and not one.get_attr("NFTA_TABLE_USE"):
                    kernel.table("del", name=str(table))


def restore_text(table: Table, saved: SavedTable | None, wanted: Part) -> str:
    """Input for ``iptables-nft-restore --noflush`` that leads from ``saved`` to ``wanted``."""
    return "\n".join(_restore_lines(table, saved, wanted)) + "\n"


def _restore_lines(table: Table, saved: SavedTable | None, wanted: Part) -> Iterator[str]:
    present = own_part(saved)
    gone = [chain for chain in present.chains if chain not in wanted.chains]
    yield f"*{table}"
    for chain in wanted.chains:
        yield f":{chain} - [0:0]"  # makes it, or empties it
    for hook in present.hooks:
        yield f"-D {hook.chain} {hook.rule}"
    for chain in gone:
        yield f"-F {chain}"
    for chain, rules in wanted.chains.items():
        for rule in rules:
            yield f"-A {chain} {rule}"
    for hook, index in placed(wanted.hooks, saved):
        yield f"-I {hook.chain} {index + 1} {hook.rule}"
    for chain in gone:
        yield f"-X {chain}"
    yield "COMMIT"
