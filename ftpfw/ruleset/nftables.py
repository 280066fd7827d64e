"""The model in nftables' own words: one table ``inet ftpfw``, loaded as one transaction.

Spec: nft(8). Each hook's rules are a base chain of ours, named as with iptables, at the
priority of iptables' table less five: ahead of other people's. What is different from iptables:

    helper    attached by an object, behind conntrack's lookup (-200) and ahead of DNAT (-100):
              chains ``ftpfw-helper`` and ``ftpfw-helper-out``; its zone is set in raw
    forward   first and last rules share a base chain, since no chain of anybody else's can
              stand between: ``ftpfw-yours`` does, empty, for rules of the administrator's own
    sets      rules that differ in addresses and ports only are one rule (``gather``)

An accept here ends our chain only: where another base chain of the hook drops, it drops. A
drop is a drop.

Whether a segment holds data is asked of its first byte behind TCP's header (@ih, nft 1.0.1
and Linux 5.16). Its last bytes cannot be asked for. So of what has turned to TLS, also
segments that begin with three letters or digits, but end otherwise than in CR LF, are
queued, one in seventy of those that do not begin a record; the inspector looks for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol as Interface

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.gather import ADDRESSES, Gathered, gather
from ftpfw.ruleset.model import (
    Accept,
    AttachHelper,
    Chain,
    DestinationNat,
    Drop,
    Family,
    Jump,
    Masquerade,
    PortRange,
    Protocol,
    Queue,
    Return,
    Rule,
    RuleSet,
    SetZone,
    Share,
    SourceNat,
    State,
    Text,
)
from ftpfw.ruleset.rows import Value

TABLE = "ftpfw"
YOURS = "ftpfw-yours"
"""The chain whose rules are the administrator's."""

OPAQUE = "ftpfw-opaque"
FORWARD, DROP = "ftpfw-forward", "ftpfw-drop"

CLEAR = f"""
table inet {TABLE}
delete table inet {TABLE}

"""
"""Takes the table away, whether it is there or not."""

WHYS = 3
"""Sentences of gathered rules that are written out."""

BASES = {
    "ftpfw-raw": "type filter hook prerouting priority raw - 5",
    "ftpfw-raw-out": "type filter hook output priority raw - 5",
    "ftpfw-helper": "type filter hook prerouting priority mangle - 10",
    "ftpfw-helper-out": "type filter hook output priority mangle - 10",
    "ftpfw-mangle": "type filter hook prerouting priority mangle - 5",
    "ftpfw-mangle-out": "type filter hook output priority mangle - 5",
    "ftpfw-publish": "type nat hook prerouting priority dstnat - 5",
    "ftpfw-publish-out": "type nat hook output priority -105",
    "ftpfw-input": "type filter hook input priority filter - 5",
    "ftpfw-forward": "type filter hook forward priority filter - 5",
    "ftpfw-output": "type filter hook output priority filter - 5",
    "ftpfw-nat": "type nat hook postrouting priority srcnat - 5",
}
"""The base chains in the order of a packet's path, and where each is hooked in."""

_HELPER_WHY = "New connections, behind conntrack's lookup and ahead of NAT, get their helper."
_YOURS_WHY = (
    "Rules of your own for what is forwarded: an accept here passes the drops of ftpfw-forward."
    " ftpfw leaves this chain as it is."
)
_OPAQUE_WHY = "Control connections that have turned to TLS: only what may be clear text is queued."
_HELPER_CHAIN = {"ftpfw-raw": "ftpfw-helper", "ftpfw-raw-out": "ftpfw-helper-out"}

_IP = {Family.IPV4: "ip", Family.IPV6: "ip6"}
_ICMP = {Family.IPV4: "icmp", Family.IPV6: "ipv6-icmp"}
_DIRECTION = {Direction.ORIGINAL: "original", Direction.REPLY: "reply"}
_KEY = {
    "source": "{ip} saddr",
    "destination": "{ip} daddr",
    "sport": "tcp sport",
    "dport": "tcp dport",
    "orig_source": "ct original {ip} saddr",
    "orig_destination": "ct original {ip} daddr",
    "orig_dport": "ct original proto-dst",
}
_TYPE = {Family.IPV4: "ipv4_addr", Family.IPV6: "ipv6_addr"}
_LETTER_OR_DIGIT = "{ 0x30-0x39, 0x41-0x5a, 0x61-0x7a }"


@dataclass(slots=True)
class Place:
    """What stands in one chain: rules of one family after the other, and what it is for."""

    why: str
    rules: list[tuple[Family, Rule]]


class Sets(Interface):
    """Where the values of a rule that has many are written."""

    def name(self, type_: str, rows: Sequence[str], targets: Sequence[str]) -> str:
        """How a rule refers to a set with ``rows``, or to a map from them to ``targets``."""


class _NamedSets:
    """Sets ahead of the chains, one for all rules with the same values.

    Anonymous ones would be shorter, but nft 1.0 cannot read back what it prints of those that
    hold a port of the original tuple, and in a concatenation leaves it out without a word.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        self._counts: dict[str, int] = {}
        self.blocks: list[str] = []

    def name(self, type_: str, rows: Sequence[str], targets: Sequence[str]) -> str:
        """See Sets."""
        content = (type_, *rows, "", *targets)
        if content not in self._names:
            kind = type_.replace("ipv4_addr", "hosts").replace("ipv6_addr", "hosts6")
            kind = kind.replace("inet_service", "ports").replace(" . ", "-").split(" : ")[0]
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[content] = f"{kind}-{number}"
            self.blocks.append(_set_block(self._names[content], type_, rows, targets))
        return f"@{self._names[content]}"


def _set_block(name: str, type_: str, rows: Sequence[str], targets: Sequence[str]) -> str:
    ranged = any("-" in row or "/" in row for row in rows)
    pairs = [f"{row} : {to}" for row, to in zip(rows, targets, strict=True)] if targets else rows
    return "\n".join(
        [
            f"\t{'map' if targets else 'set'} {name} {{",
            f"\t\ttype {type_}",
            *(["\t\tflags interval"] if ranged else []),
            "\t\telements = {",
            ",\n".join(f"\t\t\t{pair}" for pair in pairs),
            "\t\t}",
            "\t}",
        ]
    )


def render_nftables(rulesets: Sequence[RuleSet], notes: Iterable[str] = ()) -> str:
    """A file for ``nft -f`` that puts the table in the place of an older one of ftpfw's.

    ``notes`` are comments about the whole, a line each.
    """
    head = "# ftpfw. Load with nft -f; it replaces the table ftpfw, rules of your own in it too."
    return "\n".join([head, *(f"# {note}" for note in notes), CLEAR]) + render_table(rulesets)


def render_table(rulesets: Sequence[RuleSet]) -> str:
    """The table alone; nothing where the policy asks nothing."""
    placed = place_rules(rulesets)
    if not placed:
        return ""
    sets = _NamedSets()
    objects = [_helper_object(name) for name in _helpers(rulesets)]
    chains = [_base(name, placed, sets) for name in BASES if name in placed]
    blocks = "\n\n".join([*objects, *sets.blocks, *chains, *_jumped_to(placed)])
    return f"table inet {TABLE} {{\n{blocks}\n}}\n"


def place_rules(rulesets: Sequence[RuleSet]) -> dict[str, Place]:
    """The rules by the chains that they stand in here; those of DROP come behind FORWARD's."""
    placed: dict[str, Place] = {}
    for ruleset in rulesets:
        whys = {hook.chain: hook.why for hook in ruleset.hooks}
        for chain in ruleset.chains:
            for name, rule in _moved(chain):
                place = placed.setdefault(name, Place(whys.get(name, _HELPER_WHY), []))
                place.rules.append((ruleset.family, rule))
    return placed


def _moved(chain: Chain) -> Iterator[tuple[str, Rule]]:
    """Each rule with the name of its chain; attaching a helper has one of its own.

    The zone that goes with it is set where zones are, unless its interface has it anyhow.
    """
    zoned = {_interfaces(rule) for rule in chain.rules if isinstance(rule.action, SetZone)}
    for rule in chain.rules:
        if not isinstance(rule.action, AttachHelper):
            yield chain.name, rule
            continue
        name, zone = rule.action.name, rule.action.zone
        if zone and _interfaces(rule) not in zoned:
            why = f"{rule.why[:-1]}, and the conntrack zone {zone}."
            yield chain.name, Rule(rule.match, SetZone(zone), why)
        new = replace(rule.match, states=State.NEW)
        yield _HELPER_CHAIN[chain.name], replace(rule, match=new, action=AttachHelper(name))


def _interfaces(rule: Rule) -> tuple[str | None, str | None]:
    return rule.match.in_interface, rule.match.out_interface


def _helpers(rulesets: Sequence[RuleSet]) -> list[str]:
    """The conntrack helpers that are attached."""
    rules = (rule for one in rulesets for chain in one.chains for rule in chain.rules)
    return sorted({rule.action.name for rule in rules if isinstance(rule.action, AttachHelper)})


def _helper_object(name: str) -> str:
    return f'\tct helper {name} {{\n\t\ttype "{name}" protocol tcp\n\t}}'


def _base(name: str, placed: dict[str, Place], sets: Sets) -> str:
    place = placed[name]
    lines = [f"{BASES[name]}; policy accept;", *_rules(place, sets)]
    if name == FORWARD and DROP in placed:
        lines += ["# Rules of your own come last.", f"jump {YOURS}", *_rules(placed[DROP], sets)]
    return _chain(name, place.why, lines)


def _jumped_to(placed: dict[str, Place]) -> Iterator[str]:
    if DROP in placed:
        yield _chain(YOURS, _YOURS_WHY, [])
    if any(rule.match.text is Text.UNCLEAR for place in placed.values() for _, rule in place.rules):
        line = " ".join(f"@ih,{bit},8 {_LETTER_OR_DIGIT}" for bit in (0, 8, 16))
        lines = [
            "# Three letters or digits, and five bytes at least: the inspector looks closer.",
            f"meta l4proto tcp {line} @ih,32,8 >= 0x0 return",
            "# The rest is TLS.",
            "accept",
        ]
        yield _chain(OPAQUE, _OPAQUE_WHY, lines)


def _chain(name: str, why: str, lines: Iterable[str]) -> str:
    body = "".join(f"\t\t{line}\n" for line in lines)
    return f"\t# {why}\n\tchain {name} {{\n{body}\t}}"


def _rules(place: Place, sets: Sets) -> Iterator[str]:
    for one in gather(place.rules):
        yield from (f"# {why}" for why in sentences(one))
        yield render_rule(one, sets)


def sentences(one: Gathered) -> list[str]:
    """What a rule is for; of many sentences that are alike, the first few."""
    whys = list(dict.fromkeys(one.whys))
    more = len(whys) - WHYS
    return whys[:WHYS] + ([f"And {more} more like these."] if more > 0 else [])


def render_rule(one: Gathered, sets: Sets) -> str:
    """A rule; columns in which all rows are equal are conditions of their own."""
    columns = list(zip(one.keys, zip(*one.rows.all, strict=True), strict=True))
    same = [(key, column[0]) for key, column in columns if len(set(column)) == 1]
    varied = [(key, column) for key, column in columns if len(set(column)) > 1]
    family = one.families[0]
    words = [*_ahead(one), *(f"{_key(key, family)} {_value(value)}" for key, value in same)]
    if not varied:
        return " ".join([*words, *_behind(one), *_action(one)])
    values = [column for _, column in varied]
    names = " . ".join(_key(key, family) for key, _ in varied)
    type_ = " . ".join(_TYPE[family] if key in ADDRESSES else "inet_service" for key, _ in varied)
    rows = [" . ".join(map(_value, row)) for row in zip(*values, strict=True)]
    if one.targets:
        targets = [str(to) for to in one.targets]
        map_ = sets.name(f"{type_} : {_TYPE[family]}", rows, targets)
        return " ".join([*words, *_behind(one), f"counter dnat {_ip(one)} to {names} map {map_}"])
    return " ".join([*words, f"{names} {sets.name(type_, rows, ())}", *_behind(one), *_action(one)])


def _ahead(one: Gathered) -> Iterator[str]:
    """Interfaces, family and protocol, the latter two where nothing else tells them."""
    match = one.common
    if match.in_interface:
        yield f'iifname "{match.in_interface}"'
    if match.out_interface:
        yield f'oifname "{match.out_interface}"'
    if len(one.families) == 1 and not set(one.keys) & set(ADDRESSES):
        yield f"meta nfproto ipv{one.families[0].value}"
    if match.protocol is Protocol.ICMP:
        names = ", ".join(_ICMP[family] for family in one.families)
        yield f"meta l4proto {{ {names} }}" if len(one.families) > 1 else f"meta l4proto {names}"
    elif match.protocol is Protocol.TCP and not _says_tcp(one):
        yield "meta l4proto tcp"


def _says_tcp(one: Gathered) -> bool:
    """Whether nft knows by the conditions to come that it is TCP, ahead of any tuple's port."""
    return bool({"sport", "dport"} & set(one.keys)) and "orig_dport" not in one.keys


def _behind(one: Gathered) -> Iterator[str]:
    """What is asked of TCP's flags, the connection and the payload."""
    match = one.common
    if match.syn is not None:
        yield f"tcp flags & (fin | syn | rst | ack) {'==' if match.syn else '!='} syn"
    if match.states:
        names = (state.name or "" for state in State if state in match.states)
        yield f"ct state {','.join(names).lower()}"
    if match.direction is not None:
        yield f"ct direction {_DIRECTION[match.direction]}"
    if match.tracked_protocol:
        assert match.tracked_protocol is Protocol.TCP, "ICMP's name is its family's"
        yield "ct protocol tcp"
    if match.helper:
        yield f'ct helper "{match.helper}"'
    if match.connmark is not None:
        yield f"ct mark & {match.connmark:#x} == {match.connmark:#x}"
    if match.share:
        yield f"{_hash(match.share, one)} {match.share.index}"
    if match.text is Text.SOME:
        yield "@ih,0,8 >= 0x0"


def _hash(share: Share, one: Gathered) -> str:
    return f"jhash ct original {_ip(one)} saddr mod {share.of} seed 0x0"


def _action(one: Gathered) -> Iterator[str]:
    if one.common.text is Text.UNCLEAR:
        assert isinstance(one.action, Return), "what is unclear can only be left alone"
        yield f"jump {OPAQUE}"
        return
    yield "counter"
    match one.action:
        case Accept():
            yield "accept"
        case Drop():
            yield "drop"
        case Return():
            yield "return"
        case AttachHelper(name):
            yield f'ct helper set "{name}"'
        case SetZone(zone):
            yield f"ct zone set {zone}"
        case Queue(number, bypass):
            yield f"queue {'flags bypass ' if bypass else ''}to {number}"
        case Masquerade():
            yield "masquerade"
        case SourceNat(to):
            yield f"snat {_ip(one)} to {to}"
        case DestinationNat(to):
            yield f"dnat {_ip(one)} to {to}"
        case Jump(chain):
            yield f"jump {chain}"


def _key(key: str, family: Family) -> str:
    return _KEY[key].format(ip=_IP[family])


def _ip(one: Gathered) -> str:
    assert len(one.families) == 1, "what names an address is of one family"
    return _IP[one.families[0]]


def _value(value: Value) -> str:
    if isinstance(value, PortRange):
        first, last = value.first, value.last
        return str(first) if first == last else f"{first}-{last}"
    return str(value.network_address) if value.num_addresses == 1 else str(value)
