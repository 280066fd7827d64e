"""From a policy to the rules of one family.

A forwarded FTP session passes the chains in this order; the sentence of every rule is
in its ``why``:

    raw     PREROUTING   nobody outside speaks for a client; new control connections
                         get the helper
    mangle  PREROUTING   what they say goes to the inspector (backend ``borrowed`` only)
    filter  FORWARD      control connections, and the data connections they negotiated
    nat     POSTROUTING  clients take the gateway's outside address

RELATED alone opens nothing: every accepted packet belongs to a control connection (by
the port of its original tuple) or to a data connection whose master has our helper.
So do ICMP errors, without which path MTU discovery stops and transfers hang.

NAT leaves alone what conntrack calls INVALID. Clients' INVALID segments to a control port
are dropped ahead of foreign rules, one of which may accept all that clients send: they
would leave with a private address. Answers to them are for the gateway's own address and
never forwarded. On other ports FTP's INVALID segments cannot be told from anybody else's;
they are the foreign rules' business, and then the default drop's.

A flow with the userspace helper ``ftpfw`` is queued by the kernel's helper hook, and
never by a rule: its packets would be adjusted twice. With that backend there is no Queue
rule at all.

Refused, naming the key: published servers and gateways without NAT (not supported yet),
a policy without clients, ``snat_to`` of another IP version than some of the clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.model import (
    Accept,
    Action,
    AttachHelper,
    Builtin,
    Chain,
    Drop,
    Family,
    Hook,
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
from ftpfw.ruleset.policy import Backend, Network, OnCrash, Policy, require_cthelper_can

# nf_conntrack_helper names: ours, the inert one we borrow, the kernel's own.
HELPER_NAME = {
    Backend.CTHELPER: "ftpfw",
    Backend.BORROWED: "sane",
    Backend.KERNEL: "ftp",
}

UNPRIVILEGED = PortRange(1024, 65535)

MAX_SHARES = 32
"""XT_CLUSTER_NODES_MAX."""

RAW = "ftpfw-raw"
MANGLE = "ftpfw-mangle"
NAT = "ftpfw-nat"
FORWARD = "ftpfw-forward"
DROP = "ftpfw-drop"

_HOOKS = {
    RAW: Hook(
        Table.RAW,
        Builtin.PREROUTING,
        RAW,
        Position.FIRST,
        "Arriving packets pass the rules that refuse forged client addresses"
        " and attach the helper.",
    ),
    MANGLE: Hook(
        Table.MANGLE,
        Builtin.PREROUTING,
        MANGLE,
        Position.FIRST,
        "Arriving packets pass the rules that queue, before NAT.",
    ),
    NAT: Hook(
        Table.NAT,
        Builtin.POSTROUTING,
        NAT,
        Position.FIRST,
        "New connections that leave pass the translation of clients' addresses.",
    ),
    FORWARD: Hook(
        Table.FILTER,
        Builtin.FORWARD,
        FORWARD,
        Position.FIRST,
        "Forwarded packets pass what FTP may do, ahead of all other rules.",
    ),
    DROP: Hook(
        Table.FILTER,
        Builtin.FORWARD,
        DROP,
        Position.LAST,
        "What no rule accepted, your own included, meets the default drop.",
    ),
}


def families(policy: Policy) -> tuple[Family, ...]:
    """The families that the policy has clients of; raises PolicyError where it has none."""
    if not policy.clients.allow:
        mend = 'add [clients] with allow = ["10.0.1.0/24"], or whatever network is inside'
        raise policy.source.error(("clients", "allow"), "names no network", mend=mend)
    versions = {network.version for network in policy.clients.allow}
    return tuple(family for family in Family if family.value in versions)


def compile_families(policy: Policy, backend: str) -> list[RuleSet]:
    """The rules of every family that the policy has clients of (see ``compile_policy``)."""
    return [compile_policy(policy, backend, family) for family in families(policy)]


def compile_policy(policy: Policy, backend: str, family: Family) -> RuleSet:
    """The rules of ``family``; ``backend`` is resolved, so any but ``auto``.

    Raises PolicyError for what cannot be expressed.
    """
    resolved = Backend(backend)
    assert resolved is not Backend.AUTO, "auto is resolved by the host"
    _refuse(policy, resolved)
    networks = tuple(n for n in policy.clients.allow if n.version == family.value)
    if not networks:
        return RuleSet(family)
    chains = (
        Chain(
            RAW, Table.RAW, (*_no_spoofing(policy, networks), *_attach(policy, resolved, networks))
        ),
        Chain(MANGLE, Table.MANGLE, tuple(_queue(policy, resolved, networks))),
        Chain(NAT, Table.NAT, tuple(_translate(policy, networks))),
        Chain(FORWARD, Table.FILTER, tuple(_forward(policy, resolved, networks))),
        Chain(DROP, Table.FILTER, tuple(_drop(policy))),
    )
    used = tuple(chain for chain in chains if chain.rules)
    return RuleSet(family, used, tuple(_HOOKS[chain.name] for chain in used))


def _refuse(policy: Policy, backend: Backend) -> None:
    source = policy.source
    if policy.servers:
        mend = "leave [[server]] out, and publish it with rules of your own"
        raise source.error(("server", 0), "published servers are not supported yet", mend=mend)
    if not policy.gateway.masquerade and policy.gateway.snat_to is None:
        mend = "masquerade = true, or snat_to = the outside address"
        raise source.error(("gateway",), "a gateway without NAT is not supported yet", mend=mend)
    if len(policy.helper.queue) > MAX_SHARES:
        what = f"{len(policy.helper.queue)} queues are more than the {MAX_SHARES} that can share"
        raise source.error(("helper", "queue"), what, mend=f'queue = "0-{MAX_SHARES - 1}"')
    _refuse_mixed_nat(policy)
    if backend is Backend.CTHELPER:
        require_cthelper_can(policy.helper, source)


def _refuse_mixed_nat(policy: Policy) -> None:
    to = policy.gateway.snat_to
    for index, network in enumerate(policy.clients.allow):
        if to is not None and network.version != to.version:
            what = f"{network} cannot be translated to snat_to = {to}, of another IP version"
            mend = "masquerade = true translates both versions"
            raise policy.source.error(("clients", "allow", index), what, mend=mend)


def _no_spoofing(policy: Policy, networks: tuple[Network, ...]) -> Iterator[Rule]:
    """Ahead of conntrack: whoever could speak for a client could open its ports."""
    outside = policy.gateway.outside
    for network in networks:
        yield Rule(
            Match(in_interface=outside, source=network),
            Drop(),
            f"Nobody on {outside} has an address of {network}.",
        )


def _attach(policy: Policy, backend: Backend, networks: tuple[Network, ...]) -> Iterator[Rule]:
    if backend is Backend.NONE:
        return
    name = HELPER_NAME[backend]
    for inside, network, port in product(policy.gateway.inside, networks, policy.helper.ports):
        yield Rule(
            Match(
                in_interface=inside,
                source=network,
                protocol=Protocol.TCP,
                dport=PortRange(port, port),
            ),
            AttachHelper(name),
            f"Control connections from {network} on {inside} to port {port}"
            f" get the conntrack helper {name}.",
        )


def _queue(policy: Policy, backend: Backend, networks: tuple[Network, ...]) -> Iterator[Rule]:
    if backend is not Backend.BORROWED:
        return
    bypass = policy.helper.on_crash is OnCrash.OPEN
    fate = "they pass" if bypass else "they wait"
    ways = [(inside, Direction.ORIGINAL) for inside in policy.gateway.inside]
    ways.append((policy.gateway.outside, Direction.REPLY))
    for network, port, (share, number), (interface, direction) in product(
        networks, policy.helper.ports, list(_shares(policy.helper.queue)), ways
    ):
        some = f"share {share.index + 1} of {share.of} of the " if share else ""
        said = "Commands" if direction is Direction.ORIGINAL else "Replies"
        yield Rule(
            Match(
                in_interface=interface,
                protocol=Protocol.TCP,
                states=State.ESTABLISHED,
                orig_source=network,
                orig_dport=PortRange(port, port),
                direction=direction,
                share=share,
                carries_data=True,
            ),
            Queue(number, bypass),
            f"{said} that arrive on {interface}, segments with data, of {some}control connections"
            f" from {network} to port {port} go to the inspector; without one {fate}.",
        )


def _shares(queue: range) -> Iterator[tuple[Share | None, int]]:
    """Which connections belong to which queue number.

    Both directions of a connection must meet the same inspector. The kernel's own sharing
    (nfqueue_hash(), --queue-balance) goes by the packet's two addresses, and under NAT
    those differ between the directions; the original source does not.
    """
    for index, number in enumerate(queue):
        yield Share(index, len(queue)) if len(queue) > 1 else None, number


def _translate(policy: Policy, networks: tuple[Network, ...]) -> Iterator[Rule]:
    outside, to = policy.gateway.outside, policy.gateway.snat_to
    action: Action = Masquerade() if to is None else SourceNat(to)
    address = f"the address of {outside}" if to is None else str(to)
    for network in networks:
        yield Rule(
            Match(source=network, out_interface=outside),
            action,
            f"Clients of {network} leave by {outside} with {address}.",
        )


def _forward(policy: Policy, backend: Backend, networks: tuple[Network, ...]) -> Iterator[Rule]:
    for inside, network in product(policy.gateway.inside, networks):
        route = _Route(inside, policy.gateway.outside, network)
        for port in policy.helper.ports:
            yield from route.control(port)
        if backend is Backend.NONE:
            yield from route.unhelped_data()
        else:
            yield from route.data(HELPER_NAME[backend])


def _drop(policy: Policy) -> Iterator[Rule]:
    outside = policy.gateway.outside
    for inside in policy.gateway.inside:
        yield Rule(
            Match(in_interface=inside, out_interface=outside),
            Drop(),
            f"Nothing else leaves from {inside} by {outside}.",
        )
        yield Rule(
            Match(in_interface=outside, out_interface=inside),
            Drop(),
            f"Nothing else enters from {outside} to {inside}.",
        )


class _Route:
    """The rules between one client network on one inside interface and the outside."""

    def __init__(self, inside: str, outside: str, network: Network) -> None:
        self.network = network
        self.out = Match(in_interface=inside, out_interface=outside, source=network)
        self.back = Match(in_interface=outside, out_interface=inside, destination=network)

    def control(self, port: int) -> Iterator[Rule]:
        ports = PortRange(port, port)
        yield Rule(
            replace(self.out, protocol=Protocol.TCP, dport=ports, states=State.INVALID),
            Drop(),
            f"TCP from {self.network} to port {port} that fits no connection would leave"
            " untranslated.",
        )
        yield Rule(
            _opening(self.out, ports),
            Accept(),
            f"Clients of {self.network} may open control connections to port {port} outside.",
        )
        yield Rule(
            _answers(self.back, ports),
            Accept(),
            "Servers answer on those connections.",
        )
        yield from self._errors(Match(orig_dport=ports), "control connections")

    def data(self, helper: str) -> Iterator[Rule]:
        related = Match(
            protocol=Protocol.TCP, dport=UNPRIVILEGED, states=State.RELATED, helper=helper
        )
        open_ = Match(protocol=Protocol.TCP, states=State.ESTABLISHED, helper=helper)
        yield Rule(
            _joined(self.out, related),
            Accept(),
            "Passive: clients open the data connection that a server announced.",
        )
        yield Rule(
            _joined(self.back, related),
            Accept(),
            "Active: servers open the data connection that a client asked for.",
        )
        yield Rule(_joined(self.out, open_), Accept(), "Data connections go on, outwards.")
        yield Rule(_joined(self.back, open_), Accept(), "Data connections go on, inwards.")
        yield from self._errors(Match(helper=helper), "data connections")

    def unhelped_data(self) -> Iterator[Rule]:
        yield Rule(
            _opening(self.out, UNPRIVILEGED),
            Accept(),
            "Nobody reads the conversation, so passive transfers need every port from"
            f" {UNPRIVILEGED} of every outside host open to {self.network}: the price of"
            ' backend = "none". Active transfers fail.',
        )
        yield Rule(
            _answers(self.back, UNPRIVILEGED), Accept(), "Servers answer on those connections."
        )
        yield from self._errors(Match(orig_dport=UNPRIVILEGED), "data connections")

    def _errors(self, of: Match, what: str) -> Iterator[Rule]:
        error = replace(
            of,
            protocol=Protocol.ICMP,
            states=State.RELATED,
            tracked_protocol=Protocol.TCP,
        )
        yield Rule(
            _joined(self.out, error),
            Accept(),
            f"ICMP errors about {what} pass, outwards.",
        )
        yield Rule(
            _joined(self.back, error),
            Accept(),
            f"ICMP errors about {what} pass, inwards: path MTU discovery needs them.",
        )


def _opening(route: Match, ports: PortRange) -> Match:
    """The opener's packets of TCP connections to ``ports``, the first one included."""
    return replace(
        route,
        protocol=Protocol.TCP,
        dport=ports,
        states=State.NEW | State.ESTABLISHED,
        direction=Direction.ORIGINAL,
    )


def _answers(route: Match, ports: PortRange) -> Match:
    """The other side's packets of those connections."""
    return replace(
        route,
        protocol=Protocol.TCP,
        states=State.ESTABLISHED,
        orig_dport=ports,
        direction=Direction.REPLY,
    )


def _joined(route: Match, rest: Match) -> Match:
    """``rest`` on the way that ``route`` describes."""
    return replace(
        rest,
        in_interface=route.in_interface,
        out_interface=route.out_interface,
        source=route.source,
        destination=route.destination,
    )
