"""Verdict tables: ``verdicts/NAME.t`` says what the rules of ``rules/NAME.toml`` do to packets.

    :eth1 10.0.1.1/24 fd00::1/64                        an interface and its addresses
    PACKET ; VERDICT [; BACKEND: VERDICT]…              a packet, and what becomes of it
    expect PORT 50000 of 10.0.1.5:40000 > 198.51.100.9:21     a data connection is negotiated

PACKET is what `probes.parse_probe` reads, VERDICT what `probes.outcome` says. A blank line ends
a scene: conntrack forgets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.policy import Backend

from .probes import Endpoints, Probe, parse_ends, parse_probe

VERDICTS = Path(__file__).parent / "verdicts"

_EXPECT = re.compile(r"expect (PORT|227) (\d+) of (.+)")


@dataclass(frozen=True, slots=True)
class Row:
    """A packet and its verdict, from a line of the file."""

    line: int
    probe: Probe
    verdict: str
    otherwise: dict[Backend, str]

    def wanted(self, backend: Backend) -> str:
        return self.otherwise.get(backend, self.verdict)


@dataclass(frozen=True, slots=True)
class Expect:
    """The ends of ``control`` have agreed on a data connection to ``port`` of the announcer."""

    line: int
    announcer: Direction
    port: int
    control: Endpoints


Scene = list[Row | Expect]


@dataclass(slots=True)
class Verdicts:
    """A file: the gateway's addresses by interface, and the scenes."""

    name: str
    addresses: dict[str, list[str]] = field(default_factory=dict)
    scenes: list[Scene] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        return (row for scene in self.scenes for row in scene if isinstance(row, Row))


def read_verdicts(name: str) -> Verdicts:
    return parse_verdicts(name, (VERDICTS / f"{name}.t").read_text())


def parse_verdicts(name: str, text: str) -> Verdicts:
    """Raises ValueError, with file and line, for what is no row."""
    verdicts = Verdicts(name)
    scene: Scene = []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        try:
            match line.strip():
                case "":
                    verdicts.scenes += [scene] if scene else []
                    scene = []
                case comment if comment.startswith("#"):
                    pass
                case header if header.startswith(":"):
                    interface, *own = header[1:].split()
                    verdicts.addresses[interface] = own
                case said if said.startswith("expect"):
                    scene.append(_expect(number, said))
                case row:
                    scene.append(_row(number, row))
        except ValueError as error:
            raise ValueError(f"{name}.t:{number}: {error}") from error
    return verdicts


def _row(number: int, text: str) -> Row:
    packet, verdict, *rest = (part.strip() for part in text.split(";"))
    otherwise = {}
    for part in rest:
        backend, _, other = part.partition(":")
        otherwise[Backend(backend)] = other.strip()
    return Row(number, parse_probe(packet), verdict, otherwise)


def _expect(number: int, text: str) -> Expect:
    found = _EXPECT.fullmatch(text)
    if not found:
        raise ValueError(f"not an expectation: {text!r}")
    announcer = Direction.ORIGINAL if found[1] == "PORT" else Direction.REPLY
    return Expect(number, announcer, int(found[2]), parse_ends(found[3]))
