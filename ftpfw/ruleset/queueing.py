"""Table mangle: what control connections say goes to the inspector, before NAT.

Only with the backend ``borrowed``. A flow with the userspace helper ``ftpfw`` is queued by
the kernel's helper hook, and never by a rule: its packets would be adjusted twice.

Packets are chosen by their connection's original tuple, which NAT does not change.
Control connections that have turned to TLS, by their connmark, are left alone except for
segments that look like a line in clear text: after CCC they are one again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.model import (
    Builtin,
    Match,
    PortRange,
    Protocol,
    Queue,
    Return,
    Rule,
    Share,
    State,
    Text,
)
from ftpfw.ruleset.policy import Helper, OnCrash
from ftpfw.ruleset.ways import Placed, Plan, Way

MAX_SHARES = 32
"""XT_CLUSTER_NODES_MAX."""


def rules(plan: Plan) -> Placed:
    """The rules of table mangle."""
    if not plan.queued:
        return
    opaque = _pass_opaque(plan.policy.helper.mark)
    queued = [rule for way in plan.ways for rule in _queue_control(way, plan.policy.helper)]
    yield from dict.fromkeys((builtin, opaque) for builtin, _ in queued)
    yield from queued


def _pass_opaque(mark: int) -> Rule:
    """Leave connections alone that have turned to TLS."""
    return Rule(
        Match(protocol=Protocol.TCP, connmark=mark, text=Text.UNCLEAR),
        Return(),
        "What does not look like a line in clear text, on control connections that have turned"
        " to TLS, is not for the inspector.",
    )


def _queue_control(way: Way, helper: Helper) -> Placed:
    """Queue both directions of control connections."""
    bypass = helper.on_crash is OnCrash.OPEN
    fate = "they pass" if bypass else "they wait"
    for port, (share, number), direction in product(way.ports, _shares(helper.queue), Direction):
        some = f"share {share.index + 1} of {share.of}, " if share else ""
        said = "Commands" if direction is Direction.ORIGINAL else "Replies to commands"
        what = Match(
            protocol=Protocol.TCP,
            states=State.ESTABLISHED,
            orig_source=way.clients,
            orig_destination=way.public,
            orig_dport=PortRange(port, port),
            direction=direction,
            share=share,
            text=Text.SOME,
        )
        for hook, match in _passing(way, what):
            yield (
                hook,
                Rule(
                    match,
                    Queue(number, bypass),
                    f"{said} from {way.origin} to port {port} of {way.goal}, {some}segments with"
                    f" data, go to the inspector; without one {fate}.",
                ),
            )


def _passing(way: Way, what: Match) -> Iterator[tuple[Builtin, Match]]:
    """Where the packets arrive or, sent by this host, leave; by which interfaces.

    Without them, another zone's connection with the same addresses would be taken for this.
    """
    commands = what.direction is Direction.ORIGINAL
    arrives, leaves = (way.enter, way.leave) if commands else (way.leave, way.enter)
    if (way.hook if commands else way.answers_hook) is Builtin.OUTPUT:
        yield Builtin.OUTPUT, replace(what, out_interface=leaves)
        return
    for interface in (arrives,) if arrives else way.nearby:
        yield Builtin.PREROUTING, replace(what, in_interface=interface)


def _shares(queue: range) -> list[tuple[Share | None, int]]:
    """Which connections belong to which queue number.

    Both directions of a connection must meet the same inspector. The kernel's own sharing
    (nfqueue_hash(), --queue-balance) goes by the packet's two addresses, and under NAT
    those differ between the directions; the original source does not.
    """
    if len(queue) == 1:
        return [(None, queue[0])]
    return [(Share(index, len(queue)), number) for index, number in enumerate(queue)]
