"""What firewalld has no words for: direct rules, in chains of our own.

Spec: firewalld.direct(5), iptables-extensions(8). firewalld calls the direct interface
deprecated; it stands in every release so far. An ACCEPT in table filter would decide
nothing there (firewalld's own chains come after it), so no rule of ours is in filter:

    raw     PREROUTING, OUTPUT       ``tracking``, less the helper where a service attaches it
    mangle  PREROUTING, OUTPUT       connections are taken up by their SYN only; ``queueing``
    mangle  FORWARD, INPUT           data connections to privileged ports are dropped
    nat     POSTROUTING              of ``translation``, a fixed outside address and hairpin

The two kinds of rules that drop in mangle stand for what ``filtering`` does not accept.

Lines are as firewalld itself writes direct.xml, so that they are found again, and nothing
else is, when they are taken away: whoever has firewalld write the file anew keeps them as
they are. Only comments are lost then.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ftpfw.ruleset import queueing, tracking, translation
from ftpfw.ruleset.compile import Place, hang
from ftpfw.ruleset.filtering import UNPRIVILEGED
from ftpfw.ruleset.firewalld.zones import served
from ftpfw.ruleset.iptables import XtRule, hook_rule, to_xtables
from ftpfw.ruleset.model import (
    Builtin,
    Drop,
    Hook,
    Match,
    PortRange,
    Position,
    Protocol,
    Rule,
    RuleSet,
    State,
    Table,
)
from ftpfw.ruleset.ways import Placed, Plan

PREFIX = "ftpfw_"
"""Begins the names of our chains; those of ``ftpfw rules apply`` begin with ``ftpfw-``."""

HOOKS = tuple(
    Hook(Table(table), Builtin(builtin), PREFIX + chain, Position.FIRST, why)
    for chain, table, builtin, why in (
        ("raw", "raw", "PREROUTING", "Arriving packets pass ftpfw's rules of table raw."),
        ("raw_out", "raw", "OUTPUT", "What this host sends passes ftpfw's rules of table raw."),
        ("mangle", "mangle", "PREROUTING", "Arriving packets pass ftpfw's rules of table mangle."),
        ("mangle_out", "mangle", "OUTPUT", "What this host sends passes ftpfw's rules there, too."),
        ("forward", "mangle", "FORWARD", "Forwarded packets pass what drops privileged ports."),
        ("input", "mangle", "INPUT", "Packets for this host pass what drops privileged ports."),
        ("nat", "nat", "POSTROUTING", "What leaves passes ftpfw's rules of table nat."),
    )
)
"""Our chains in their order."""

PRIVILEGED = PortRange(0, UNPRIVILEGED.first - 1)


def direct_lines(plans: Iterable[Plan]) -> tuple[str, ...]:
    """The lines of direct.xml between its first and its last."""
    rulesets = (hang(plan.family, _placed(plan), HOOKS) for plan in plans)
    return tuple(line for ruleset in rulesets for line in _render(ruleset))


def _render(ruleset: RuleSet) -> Iterator[str]:
    for hook, chain in zip(ruleset.hooks, ruleset.chains, strict=True):
        place = f'ipv="ipv{ruleset.family.value}" table="{hook.table}"'
        yield f"  <!-- ftpfw: {hook.why} -->"
        yield f'  <chain {place} chain="{chain.name}"/>'
        yield _line(f'{place} chain="{hook.builtin}"', 0, hook_rule(hook))
        for number, rule in enumerate(chain.rules):
            yield f"  <!-- ftpfw: {rule.why} -->"
            xt = to_xtables(rule.match, rule.action, ruleset.family)
            yield _line(f'{place} chain="{chain.name}"', number, xt)


def _line(place: str, priority: int, rule: XtRule) -> str:
    return f'  <rule {place} priority="{priority}">{shlex.join(rule.words)}</rule>'


def _placed(plan: Plan) -> Iterator[tuple[Place, Rule]]:
    """Every rule with its place; of one place, in their order."""
    for table, rules in (
        (Table.RAW, _tracking(plan)),
        (Table.MANGLE, _refusing(plan)),
        (Table.MANGLE, queueing.rules(plan)),
        (Table.NAT, _translation(plan)),
    ):
        for builtin, rule in rules:
            yield (table, builtin, Position.FIRST), rule


def _tracking(plan: Plan) -> Placed:
    """All of it, but where a service attaches the helper."""
    yield from tracking.no_spoofing(plan)
    yield from tracking.attach(plan, [way for way in plan.ways if not served(way)])
    yield from tracking.queue_passive(plan)


def _refusing(plan: Plan) -> Placed:
    if plan.helper:
        yield from _from_the_syn(plan)
        yield from _unprivileged(plan, plan.helper)


def _from_the_syn(plan: Plan) -> Placed:
    """Conntrack takes up connections in their middle, where half a line passes for a whole."""
    for way in plan.ways:
        for port in way.ports:
            ports = PortRange(port, port)
            yield (
                way.arrival,
                Rule(
                    replace(way.opening, dport=ports, syn=False, states=State.NEW),
                    Drop(),
                    f"Control connections from {way.origin} to port {port} of {way.goal} are taken"
                    " up by their SYN only.",
                ),
            )


def _unprivileged(plan: Plan, helper: str) -> Placed:
    gateway = plan.policy.gateway
    forwarded = (way.hook is Builtin.FORWARD for way in plan.ways)
    hooks = dict.fromkeys(Builtin.FORWARD if one else Builtin.INPUT for one in forwarded)
    for interface in (*gateway.inside, gateway.outside):
        rule = Rule(
            Match(
                in_interface=interface,
                protocol=Protocol.TCP,
                dport=PRIVILEGED,
                states=State.RELATED,
                helper=helper,
            ),
            Drop(),
            f"No data connection from {interface} opens a privileged port, whatever was"
            " negotiated.",
        )
        yield from ((hook, rule) for hook in hooks)


def _translation(plan: Plan) -> Placed:
    """A policy of firewalld's publishes servers, and masquerades."""
    rules = [*translation.hairpin(plan)]
    if plan.policy.gateway.snat_to is not None:
        rules += translation.translate_clients(plan)
    for rule in rules:
        yield Builtin.POSTROUTING, rule
