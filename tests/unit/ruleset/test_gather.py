"""Gathered rules do what the rules did one by one, whatever the packet, and are few."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.ruleset.compile import compile_policy
from ftpfw.ruleset.gather import Gathered, gather
from ftpfw.ruleset.model import (
    Accept,
    Action,
    DestinationNat,
    Drop,
    Family,
    Match,
    PortRange,
    Protocol,
    Rule,
    RuleSet,
    State,
)
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.table import table

from .many import many_policies, many_servers
from .packets import Packet, effects, holds, is_verdict, matches, packets_near
from .test_compile import Compiled, any_compiled

NET = ip_network("10.0.1.0/24")
HOSTS = [ip_network(f"10.0.2.{number}") for number in range(4)]


def gathered_effects(gathered: list[Gathered], packet: Packet) -> list[Action]:
    done: list[Action] = []
    for one in gathered:
        if packet.family not in one.families or not matches(one.common, packet):
            continue
        found = [index for index, row in enumerate(one.rows.all) if in_row(one.keys, row, packet)]
        assert len(found) <= 1, "rows never overlap"
        if found:
            action = DestinationNat(one.targets[found[0]]) if one.targets else one.action
            done.append(action)
            if is_verdict(action):
                break
    return done


def in_row(keys: tuple[str, ...], row: tuple[object, ...], packet: Packet) -> bool:
    return all(holds(value, getattr(packet, key)) for key, value in zip(keys, row, strict=True))


def require_same(ruleset: RuleSet, data: st.DataObject) -> None:
    for chain in ruleset.chains:
        gathered = gather((ruleset.family, rule) for rule in chain.rules)
        packet = data.draw(packets_near(ruleset.family, chain.rules))
        assert gathered_effects(gathered, packet) == effects(chain.rules, packet, {})


@given(any_compiled(), st.data())
def test_gathered_rules_do_the_same(compiled: Compiled, data: st.DataObject) -> None:
    require_same(compiled[2], data)


@given(many_policies(), st.sampled_from([Backend.BORROWED, Backend.NONE]), st.data())
def test_so_do_those_of_many_servers(policy: Policy, backend: Backend, data: st.DataObject) -> None:
    require_same(compile_policy(policy, backend, Family.IPV4), data)


@pytest.mark.parametrize("backend", ["borrowed", "none"])
def test_rules_do_not_grow_with_servers(backend: str) -> None:
    def count(servers: int) -> int:
        policy = read_policy(many_servers(servers), "many.toml")
        chains = compile_policy(policy, backend, Family.IPV4).chains
        return sum(len(gather((Family.IPV4, rule) for rule in chain.rules)) for chain in chains)

    assert count(100) == count(2)


def rule(action: Action = Accept(), **match: object) -> Rule:  # noqa: B008
    return Rule(Match(protocol=Protocol.TCP, **match), action, "A sentence.")  # type: ignore[arg-type]


def port(number: int) -> PortRange:
    return PortRange(number, number)


TO_ONE = rule(DestinationNat(ip_address("10.0.2.1")), dport=port(1))
TO_OTHER = rule(DestinationNat(ip_address("10.0.2.2")), dport=port(2))
TOO_LATE = rule(DestinationNat(ip_address("10.0.2.2")), dport=port(1))
WORLD = ip_network("0.0.0.0/0")

TOGETHER = [
    # id                  rules, and the rows of what is gathered
    ("hosts", [rule(source=HOSTS[0]), rule(source=HOSTS[1])], [2]),
    (
        "hosts and ports",
        [rule(source=HOSTS[0], sport=port(1)), rule(source=HOSTS[1], sport=port(2))],
        [2],
    ),
    ("other fields", [rule(source=HOSTS[0]), rule(destination=HOSTS[1])], [1, 1]),
    ("other interfaces", [rule(source=NET, in_interface="a"), rule(source=HOSTS[0])], [1, 1]),
    ("other actions", [rule(source=HOSTS[0]), rule(Drop(), source=HOSTS[1])], [1, 1]),
    ("the same again", [rule(source=HOSTS[0]), rule(source=HOSTS[0])], [1]),
    ("the whole world asks nothing", [rule(source=WORLD), rule()], [1]),
    ("targets", [TO_ONE, TO_OTHER], [2]),
    ("a target too late", [TO_ONE, TOO_LATE], [1]),
    ("ranges apart", [rule(dport=PortRange(1, 5)), rule(dport=PortRange(6, 9))], [2]),
    ("ranges that overlap", [rule(dport=PortRange(1, 5)), rule(dport=PortRange(5, 9))], [1, 1]),
    ("a network and its host", [rule(source=NET), rule(source=ip_network("10.0.1.7"))], [1, 1]),
    (
        "not past what decides otherwise",
        [rule(source=HOSTS[0]), rule(Drop(), dport=port(1)), rule(source=HOSTS[1])],
        [1, 1, 1],
    ),
    (
        "past what no packet shares",
        [
            rule(source=HOSTS[0], states=State.NEW),
            rule(Drop(), states=State.INVALID),
            rule(source=HOSTS[1], states=State.NEW),
        ],
        [2, 1],
    ),
]


@pytest.mark.parametrize(("rules", "rows"), **table(TOGETHER))
def test_what_is_gathered(rules: list[Rule], rows: list[int]) -> None:
    gathered = gather((Family.IPV4, rule) for rule in rules)
    assert [len(one.rows.all) for one in gathered] == rows


def test_what_is_asked_of_both_families_is_asked_once() -> None:
    rules = [rule(in_interface="eth0"), rule(source=NET), rule(in_interface="eth1")]
    rules6 = [rule(in_interface="eth0"), rule(Drop()), rule(in_interface="eth1")]
    gathered = gather(
        [(Family.IPV4, one) for one in rules] + [(Family.IPV6, one) for one in rules6]
    )
    assert [one.families for one in gathered] == [
        (Family.IPV4, Family.IPV6),
        (Family.IPV4,),
        (Family.IPV4,),
        (Family.IPV6,),
        (Family.IPV6,),
    ]
