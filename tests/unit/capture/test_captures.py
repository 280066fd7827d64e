"""The captures in ../shared/pcaps: what was negotiated in clear text was expected, nothing else.

The truth is worked out here by other means: scapy's own dissection, the payloads joined in
the capture's order without what is repeated, and patterns over the result.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapReader

from ftpfw.capture.reader import CaptureReader
from ftpfw.capture.report import Report
from ftpfw.capture.story import Story
from ftpfw.conntrack.model import format_endpoint

CAPTURES = Path(__file__).parents[4] / "shared" / "pcaps"
if not CAPTURES.is_dir():
    pytest.skip("needs the captures in ../shared/pcaps", allow_module_level=True)

FILES = sorted(path.relative_to(CAPTURES).as_posix() for path in CAPTURES.glob("*/*.pcap"))

SIX = re.compile(rb"(?im)^(?:PORT |227 [^\r\n]*?\()([\d,]+)")
EXTENDED = re.compile(rb"(?im)^(?:EPRT \|\d\|[0-9a-f.:]+\||229 [^\r\n]*\(\|\|\|)(\d+)\|")


@dataclass
class Truth:
    """Ports announced on control connections, and the other connections, in order."""

    announced: list[int] = field(default_factory=list)
    dialled: list[tuple[str, int, str, int]] = field(default_factory=list)


def truth(path: Path) -> Truth:
    """What a capture holds, as far as a simple reader can tell."""
    found = Truth()
    seen = set()
    streams: dict[tuple[str, int, str, int], bytes] = defaultdict(bytes)
    with PcapReader(str(path)) as packets:
        for packet in packets:
            ip = packet[IP] if IP in packet else packet[IPv6]
            tcp = packet[TCP]
            key = (ip.src, tcp.sport, ip.dst, tcp.dport)
            if (key, tcp.seq, bytes(tcp.payload)) in seen:
                continue  # a retransmission
            seen.add((key, tcp.seq, bytes(tcp.payload)))
            if 21 in (tcp.sport, tcp.dport):
                streams[key] += bytes(tcp.payload)
            elif tcp.flags & 0x12 == 0x02:
                found.dialled.append(key)
    for stream in streams.values():
        for numbers in SIX.findall(stream):
            high, low = numbers.split(b",")[-2:]
            found.announced.append(int(high) * 256 + int(low))
        found.announced += [int(port) for port in EXTENDED.findall(stream)]
    return found


def told(path: Path) -> Report:
    story = Story(frozenset({21}))
    with CaptureReader(path) as reader:
        for frame in reader:
            story.feed(*frame)
        assert reader.damage is None
    return story.report()


@pytest.mark.parametrize("name", FILES)
def test_what_was_negotiated_was_expected_and_nothing_else(name: str) -> None:
    known, report = truth(CAPTURES / name), told(CAPTURES / name)
    accepted = [one for control in report.controls for one in control.negotiations]
    assert all(one.accepted for one in accepted)
    assert sorted(one.port or 0 for one in accepted) == sorted(known.announced)
    assert [(one.source, one.destination) for one in report.data] == [
        (format_text(src, sport), format_text(dst, dport))
        for src, sport, dst, dport in known.dialled
    ]
    negotiated = [dport in known.announced for _, _, _, dport in known.dialled]
    assert [one.expected for one in report.data] == negotiated


def format_text(host: str, port: int) -> str:
    return format_endpoint(ip_address(host).packed, port)


def test_there_are_data_connections_to_expect() -> None:
    assert sum(len(truth(CAPTURES / name).dialled) for name in FILES) >= 30
