"""The policy: what an administrator asks of the gateway, as typed values.

Spec: ``[gateway]``, ``[helper]``, ``[clients]`` and ``[[server]]`` of the TOML policy, which
``policy_file`` reads; defaults are those of the classes below. Every value is sound by
itself and fits the others. Whether an interface exists is not asked here: see
``interfaces``. What netfilter cannot do with one backend can also turn up later,
when ``auto`` is resolved or overridden: see ``require_cthelper_can``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from ftpfw.ftp.checks import COMPAT, Checks
from ftpfw.ruleset.toml_lines import KeyPath, Source

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Backend(StrEnum):
    """Where the kernel's helper extension comes from; AUTO is resolved on the host."""

    AUTO = "auto"
    CTHELPER = "cthelper"
    BORROWED = "borrowed"
    KERNEL = "kernel"
    NONE = "none"


class OnCrash(StrEnum):
    """What becomes of control connections while no inspector listens."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The interfaces, and how clients' addresses are translated on the way out.

    No interface inside: a host that is client or server itself. On those of ``dmz`` are
    servers, and no clients. Neither ``masquerade`` nor ``snat_to``: addresses stay as they are.
    ``zone`` is the conntrack zone of everything that arrives on these interfaces.
    """

    inside: tuple[str, ...]
    outside: str
    dmz: tuple[str, ...] = ()
    masquerade: bool = False
    snat_to: Address | None = None
    zone: int = 0

    @property
    def behind(self) -> tuple[str, ...]:
        """The interfaces that are not outside: servers may be on any of them."""
        return (*self.inside, *self.dmz)


OPAQUE_MARK = 0x40000000
"""A bit that other programs seldom take: kube-proxy and Docker stay in the lower half."""


@dataclass(frozen=True, slots=True)
class Helper:
    """How control connections are inspected. ``queue`` is the range of queue numbers.

    ``mark`` is the one bit of the connmark that says that a control connection has turned to
    TLS. ``pending``, ``expectations_per_client`` and ``denied_verbs`` (upper case) are what
    ``checks`` measure by. ``transfer_log`` and ``xferlog`` are absolute paths; ``metrics`` is
    ``address:port`` of this host, or the absolute path of a socket file.
    """

    backend: Backend = Backend.AUTO
    ports: tuple[int, ...] = (21,)
    queue: range = range(1)
    on_crash: OnCrash = OnCrash.OPEN
    checks: Checks = field(default_factory=lambda: COMPAT)
    denied_verbs: tuple[str, ...] = ()
    pending: int = 16
    expectations_per_client: int = 64
    mark: int = OPAQUE_MARK
    transfer_log: str | None = None
    xferlog: str | None = None
    metrics: str | None = None


@dataclass(frozen=True, slots=True)
class Clients:
    """Inside networks whose hosts may reach FTP servers outside; ``this_host`` may too."""

    allow: tuple[Network, ...] = ()
    this_host: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is reachable from outside as ``public``.

    Where ``public`` is its own ``address`` nothing is translated: the server is routed, or it
    runs on this host. ``passive_ports`` are what FTPS may use, and all may with no helper.
    """

    address: Address
    public: Address
    port: int = 21
    passive_ports: range | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy; ``source`` finds the line of each of its keys."""

    gateway: Gateway
    helper: Helper
    clients: Clients
    servers: tuple[Server, ...]
    source: Source = field(compare=False)

    def addresses(self, server: Server) -> tuple[Address, ...]:
        """Those by which clients ask for ``server``: from inside, its own in a DMZ too."""
        own = (server.address,) if self.gateway.dmz and self.clients.allow else ()
        return tuple(dict.fromkeys((server.public, *own)))


def interfaces(policy: Policy) -> tuple[tuple[str, KeyPath], ...]:
    """Every interface the policy names, with the path that ``policy.source`` finds."""
    named: list[tuple[str, KeyPath]] = [
        (name, ("gateway", key, index))
        for key in ("inside", "dmz")
        for index, name in enumerate(getattr(policy.gateway, key))
    ]
    return (*named, (policy.gateway.outside, ("gateway", "outside")))


def require_cthelper_can(helper: Helper, source: Source) -> None:
    """Raise PolicyError for what nfnetlink_cthelper cannot do.

    It queues with bypass, and to one queue a helper. A bypassed packet also skips the hook
    that confirms its connection (see ``ftpfw.conntrack.cthelper``).
    """
    if helper.on_crash is OnCrash.CLOSED:
        raise source.error(
            ("helper", "on_crash"),
            '"closed" is impossible with the backend "cthelper": while nobody listens, established'
            " connections go on, unread and unadjusted, and new ones fail under NAT",
            mend='backend = "borrowed", or on_crash = "open"',
        )
    if len(helper.queue) > 1:
        raise source.error(
            ("helper", "queue"),
            'the backend "cthelper" feeds one queue, this names several',
            mend=f'queue = "{helper.queue[0]}", or backend = "borrowed"',
        )
