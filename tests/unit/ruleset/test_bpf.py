from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, IPOption_NOP, IPOption_Router_Alert, IPOption_Timestamp
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.packet import Packet

from ftpfw.ftp.cleartext import looks_clear
from ftpfw.ruleset.bpf import PROGRAM
from ftpfw.ruleset.model import Family, Text
from tests.unit.ruleset.cbpf import run_program

TCP_OPTIONS: list[Any] = [
    ("MSS", 1460),
    ("NOP", None),
    ("WScale", 7),
    ("SAckOK", b""),
    ("Timestamp", (1, 2)),
    ("SAck", (1, 2)),
]

payloads = st.one_of(st.just(b""), st.binary(max_size=3), st.binary(max_size=1400))
segments = st.builds(
    lambda flags, options: TCP(sport=40000, dport=21, flags=flags, options=options),
    flags=st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "FPA"]),
    options=st.lists(st.sampled_from(TCP_OPTIONS), max_size=3),
)
ipv4 = st.builds(
    lambda options: IP(src="10.0.1.2", dst="192.0.2.1", options=options),
    st.lists(
        st.sampled_from([IPOption_NOP(), IPOption_Router_Alert(), IPOption_Timestamp()]),
        max_size=3,
    ),
)
extensions = st.lists(
    st.sampled_from(
        [
            IPv6ExtHdrHopByHop(),
            IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(12))),
            IPv6ExtHdrRouting(segleft=0),
        ]
    ),
    min_size=1,
    max_size=3,
)


@given(ipv4, segments, payloads)
def test_ipv4_matches_exactly_what_has_payload(ip: Packet, tcp: Packet, payload: bytes) -> None:
    assert matches(Family.IPV4, ip / tcp / payload) == bool(payload)


@given(segments, payloads)
def test_ipv6_matches_exactly_what_has_payload(tcp: Packet, payload: bytes) -> None:
    assert matches(Family.IPV6, IPv6() / tcp / payload) == bool(payload)


@given(extensions, segments, payloads)
def test_ipv6_with_extension_headers_always_matches(
    headers: list[Packet], tcp: Packet, payload: bytes
) -> None:
    packet = IPv6()
    for header in headers:
        packet = packet / header.copy()
    assert matches(Family.IPV6, packet / tcp / payload)


@given(ipv4, segments, payloads, st.binary(max_size=20))
def test_bytes_behind_the_packet_do_not_count(
    ip: Packet, tcp: Packet, payload: bytes, padding: bytes
) -> None:
    packet = bytes(ip / tcp / payload) + padding
    assert bool(run_program(PROGRAM[Text.SOME, Family.IPV4], packet)) == bool(payload)


@pytest.mark.parametrize("program", PROGRAM.values(), ids=str)
@given(packet=st.binary(max_size=80))
def test_any_bytes_end_in_a_verdict(program: str, packet: bytes) -> None:
    assert run_program(program, packet) in (0, 65535)


@pytest.mark.parametrize("program", PROGRAM.values(), ids=str)
def test_the_kernel_takes_64_instructions(program: str) -> None:
    assert int(program.partition(",")[0]) <= 64


# What is nearly text: each byte that decides is at an edge of its range, or one beyond.
nearly_text = st.builds(
    lambda head, body, end: head + body + end,
    st.lists(st.sampled_from(b"/09:@AZ[`az{\0\xff"), min_size=3, max_size=3).map(bytes),
    st.binary(max_size=4),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\n\r", b""]),
)


@given(ipv4, segments, st.one_of(nearly_text, payloads))
def test_unclear_is_what_does_not_look_clear(ip: Packet, tcp: Packet, payload: bytes) -> None:
    for family, header in ((Family.IPV4, ip), (Family.IPV6, IPv6())):
        unclear = matches(family, header / tcp / payload, Text.UNCLEAR)
        assert unclear is not looks_clear(payload)


@given(extensions, segments, payloads)
def test_behind_extension_headers_nothing_is_unclear(
    headers: list[Packet], tcp: Packet, payload: bytes
) -> None:
    packet = IPv6()
    for header in headers:
        packet = packet / header.copy()
    assert not matches(Family.IPV6, packet / tcp / payload, Text.UNCLEAR)


@given(ipv4, segments, nearly_text, st.binary(max_size=20))
def test_bytes_behind_the_packet_make_no_line(
    ip: Packet, tcp: Packet, payload: bytes, padding: bytes
) -> None:
    packet = bytes(ip / tcp / payload) + padding
    unclear = run_program(PROGRAM[Text.UNCLEAR, Family.IPV4], packet)
    assert bool(unclear) is not looks_clear(payload)


def matches(family: Family, packet: Packet, text: Text = Text.SOME) -> bool:
    return run_program(PROGRAM[text, family], bytes(packet)) != 0
