"""The rules in plain words: each under its sentence, in the order of a packet's path (pure).

The rules themselves are nftables', which are the shortest to read; what they say is the same
on every firewall.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import TextWrapper

from ftpfw.ruleset.gather import gather
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.nftables import (
    BASES,
    DROP,
    FORWARD,
    Place,
    place_rules,
    render_rule,
    sentences,
)

WIDTH = 96

SHOWN = 4
"""Elements of a set that are written out."""


class _InLine:
    """Sets written where they are asked, the first few elements of them."""

    def name(self, type_: str, rows: Sequence[str], targets: Sequence[str]) -> str:
        """See nftables.Sets."""
        del type_
        pairs = list(map(" : ".join, zip(rows, targets, strict=True))) if targets else list(rows)
        more = [f"and {len(pairs) - SHOWN} more"] if len(pairs) > SHOWN else []
        return f"{{ {', '.join(pairs[:SHOWN] + more)} }}"


def render_explanation(rulesets: Sequence[RuleSet]) -> str:
    """A numbered stage for each hook that packets pass, its rules' sentences below it."""
    placed = place_rules(rulesets)
    stages = [name for name in BASES if name in placed]
    if not stages:
        return "The policy asks nothing of this family: no rules.\n"
    blocks = [
        "\n".join(_stage(number, name, placed)) for number, name in enumerate(stages, start=1)
    ]
    return "\n\n".join(blocks) + "\n"


def _stage(number: int, name: str, placed: dict[str, Place]) -> Iterator[str]:
    place = placed[name]
    yield from _filled(f"{number}. ", f"{_where(name)}: {place.why}")
    yield from _told(place)
    if name == FORWARD and DROP in placed:
        yield ""
        yield from _filled("   ", placed[DROP].why)
        yield from _told(placed[DROP])


def _where(name: str) -> str:
    """A base chain's hook and priority, as in ``prerouting, raw - 5``."""
    found = re.fullmatch(r"type \w+ hook (\w+) priority (.+)", BASES[name])
    assert found, "every base chain names both"
    return f"{name} ({found[1]}, {found[2]})"


def _told(place: Place) -> Iterator[str]:
    for one in gather(place.rules):
        yield ""
        for why in sentences(one):
            yield from _filled("   ", why)
        rule = " ".join(render_rule(one, _InLine()).replace(" counter", "").split())
        yield from _filled("       ", rule)


def _filled(indent: str, text: str) -> list[str]:
    later = " " * len(indent)
    wrapper = TextWrapper(
        WIDTH,
        initial_indent=indent,
        subsequent_indent=later,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return wrapper.wrap(text)
