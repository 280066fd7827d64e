"""What nft prints of our table, read and compared (pure).

nft prints a rule otherwise than it was written, and each version in its own way. So wanted and
live rules are compared as the same nft prints both, block by block: chains, and the helper
objects, a block each. The chain YOURS is the administrator's: never compared, always kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftpfw.ruleset.drift import Drift, chains_drift
from ftpfw.ruleset.nftables import TABLE, YOURS

Blocks = dict[str, tuple[str, ...]]
"""The lines of each block of a table, by what stands ahead of its brace."""


def parse_listing(text: str) -> Blocks:
    """The blocks in the output of ``nft list table``."""
    blocks: Blocks = {}
    name = ""
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("\t\t"):
            lines.append(line.strip())
        elif line == "\t}":
            blocks[name] = tuple(lines)
        elif line.startswith("\t"):
            name, lines = _block_name(line), []
    return blocks


def _block_name(line: str) -> str:
    return line.strip().removesuffix("{").strip().removeprefix("chain ")


def ours(text: str) -> Blocks:
    """The blocks without the administrator's."""
    return {name: lines for name, lines in parse_listing(text).items() if name != YOURS}


def yours(text: str) -> str:
    """The administrator's rules as a file for nft; nothing where there are none."""
    lines = parse_listing(text).get(YOURS, ())
    if not lines:
        return ""
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"table inet {TABLE} {{\n\tchain {YOURS} {{\n{body}\t}}\n}}\n"


def table_drift(wanted: str, live: str) -> Iterator[Drift]:
    """Every difference between two listings."""
    yield from chains_drift("inet", TABLE, ours(wanted), ours(live))


def table_lines(listing: str) -> list[str]:
    """A listing in lines that can be compared, each under its block's name."""
    return [f"{name}: {line}" for name, lines in sorted(ours(listing).items()) for line in lines]
