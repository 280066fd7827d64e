"""Table filter: control connections, the data connections they negotiated, and nothing else.

RELATED alone opens nothing: every accepted packet belongs to a control connection (by
the port of its original tuple) or to a data connection whose master has our helper.
So do ICMP errors, without which path MTU discovery stops and transfers hang.

Connections are accepted from their SYN on, and to a published server only those that came to its
public address. Conntrack takes up others in their middle (nf_conntrack_tcp_loose), where half a
line would pass for a whole one; and whoever asks for a server by its own address has
neither helper nor inspector.

NAT leaves alone what conntrack calls INVALID, so such packets of control connections are
dropped ahead of foreign rules, one of which may accept all that inside hosts send. They
would leave with a private address; and those to a published server would be delivered to
this host, whose TCP would end the connection with a reset. On other ports FTP's INVALID
segments cannot be told from anybody else's; they are the foreign rules' business.

Between inside, DMZ and outside the default is to drop. INPUT and OUTPUT have no default: it
would lock the administrator out. Where a server or a client runs on this host, closing its
other ports is a matter for rules of the administrator's own, behind ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.model import (
    Accept,
    Builtin,
    Drop,
    Match,
    PortRange,
    Protocol,
    Rule,
    State,
)
from ftpfw.ruleset.policy import Policy
from ftpfw.ruleset.ways import Placed, Plan, Way

UNPRIVILEGED = PortRange(1024, 65535)


def rules(plan: Plan) -> Placed:
    """The rules of table filter that come ahead of all others."""
    for way in plan.ways:
        yield from _drop_invalid(plan, way)
    for way in plan.ways:
        yield from _accept(way, plan.helper)


def _accept(way: Way, helper: str | None) -> Placed:
    """Let pass what FTP may do on one way."""
    for port in way.ports:
        yield from _control(way, PortRange(port, port))
    if helper is not None:
        yield from _data(way, helper)
    else:
        yield from _unhelped_data(way)


def _drop_invalid(plan: Plan, way: Way) -> Placed:
    """Drop segments of control connections that NAT would leave alone."""
    for port in way.ports:
        ports = PortRange(port, port)
        if way.published and way.enter == plan.policy.gateway.outside:
            yield from _invalid_of_server(way, ports)
        elif way.hook is Builtin.FORWARD and way.address is None and plan.translates:
            yield (
                way.hook,
                Rule(
                    replace(way.there, protocol=Protocol.TCP, dport=ports, states=State.INVALID),
                    Drop(),
                    f"TCP from {way.clients} to port {ports} that fits no connection would leave"
                    " untranslated.",
                ),
            )


def _invalid_of_server(way: Way, ports: PortRange) -> Placed:
    invalid = Match(protocol=Protocol.TCP, states=State.INVALID)
    yield (
        way.hook,
        Rule(
            replace(_joined(way.back, invalid), sport=ports),
            Drop(),
            f"TCP from port {ports} of the server {way.goal} that fits no connection would leave"
            " untranslated.",
        ),
    )
    yield (
        Builtin.INPUT,
        Rule(
            replace(way.opening, dport=ports, states=State.INVALID),
            Drop(),
            f"TCP to port {ports} of {way.goal} that fits no connection is not translated: this"
            " host, which it is not for, would answer with a reset.",
        ),
    )


def drop_rest(policy: Policy) -> Iterator[Rule]:
    """Drop what no rule has accepted between inside, DMZ and outside."""
    gateway = policy.gateway
    pairs = [*product(gateway.behind, [gateway.outside]), *product(gateway.inside, gateway.dmz)]
    for near, far in pairs:
        yield Rule(
            Match(in_interface=near, out_interface=far),
            Drop(),
            f"Nothing else leaves from {near} by {far}.",
        )
        yield Rule(
            Match(in_interface=far, out_interface=near),
            Drop(),
            f"Nothing else enters from {far} to {near}.",
        )


def _control(way: Way, ports: PortRange) -> Placed:
    why = f"Control connections from {way.origin} to port {ports} of {way.goal} pass."
    yield from _forth(way, ports, why)
    yield (
        way.answers_hook,
        Rule(_answers(way, ports), Accept(), "The servers' side of those connections passes."),
    )
    yield from _errors(way, Match(orig_dport=ports), "control connections")


def _data(way: Way, helper: str) -> Placed:
    related = Match(protocol=Protocol.TCP, dport=UNPRIVILEGED, states=State.RELATED, helper=helper)
    open_ = Match(protocol=Protocol.TCP, states=State.ESTABLISHED, helper=helper)
    there, back = (way.hook, way.there), (way.answers_hook, way.back)
    for (hook, towards), rest, why in (
        (there, related, "Passive: clients open the data connection that a server announced."),
        (back, related, "Active: servers open the data connection that a client asked for."),
        (there, open_, "Data connections go on, towards servers."),
        (back, open_, "Data connections go on, towards clients."),
    ):
        yield hook, Rule(_joined(towards, rest), Accept(), why)
    yield from _errors(way, Match(helper=helper), "data connections")


def _unhelped_data(way: Way) -> Placed:
    """Nobody reads the conversation: passive transfers only, to all ports they may use."""
    ports = way.passive or UNPRIVILEGED
    if way.passive:
        why = f"{ports} are the passive ports of {way.goal}; active transfers fail."
    else:
        why = (
            "Nobody reads the conversation, so passive transfers need every port from"
            f" {ports} of {way.goal} open to {way.origin}: the price of"
            ' backend = "none". Active transfers fail.'
        )
    yield from _forth(way, ports, why)
    yield (
        way.answers_hook,
        Rule(_answers(way, ports), Accept(), "The servers' side of those connections passes."),
    )
    yield from _errors(way, Match(orig_dport=ports), "data connections")


def _errors(way: Way, of: Match, what: str) -> Placed:
    error = replace(
        of,
        protocol=Protocol.ICMP,
        states=State.RELATED,
        tracked_protocol=Protocol.TCP,
    )
    yield (
        way.hook,
        Rule(
            _joined(way.there, error),
            Accept(),
            f"ICMP errors about {what} pass, towards servers: path MTU discovery needs them.",
        ),
    )
    yield (
        way.answers_hook,
        Rule(
            _joined(way.back, error),
            Accept(),
            f"ICMP errors about {what} pass, towards clients.",
        ),
    )


def _forth(way: Way, ports: PortRange, why: str) -> Placed:
    """The opener's packets of TCP connections to ``ports``, from the SYN on."""
    forth = replace(
        way.there,
        protocol=Protocol.TCP,
        dport=ports,
        orig_destination=way.public if way.published else None,
        direction=Direction.ORIGINAL,
    )
    yield way.hook, Rule(replace(forth, states=State.NEW, syn=True), Accept(), why)
    yield (
        way.hook,
        Rule(replace(forth, states=State.ESTABLISHED), Accept(), "Those connections go on."),
    )


def _answers(way: Way, ports: PortRange) -> Match:
    """The other side's packets of those connections."""
    return replace(
        way.back,
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
