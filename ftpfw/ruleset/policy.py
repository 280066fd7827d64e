"""The policy file: what an administrator asks of the gateway, as typed values.

Spec: ``[gateway]``, ``[helper]``, ``[clients]`` and ``[[server]]`` of the TOML policy;
keys and defaults are those of the classes below. Reading has two steps: msgspec holds
the file to its shape (no unknown key, every type right), then each value is parsed to
addresses, networks and ranges and held against the others.

Refused, always with file, line and the mend: what cannot be meant (a network with host
bits, a range written backwards, networks that overlap), what netfilter cannot do
(``cthelper`` with ``on_crash = "closed"``) and what would read differently to different
programs (interface names with a wildcard). Whether an interface exists is not asked
here: see ``interfaces``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from itertools import combinations
from typing import Any, Literal

import msgspec

from ftpfw.errors import PolicyError
from ftpfw.ruleset.toml_lines import Path, Source, locate_keys

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
CheckAction = Literal["drop", "log", "pass"]
CheckSet = Literal["compat", "strict"]


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
    """The interfaces, and how clients' addresses are translated on the way out."""

    inside: tuple[str, ...]
    outside: str
    masquerade: bool = False
    snat_to: Address | None = None


@dataclass(frozen=True, slots=True)
class Helper:
    """How control connections are inspected. ``queue`` is the range of queue numbers."""

    backend: Backend = Backend.AUTO
    ports: tuple[int, ...] = (21,)
    queue: range = range(1)
    on_crash: OnCrash = OnCrash.OPEN
    checks: CheckSet | Mapping[str, CheckAction] = "compat"


@dataclass(frozen=True, slots=True)
class Clients:
    """Inside networks whose hosts may reach FTP servers outside."""

    allow: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """An inside server that is reachable from outside as ``public``."""

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


class _RawGateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inside: tuple[str, ...]
    outside: str
    masquerade: bool = False
    snat_to: str | None = None


class _RawHelper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    backend: Backend = Backend.AUTO
    ports: tuple[int, ...] = (21,)
    queue: str = "0"
    on_crash: OnCrash = OnCrash.OPEN
    checks: CheckSet | dict[str, CheckAction] = "compat"


class _RawClients(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow: tuple[str, ...] = ()


class _RawServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str
    public: str
    port: int = 21
    passive_ports: str | None = None


class _RawPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    gateway: _RawGateway
    helper: _RawHelper = _RawHelper()
    clients: _RawClients = _RawClients()
    server: tuple[_RawServer, ...] = ()


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "gateway": _RawGateway,
    "helper": _RawHelper,
    "clients": _RawClients,
    "server": _RawServer,
}


def read_policy(text: str, file: str) -> Policy:
    """The policy in ``text``; ``file`` is only its name, for errors.

    Raises PolicyError with the line of the first thing that is wrong.
    """
    document = _parse_toml(text, file)
    source = Source(file, locate_keys(text))
    raw = _hold_to_shape(document, source)
    return Policy(
        gateway=_gateway(raw.gateway, source),
        helper=_helper(raw.helper, source),
        clients=Clients(_networks(raw.clients.allow, source)),
        servers=_servers(raw.server, source),
        source=source,
    )


def interfaces(policy: Policy) -> tuple[tuple[str, Path], ...]:
    """Every interface the policy names, with the path that ``policy.source`` finds."""
    inside = ((name, ("gateway", "inside", i)) for i, name in enumerate(policy.gateway.inside))
    return (*inside, (policy.gateway.outside, ("gateway", "outside")))


# The shape: TOML syntax, keys and types.


def _parse_toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _split_toml_error(str(error), text)
        raise PolicyError(
            f"not valid TOML: {what}", file=file, line=line, mend="see https://toml.io/en/v1.0.0"
        ) from None


def _split_toml_error(message: str, text: str) -> tuple[str, int]:
    """What tomllib said without its place, and the line (3.14 has it as an attribute too)."""
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    last = text.rstrip("\n").count("\n") + 1
    if not place:
        return message, last
    return message[: place.start()], int(place[1]) if place[1] else last


def _hold_to_shape(document: dict[str, Any], source: Source) -> _RawPolicy:
    try:
        return msgspec.convert(document, _RawPolicy)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at ")
        raise _shape_error(what, _parse_place(place), source) from None


def _parse_place(place: str) -> Path:
    """The path msgspec writes as ```$.clients.allow[1]```; an unnamed key ``[...]`` is left out."""
    parts = re.findall(r"\.([^.\[`]+)|\[(\d+)\]", place)
    return tuple(name or int(index) for name, index in parts)


def _shape_error(what: str, path: Path, source: Source) -> PolicyError:
    if unknown := re.match(r"Object contains unknown field `(.+)`", what):
        return _unknown_key(unknown[1], path, source)
    if missing := re.match(r"Object missing required field `(.+)`", what):
        return _missing_key(missing[1], path, source)
    if value := re.match(r"Invalid enum value (.+)", what):
        return source.error(path, f"no such value {value[1]}", mend=_enum_values(path))
    return source.error(path, _plain_words(what))


def _unknown_key(key: str, path: Path, source: Source) -> PolicyError:
    struct = _SECTIONS[str(path[0])] if path else _RawPolicy
    known = [field.name for field in msgspec.structs.fields(struct)]
    near = get_close_matches(key, known, n=1)
    mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return source.error((*path, key), "unknown key", mend=mend)


def _missing_key(key: str, path: Path, source: Source) -> PolicyError:
    if path:
        return source.error(path, f"{key} is missing", mend=f"add {key} = … to this table")
    mend = f"add a [{key}] table with inside and outside"
    return source.error((), f"the table [{key}] is missing", mend=mend)


def _enum_values(path: Path) -> str:
    if path[-1] == "backend":
        return f"one of {', '.join(Backend)}"
    if path[-1] == "on_crash":
        return f"one of {', '.join(OnCrash)}"
    return '"compat", "strict", or a table such as { foreign-address = "drop" }'


def _plain_words(what: str) -> str:
    """Type names of msgspec in TOML's terms."""
    words = {"str": "string", "int": "integer", "bool": "true or false"}
    words |= {"array": "list", "object": "table", "float": "float", "null": "nothing"}
    named = re.sub(r"`(\w+)`", lambda match: words.get(match[1], match[1]), what)
    named = re.sub(r"`([^`]+)`", lambda match: match[1].replace(" | null", ""), named)
    return named.replace("Expected ", "expected ")


# The values, each parsed and held against the others.


def _gateway(raw: _RawGateway, source: Source) -> Gateway:
    if not raw.inside:
        raise source.error(("gateway", "inside"), "names no interface", mend='inside = ["eth1"]')
    for index, name in enumerate(raw.inside):
        _hold_interface(name, ("gateway", "inside", index), source)
        if name in raw.inside[:index]:
            raise source.error(("gateway", "inside", index), f"{name} is named twice")
    _hold_interface(raw.outside, ("gateway", "outside"), source)
    if raw.outside in raw.inside:
        raise source.error(("gateway", "outside"), f"{raw.outside} is an inside interface too")
    return Gateway(raw.inside, raw.outside, raw.masquerade, _snat_to(raw, source))


def _hold_interface(name: str, path: Path, source: Source) -> None:
    """Kernel's dev_valid_name(), less the characters that iptables reads as something else."""
    if not name:
        raise source.error(path, "an interface name is empty")
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


def _address(text: str, path: Path, source: Source) -> Address:
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
    paths: list[Path] = [("clients", "allow", index) for index in range(len(texts))]
    networks = [_network(text, path, source) for text, path in zip(texts, paths, strict=True)]
    for (one, other), (_, path) in zip(
        combinations(networks, 2), combinations(paths, 2), strict=True
    ):
        if one.version == other.version and one.overlaps(other):
            mend = "leave out the smaller of the two"
            raise source.error(path, f"{other} overlaps {one}", mend=mend)
    return tuple(networks)


def _network(text: str, path: Path, source: Source) -> Network:
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
        _hold_port(port, ("helper", "ports", index), source)
        if port in raw.ports[:index]:
            raise source.error(("helper", "ports", index), f"port {port} is named twice")
    if not raw.ports:
        raise source.error(("helper", "ports"), "names no port", mend="ports = [21]")
    queue = _range(raw.queue, ("helper", "queue"), source, lowest=0)
    if raw.backend is Backend.CTHELPER:
        _hold_cthelper(raw.on_crash, queue, source)
    return Helper(raw.backend, raw.ports, queue, raw.on_crash, raw.checks)


def _hold_cthelper(on_crash: OnCrash, queue: range, source: Source) -> None:
    """What nfnetlink_cthelper cannot do: it queues with bypass, to one queue a helper."""
    if on_crash is OnCrash.CLOSED:
        raise source.error(
            ("helper", "on_crash"),
            '"closed" is impossible with backend = "cthelper": the kernel\'s helper hook'
            " lets packets pass when nobody listens",
            mend='backend = "borrowed", or on_crash = "open"',
        )
    if len(queue) > 1:
        raise source.error(
            ("helper", "queue"),
            'backend = "cthelper" feeds one queue, this names several',
            mend=f'queue = "{queue[0]}", or backend = "borrowed"',
        )


def _hold_port(port: int, path: Path, source: Source) -> None:
    if not 1 <= port <= 65535:
        raise source.error(path, f"{port} is no TCP port", mend="1 to 65535")


def _range(text: str, path: Path, source: Source, *, lowest: int) -> range:
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
    for (_, one), (index, other) in combinations(enumerate(servers), 2):
        if one.public == other.public:
            _hold_apart(one, other, index, source)
    return servers


def _server(raw: _RawServer, index: int, source: Source) -> Server:
    path: Path = ("server", index)
    address = _address(raw.address, (*path, "address"), source)
    public = _address(raw.public, (*path, "public"), source)
    if address.version != public.version:
        what = f"{public} and {address} are of different IP versions"
        raise source.error((*path, "public"), what)
    _hold_port(raw.port, (*path, "port"), source)
    if raw.passive_ports is None:
        return Server(address, public, raw.port)
    passive = _range(raw.passive_ports, (*path, "passive_ports"), source, lowest=1)
    if raw.port in passive:
        what = f"holds the control port {raw.port}"
        raise source.error((*path, "passive_ports"), what)
    return Server(address, public, raw.port, passive)


def _hold_apart(one: Server, other: Server, index: int, source: Source) -> None:
    """Two servers behind one public address must not claim the same port."""
    if one.port == other.port:
        what = f"{other.public} port {other.port} is published twice"
        raise source.error(("server", index, "port"), what)
    if (
        one.passive_ports
        and other.passive_ports
        and _overlap(one.passive_ports, other.passive_ports)
    ):
        what = f"overlaps another server's range on {other.public}"
        raise source.error(("server", index, "passive_ports"), what)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
