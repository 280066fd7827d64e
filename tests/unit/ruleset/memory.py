"""An iptables in memory: tables as iptables-save text, changed by iptables-restore input."""

from collections.abc import Iterator
from contextlib import contextmanager

from ftpfw.errors import HostError
from ftpfw.ruleset.live import Part, SavedTable, parse_save
from ftpfw.ruleset.model import Family, Table
from ftpfw.ruleset.restore import restore_text
from ftpfw.ruleset.xtables import Xtables

BUILTIN = {
    Table.RAW: ("PREROUTING", "OUTPUT"),
    Table.MANGLE: ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    Table.NAT: ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    Table.FILTER: ("INPUT", "FORWARD", "OUTPUT"),
}


class MemoryTables:
    """``faults``: the numbers, from 1, of the changes that fail before they do anything.

    ``interrupted_after``: the number of the change after which Ctrl-C arrives.
    """

    name = "memory"

    def __init__(self) -> None:
        self.tables: dict[tuple[Family, Table], dict[str, list[str]]] = {
            (family, table): {chain: [] for chain in BUILTIN[table]}
            for family in Family
            for table in Table
        }
        self.faults: set[int] = set()
        self.interrupted_after = 0
        self.changes = 0
        self.is_locked = False

    @contextmanager
    def locked(self) -> Iterator[None]:
        assert not self.is_locked
        self.is_locked = True
        try:
            yield
        finally:
            self.is_locked = False

    def save(self, family: Family) -> dict[str, SavedTable]:
        return parse_save(self.text(family))

    def replace(self, family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
        assert self.is_locked
        self.changes += 1
        if self.changes in self.faults:
            raise HostError(f"change {self.changes} failed")
        self.restore(family, restore_text(table, saved, wanted))
        if self.changes == self.interrupted_after:
            raise KeyboardInterrupt

    def text(self, family: Family) -> str:
        lines = []
        for (of, table), chains in self.tables.items():
            if of is not family:
                continue
            lines.append(f"*{table}")
            for chain in chains:
                builtin = chain in BUILTIN[table]
                lines.append(f":{chain} {'ACCEPT' if builtin else '-'} [0:0]")
            lines += [f"-A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
            lines.append("COMMIT")
        return "\n".join(lines)

    def restore(self, family: Family, text: str) -> None:
        """What ``iptables-restore --noflush`` does, for the commands that ftpfw uses."""
        chains: dict[str, list[str]] = {}
        for line in text.splitlines():
            command, _, rest = line.partition(" ")
            chain, _, rule = rest.partition(" ")
            if line.startswith("*"):
                chains = self.tables[family, Table(line[1:])]
            elif line.startswith(":"):
                chains[command[1:]] = []
            elif command == "-A":
                chains[chain].append(rule)
            elif command == "-I":
                number, _, inserted = rule.partition(" ")
                assert int(number) <= len(chains[chain]) + 1
                chains[chain].insert(int(number) - 1, inserted)
            elif command == "-D":
                chains[chain].remove(rule)
            elif command == "-F":
                chains[chain].clear()
            elif command == "-X":
                assert not chains[chain]
                del chains[chain]
            else:
                assert command in ("#", "COMMIT"), line


class MemoryFirewall(Xtables):
    """A firewall whose tables are in ``tool``."""

    def __init__(self) -> None:
        self.tool = MemoryTables()
        super().__init__(self.tool)

    def text(self, family: Family) -> str:
        return self.tool.text(family)
