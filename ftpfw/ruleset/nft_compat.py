"""Applier for iptables-nft: iptables' rules kept in nf_tables.

Each table is one ``iptables-nft-restore --noflush``, one nf_tables transaction.

iptables-nft makes a table, and each builtin chain, when a rule is first put into it. So
that nothing stays behind, what ``apply`` brought into being is noted in the chain
``ftpfw-note`` of the table, a comment for each builtin chain and one for the table. Which
chains exist is asked of the kernel: iptables-nft-save prints builtin chains that do not.
When our part leaves the table, a noted chain goes too if it is empty and accepts; so does
a noted table if nobody has put anything into it. iptables-nft deletes the builtin chains
(the kernel refuses while they hold rules), and the kernel's use count of the table tells
whether something is left (NFTA_TABLE_USE). The notes live and die with the rules, in the
kernel; there is no file to lose.
An iptables that cannot delete builtin chains leaves them, empty, and the table.
"""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager, nullcontext
from socket import AF_INET, AF_INET6
from typing import Any

from ftpfw.ruleset.firewall import run_program
from ftpfw.ruleset.live import NOTE_CHAIN, Part, SavedTable
from ftpfw.ruleset.model import Family, Table
from ftpfw.ruleset.restore import restore_text
from ftpfw.ruleset.xtables import save_tables

NOTE = '-m comment --comment "{} was not here before ftpfw; it goes with its rules."'
TABLE_NOTE = NOTE.format("This table")

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
        """One transaction; afterwards what had been made for us is taken away if unused."""
        notes = saved.rules.get(NOTE_CHAIN, ()) if saved else (TABLE_NOTE,)
        if wanted:
            present = _chains(family, table) if saved else set()
            wanted = _noted(wanted, notes, present)
        text = restore_text(table, saved, wanted)
        run_program([f"{_PREFIX[family]}-restore", "--noflush"], text)
        if notes and not wanted:
            self._take_away(family, table, notes)

    def _take_away(self, family: Family, table: Table, notes: tuple[str, ...]) -> None:
        """Delete the noted chains that are idle, and a noted table that holds nothing else."""
        left = self.save(family).get(table)
        if left is None:
            return
        whole = TABLE_NOTE in notes and left.is_bare
        for chain in left.policies:
            if whole or (_chain_note(chain) in notes and left.is_idle(chain)):
                # Fails for a chain that iptables-nft-save prints though the kernel has none.
                argv = [_PREFIX[family], "-t", table, "-X", chain]
                subprocess.run(argv, capture_output=True, check=False)
        if whole:
            _drop_unused(family, table)


def _chain_note(chain: str) -> str:
    return NOTE.format(f"Chain {chain}")


def _noted(wanted: Part, notes: tuple[str, ...], present: set[str]) -> Part:
    """``wanted`` with the older ``notes`` and one for each chain that its hooks will make."""
    made = (_chain_note(hook.chain) for hook in wanted.hooks if hook.chain not in present)
    chains = {name: rules for name, rules in wanted.chains.items() if name != NOTE_CHAIN}
    if told := tuple(dict.fromkeys((*notes, *made))):
        chains[NOTE_CHAIN] = told
    return Part(chains, wanted.hooks)


def _nftables(family: Family) -> Any:
    """A socket on nf_tables; only who changes rules waits a third of a start for the library."""
    from pyroute2.nftables.main import NFTables  # noqa: PLC0415

    return NFTables(nfgen_family=_AF[family])


def _chains(family: Family, table: Table) -> set[str]:
    """The chains that the kernel has in a table."""
    with _nftables(family) as kernel:
        return {
            chain.get_attr("NFTA_CHAIN_NAME")
            for chain in kernel.get_chains()
            if chain.get_attr("NFTA_CHAIN_TABLE") == table
        }


def _drop_unused(family: Family, table: Table) -> None:
    with _nftables(family) as kernel:
        for one in kernel.get_tables():
            if one.get_attr("NFTA_TABLE_NAME") == table and not one.get_attr("NFTA_TABLE_USE"):
                kernel.table("del", name=str(table))
