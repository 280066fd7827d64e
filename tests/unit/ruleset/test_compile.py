from ipaddress import ip_address, ip_network
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Direction
from ftpfw.errors import PolicyError
from ftpfw.ruleset.compile import HELPER_NAME, compile_policy, families
from ftpfw.ruleset.filtering import UNPRIVILEGED
from ftpfw.ruleset.model import (
    PREFIX,
    Accept,
    AttachHelper,
    Builtin,
    DestinationNat,
    Drop,
    Family,
    Masquerade,
    Match,
    PortRange,
    Position,
    Protocol,
    Queue,
    Return,
    Rule,
    RuleSet,
    SetZone,
    Share,
    SourceNat,
    State,
    Table,
    Text,
)
from ftpfw.ruleset.policy import Address, Backend, Network, Policy, Server
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.samples import MINIMAL, backends
from tests.unit.table import table

NETWORKS = ["10.0.1.0/24", "192.0.2.7", "fd00:1::/64", "fd00:2::/64"]


SERVERS = [
    # published, routed or here; with and without passive ports
    'address = "10.0.1.9"\npublic = "203.0.113.1"\npassive_ports = "5000-5009"',
    'address = "10.0.9.9"\npublic = "203.0.113.1"\nport = 2121',
    'address = "203.0.113.7"\npassive_ports = "5000-5009"',
    'address = "fd00:9::9"\npublic = "2001:db8::1"\npassive_ports = "5000-5009"',
]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any situation: with an inside, or a host by itself."""
    inside = draw(st.lists(st.sampled_from(["eth1", "eth2", "br0"]), unique=True))
    networks = draw(st.lists(st.sampled_from(NETWORKS), unique=True)) if inside else []
    servers = draw(st.lists(st.sampled_from(SERVERS), unique=True))
    here = [one for one in servers if "public" not in one]
    ports = draw(st.lists(st.integers(1, 65535), unique=True, min_size=1, max_size=3))
    text = f"""
        [gateway]
        inside = {inside}
        dmz = {draw(st.sampled_from([[], ["dmz0"]])) if inside else []}
        outside = "eth0"
        masquerade = {draw(st.sampled_from(["true", "false"]))}
        zone = {draw(st.sampled_from([0, 7]))}
        [helper]
        ports = {ports}
        queue = "{draw(st.sampled_from(["0", "7", "0-3"]))}"
        [clients]
        allow = {networks}
        this_host = {draw(st.sampled_from(["true", "false"]))}
    """
    for server in servers if inside else here:
        text += f"\n[[server]]\n{server}\n"
    policy = read_policy(text.replace("'", '"'), "generated.toml")
    assume(families(policy))
    return policy


Compiled = tuple[Policy, Backend, RuleSet]


@st.composite
def any_compiled(draw: st.DrawFn) -> Compiled:
    policy = draw(policies())
    backend = draw(st.sampled_from(backends(policy)))
    family = draw(st.sampled_from(list(Family)))
    return policy, backend, compile_policy(policy, backend, family)


any_ruleset = any_compiled()


def rules(ruleset: RuleSet, table: Table | None = None) -> list[Rule]:
    chains = [chain for chain in ruleset.chains if table in (None, chain.table)]
    return [rule for chain in chains for rule in chain.rules]


def hooked(ruleset: RuleSet, builtin: Builtin, table: Table = Table.FILTER) -> list[Rule]:
    """The rules of the chains that a builtin chain jumps to, in order."""
    names = [hook.chain for hook in ruleset.hooks if (hook.table, hook.builtin) == (table, builtin)]
    return [
        rule
        for name in names
        for chain in ruleset.chains
        if chain.name == name
        for rule in chain.rules
    ]


def control_ports(policy: Policy) -> set[PortRange]:
    ports = {*policy.helper.ports, *(server.port for server in policy.servers)}
    return {PortRange(port, port) for port in ports}


def accepted(ruleset: RuleSet) -> list[Match]:
    return [rule.match for rule in rules(ruleset, Table.FILTER) if rule.action == Accept()]


@given(any_ruleset)
def test_whatever_is_accepted_belongs_to_ftp(compiled: Compiled) -> None:
    policy, backend, ruleset = compiled
    passive = [one.passive_ports for one in policy.servers if one.passive_ports]
    for match in accepted(ruleset):
        assert match.states
        port = match.orig_dport or (match.dport if match.direction is Direction.ORIGINAL else None)
        tied = control_ports(policy)
        if backend is Backend.NONE:
            tied |= {UNPRIVILEGED, *(PortRange(ports[0], ports[-1]) for ports in passive)}
        assert port in tied or match.helper == HELPER_NAME.get(backend, "no helper")


@given(any_ruleset)
def test_what_is_accepted_is_between_two_places(compiled: Compiled) -> None:
    """An interface at least, and where it is only one of a forwarded packet's two, an address."""
    _, _, ruleset = compiled
    for rule in hooked(ruleset, Builtin.FORWARD):
        match = rule.match
        places = [match.in_interface, match.out_interface, match.source or match.destination]
        assert len([place for place in places if place]) >= 2
    for builtin in (Builtin.INPUT, Builtin.OUTPUT):
        for rule in hooked(ruleset, builtin):
            match = rule.match
            assert match.in_interface or match.out_interface or match.source or match.destination


@given(any_ruleset)
def test_new_connections_come_in_for_servers_only(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    servers = {ip_network(server.address) for server in policy.servers}
    for match in accepted(ruleset):
        if match.protocol is not Protocol.TCP:
            continue
        if State.NEW in match.states and match.in_interface == "eth0":
            assert match.destination in servers
        if State.RELATED in match.states:
            assert match.dport == UNPRIVILEGED
            assert match.helper


@given(any_ruleset)
def test_dropped_ahead_of_foreign_rules_is_only_what_nat_leaves_alone(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    for rule in rules(ruleset, Table.FILTER):
        last = Match(in_interface=rule.match.in_interface, out_interface=rule.match.out_interface)
        if rule.action == Drop() and rule.match != last:
            match = rule.match
            assert match.states is State.INVALID
            assert (match.sport or match.dport) in control_ports(policy)
            assert match.source or match.destination


@given(any_ruleset)
def test_input_and_output_never_drop_what_fits_a_connection(compiled: Compiled) -> None:
    """A default drop would lock the administrator out."""
    _, _, ruleset = compiled
    for builtin in (Builtin.INPUT, Builtin.OUTPUT):
        for rule in hooked(ruleset, builtin):
            assert rule.action == Accept() or rule.match.states is State.INVALID


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
    queued = [rule for rule in rules(ruleset, Table.MANGLE) if isinstance(rule.action, Queue)]
    attached = {
        rule.action.name for rule in rules(ruleset) if isinstance(rule.action, AttachHelper)
    }
    assert bool(queued) == (backend is Backend.BORROWED and bool(ruleset.chains))
    assert attached <= {HELPER_NAME.get(backend)}
    for rule in queued:
        assert rule.match.states == State.ESTABLISHED
        assert rule.match.text is Text.SOME
        assert rule.match.orig_dport
        assert rule.match.in_interface or rule.match.out_interface or rule.match.orig_destination


@given(any_ruleset)
def test_what_has_turned_to_tls_leaves_each_queueing_chain_first(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    for chain in ruleset.chains:
        if chain.table is Table.MANGLE:
            assert chain.rules[0].match.connmark == policy.helper.mark
            assert chain.rules[0].match.text is Text.UNCLEAR
            assert [rule.action for rule in chain.rules].count(Return()) == 1


@given(any_ruleset)
def test_whoever_opens_a_control_connection_has_both_directions_read(compiled: Compiled) -> None:
    _, backend, ruleset = compiled
    if backend is not Backend.BORROWED:
        return
    attached = [r.match for r in rules(ruleset, Table.RAW) if isinstance(r.action, AttachHelper)]
    queued = [r.match for r in rules(ruleset, Table.MANGLE) if isinstance(r.action, Queue)]
    for match in attached:
        ends = (match.source, match.destination, match.dport)
        read = {
            one.direction
            for one in queued
            if ends == (one.orig_source, one.orig_destination, one.orig_dport)
        }
        assert read == set(Direction)


@given(any_ruleset)
def test_nobody_outside_speaks_for_an_inside_host(compiled: Compiled) -> None:
    """Ahead of everything else, with every backend, and whatever the packet is."""
    policy, _, ruleset = compiled
    version = ruleset.family.value
    inside = [one for one in policy.clients.allow if one.version == version]
    inside += [ip_network(one.address) for one in policy.servers if one.address.version == version]
    first = hooked(ruleset, Builtin.PREROUTING, Table.RAW)
    dropped = [rule.match for rule in first if rule.action == Drop()]
    assert [rule.action for rule in first[: len(dropped)]] == [Drop()] * len(dropped)
    for network in inside:
        assert any(
            match.source and match.source.version == version and network.subnet_of(match.source)  # type: ignore[arg-type]
            for match in dropped
        )
    for match in dropped:
        assert match == Match(in_interface=match.in_interface, source=match.source)
        assert match.in_interface in {"eth0", *policy.gateway.dmz}


@given(any_ruleset)
def test_the_helper_comes_before_the_zone_and_the_queue_behind_both(compiled: Compiled) -> None:
    """xt_CT leaves a packet alone that has a template, and queueing leaves the table."""
    policy, _, ruleset = compiled
    order = [Drop, AttachHelper, SetZone, Queue]
    for builtin in (Builtin.PREROUTING, Builtin.OUTPUT):
        kinds = [order.index(type(r.action)) for r in hooked(ruleset, builtin, Table.RAW)]
        assert kinds == sorted(kinds)
    for rule in rules(ruleset, Table.RAW):
        if isinstance(rule.action, AttachHelper | SetZone):
            assert rule.action.zone == policy.gateway.zone


@given(any_ruleset)
def test_every_interface_s_packets_are_in_the_zone_both_ways(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    zoned = [r.match for r in rules(ruleset, Table.RAW) if isinstance(r.action, SetZone)]
    names = {*policy.gateway.behind, "eth0"} if policy.gateway.zone and ruleset.chains else set()
    assert {match.in_interface for match in zoned} - {None} == names
    assert {match.out_interface for match in zoned} - {None} == names


def addresses_asked(policy: Policy, server: Server, family: Family) -> tuple[Address, ...]:
    """Its own address is asked for from inside only, where somebody of that family is."""
    clients = any(network.version == family.value for network in policy.clients.allow)
    return policy.addresses(server) if clients else (server.public,)


@given(any_ruleset)
def test_nothing_but_ftp_crosses_the_border_of_a_dmz(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    last = [chain for chain in ruleset.chains if chain.name == "ftpfw-drop"]
    dropped = {
        (rule.match.in_interface, rule.match.out_interface)
        for chain in last
        for rule in chain.rules
    }
    gateway = policy.gateway
    borders = {*product(gateway.inside, gateway.dmz), *product(gateway.behind, ["eth0"])}
    assert dropped == ({*borders, *((far, near) for near, far in borders)} if last else set())
    for match in accepted(ruleset):
        if match.in_interface in gateway.dmz and State.NEW in match.states:
            raise AssertionError("no host of a DMZ opens a control connection")


@given(any_ruleset)
def test_nobody_in_a_dmz_speaks_for_an_inside_host(compiled: Compiled) -> None:
    policy, _, ruleset = compiled
    first = hooked(ruleset, Builtin.PREROUTING, Table.RAW)
    refused = {
        (rule.match.in_interface, rule.match.source) for rule in first if rule.action == Drop()
    }
    for dmz, network in product(policy.gateway.dmz, policy.clients.allow):
        if network.version == ruleset.family.value and ruleset.chains:
            assert (dmz, network) in refused


@given(any_ruleset)
def test_passive_ports_ask_the_inspector_for_each_opener_and_no_other_segment(
    compiled: Compiled,
) -> None:
    policy, backend, ruleset = compiled
    asked = [r for r in rules(ruleset, Table.RAW) if isinstance(r.action, Queue)]
    inspected = backend in {Backend.BORROWED, Backend.CTHELPER}
    offered = {
        (ip_network(address), PortRange(one.passive_ports[0], one.passive_ports[-1]))
        for one in policy.servers
        for address in addresses_asked(policy, one, ruleset.family)
        if one.passive_ports and inspected and one.public.version == ruleset.family.value
    }
    assert {(rule.match.destination, rule.match.dport) for rule in asked} == offered
    for rule in asked:
        assert rule.match.syn
        assert rule.action == Queue(policy.helper.queue[0], bypass=True)


@given(any_ruleset)
def test_every_client_s_control_connection_is_helped_and_translated(compiled: Compiled) -> None:
    policy, backend, ruleset = compiled
    version = ruleset.family.value
    networks = {network for network in policy.clients.allow if network.version == version}
    helped = {
        (rule.match.in_interface, rule.match.source, rule.match.dport)
        for rule in rules(ruleset, Table.RAW)
        if isinstance(rule.action, AttachHelper) and not rule.match.destination
    }
    ports = [] if backend is Backend.NONE else policy.helper.ports
    wanted: set[tuple[str | None, Network | None, PortRange]] = {
        (inside, network, PortRange(port, port))
        for inside in policy.gateway.inside
        for network in networks
        for port in ports
    }
    if policy.clients.this_host:
        wanted |= {(None, None, PortRange(port, port)) for port in ports}
    assert helped == wanted
    leaving = {
        rule.match.source
        for rule in hooked(ruleset, Builtin.POSTROUTING, Table.NAT)
        if rule.match.out_interface == "eth0" and rule.action == Masquerade()
    }
    assert leaving == (networks if policy.gateway.masquerade else set())


@given(any_ruleset)
def test_a_published_server_is_reached_at_its_public_address_and_no_other(
    compiled: Compiled,
) -> None:
    policy, backend, ruleset = compiled
    version = ruleset.family.value
    to = {
        (rule.match.destination, rule.match.dport, rule.action)
        for rule in rules(ruleset, Table.NAT)
        if isinstance(rule.action, DestinationNat)
    }
    published = [one for one in policy.servers if one.public != one.address]
    assert to == {
        (ip_network(one.public), PortRange(ports[0], ports[-1]), DestinationNat(one.address))
        for one in published
        for ports in (range(one.port, one.port + 1), one.passive_ports)
        if one.address.version == version and ports and (len(ports) == 1 or backend is Backend.NONE)
    }


@given(any_ruleset)
def test_every_chain_is_ours_hooked_and_explained(compiled: Compiled) -> None:
    _, _, ruleset = compiled
    assert {chain.name for chain in ruleset.chains} == {hook.chain for hook in ruleset.hooks}
    assert all(chain.name.startswith(PREFIX) for chain in ruleset.chains)
    for sentence in [rule.why for rule in rules(ruleset)] + [hook.why for hook in ruleset.hooks]:
        assert sentence.endswith(".")
        assert "\n" not in sentence
    last = [hook.chain for hook in ruleset.hooks if hook.position is Position.LAST]
    assert last == [chain.name for chain in ruleset.chains if chain.name == "ftpfw-drop"]


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
    queueing = [r for r in rules(ruleset, Table.MANGLE) if isinstance(r.action, Queue)]
    return [rule for rule in queueing if rule.match.direction is way]


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


def policy_of(*lines: str) -> Policy:
    return read_policy("\n".join(lines), "p.toml")


HOST = ("[gateway]", "inside = []", 'outside = "eth0"')
GATEWAY = ("[gateway]", 'inside = ["eth1"]', 'outside = "eth0"')
PUBLISHED = ("[[server]]", 'address = "10.0.2.1"', 'public = "203.0.113.1"')

FAMILIES = [
    ("clients of one", policy_of(MINIMAL), [Family.IPV4]),
    (
        "clients of both",
        policy_of(*GATEWAY, "[clients]", 'allow = ["fd00::/64", "10.0.1.0/24"]'),
        list(Family),
    ),
    ("a server", policy_of(*HOST, "[[server]]", 'address = "2001:db8::1"'), [Family.IPV6]),
    ("this host is of both", policy_of(*HOST, "[clients]", "this_host = true"), list(Family)),
]


@pytest.mark.parametrize(("policy", "spoken_of"), **table(FAMILIES))
def test_families_are_those_of_clients_and_servers(policy: Policy, spoken_of: list[Family]) -> None:
    assert list(families(policy)) == spoken_of
    for family in set(Family) - set(spoken_of):
        assert compile_policy(policy, "borrowed", family) == RuleSet(family)


def test_a_server_s_own_address_is_routed_or_here() -> None:
    """Only the routing table knows; without an inside it is here."""
    server = ("[[server]]", 'address = "203.0.113.7"')
    for gateway, hooks in (
        (GATEWAY, {Builtin.FORWARD, Builtin.INPUT, Builtin.OUTPUT}),
        (HOST, {Builtin.INPUT, Builtin.OUTPUT}),
    ):
        ruleset = compile_policy(policy_of(*gateway, *server), "borrowed", Family.IPV4)
        assert {hook.builtin for hook in ruleset.hooks if hook.table is Table.FILTER} == hooks
        assert rules(ruleset, Table.NAT) == []


def test_inside_clients_of_a_published_server_come_with_the_host_s_address() -> None:
    policy = policy_of(MINIMAL, *PUBLISHED)
    ruleset = compile_policy(policy, "borrowed", Family.IPV4)
    hairpin = Match(
        source=ip_network("10.0.1.0/24"),
        destination=ip_network("10.0.2.1"),
        protocol=Protocol.TCP,
        orig_destination=ip_network("203.0.113.1"),
        orig_dport=PortRange(21, 21),
    )
    leaving = hooked(ruleset, Builtin.POSTROUTING, Table.NAT)
    assert (leaving[0].match, leaving[0].action) == (hairpin, Masquerade())


def test_a_routed_server_among_translated_clients_keeps_its_address() -> None:
    policy = policy_of(MINIMAL, "[[server]]", 'address = "10.0.1.9"')
    first = hooked(compile_policy(policy, "borrowed", Family.IPV4), Builtin.POSTROUTING, Table.NAT)
    assert first[0].action == Accept()
    assert first[0].match.source == ip_network("10.0.1.9")
    assert (first[0].match.states, first[0].match.helper) == (State.RELATED, "sane")


def test_this_host_reaches_a_published_server_too() -> None:
    policy = policy_of(*GATEWAY, "[clients]", "this_host = true", *PUBLISHED)
    ruleset = compile_policy(policy, "borrowed", Family.IPV4)
    (there,) = hooked(ruleset, Builtin.OUTPUT, Table.NAT)
    assert there.action == DestinationNat(ip_address("10.0.2.1"))
    attached = hooked(ruleset, Builtin.OUTPUT, Table.RAW)
    assert ip_network("203.0.113.1") in [rule.match.destination for rule in attached]


REFUSED = [
    # id                text                                                backend    line
    ("nobody", "\n".join(GATEWAY), "borrowed", 1, "neither client nor server"),
    (
        "clients without an inside",
        "\n".join((*HOST, "[clients]", 'allow = ["10.0.1.0/24"]')),
        "borrowed",
        5,
        "gateway.inside names no interface",
    ),
    (
        "published without an inside",
        "\n".join((*HOST, *PUBLISHED)),
        "borrowed",
        5,
        "10.0.2.1 is published, but",
    ),
    (
        "no helper and no passive ports",
        "\n".join((*GATEWAY, *PUBLISHED)),
        "none",
        4,
        "no passive_ports",
    ),
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
