from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP

from ftpfw.capture.linklayer import LINK_TYPES, CaptureError, strip_for
from tests.unit.table import table

from . import traffic
from .traffic import CLIENT, CLIENT6, SERVER, SERVER6, Traffic, framed


def packet(family: int) -> bytes:
    ends = (CLIENT, SERVER) if family == 4 else (CLIENT6, SERVER6)
    made = Traffic()
    made.wire(ends[0], 1, ends[1], 2).open()
    return made.packets[0][1]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", traffic.LINK_TYPES)
def test_scapys_frames_give_their_packet(kind: str, family: int) -> None:
    link_type, layers = traffic.LINK_TYPES[kind]
    raw = packet(family)
    assert strip_for(link_type)(framed(raw, layers)) == raw


@pytest.mark.parametrize(("link_type", "family"), [(228, 4), (229, 6)])
def test_raw_ip_of_one_family(link_type: int, family: int) -> None:
    assert strip_for(link_type)(packet(family)) == packet(family)


FAMILIES = [
    # id                head
    ("IPv4, little", b"\2\0\0\0"),
    ("IPv4, big", b"\0\0\0\2"),
    ("IPv6 of macOS, little", b"\x1e\0\0\0"),
    ("IPv6 of FreeBSD, big", b"\0\0\0\x1c"),
    ("IPv6 of OpenBSD, big", b"\0\0\0\x18"),
]


@pytest.mark.parametrize("head", **table(FAMILIES))
@pytest.mark.parametrize("link_type", [0, 108])
def test_loopback_of_any_system(link_type: int, head: bytes) -> None:
    assert strip_for(link_type)(head + b"packet") == b"packet"


def test_what_is_not_ip() -> None:
    frame = bytes(traffic.ETHER / ARP(psrc=CLIENT, pdst=SERVER))
    assert strip_for(1)(frame) is None
    assert strip_for(0)(b"\7\0\0\0packet") is None
    assert strip_for(101)(b"\xffpacket") is None


def test_padding_stays_for_the_parser_to_cut() -> None:
    frame = bytes(traffic.ETHER / IP(src=CLIENT, dst=SERVER) / UDP()).ljust(60, b"\0")
    assert strip_for(1)(frame) == frame[14:]


@given(st.sampled_from(sorted(LINK_TYPES)), st.binary(max_size=40))
def test_no_frame_is_too_short_or_too_strange(link_type: int, frame: bytes) -> None:
    found = strip_for(link_type)(frame)
    assert found is None or frame.endswith(found)


def test_an_unknown_link_type_is_named() -> None:
    with pytest.raises(CaptureError, match="link type 147") as error:
        strip_for(147)
    assert "Ethernet (1)" in (error.value.mend or "")
