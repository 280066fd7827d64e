"""Spread rules do what the rules did in one chain, whatever the packet, and ask fewer of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.ruleset.compile import compile_policy
from ftpfw.ruleset.iptables import render_save
from ftpfw.ruleset.model import Family, Jump, Return, Rule, RuleSet
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.ruleset.spread import LEAF, PARTS, spread

from .many import many_policies, many_servers
from .packets import effects, packets_near
from .test_compile import Compiled, any_compiled

LONG_NAME = 28
"""XT_EXTENSION_MAXNAMELEN, less the zero at the end."""


def require_same(ruleset: RuleSet, leaf: int, data: st.DataObject) -> None:
    spreading = spread(ruleset, leaf, leaf)
    chains = {chain.name: chain for chain in spreading.chains}
    for chain in ruleset.chains:
        packet = data.draw(packets_near(ruleset.family, chain.rules))
        plain = effects(chain.rules, packet, {})
        assert effects(chains[chain.name].rules, packet, chains) == plain


@given(any_compiled(), st.integers(1, 5), st.data())
def test_spread_rules_do_the_same(compiled: Compiled, leaf: int, data: st.DataObject) -> None:
    require_same(compiled[2], leaf, data)


@given(
    many_policies(), st.sampled_from([Backend.BORROWED, Backend.NONE]), st.integers(1, 9), st.data()
)
def test_so_do_those_of_many_servers(
    policy: Policy, backend: Backend, leaf: int, data: st.DataObject
) -> None:
    require_same(compile_policy(policy, backend, Family.IPV4), leaf, data)


def compiled(count: int, *, one_address: bool, backend: str = "borrowed") -> RuleSet:
    policy = read_policy(many_servers(count, one_address=one_address), "many.toml")
    return compile_policy(policy, backend, Family.IPV4)


def asked(name: str, chains: dict[str, tuple[Rule, ...]]) -> int:
    """The most rules that a packet can be asked in a chain and below it."""
    below = [rule.action.chain for rule in chains[name] if isinstance(rule.action, Jump)]
    kinds: dict[tuple[str, ...], int] = {}
    for rule in chains[name]:
        if isinstance(rule.action, Jump):
            set_ = tuple(key for key in rule.match.__slots__ if getattr(rule.match, key))
            kinds[set_] = max(kinds.get(set_, 0), asked(rule.action.chain, chains))
    assert len(set(below)) == len(below)
    return len(chains[name]) + sum(kinds.values())


@pytest.mark.parametrize("one_address", [True, False], ids=["one address", "many addresses"])
@pytest.mark.parametrize("backend", ["borrowed", "none"])
def test_a_packet_is_asked_few_rules(one_address: bool, backend: str) -> None:
    flat = compiled(500, one_address=one_address, backend=backend)
    chains = {chain.name: chain.rules for chain in spread(flat).chains}
    for chain in flat.chains:
        assert asked(chain.name, chains) < 6 * (LEAF + 2 * PARTS), chain.name


def test_each_rule_stands_once() -> None:
    flat = compiled(200, one_address=False)
    rules = [rule for chain in flat.chains for rule in chain.rules]
    spreading = [rule for chain in spread(flat).chains for rule in chain.rules]
    kept = [rule for rule in spreading if not isinstance(rule.action, Jump)]
    assert sorted(map(repr, kept)) == sorted(map(repr, rules))


def test_a_return_stays_at_the_top() -> None:
    for chain in spread(compiled(200, one_address=False)).chains:
        returns = [rule for rule in chain.rules if isinstance(rule.action, Return)]
        assert not returns or chain.name == "ftpfw-mangle"


def test_names_are_ours_and_short_enough() -> None:
    names = [chain.name for chain in spread(compiled(1000, one_address=False)).chains]
    assert len(set(names)) == len(names)
    assert all(name.startswith("ftpfw-") and len(name) <= LONG_NAME for name in names)


def test_short_chains_stay_as_they_are() -> None:
    ruleset = compiled(2, one_address=False)
    assert spread(ruleset) == ruleset


def test_branches_are_rendered_under_sentences() -> None:
    text = render_save(compiled(200, one_address=False))
    assert "# Packets to 198.51.100.0/28 pass rules of their own.\n-A ftpfw-raw" in text
