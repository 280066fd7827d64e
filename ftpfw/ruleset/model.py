"""Rules as every netfilter front end understands them: matches, actions, chains, hooks.

The compiler makes a RuleSet, each renderer turns it into its own language; they
share nothing else. Terms: iptables-extensions(8), nft(8), include/uapi/linux/netfilter/.
A renderer that cannot express something refuses it by name.

Our chains' names start with ``ftpfw-``: that prefix is how the rules are told from
everybody else's when they are replaced, checked and removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ftpfw.conntrack.model import Direction

PREFIX = "ftpfw-"


class Family(Enum):
    """NFPROTO_IPV4 and NFPROTO_IPV6, by their IP version."""

    IPV4 = 4
    IPV6 = 6

    def __str__(self) -> str:
        return f"IPv{self.value}"


class Table(StrEnum):
    """iptables' tables, in the order in which a forwarded packet passes them."""

    RAW = "raw"
    MANGLE = "mangle"
    NAT = "nat"
    FILTER = "filter"


class Builtin(StrEnum):
    """The hooks' chains (NF_INET_*)."""

    PREROUTING = "PREROUTING"
    INPUT = "INPUT"
    FORWARD = "FORWARD"
    OUTPUT = "OUTPUT"
    POSTROUTING = "POSTROUTING"


class Protocol(Enum):
    """ICMP is the family's own: ICMP or ICMPv6."""

    TCP = auto()
    ICMP = auto()


class State(Flag):
    """Conntrack states (XT_CONNTRACK_STATE_BIT); no bit at all: any state."""

    INVALID = auto()
    NEW = auto()
    RELATED = auto()
    ESTABLISHED = auto()


ANY_STATE = State(0)


@dataclass(frozen=True, slots=True)
class PortRange:
    """TCP ports, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class Share:
    """The connections whose original source hashes to ``index``, from 0, of ``of`` shares.

    The same for both directions of a connection, whatever NAT does to its packets.
    """

    index: int
    of: int


class Text(Enum):
    """What a TCP segment's payload looks like (see ``ftpfw.ruleset.bpf``)."""

    SOME = auto()  # at least one byte
    UNCLEAR = auto()  # anything but the whole line of an FTP control connection in clear text


@dataclass(frozen=True, slots=True)
class Match:
    """What a packet must be, all of it at once; None asks nothing.

    ``orig_source``, ``orig_destination`` and ``orig_dport`` are of the tracked connection's
    original tuple, ``tracked_protocol`` is that connection's protocol, which differs from the
    packet's for ICMP errors. ``connmark`` is a bit that its mark has. ``helper`` matches *data*
    connections, by the helper of their master. ``syn``: the segment that opens a connection
    (SYN alone of FIN, SYN, RST, ACK), or any other. ``text``: what the TCP segment says.
    """

    in_interface: str | None = None
    out_interface: str | None = None
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    protocol: Protocol | None = None
    sport: PortRange | None = None
    dport: PortRange | None = None
    syn: bool | None = None
    connmark: int | None = None
    states: State = ANY_STATE
    tracked_protocol: Protocol | None = None
    orig_source: IPv4Network | IPv6Network | None = None
    orig_destination: IPv4Network | IPv6Network | None = None
    orig_dport: PortRange | None = None
    direction: Direction | None = None
    share: Share | None = None
    helper: str | None = None
    text: Text | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The packet goes on (NF_ACCEPT)."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The packet ends here (NF_DROP)."""


@dataclass(frozen=True, slots=True)
class Return:
    """Back to the chain that jumped here."""


@dataclass(frozen=True, slots=True)
class AttachHelper:
    """New connections get the conntrack helper ``name``, in the conntrack zone ``zone``."""

    name: str
    zone: int = 0


@dataclass(frozen=True, slots=True)
class SetZone:
    """The packet is looked up in the conntrack zone ``zone``, unless one was set before."""

    zone: int


@dataclass(frozen=True, slots=True)
class Queue:
    """To userspace (NF_QUEUE).

    ``bypass``: the packet goes on when nobody listens, rather than being dropped.
    """

    number: int
    bypass: bool


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Source NAT to the address of the interface the packet leaves by."""


@dataclass(frozen=True, slots=True)
class SourceNat:
    """Source NAT to a fixed address."""

    to: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class DestinationNat:
    """Destination NAT to a fixed address, the port unchanged."""

    to: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Jump:
    """To a chain of the same table."""

    chain: str


Action = (
    Accept
    | Drop
    | Return
    | AttachHelper
    | SetZone
    | Queue
    | Masquerade
    | SourceNat
    | DestinationNat
    | Jump
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A match and an action; ``why`` says it in one plain sentence."""

    match: Match
    action: Action
    why: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of ours."""

    name: str
    table: Table
    rules: tuple[Rule, ...]


class Position(Enum):
    """Where in the builtin chain a hook's jump stands, among other people's rules."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Hook:
    """The jump from a builtin chain to a chain of ours."""

    table: Table
    builtin: Builtin
    chain: str
    position: Position
    why: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything ftpfw wants of one family; empty where the policy says nothing of it."""

    family: Family
    chains: tuple[Chain, ...] = ()
    hooks: tuple[Hook, ...] = ()
