"""The ways of control connections, as firewalld's zones and policies meet them.

An interface inside is known by its zone alone, and a policy stands between zones: to
firewalld all interfaces inside are one. Only direct rules name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ftpfw.ruleset.model import Builtin
from ftpfw.ruleset.ways import Plan, Way


def zone_ways(plan: Plan) -> Iterator[Way]:
    """The plan's ways; those that begin inside once for all the interfaces there."""
    inside = plan.policy.gateway.inside
    for way in plan.ways:
        if way.enter not in inside:
            yield way
        elif way.enter == inside[0]:
            yield replace(way, origin=f"{way.clients} on {' and '.join(inside)}")


def between_zones(way: Way) -> bool:
    """Whether a policy that stands between zones accepts them."""
    return way.hook is Builtin.FORWARD and not way.published


def served(way: Way) -> bool:
    """Whether a service of firewalld's stands for them, which attaches the helper.

    firewalld accepts what is forwarded by DNAT ahead of its policies, and its iptables
    backend knows no helper for what this host sends.
    """
    return way.hook is not Builtin.OUTPUT and not way.published
