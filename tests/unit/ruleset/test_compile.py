from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Direction
from ftpfw.errors import PolicyError
from ftpfw.ruleset.compile import HELPER_NAME, UNPRIVILEGED, compile_policy, families
from ftpfw.ruleset.model import (
    PREFIX,
    Accept,
    AttachHelper,
    Drop,
    Family,
    Masquerade,
    Match,
    PortRange,
    Position,
    Protocol,
    Queue,
    Rule,
    RuleSet,
    Share,
    SourceNat,
    State,
    Table,
)
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.samples import MINIMAL
from tests.unit.table import table

RESOLVED = [backend for backend in Backend if backend is not Backend.AUTO]
NETWORKS = ["10.0.1.0/24", "192.0.2.7", "fd00:1::/64", "fd00:2::/64"]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    networks = draw(st.lists(st.sampled_from(NETWORKS), unique=True))
    ports = draw(st.lists(st.integers(1, 65535), unique=True, min_size=1, max_size=3))
    inside = draw(st.lists(st.sampled_from(["eth1", "eth2", "br0"]), unique=True, min_size=1))
    queue = draw(st.sampled_from(["0", "7", "0-3"]))
    text = f"""
        [gateway]
        inside = {inside}
        outside = "eth0"
        masquerade = true
        [helper]
        ports = {ports}
        queue = "{queue}"
        [clients]
        allow = {networks}
    """
    return read_policy(text.replace("'", '"'), "generated.toml")


Compiled = tuple[Policy, Backend, RuleSet]


@st.composite
def any_compiled(draw: st.DrawFn) -> Compiled:
    policy = draw(policies())
    several = len(policy.helper.queue) > 1
    can = [one for one in RESOLVED if not (several and one is Backend.CTHELPER)]
    backend, family = draw(st.sampled_from(can)), draw(st.sampled_from(list(Family)))
    return policy, backend, compile_policy(policy, backend, family)


any_ruleset = any_compiled()


def rules(ruleset: RuleSet, table: Table | None = None) -> list[Rule]:
    chains = [chain for chain in ruleset.chains if table in (None, chain.table)]
    return [rule for chain in chains for rule in chain.rules]


@given(any_ruleset)
def test_whatever_is_accepted_belongs_to_ftp(compiled: Compiled) -> None:
    policy, backend, ruleset = compiled
    for rule in rules(ruleset):
        if not isinstance(rule.action, Accept):
            continue
        match = rule.match
        assert match.in_interface
        assert match.out_interface
        assert match.states
        assert match.source or match.destination
        port = match.orig_dport or (match.dport if match.direction is Direction.ORIGINAL else None)
        tied = {PortRange(number, number) for number in policy.helper.ports}
        if backend is Backend.NONE:
            tied.add(UNPRIVILEGED)
        assert port in tied or match.helper == HELPER_NAME.get(backend, "no helper")


@given(any_ruleset)
def test_new_connections_go_out_or_are_related_and_unprivileged(compiled: Compiled) -> None:
    _, _, ruleset = compiled
    for rule in rules(ruleset, Table.FILTER):
        match = rule.match
        if not isinstance(rule.action, Accept) or match.protocol is not Protocol.TCP:
            continue
        if State.NEW in match.states:
            assert (match.in_interface, match.out_interface) != ("eth0", match.out_interface)
            assert match.source
        if State.RELATED in match.states:
            assert match.dport == UNPRIVILEGED
            assert match.helper


@given(any_ruleset)
def test_dropped_ahead_of_foreign_rules_is_only_what_control_connections_leak(
    compiled: Compiled,
) -> None:
    policy, _, ruleset = compiled
    ahead = [chain for chain in ruleset.chains if chain.name == "ftpfw-forward"]
    dropped = [rule.match for chain in ahead for rule in chain.rules if rule.action == Drop()]
    assert dropped == [
        Match(
            in_interface=inside,
            out_interface=policy.gateway.outside,
            source=network,
            protocol=Protocol.TCP,
            dport=PortRange(port, port),
            states=State.INVALID,
        )
        for inside in policy.gateway.inside
        for network in policy.clients.allow
        if network.version == ruleset.family.value
        for port in policy.helper.ports
    ]


@given(any_ruleset)
def test_icmp_passes_only_as_an_error_about_tcp(compiled: Compiled) -> None:
    _, _, ruleset = compiled
    for rule in rules(ruleset):
        if rule.match.protocol is Protocol.ICMP:
            assert rule.match.states == State.RELATED
            assert rule.match.tracked_protocol is Protocol.TCP


@given(any_ruleset)
def test_only_a_borrowed_helper_s_flows_are_queued(compiled: Compiled) -> None:
    _, backend, ruleset = compiled
    queued = [rule for rule in rules(ruleset) if isinstance(rule.action, Queue)]
    attached = {
        rule.action.name for rule in rules(ruleset) if isinstance(rule.action, AttachHelper)
    }
    assert bool(queued) == (backend is Backend.BORROWED and bool(ruleset.chains))
    assert not (queued and attached - {"sane"})
    for rule in queued:
        assert rule.match.states == State.ESTABLISHED
        assert rule.match.carries_data


@given(any_ruleset)
def test_a_queue_rule_names_its_interface_and_direction(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    ways = {(inside, Direction.ORIGINAL) for inside in policy.gateway.inside}
    ways.add((policy.gateway.outside, Direction.REPLY))
    for rule in rules(ruleset):
        if isinstance(rule.action, Queue):
            assert (rule.match.in_interface, rule.match.direction) in ways


@given(any_ruleset)
def test_nobody_outside_speaks_for_a_client(compiled: Compiled) -> None:
    """Ahead of everything else, with every backend, and whatever the packet is."""
    policy, _, ruleset = compiled
    clients = [one for one in policy.clients.allow if one.version == ruleset.family.value]
    first = rules(ruleset, Table.RAW)[: len(clients)]
    assert [(rule.match, rule.action) for rule in first] == [
        (Match(in_interface=policy.gateway.outside, source=network), Drop()) for network in clients
    ]


@given(any_ruleset)
def test_every_client_s_control_connection_is_helped_and_translated(compiled: Compiled) -> None:
    policy, backend, ruleset = compiled
    version = ruleset.family.value
    networks = {network for network in policy.clients.allow if network.version == version}
    helped = {
        (rule.match.in_interface, rule.match.source, rule.match.dport)
        for rule in rules(ruleset, Table.RAW)
        if isinstance(rule.action, AttachHelper)
    }
    ports = [] if backend is Backend.NONE else policy.helper.ports
    assert helped == {
        (inside, network, PortRange(port, port))
        for inside in policy.gateway.inside
        for network in networks
        for port in ports
    }
    assert {rule.match.source for rule in rules(ruleset, Table.NAT)} == networks


@given(any_ruleset)
def test_every_chain_is_ours_hooked_and_explained(compiled: Compiled) -> None:
    _, _, ruleset = compiled
    assert {chain.name for chain in ruleset.chains} == {hook.chain for hook in ruleset.hooks}
    assert all(chain.name.startswith(PREFIX) for chain in ruleset.chains)
    for sentence in [rule.why for rule in rules(ruleset)] + [hook.why for hook in ruleset.hooks]:
        assert sentence.endswith(".")
        assert "\n" not in sentence
    last = [hook.chain for hook in ruleset.hooks if hook.position is Position.LAST]
    assert last == (["ftpfw-drop"] if ruleset.chains else [])


def test_both_directions_are_dropped_at_the_end() -> None:
    ruleset = compile_policy(read_policy(MINIMAL, "p.toml"), "kernel", Family.IPV4)
    dropped = [rule.match for chain in ruleset.chains[-1:] for rule in chain.rules]
    assert dropped == [
        Match(in_interface="eth1", out_interface="eth0"),
        Match(in_interface="eth0", out_interface="eth1"),
    ]


SNAT = MINIMAL.replace("masquerade = true", 'snat_to = "203.0.113.1"')


def test_source_nat_has_its_address() -> None:
    for text, action in [
        (MINIMAL, Masquerade()),
        (SNAT, SourceNat(ip_address("203.0.113.1"))),
    ]:
        ruleset = compile_policy(read_policy(text, "p.toml"), "none", Family.IPV4)
        assert [rule.action for rule in rules(ruleset, Table.NAT)] == [action]


def queued(ruleset: RuleSet, way: Direction) -> list[Rule]:
    return [rule for rule in rules(ruleset, Table.MANGLE) if rule.match.direction is way]


def test_crash_behaviour_and_queue_numbers() -> None:
    text = MINIMAL + '[helper]\nqueue = "2-5"\non_crash = "closed"\n'
    ruleset = compile_policy(read_policy(text, "p.toml"), "borrowed", Family.IPV4)
    for way in Direction:
        assert [rule.action for rule in queued(ruleset, way)] == [
            Queue(number, False) for number in (2, 3, 4, 5)
        ]


SHARED = [
    # id          queue  numbers
    ("one queue", "7", [7]),
    ("two", "0-1", [0, 1]),
    ("three", "4-6", [4, 5, 6]),
]


@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize(("queue", "numbers"), **table(SHARED))
def test_queues_share_the_connections(queue: str, numbers: list[int], way: Direction) -> None:
    policy = read_policy(MINIMAL + f'[helper]\nqueue = "{queue}"\n', "p.toml")
    sharing = queued(compile_policy(policy, "borrowed", Family.IPV4), way)
    assert [rule.action for rule in sharing] == [Queue(number, True) for number in numbers]
    shares = [rule.match.share for rule in sharing]
    of = len(numbers)
    assert shares == ([None] if of == 1 else [Share(index, of) for index in range(of)])


def test_families_are_those_of_the_clients() -> None:
    both = MINIMAL.replace('"]\n', '"]\n', 1).replace(
        'allow = ["10.0.1.0/24"]', 'allow = ["fd00::/64", "10.0.1.0/24"]'
    )
    assert families(read_policy(MINIMAL, "p.toml")) == (Family.IPV4,)
    assert families(read_policy(both, "p.toml")) == (Family.IPV4, Family.IPV6)
    nobody = compile_policy(read_policy(MINIMAL, "p.toml"), "borrowed", Family.IPV6)
    assert nobody == RuleSet(Family.IPV6)


REFUSED = [
    # id                text                                                backend    line
    (
        "published server",
        MINIMAL + '[[server]]\naddress = "10.0.2.1"\npublic = "203.0.113.1"\n',
        "borrowed",
        8,
        "not supported yet",
    ),
    ("routed", MINIMAL.replace("= true", "= false"), "borrowed", 1, "without NAT"),
    (
        "SNAT of the other version",
        SNAT.replace("10.0.1.0/24", "fd00::/64"),
        "none",
        7,
        "of another IP version",
    ),
    (
        "too many queues",
        MINIMAL + '[helper]\nqueue = "0-32"\n',
        "borrowed",
        9,
        "33 queues are more than the 32",
    ),
    (
        "cthelper in spite of the policy, closed",
        MINIMAL + '[helper]\non_crash = "closed"\n',
        "cthelper",
        9,
        "impossible with the backend .cthelper.",
    ),
    (
        "cthelper in spite of the policy, several queues",
        MINIMAL + '[helper]\nqueue = "0-3"\n',
        "cthelper",
        9,
        "feeds one queue",
    ),
]


@pytest.mark.parametrize(("text", "backend", "line", "what"), **table(REFUSED))
def test_refused_with_its_line(text: str, backend: str, line: int, what: str) -> None:
    with pytest.raises(PolicyError, match=what) as caught:
        compile_policy(read_policy(text, "p.toml"), backend, Family.IPV4)
    assert caught.value.line == line
    assert caught.value.mend


def test_a_network_of_one_host() -> None:
    policy = read_policy(MINIMAL.replace("10.0.1.0/24", "10.0.1.5"), "p.toml")
    assert policy.clients.allow == (ip_network("10.0.1.5/32"),)


def test_a_policy_without_clients_is_refused() -> None:
    text = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\nmasquerade = true\n'
    with pytest.raises(PolicyError) as error:
        families(read_policy(text, "gateway.toml"))
    assert "clients.allow" in error.value.what
    assert error.value.mend
