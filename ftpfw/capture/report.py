"""What a capture tells: control connections with their negotiations, and data connections.

``as_json`` is what ``ftpfw inspect --json`` prints. Times are seconds since the epoch, as
the capture has them. Addresses stay raw bytes until they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from ftpfw.capture.dialogue import Dialogue
from ftpfw.conntrack.model import Tuple, format_endpoint


class Mode(StrEnum):
    """Who opens the data connection: active the server, passive the client."""

    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class Negotiated:
    """A line that announces a data connection, and what the inspector decided.

    ``source`` opens the connection, to ``destination`` and ``port``; both are None where the
    line cannot be understood. ``reason`` is None where the line was accepted. ``number`` is
    that of the packet that completed the line.
    """

    number: int
    time: float
    line: str
    mode: Mode
    source: bytes
    destination: bytes | None
    port: int | None
    reason: str | None

    @property
    def accepted(self) -> bool:
        """Whether a firewall would have let the connection in."""
        return self.reason is None

    def as_json(self) -> dict[str, Any]:
        """One of ``negotiations``."""
        return {
            "time": self.time,
            "line": self.line,
            "mode": self.mode.value,
            "source": str(ip_address(self.source)),
            "destination": str(ip_address(self.destination)) if self.destination else None,
            "port": self.port,
            "accepted": self.accepted,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Control:
    """A control connection; ``number`` is that of its first packet.

    ``tls_since`` is when it turned to TLS, None if it never did. ``dialogue`` is None unless
    lines were asked for.
    """

    number: int
    original: Tuple
    began: float
    negotiations: tuple[Negotiated, ...]
    tls_since: float | None
    dialogue: Dialogue | None

    @property
    def hosts(self) -> frozenset[bytes]:
        """The client and the server; one, where a host talks to itself."""
        return frozenset((self.original.src, self.original.dst))

    @property
    def client(self) -> str:
        """``ip:port`` of the client."""
        return format_endpoint(self.original.src, self.original.sport)

    @property
    def server(self) -> str:
        """``ip:port`` of the server."""
        return format_endpoint(self.original.dst, self.original.dport)

    def as_json(self) -> dict[str, Any]:
        """One of ``control_connections``."""
        return {
            "client": self.client,
            "server": self.server,
            "negotiations": [one.as_json() for one in self.negotiations],
            "tls_since": self.tls_since,
        }


@dataclass(frozen=True, slots=True)
class Data:
    """Another connection between the hosts of a control connection.

    ``number`` is that of its first packet. ``line`` is the one that had it expected and
    ``control`` the number of the control connection that said it; None if none did.
    ``carried`` are the bytes from source to destination, and back.
    """

    number: int
    original: Tuple
    began: float
    ended: float
    carried: tuple[int, int]
    line: str | None
    control: int | None

    @property
    def hosts(self) -> frozenset[bytes]:
        """Who is connected."""
        return frozenset((self.original.src, self.original.dst))

    @property
    def source(self) -> str:
        """``ip:port`` of who opened it."""
        return format_endpoint(self.original.src, self.original.sport)

    @property
    def destination(self) -> str:
        """``ip:port`` of who was dialled."""
        return format_endpoint(self.original.dst, self.original.dport)

    @property
    def expected(self) -> bool:
        """Whether an expectation was there before its first packet."""
        return self.line is not None

    def as_json(self) -> dict[str, Any]:
        """One of ``data_connections``."""
        return {
            "source": self.source,
            "destination": self.destination,
            "expected": self.expected,
            "line": self.line,
            "time": self.began,
            "seconds": round(self.ended - self.began, 6),
            "bytes": list(self.carried),
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """What was read, and what of it could not be used.

    ``skipped`` counts frames by the reason, ``cut_short`` segments that the capture's snap length
    cut. ``lost`` are bytes of control connections that the capture has not.
    """

    packets: int
    skipped: Mapping[str, int]
    cut_short: int
    lost: int

    def as_json(self) -> dict[str, Any]:
        """The value of ``counts``."""
        return {
            "packets": self.packets,
            "skipped": dict(self.skipped),
            "cut_short": self.cut_short,
            "bytes_lost": self.lost,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All that a capture tells; connections stand in the order in which they began."""

    controls: tuple[Control, ...]
    data: tuple[Data, ...]
    counts: Counts

    @property
    def began(self) -> float:
        """When the first control connection began."""
        return self.controls[0].began if self.controls else 0.0

    @property
    def summary(self) -> str:
        """All of it in a sentence."""
        negotiations = [one for control in self.controls for one in control.negotiations]
        accepted = sum(one.accepted for one in negotiations)
        expected = sum(one.expected for one in self.data)
        return (
            f"{count(len(self.controls), 'control connection')}, "
            f"{count(len(negotiations), 'negotiation')} ({accepted} accepted), "
            f"{count(len(self.data), 'data connection')} ({expected} expected) "
            f"in {count(self.counts.packets, 'packet')}"
        )

    def as_json(self) -> dict[str, Any]:
        """The object that ``ftpfw inspect --json`` prints."""
        return {
            "control_connections": [control.as_json() for control in self.controls],
            "data_connections": [data.as_json() for data in self.data],
            "counts": self.counts.as_json(),
        }


def count(number: int, what: str) -> str:
    """``1 packet``, ``2 packets``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
