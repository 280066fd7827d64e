"""All of it or nothing, for any foreign rules, any earlier rules of ours and any fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import HostError
from ftpfw.ruleset.apply import apply, check, remove
from ftpfw.ruleset.live import SavedTable, parse_save
from ftpfw.ruleset.model import Family, RuleSet, Table
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.memory import BUILTIN, MemoryFirewall
from tests.unit.ruleset.samples import NAMES, backends, compiled, sample

CHOICES = [
    [compiled(name, backend, family) for family in Family]
    for name in NAMES
    for backend in backends(sample(name))
]
rulesets = st.sampled_from(CHOICES)
foreign_rules = st.sampled_from(
    ["-i lo -j ACCEPT", "-j DOCKER-USER", '-m comment --comment "see ftpfw-forward" -j ACCEPT']
)


@st.composite
def populated(draw: st.DrawFn) -> MemoryFirewall:
    """A firewall with rules of other people's."""
    firewall = MemoryFirewall()
    for (_, table), chains in firewall.tool.tables.items():
        chains["DOCKER-USER"] = draw(st.lists(st.just("-j RETURN"), max_size=1))
        for chain in BUILTIN[table]:
            chains[chain] += draw(st.lists(foreign_rules, max_size=2))
    return firewall


def state(firewall: MemoryFirewall) -> str:
    return "\n\n".join(firewall.text(family) for family in Family)


@given(populated(), rulesets)
def test_applied_rules_show_no_drift(firewall: MemoryFirewall, wanted: list[RuleSet]) -> None:
    apply(wanted, firewall)
    assert check(wanted, firewall) == []


@given(populated(), rulesets)
def test_a_second_apply_changes_nothing(firewall: MemoryFirewall, wanted: list[RuleSet]) -> None:
    apply(wanted, firewall)
    changes = firewall.tool.changes
    apply(wanted, firewall)
    assert firewall.tool.changes == changes


@given(populated(), rulesets, rulesets)
def test_removed_without_a_trace(
    firewall: MemoryFirewall, first: list[RuleSet], second: list[RuleSet]
) -> None:
    before = state(firewall)
    apply(first, firewall)
    apply(second, firewall)
    assert check(second, firewall) == []
    remove(firewall)
    assert state(firewall) == before


@given(populated(), rulesets, rulesets, st.integers(1, 8))
def test_a_fault_anywhere_leaves_what_was(
    firewall: MemoryFirewall, first: list[RuleSet], second: list[RuleSet], fault: int
) -> None:
    apply(first, firewall)
    before = state(firewall)
    firewall.tool.faults = {firewall.tool.changes + fault}
    try:
        apply(second, firewall)
    except HostError:
        assert contents(state(firewall)) == contents(before)
    else:
        assert check(second, firewall) == []
    assert not firewall.tool.is_locked


@given(populated(), rulesets, rulesets)
def test_rolled_back_to_what_was(
    firewall: MemoryFirewall, first: list[RuleSet], second: list[RuleSet]
) -> None:
    apply(first, firewall)
    before = state(firewall)
    apply(second, firewall)()
    assert contents(state(firewall)) == contents(before)


def test_an_interrupt_undoes_as_a_fault_does() -> None:
    firewall = MemoryFirewall()
    before = state(firewall)
    firewall.tool.interrupted_after = 3
    with pytest.raises(KeyboardInterrupt):
        apply([compiled("nat-gateway", Backend.BORROWED, Family.IPV4)], firewall)
    assert state(firewall) == before


def test_a_fault_in_the_undoing_is_told_too() -> None:
    firewall = MemoryFirewall()
    firewall.tool.faults = {2, 3}
    with pytest.raises(HostError, match=r"change 2 failed[^$]*change 3 failed") as caught:
        apply([compiled("nat-gateway", Backend.BORROWED, Family.IPV4)], firewall)
    assert "rules remove" in (caught.value.mend or "")


def test_hooks_stand_around_foreign_rules() -> None:
    firewall = MemoryFirewall()
    forward = firewall.tool.tables[Family.IPV4, Table.FILTER]["FORWARD"]
    forward += ["-i lo -j ACCEPT", "-j DOCKER-USER"]
    apply([compiled("nat-gateway", Backend.KERNEL, Family.IPV4)], firewall)
    assert forward == [
        "-j ftpfw-forward",
        "-i lo -j ACCEPT",
        "-j DOCKER-USER",
        "-j ftpfw-drop",
    ]


def test_apply_mends_drift() -> None:
    firewall = MemoryFirewall()
    wanted = [compiled("nat-gateway", Backend.KERNEL, Family.IPV4)]
    apply(wanted, firewall)
    chains = firewall.tool.tables[Family.IPV4, Table.FILTER]
    chains["FORWARD"].append("-i lo -j ACCEPT")
    chains["FORWARD"].append("-i eth1 -g ftpfw-forward")
    chains["ftpfw-drop"].pop()
    apply(wanted, firewall)
    assert check(wanted, firewall) == []
    assert chains["FORWARD"] == ["-j ftpfw-forward", "-i lo -j ACCEPT", "-j ftpfw-drop"]


def contents(text: str) -> list[dict[str, SavedTable]]:
    """The tables; the order of our chains among themselves means nothing."""
    return [parse_save(family) for family in text.split("\n\n")]
