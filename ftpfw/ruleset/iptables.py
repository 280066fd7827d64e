"""The model in iptables' own words: iptables-save text, as iptables-save would print it.

Spec: iptables(8), iptables-extensions(8); the order of options is that of the
extensions' ``save`` functions, so that wanted and live rules compare as text. The same
text serves iptables-legacy and iptables-nft.

An XtRule lies between model and text: basics, matches and target with their options.
``parse_rule`` reads one back from a line of iptables-save, whoever wrote the rule.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.bpf import PROGRAM
from ftpfw.ruleset.model import (
    Accept,
    Action,
    AttachHelper,
    DestinationNat,
    Drop,
    Family,
    Hook,
    Jump,
    Masquerade,
    Match,
    PortRange,
    Position,
    Protocol,
    Queue,
    Return,
    RuleSet,
    SetZone,
    Share,
    SourceNat,
    State,
    Table,
)
from ftpfw.ruleset.policy import Network
from ftpfw.ruleset.spread import spread

RESTORE = {Family.IPV4: "iptables-restore", Family.IPV6: "ip6tables-restore"}

_PROTOCOL = {
    (Protocol.TCP, Family.IPV4): "tcp",
    (Protocol.TCP, Family.IPV6): "tcp",
    (Protocol.ICMP, Family.IPV4): "icmp",
    (Protocol.ICMP, Family.IPV6): "ipv6-icmp",
}
_PROTOCOL_NUMBER = {Protocol.TCP: "6", Protocol.ICMP: "1"}
_DIRECTION = {Direction.ORIGINAL: "ORIGINAL", Direction.REPLY: "REPLY"}
_TARGET: dict[type[Action], str] = {
    Accept: "ACCEPT",
    Drop: "DROP",
    Return: "RETURN",
    AttachHelper: "CT",
    SetZone: "CT",
    Queue: "NFQUEUE",
    Masquerade: "MASQUERADE",
    SourceNat: "SNAT",
    DestinationNat: "DNAT",
}
_BASICS = {"-s", "-d", "-i", "-o", "-p", "-f"}


@dataclass(frozen=True, slots=True)
class Option:
    """``! --name values``; ``name`` keeps its dashes."""

    name: str
    values: tuple[str, ...] = ()
    inverted: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """As arguments."""
        words = (self.name, *self.values)
        return ("!", *words) if self.inverted else words


@dataclass(frozen=True, slots=True)
class Extension:
    """A match or target extension with its options, in the order they are printed."""

    name: str
    options: tuple[Option, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """As arguments, behind the -m, -j or -g."""
        return (self.name, *(word for option in self.options for word in option.words))


@dataclass(frozen=True, slots=True)
class XtRule:
    """One rule as iptables has it (struct ipt_entry); ``goto`` is -g instead of -j."""

    basics: tuple[Option, ...]
    matches: tuple[Extension, ...]
    target: Extension | None
    goto: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """All arguments."""
        words = [word for option in self.basics for word in option.words]
        for match in self.matches:
            words += ["-m", *match.words]
        if self.target:
            words += ["-g" if self.goto else "-j", *self.target.words]
        return tuple(words)

    def __str__(self) -> str:
        return " ".join(map(_quoted, self.words))


def render_save(ruleset: RuleSet, notes: Iterable[str] = ()) -> str:
    """iptables-save text of ``ruleset``, each rule after a comment that says why.

    ``notes`` are comments about the whole, a line each.
    Load it with ``iptables-restore --noflush``; loading it twice hooks it in twice.
    """
    restore = RESTORE[ruleset.family]
    head = f"# ftpfw, {ruleset.family}. Load into a host without ftpfw rules: {restore} --noflush"
    spreading = spread(ruleset)
    tables = [line for table in Table for line in _render_table(spreading, table)]
    body = tables or [f"# The policy asks nothing of {ruleset.family}: no rules."]
    return "\n".join([head, *(f"# {note}" for note in notes), *body]) + "\n"


def to_xtables(match: Match, action: Action, family: Family) -> XtRule:
    """The XtRule of a model rule."""
    return XtRule(tuple(_basics(match, family)), tuple(_matches(match, family)), _target(action))


def hook_rule(hook: Hook) -> XtRule:
    """The jump that stands in the builtin chain."""
    return XtRule((), (), _target(Jump(hook.chain)))


def parse_rule(text: str) -> XtRule:
    """The rule in a line of iptables-save, without its ``-A chain``.

    ValueError where it is none: a quote that does not end, an option that lacks its name.
    """
    basics: list[Option] = []
    matches: list[tuple[str, list[Option]]] = []
    target: tuple[str, list[Option]] | None = None
    options, goto, inverted = basics, False, False
    words = iter(shlex.split(text))
    for word in words:
        if word == "!":
            inverted = True
            continue
        if word == "-m":
            matches.append((_named(word, words), []))
            options = matches[-1][1]
        elif word in {"-j", "-g"}:
            goto = word == "-g"
            target = (_named(word, words), [])
            options = target[1]
        elif word in _BASICS or word.startswith("--"):
            options.append(Option(word, (), inverted))
        elif not options:
            raise ValueError(f"{word!r} is no option's value in {text!r}")
        else:
            last = options[-1]
            options[-1] = Option(last.name, (*last.values, word), last.inverted)
        inverted = False
    return XtRule(
        tuple(basics),
        tuple(Extension(name, tuple(options)) for name, options in matches),
        Extension(target[0], tuple(target[1])) if target else None,
        goto,
    )


def _named(option: str, words: Iterator[str]) -> str:
    """The extension's or chain's name that follows ``option``."""
    name = next(words, None)
    if name is None:
        raise ValueError(f"{option} names nothing")
    return name


def _render_table(ruleset: RuleSet, table: Table) -> Iterator[str]:
    chains = [chain for chain in ruleset.chains if chain.table is table]
    if not chains:
        return
    yield f"*{table}"
    for chain in chains:
        yield f":{chain.name} - [0:0]"
    for hook in ruleset.hooks:
        if hook.table is table:
            yield f"# {hook.why}"
            place = "-I" if hook.position is Position.FIRST else "-A"
            yield f"{place} {hook.builtin} {hook_rule(hook)}"
    for chain in chains:
        for rule in chain.rules:
            yield f"# {rule.why}"
            yield f"-A {chain.name} {to_xtables(rule.match, rule.action, ruleset.family)}"
    yield "COMMIT"


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _basics(match: Match, family: Family) -> Iterator[Option]:
    # A network of prefix 0 is not printed: it asks nothing.
    if match.source and match.source.prefixlen:
        yield Option("-s", (str(match.source),))
    if match.destination and match.destination.prefixlen:
        yield Option("-d", (str(match.destination),))
    if match.in_interface:
        yield Option("-i", (match.in_interface,))
    if match.out_interface:
        yield Option("-o", (match.out_interface,))
    if match.protocol:
        yield Option("-p", (_PROTOCOL[match.protocol, family],))


def _matches(match: Match, family: Family) -> Iterator[Extension]:
    if tcp := tuple(_tcp(match)):
        assert match.protocol is Protocol.TCP, "ports and flags are TCP's"
        yield Extension("tcp", tcp)
    if match.connmark is not None:
        yield Extension(
            "connmark", (Option("--mark", (f"{match.connmark:#x}/{match.connmark:#x}",)),)
        )
    if conntrack := tuple(_conntrack(match)):
        yield Extension("conntrack", conntrack)
    if match.share:
        yield Extension("cluster", tuple(_cluster(match.share)))
    if match.helper:
        yield Extension("helper", (Option("--helper", (match.helper,)),))
    if match.text:
        assert match.protocol is Protocol.TCP, "the program has TCP's header in mind"
        yield Extension("bpf", (Option("--bytecode", (PROGRAM[match.text, family],)),))


def _tcp(match: Match) -> Iterator[Option]:
    if match.sport:
        yield Option("--sport", (_ports(match.sport),))
    if match.dport:
        yield Option("--dport", (_ports(match.dport),))
    if match.syn is not None:
        yield Option("--tcp-flags", ("FIN,SYN,RST,ACK", "SYN"), inverted=not match.syn)


def _conntrack(match: Match) -> Iterator[Option]:
    if match.states:
        names = (state.name or "" for state in State if state in match.states)
        yield Option("--ctstate", (",".join(names),))
    if match.tracked_protocol:
        yield Option("--ctproto", (_PROTOCOL_NUMBER[match.tracked_protocol],))
    if match.orig_source and match.orig_source.prefixlen:
        yield Option("--ctorigsrc", (_network_or_host(match.orig_source),))
    if match.orig_destination and match.orig_destination.prefixlen:
        yield Option("--ctorigdst", (_network_or_host(match.orig_destination),))
    if match.orig_dport:
        yield Option("--ctorigdstport", (_ports(match.orig_dport),))
    if match.direction is not None:
        yield Option("--ctdir", (_DIRECTION[match.direction],))


def _cluster(share: Share) -> Iterator[Option]:
    """xt_cluster hashes the original source of the tracked connection."""
    yield Option("--cluster-local-nodemask", (f"0x{1 << share.index:08x}",))
    yield Option("--cluster-total-nodes", (str(share.of),))
    yield Option("--cluster-hash-seed", (f"0x{0:08x}",))


def _target(action: Action) -> Extension:
    if isinstance(action, Jump):
        return Extension(action.chain)
    return Extension(_TARGET[type(action)], tuple(_target_options(action)))


def _target_options(action: Action) -> Iterator[Option]:
    match action:
        case AttachHelper(helper, zone):
            yield Option("--helper", (helper,))
            if zone:
                yield Option("--zone", (str(zone),))
        case SetZone(zone):
            yield Option("--zone", (str(zone),))
        case Queue(number, bypass):
            yield Option("--queue-num", (str(number),))
            if bypass:
                yield Option("--queue-bypass")
        case SourceNat(to):
            yield Option("--to-source", (str(to),))
        case DestinationNat(to):
            yield Option("--to-destination", (str(to),))


def _ports(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}:{ports.last}"


def _network_or_host(network: Network) -> str:
    """xt_conntrack prints a whole address without its prefix length, unlike -s and -d."""
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if whole else str(network)
