"""Input for ``iptables-restore --noflush`` that leads from one part of ours to another (pure).

It names nothing but our chains and our jumps, so foreign rules stay as they are. Both
kinds of iptables-restore read it, each as one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftpfw.ruleset.live import Part, SavedTable, own_part, placed
from ftpfw.ruleset.model import Table


def restore_text(table: Table, saved: SavedTable | None, wanted: Part) -> str:
    """The input for one table, from ``saved`` as it is now to ``wanted``."""
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
