"""Reading iptables-save: a rule is read or a ValueError, a whole save never fails.

A rule that was read prints as something that reads the same. Our hooks are found among
whatever rules of other people stand around them, and nothing else is taken for ours.
"""

from __future__ import annotations

from collections.abc import Callable

from ftpfw.ruleset.drift import find_drift
from ftpfw.ruleset.iptables import parse_rule
from ftpfw.ruleset.live import EMPTY, own_part, parse_save, placed
from ftpfw.ruleset.model import PREFIX, Family, Table
from tests.fuzz.script import Script

HOOK = f"-j {PREFIX}forward"


def fuzz(data: bytes) -> None:
    script = Script(data)
    script.pick(LAWS)(script.rest().decode("utf-8", "surrogateescape"))


def _rule(text: str) -> None:
    try:
        rule = parse_rule(text)
    except ValueError:
        return
    # What iptables-save prints never needs more than one kind of quotes.
    if not set(text) & set("\"'\\") and text.isprintable():
        assert parse_rule(str(rule)) == rule


def _save(text: str) -> None:
    for saved in parse_save(text).values():
        part = own_part(saved)
        assert all(chain.startswith(PREFIX) for chain in part.chains)
        for hook in part.hooks:
            assert not hook.chain.startswith(PREFIX)
            assert PREFIX in hook.rule
        list(placed(part.hooks, saved))
        list(find_drift(Family.IPV4, Table.FILTER, saved, part))


def _among_others(text: str) -> None:
    """A hook after the lines of others, none of which can hide it or end its table."""
    foreign = [f"-A FORWARD {line}" for line in text.split("\n") if PREFIX not in line]
    save = "\n".join(["*filter", ":FORWARD ACCEPT [0:0]", *foreign, f"-A FORWARD {HOOK}", "COMMIT"])
    hooks = own_part(parse_save(save)["filter"]).hooks
    assert [(hook.index, hook.rule) for hook in hooks] == [(len(foreign), HOOK)]
    drift = list(find_drift(Family.IPV4, Table.FILTER, parse_save(save)["filter"], EMPTY))
    assert [one.found for one in drift] == [HOOK]


LAWS: tuple[Callable[[str], None], ...] = (_rule, _save, _among_others)
