"""What firewalld has no words for: direct rules, in chains of our own.

Spec: firewalld.direct(5), iptables-extensions(8). firewalld calls the direct interface
deprecated; it stands in every release so far. An ACCEPT in table filter would decide
nothing there (firewalld's own chains come after it), so no rule of ours is in filter:

    raw     PREROUTING, OUTPUT       nobody outside speaks for an inside host; the helper of
                                     connections that no firewalld policy sees; FTPS (SYNs of
                                     passive ports go to the inspector)
    mangle  PREROUTING, OUTPUT       connections are taken up by their SYN only; what control
                                     connections say goes to the inspector
    mangle  FORWARD, INPUT           data connections to privileged ports are dropped
    nat     POSTROUTING              a fixed outside address; hairpin

Lines are as firewalld itself writes direct.xml, so that they are found again, and nothing
else is, when they are taken away: whoever has firewalld write the file anew keeps them as
they are. Only comments are lost then.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ftpfw.ruleset.bpf import PROGRAM
from ftpfw.ruleset.firewalld.reach import Reach, inside_networks, reaches, versions
from ftpfw.ruleset.model import Family, Text
from ftpfw.ruleset.policy import Backend, Network, Policy
from ftpfw.ruleset.queueing import MAX_SHARES

PREFIX = "ftpfw_"
"""Begins the names of our chains; those of ``ftpfw rules apply`` begin with ``ftpfw-``."""

CHAINS = {
    "raw": ("raw", "PREROUTING", "Arriving packets pass ftpfw's rules of table raw."),
    "raw_out": ("raw", "OUTPUT", "What this host sends passes ftpfw's rules of table raw."),
    "mangle": ("mangle", "PREROUTING", "Arriving packets pass ftpfw's rules of table mangle."),
    "mangle_out": ("mangle", "OUTPUT", "What this host sends passes ftpfw's rules there, too."),
    "forward": ("mangle", "FORWARD", "Forwarded packets pass what drops privileged ports."),
    "input": ("mangle", "INPUT", "Packets for this host pass what drops privileged ports."),
    "nat": ("nat", "POSTROUTING", "What leaves passes ftpfw's rules of table nat."),
}
"""Our chains without their prefix, in their order: table, builtin chain, and why."""

assert MAX_SHARES == 32, "a share's node mask is one of 32 bits"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule of the chain ``chain``: iptables' arguments, and the sentence above it."""

    chain: str
    arguments: str
    why: str


def direct_lines(policy: Policy, helper: str | None, backend: Backend) -> tuple[str, ...]:
    """The lines of direct.xml between its first and its last; ``helper`` as the kernel names it."""
    return tuple(
        line
        for version in versions(policy)
        for line in _render(version, list(_rules(policy, version, helper, backend)))
    )


def _render(version: int, rules: list[_Rule]) -> Iterator[str]:
    by_chain: dict[str, dict[str, str]] = defaultdict(dict)
    for rule in rules:  # two reaches can share a rule: the first one's sentence stands for both
        by_chain[rule.chain].setdefault(rule.arguments, rule.why)
    for chain, (table, builtin, hooked) in CHAINS.items():
        if chain not in by_chain:
            continue
        place = f'ipv="ipv{version}" table="{table}"'
        own = PREFIX + chain
        yield f"  <!-- ftpfw: {hooked} -->"
        yield f'  <chain {place} chain="{own}"/>'
        yield f'  <rule {place} chain="{builtin}" priority="0">-j {own}</rule>'
        for number, (arguments, why) in enumerate(by_chain[chain].items()):
            yield f"  <!-- ftpfw: {why} -->"
            yield f'  <rule {place} chain="{own}" priority="{number}">{arguments}</rule>'


def _rules(policy: Policy, version: int, helper: str | None, backend: Backend) -> Iterator[_Rule]:
    """Every rule, those of one chain in their order."""
    ways = [reach for reach in reaches(policy) if reach.version == version]
    yield from _no_spoofing(policy, version)
    if helper:
        for way in ways:
            yield from _attach(way, helper)
    if backend is Backend.BORROWED:
        for way in ways:
            yield from _queue_passive(way, policy.helper.queue[0])
    if helper:
        for way in ways:
            yield from _from_the_syn(way)
        yield from _unprivileged(policy, ways, helper)
    if backend is Backend.BORROWED:
        yield from _queue(policy, ways, Family(version))
    for way in ways:
        yield from _hairpin(way, helper)
    yield from _fixed_address(policy, version)


def _no_spoofing(policy: Policy, version: int) -> Iterator[_Rule]:
    outside = policy.gateway.outside
    for network in inside_networks(policy, version):
        why = f"Nobody on {outside} has an address of {network}."
        yield _Rule("raw", f"-i {outside} -s {network} -j DROP", why)


def _attach(way: Reach, helper: str) -> Iterator[_Rule]:
    """The helper, where no policy of firewalld's could attach it.

    firewalld accepts what is forwarded by DNAT ahead of its policies, and its iptables
    backend knows no helper for what this host sends.
    """
    if way.enter and not way.published:
        return
    for chain, opening in _openings(way):
        for port in way.ports:
            yield _Rule(
                chain.replace("mangle", "raw"),
                f"{opening} --dport {port} -j CT --helper {helper}",
                f"Control connections from {way.origin} to port {port} of {way.goal} get the"
                f" conntrack helper {helper}, before their addresses are translated.",
            )


def _queue_passive(way: Reach, queue: int) -> Iterator[_Rule]:
    if way.passive is None or not way.enter:
        return
    ports = f"{way.passive[0]}:{way.passive[-1]}"
    for _, opening in _openings(way):
        yield _Rule(
            "raw",
            f"{opening} --dport {ports} --syn -j NFQUEUE --queue-num {queue} --queue-bypass",
            f"FTPS: the inspector expects connections from {way.origin} to ports {ports} of"
            f" {way.goal} while a control connection in TLS lives between the two.",
        )


def _from_the_syn(way: Reach) -> Iterator[_Rule]:
    """Conntrack takes up connections in their middle, where half a line passes for a whole."""
    for chain, opening in _openings(way):
        for port in way.ports:
            yield _Rule(
                chain,
                f"{opening} --dport {port} ! --syn -m conntrack --ctstate NEW -j DROP",
                f"Control connections from {way.origin} to port {port} of {way.goal} are taken"
                " up by their SYN only.",
            )


def _unprivileged(policy: Policy, ways: list[Reach], helper: str) -> Iterator[_Rule]:
    chains = {"forward": any(way.enter and way.leave for way in ways)}
    chains["input"] = any(not (way.enter and way.leave) for way in ways)
    for interface in (*policy.gateway.inside, policy.gateway.outside):
        for chain in (chain for chain, used in chains.items() if used):
            yield _Rule(
                chain,
                f"-i {interface} -p tcp --dport 0:1023 -m conntrack --ctstate RELATED"
                f" -m helper --helper {helper} -j DROP",
                f"No data connection from {interface} opens a privileged port, whatever was"
                " negotiated.",
            )


def _queue(policy: Policy, ways: list[Reach], family: Family) -> Iterator[_Rule]:
    """Both directions of control connections, segments with data, by their original tuple."""
    mark = f"{policy.helper.mark:#x}/{policy.helper.mark:#x}"
    unclear = shlex.quote(PROGRAM[Text.UNCLEAR, family])
    queued = [rule for way in ways for rule in _queue_control(way, policy.helper.queue, family)]
    for chain in dict.fromkeys(rule.chain for rule in queued):
        yield _Rule(
            chain,
            f"-p tcp -m connmark --mark {mark} -m bpf --bytecode {unclear} -j RETURN",
            "What does not look like a line in clear text, on control connections that have"
            " turned to TLS, is not for the inspector.",
        )
    yield from queued


def _queue_control(way: Reach, queue: range, family: Family) -> Iterator[_Rule]:
    tuple_ = "".join(
        f" {option} {_plain(value)}"
        for option, value in (("--ctorigsrc", way.clients), ("--ctorigdst", way.public))
        if value is not None and not _is_any(value)
    )
    text = shlex.quote(PROGRAM[Text.SOME, family])
    for port in way.ports:
        for some, share, number in _shares(queue):
            for direction, said in (("ORIGINAL", "Commands"), ("REPLY", "Replies to commands")):
                for chain, interface in _passed(way, direction == "ORIGINAL"):
                    yield _Rule(
                        chain,
                        f"{interface}-p tcp -m conntrack --ctstate ESTABLISHED{tuple_}"
                        f" --ctorigdstport {port} --ctdir {direction}{share} -m bpf --bytecode"
                        f" {text} -j NFQUEUE --queue-num {number} --queue-bypass",
                        f"{said} from {way.origin} to port {port} of {way.goal}, {some}segments"
                        " with data, go to the inspector; without one they pass.",
                    )


def _shares(queue: range) -> Iterator[tuple[str, str, int]]:
    """For each queue: words, the match, its number; both directions by the original source."""
    if len(queue) == 1:
        yield "", "", queue[0]
        return
    for index, number in enumerate(queue):
        nodes = f"--cluster-total-nodes {len(queue)} --cluster-local-nodemask {1 << index:#x}"
        some = f"share {index + 1} of {len(queue)}, "
        yield some, f" -m cluster {nodes} --cluster-hash-seed 0x0", number


def _passed(way: Reach, commands: bool) -> Iterator[tuple[str, str]]:
    """By which interface packets arrive, or, sent by this host, leave: chain and match."""
    arrive, leave = (way.enter, way.leave) if commands else (way.leave, way.enter)
    if arrive:
        yield from (("mangle", f"-i {interface} ") for interface in arrive)
    elif way.published:
        yield "mangle_out", ""
    else:
        yield from (("mangle_out", f"-o {interface} ") for interface in leave)


def _hairpin(way: Reach, helper: str | None) -> Iterator[_Rule]:
    """Inside clients of a published server get their answers through this host."""
    server = way.server
    if server is None or not way.published or way.clients is None:
        return
    passive = server.passive_ports if helper is None else None
    ports = [str(port) for port in way.ports]
    ports += [f"{passive[0]}:{passive[-1]}"] if passive else []
    for port in ports:
        yield _Rule(
            "nat",
            f"{_from(way.clients)}-d {server.address} -p tcp -m conntrack --ctorigdst"
            f" {server.public} --ctorigdstport {port} -j MASQUERADE",
            f"Clients of {way.clients} that ask for port {port} of {way.goal} reach the server"
            " with this host's address, so that it answers through this host.",
        )


def _fixed_address(policy: Policy, version: int) -> Iterator[_Rule]:
    outside, to = policy.gateway.outside, policy.gateway.snat_to
    for network in policy.clients.allow:
        if to is not None and network.version == version == to.version:
            yield _Rule(
                "nat",
                f"-o {outside} {_from(network)}-j SNAT --to-source {to}",
                f"Clients of {network} leave by {outside} with {to}.",
            )


def _openings(way: Reach) -> Iterator[tuple[str, str]]:
    """Chain and match of the opener's packets, where they arrive or, from here, leave."""
    to = f"-d {way.public} " if way.public else ""
    for interface in way.enter:
        yield "mangle", f"-i {interface} {_from(way.clients)}{to}-p tcp"
    if not way.enter:
        # Towards a published server they are routed by its public address.
        out = "" if way.published else f"-o {way.leave[0]} "
        yield "mangle_out", f"{out}{to}-p tcp"


def _from(network: Network | None) -> str:
    return "" if network is None or _is_any(network) else f"-s {network} "


def _is_any(value: object) -> bool:
    return getattr(value, "prefixlen", 1) == 0


def _plain(value: object) -> str:
    """xt_conntrack takes both forms; a host is written without its prefix length."""
    text = str(value)
    return text.removesuffix("/32") if "." in text else text.removesuffix("/128")
