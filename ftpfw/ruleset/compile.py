"""From a policy to the rules of one family.

An FTP session passes the chains in this order; the sentence of every rule is in its
``why``, and the reasons for each table are in its module:

    raw     PREROUTING, OUTPUT    nobody outside speaks for an inside host; new control
                                  connections get the helper, all get the zone (``tracking``)
    mangle  PREROUTING, OUTPUT    what they say goes to the inspector (``queueing``)
    nat     PREROUTING, OUTPUT    published servers (``translation``)
    filter  FORWARD, INPUT,       control connections, and the data connections they
            OUTPUT                negotiated (``filtering``)
    nat     POSTROUTING           clients take the gateway's outside address (``translation``)

Which control connections there are is said in ``ways``. What cannot be said in rules is
refused (``expressible``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ftpfw.ruleset import filtering, queueing, tracking, translation
from ftpfw.ruleset.expressible import require_expressible
from ftpfw.ruleset.model import Builtin, Chain, Family, Hook, Position, Rule, RuleSet, Table
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.ways import Plan, plan

# nf_conntrack_helper names: ours, the inert one we borrow, the kernel's own.
HELPER_NAME = {
    Backend.CTHELPER: "ftpfw",
    Backend.BORROWED: "sane",
    Backend.KERNEL: "ftp",
}

_FIRST, _LAST = Position.FIRST, Position.LAST

HOOKS = (
    Hook(
        Table.RAW,
        Builtin.PREROUTING,
        "ftpfw-raw",
        _FIRST,
        "Arriving packets pass the rules that refuse forged inside addresses"
        " and attach the helper.",
    ),
    Hook(
        Table.RAW,
        Builtin.OUTPUT,
        "ftpfw-raw-out",
        _FIRST,
        "What this host sends passes the rules that attach the helper.",
    ),
    Hook(
        Table.MANGLE,
        Builtin.PREROUTING,
        "ftpfw-mangle",
        _FIRST,
        "Arriving packets pass the rules that queue, before NAT.",
    ),
    Hook(
        Table.MANGLE,
        Builtin.OUTPUT,
        "ftpfw-mangle-out",
        _FIRST,
        "What this host sends passes the rules that queue, before NAT.",
    ),
    Hook(
        Table.NAT,
        Builtin.PREROUTING,
        "ftpfw-publish",
        _FIRST,
        "New connections that arrive pass the translation of servers' public addresses.",
    ),
    Hook(
        Table.NAT,
        Builtin.OUTPUT,
        "ftpfw-publish-out",
        _FIRST,
        "New connections of this host pass the translation of servers' public addresses.",
    ),
    Hook(
        Table.NAT,
        Builtin.POSTROUTING,
        "ftpfw-nat",
        _FIRST,
        "New connections that leave pass the translation of clients' addresses.",
    ),
    Hook(
        Table.FILTER,
        Builtin.INPUT,
        "ftpfw-input",
        _FIRST,
        "Packets for this host pass what FTP may do, ahead of all other rules.",
    ),
    Hook(
        Table.FILTER,
        Builtin.FORWARD,
        "ftpfw-forward",
        _FIRST,
        "Forwarded packets pass what FTP may do, ahead of all other rules.",
    ),
    Hook(
        Table.FILTER,
        Builtin.OUTPUT,
        "ftpfw-output",
        _FIRST,
        "What this host sends passes what FTP may do, ahead of all other rules.",
    ),
    Hook(
        Table.FILTER,
        Builtin.FORWARD,
        "ftpfw-drop",
        _LAST,
        "What no rule accepted, your own included, meets the default drop.",
    ),
)

Place = tuple[Table, Builtin, Position]


def families(policy: Policy) -> tuple[Family, ...]:
    """The families that the policy has clients or servers of; this host is of both."""
    versions = {network.version for network in policy.clients.allow}
    versions |= {server.address.version for server in policy.servers}
    here = policy.clients.this_host
    return tuple(family for family in Family if here or family.value in versions)


def compile_families(policy: Policy, backend: str) -> list[RuleSet]:
    """The rules of every family that the policy speaks of (see ``compile_policy``)."""
    require_expressible(policy, Backend(backend))
    return [compile_policy(policy, backend, family) for family in families(policy)]


def compile_policy(policy: Policy, backend: str, family: Family) -> RuleSet:
    """The rules of ``family``; ``backend`` is resolved, so any but ``auto``.

    Raises PolicyError for what cannot be expressed.
    """
    resolved = Backend(backend)
    assert resolved is not Backend.AUTO, "auto is resolved by the host"
    require_expressible(policy, resolved)
    if family not in families(policy):
        return RuleSet(family)
    placed = _placed(plan(policy, family, resolved, HELPER_NAME.get(resolved)))
    return hang(family, placed, HOOKS)


def hang(family: Family, placed: Iterable[tuple[Place, Rule]], hooks: Iterable[Hook]) -> RuleSet:
    """The rules in chains on those ``hooks`` whose places have any.

    Two ways can share a rule: the sentence of the first stands for both.
    """
    rules: dict[Place, dict[object, Rule]] = {}
    for place, rule in placed:
        rules.setdefault(place, {}).setdefault((rule.match, rule.action), rule)
    used = tuple(hook for hook in hooks if _place(hook) in rules)
    chains = (Chain(hook.chain, hook.table, tuple(rules[_place(hook)].values())) for hook in used)
    return RuleSet(family, tuple(chains), used)


def _place(hook: Hook) -> Place:
    return hook.table, hook.builtin, hook.position


def _placed(plan: Plan) -> Iterator[tuple[Place, Rule]]:
    """Every rule with its place; of one place, in their order."""
    for table, write in (
        (Table.RAW, tracking.rules),
        (Table.MANGLE, queueing.rules),
        (Table.NAT, translation.rules),
        (Table.FILTER, filtering.rules),
    ):
        for builtin, rule in write(plan):
            yield (table, builtin, Position.FIRST), rule
    for rule in filtering.drop_rest(plan.policy):
        yield (Table.FILTER, Builtin.FORWARD, Position.LAST), rule
