"""Reading the policy file: TOML text to a ``Policy``.

Spec: TOML 1.0; the keys are those of the structures below. msgspec holds the file to its
shape (no unknown key, every type right), then each value is parsed to addresses,
networks and ranges and checked against the others.

Refused, always with file, line and the mend: what cannot be meant (a network with host
bits, a range written backwards, networks that overlap), what netfilter cannot do
(``cthelper`` with ``on_crash = "closed"``) and what would read differently to different
programs (interface names with a wildcard).
"""

from __future__ import annotations

import re
from bisect import bisect
from difflib import get_close_matches
from ipaddress import (
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
    ip_network,
)
from itertools import combinations
from typing import Any, Literal

import msgspec

from ftpfw.conntrack.model import parse_endpoint
from ftpfw.errors import PolicyError
from ftpfw.ftp.checks import COMPAT, STRICT, Action, Check, Checks
from ftpfw.ftp.session import MAX_PENDING
from ftpfw.ruleset.policy import (
    OPAQUE_MARK,
    Address,
    Backend,
    Clients,
    Gateway,
    Helper,
    Network,
    OnCrash,
    Policy,
    Server,
    require_cthelper_can,
)
from ftpfw.ruleset.toml_document import parse_place, plain_words, read_toml
from ftpfw.ruleset.toml_lines import KeyPath, Source

BASES = {"compat": COMPAT, "strict": STRICT}


class _RawGateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inside: tuple[str, ...]
    outside: str
    dmz: tuple[str, ...] = ()
    masquerade: bool = False
    snat_to: str | None = None
    zone: int = 0


class _RawHelper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    backend: Backend = Backend.AUTO
    ports: tuple[int, ...] = (21,)
    queue: str = "0"
    on_crash: OnCrash = OnCrash.OPEN
    checks: Literal["compat", "strict"] | dict[str, str] = "compat"
    denied_verbs: tuple[str, ...] = ()
    pending: int = 16
    expectations_per_client: int = 64
    mark: int = OPAQUE_MARK
    transfer_log: str | None = None
    xferlog: str | None = None
    metrics: str | None = None


class _RawClients(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow: tuple[str, ...] = ()
    this_host: bool = False


class _RawServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    public: str | None = None
    port: int = 21
    passive_ports: str | None = None


class _RawPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: _RawGateway
    helper: _RawHelper = _RawHelper()
    clients: _RawClients = _RawClients()
    server: tuple[_RawServer, ...] = ()


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "gateway": _RawGateway,
    "helper": _RawHelper,
    "clients": _RawClients,
    "server": _RawServer,
}

_EXAMPLES = {
    "gateway": "a [gateway] table",
    "helper": "a [helper] table",
    "clients": "a [clients] table",
    "server": "a [[server]] table for each server",
    "inside": 'inside = ["eth1"]',
    "outside": 'outside = "eth0"',
    "dmz": 'dmz = ["eth2"]',
    "masquerade": "masquerade = true",
    "snat_to": 'snat_to = "203.0.113.1"',
    "zone": "zone = 1",
    "backend": 'backend = "auto"',
    "ports": "ports = [21]",
    "queue": 'queue = "0"',
    "on_crash": 'on_crash = "open"',
    "checks": 'checks = "strict", or { foreign-address = "drop" }',
    "denied_verbs": 'denied_verbs = ["SITE"]',
    "pending": "pending = 16",
    "expectations_per_client": "expectations_per_client = 64",
    "mark": "mark = 0x40000000",
    "transfer_log": 'transfer_log = "/var/log/ftpfw/transfers.json"',
    "xferlog": 'xferlog = "/var/log/ftpfw/xferlog"',
    "metrics": 'metrics = "127.0.0.1:9921", or "/run/ftpfw/metrics.sock"',
    "this_host": "this_host = true",
    "allow": 'allow = ["10.0.1.0/24"]',
    "address": 'address = "10.0.2.10"',
    "public": 'public = "203.0.113.1"',
    "port": "port = 21",
    "passive_ports": 'passive_ports = "50000-50100"',
}
"""Of each key a right value, for errors."""


def read_policy(text: str, file: str) -> Policy:
    """The policy in ``text``; ``file`` is only its name, for errors.

    Raises PolicyError with the line of the first thing that is wrong.
    """
    document, source = read_toml(text, file)
    raw = _convert(document, source)
    return Policy(
        gateway=_gateway(raw.gateway, source),
        helper=_helper(raw.helper, source),
        clients=Clients(_networks(raw.clients.allow, source), raw.clients.this_host),
        servers=_servers(raw.server, source),
        source=source,
    )


def _convert(document: dict[str, Any], source: Source) -> _RawPolicy:
    try:
        return msgspec.convert(document, _RawPolicy)
    except msgspec.ValidationError as error:
        what, place = _split_shape_error(str(error))
        raise _shape_error(what, parse_place(place), source) from None


def _split_shape_error(message: str) -> tuple[str, str]:
    """What msgspec said and its place, which comes last: the user's keys may look like one."""
    place = re.search(rf" - at `(\$\.(?:{'|'.join(SECTIONS)})(?=[.[`])[^`]*)`\Z", message)
    return (message[: place.start()], place[1]) if place else (message, "")


def _shape_error(what: str, path: KeyPath, source: Source) -> PolicyError:
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        return _unknown_key(unknown[1], path, source)
    if missing := re.match(r"Object missing required field `(.+)`", what):
        return _missing_key(missing[1], path, source)
    if value := re.match(r"Invalid enum value (.+)", what):
        return source.error(path, f"no such value {value[1]}", mend=_enum_values(path))
    return source.error(path, plain_words(what), mend=_example(path))


def _unknown_key(key: str, path: KeyPath, source: Source) -> PolicyError:
    struct = SECTIONS[str(path[0])] if path else _RawPolicy
    known = [field.name for field in msgspec.structs.fields(struct)]
    near = get_close_matches(key, known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return source.error((*path, key), "unknown key", mend=mend)


def _missing_key(key: str, path: KeyPath, source: Source) -> PolicyError:
    if path:
        return source.error(path, f"{key} is missing", mend=f"add {key} = … to this table")
    mend = f"add a [{key}] table with inside and outside"
    return source.error((), f"the table [{key}] is missing", mend=mend)


def _enum_values(path: KeyPath) -> str:
    if path[-1] == "backend":
        return f"one of {', '.join(Backend)}"
    if path[-1] == "on_crash":
        return f"one of {', '.join(OnCrash)}"
    return "compat, strict, or a table of checks"


def _example(path: KeyPath) -> str:
    """A right value for what has the wrong type."""
    *_, key = (part for part in path if isinstance(part, str))
    return _EXAMPLES[key]


def _gateway(raw: _RawGateway, source: Source) -> Gateway:
    named: list[tuple[str, KeyPath]] = [
        *((name, ("gateway", "inside", index)) for index, name in enumerate(raw.inside)),
        *((name, ("gateway", "dmz", index)) for index, name in enumerate(raw.dmz)),
        (raw.outside, ("gateway", "outside")),
    ]
    for index, (name, path) in enumerate(named):
        _check_interface(name, path, source)
        if name in [other for other, _ in named[:index]]:
            mend = "each interface is inside, dmz or outside: name it once"
            raise source.error(path, f"{name} is named twice", mend=mend)
    if not 0 <= raw.zone <= 65535:
        what = f"{raw.zone} is no conntrack zone"
        raise source.error(("gateway", "zone"), what, mend="0 to 65535")
    to = _snat_to(raw, source)
    return Gateway(raw.inside, raw.outside, raw.dmz, raw.masquerade, to, raw.zone)


def _check_interface(name: str, path: KeyPath, source: Source) -> None:
    """Kernel's dev_valid_name(), less the characters that iptables reads as something else."""
    if not name:
        raise source.error(path, "an interface name is empty", mend="`ip link` shows the names")
    if len(name.encode()) > 15:
        raise source.error(
            path, f"{name!r} is longer than 15 bytes", mend="`ip link` shows the names"
        )
    if not re.fullmatch(r"[A-Za-z0-9_.@][A-Za-z0-9_.@-]*", name) or name in {".", ".."}:
        mend = "letters, digits and _ . @ -; no wildcard: name each interface"
        raise source.error(path, f"{name!r} is no interface name", mend=mend)


def _snat_to(raw: _RawGateway, source: Source) -> Address | None:
    if raw.snat_to is None:
        return None
    path = ("gateway", "snat_to")
    if raw.masquerade:
        mend = "keep masquerade for a changing address, snat_to for a fixed one"
        raise source.error(path, "excludes masquerade = true", mend=mend)
    return _address(raw.snat_to, path, source)


def _address(text: str, path: KeyPath, source: Source) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise source.error(
            path, f"{text!r} is no IP address", mend='as in "203.0.113.1" or "2001:db8::1"'
        ) from None
    if isinstance(address, IPv6Address) and address.scope_id:
        raise source.error(path, f"{text!r} has a scope", mend="write it without %")
    return address


def _networks(texts: tuple[str, ...], source: Source) -> tuple[Network, ...]:
    paths: list[KeyPath] = [("clients", "allow", index) for index in range(len(texts))]
    networks = [_network(text, path, source) for text, path in zip(texts, paths, strict=True)]
    for (one, other), (_, path) in zip(
        combinations(networks, 2), combinations(paths, 2), strict=True
    ):
        if one.version == other.version and one.overlaps(other):
            mend = "leave out the smaller of the two"
            raise source.error(path, f"{other} overlaps {one}", mend=mend)
    return tuple(networks)


def _network(text: str, path: KeyPath, source: Source) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        whole = _around(text)
    if whole is None:
        mend = 'as in "10.0.1.0/24" or "2001:db8:1::/64"'
        raise source.error(path, f"{text!r} is no network", mend=mend)
    mend = f'"{whole.network}" for the network, "{whole.ip}" for the one host'
    raise source.error(path, f"{text!r} has host bits set", mend=mend)


def _around(text: str) -> IPv4Interface | IPv6Interface | None:
    try:
        return ip_interface(text)
    except ValueError:
        return None


def _helper(raw: _RawHelper, source: Source) -> Helper:
    for index, port in enumerate(raw.ports):
        _check_port(port, ("helper", "ports", index), source)
        if port in raw.ports[:index]:
            what = f"port {port} is named twice"
            raise source.error(("helper", "ports", index), what, mend="name it once")
    if not raw.ports:
        raise source.error(("helper", "ports"), "names no port", mend="ports = [21]")
    queue = _range(raw.queue, ("helper", "queue"), source, lowest=0)
    helper = Helper(
        raw.backend,
        raw.ports,
        queue,
        raw.on_crash,
        _checks(raw.checks, source),
        _denied_verbs(raw.denied_verbs, source),
        _number(raw.pending, ("helper", "pending"), source, MAX_PENDING),
        _number(raw.expectations_per_client, ("helper", "expectations_per_client"), source, 65535),
        _mark(raw.mark, source),
        _log_path(raw.transfer_log, ("helper", "transfer_log"), source),
        _log_path(raw.xferlog, ("helper", "xferlog"), source),
        _metrics(raw.metrics, source),
    )
    if raw.backend is Backend.CTHELPER:
        require_cthelper_can(helper, source)
    return helper


def _checks(raw: str | dict[str, str], source: Source) -> Checks:
    """``compat``, ``strict``, or one of them (``base``, else compat) with changes."""
    path: KeyPath = ("helper", "checks")
    if isinstance(raw, str):
        return BASES[raw]
    changes = dict(raw)
    base = changes.pop("base", "compat")
    if base not in BASES:
        raise source.error((*path, "base"), f"no such value {base!r}", mend="compat or strict")
    checks = dict(BASES[base])
    for name, action in changes.items():
        if name not in set(Check):
            near = get_close_matches(name, list(Check), n=1)
            mend = f"did you mean {near[0]}?" if near else f"one of {', '.join(Check)}"
            raise source.error((*path, name), "no such check", mend=mend)
        if action not in set(Action):
            what = f"no such action {action!r}"
            raise source.error((*path, name), what, mend=f"one of {', '.join(Action)}")
        checks[Check(name)] = Action(action)
    return checks


def _denied_verbs(raw: tuple[str, ...], source: Source) -> tuple[str, ...]:
    for index, verb in enumerate(raw):
        if not re.fullmatch(r"[A-Za-z]{3,4}", verb):
            path: KeyPath = ("helper", "denied_verbs", index)
            raise source.error(path, f"{verb!r} is no verb", mend='as in "SITE" or "DELE"')
    return tuple(verb.upper() for verb in raw)


def _number(number: int, path: KeyPath, source: Source, highest: int) -> int:
    if not 1 <= number <= highest:
        raise source.error(path, f"{number} is out of range", mend=f"1 to {highest}")
    return number


def _mark(mark: int, source: Source) -> int:
    if not 0 < mark < 1 << 32 or mark.bit_count() != 1:
        what = f"{mark:#x} is not one bit of a connmark"
        raise source.error(("helper", "mark"), what, mend=f"mark = {OPAQUE_MARK:#x}")
    return mark


def _log_path(text: str | None, path: KeyPath, source: Source) -> str | None:
    if text is not None and not text.startswith("/"):
        what = f"{text!r} is no absolute path"
        raise source.error(path, what, mend=_EXAMPLES[str(path[-1])])
    return text


def _metrics(text: str | None, source: Source) -> str | None:
    """A socket file's path, or an address and port of this host: metrics are not for others."""
    if text is None or text.startswith("/"):
        return text
    try:
        address, port = parse_endpoint(text)
        local = ip_address(address).is_loopback and 1 <= port <= 65535
    except ValueError:
        local = False
    if not local:
        what = f"{text!r} is neither a loopback address and port nor an absolute path"
        raise source.error(("helper", "metrics"), what, mend=_EXAMPLES["metrics"])
    return text


def _check_port(port: int, path: KeyPath, source: Source) -> None:
    if not 1 <= port <= 65535:
        raise source.error(path, f"{port} is no TCP port", mend="1 to 65535")


def _range(text: str, path: KeyPath, source: Source, *, lowest: int) -> range:
    """``"5"`` or ``"5-9"``, both ends included, as a range; at most 65535."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text, re.ASCII)
    if not match:
        raise source.error(path, f"{text!r} is no range", mend='as in "5" or "5-9"')
    first = int(match[1])
    last = int(match[2] or first)
    if first > last:
        raise source.error(path, f"{text!r} runs backwards", mend=f'"{last}-{first}"')
    if not lowest <= first <= last <= 65535:
        raise source.error(path, f"{text!r} is out of range", mend=f"{lowest} to 65535")
    return range(first, last + 1)


def _servers(raw: tuple[_RawServer, ...], source: Source) -> tuple[Server, ...]:
    servers = tuple(_server(one, index, source) for index, one in enumerate(raw))
    taken: dict[Address, _Taken] = {}
    for index, server in enumerate(servers):
        taken.setdefault(server.public, _Taken()).take(server, index, source)
    return servers


def _server(raw: _RawServer, index: int, source: Source) -> Server:
    path: KeyPath = ("server", index)
    address = _address(raw.address, (*path, "address"), source)
    public = address
    if raw.public is not None:
        public = _address(raw.public, (*path, "public"), source)
    if address.version != public.version:
        what = f"{public} and {address} are of different IP versions"
        mend = f"an IPv{address.version} address, as the server's own is"
        raise source.error((*path, "public"), what, mend=mend)
    _check_port(raw.port, (*path, "port"), source)
    if raw.passive_ports is None:
        return Server(address, public, raw.port)
    # Data connections to privileged ports are never accepted, whoever expects them.
    passive = _range(raw.passive_ports, (*path, "passive_ports"), source, lowest=1024)
    if raw.port in passive:
        what = f"holds the control port {raw.port}"
        mend = 'a range without it, such as "50000-50100"'
        raise source.error((*path, "passive_ports"), what, mend=mend)
    return Server(address, public, raw.port, passive)


class _Taken:
    """The ports of one public address that servers before have claimed."""

    def __init__(self) -> None:
        self._ports: set[int] = set()
        self._passive: list[tuple[int, int]] = []  # first and last, sorted; none overlap

    def take(self, server: Server, index: int, source: Source) -> None:
        """Raise PolicyError where two servers behind one address claim the same port."""
        if server.port in self._ports:
            what = f"{server.public} port {server.port} is published twice"
            mend = "another port for one of the two, or another public address"
            raise source.error(("server", index, "port"), what, mend=mend)
        self._ports.add(server.port)
        if server.passive_ports is None:
            return
        first, last = server.passive_ports[0], server.passive_ports[-1]
        at = bisect(self._passive, (first, last))
        if any(
            one[0] <= last and first <= one[1] for one in self._passive[max(0, at - 1) : at + 1]
        ):
            what = f"overlaps another server's range on {server.public}"
            mend = "ranges that have no port in common"
            raise source.error(("server", index, "passive_ports"), what, mend=mend)
        self._passive.insert(at, (first, last))
