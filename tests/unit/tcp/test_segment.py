import contextlib
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.packet import Packet

from ftpfw.errors import PeerError
from ftpfw.tcp.segment import ACK, FIN, PSH, RST, SYN, URG, SegmentError, parse_segment, rebuild
from tests.unit.table import table

LINE = b"PORT 10,0,1,2,200,10\r\n"
TIMESTAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]

V4 = IP(src="10.0.1.2", dst="203.0.113.1", id=7, ttl=61)
V4_OPTIONS = IP(src="10.0.1.2", dst="203.0.113.1", options=[IPOption_Router_Alert()])
V4_WHOLE = IP(src="10.0.1.2", dst="203.0.113.1", flags="DF")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=61)


def tcp() -> Packet:
    return TCP(sport=40000, dport=21, seq=0xFFFFFFF0, ack=9, flags="PA", options=TIMESTAMPS)


PACKETS = [
    # id                   packet                               where TCP and payload start
    ("IPv4", V4 / tcp() / LINE, 20, 52),
    ("IPv4 options", V4_OPTIONS / tcp() / LINE, 24, 56),
    ("IPv4, don't fragment", V4_WHOLE / tcp() / LINE, 20, 52),
    ("IPv6", V6 / tcp() / LINE, 40, 72),
    ("hop-by-hop", V6 / IPv6ExtHdrHopByHop() / tcp() / LINE, 48, 80),
    (
        "long options",
        V6 / IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(16))) / tcp() / LINE,
        64,
        96,
    ),
    (
        "three extension headers",
        V6
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrRouting(segleft=0)
        / IPv6ExtHdrDestOpt()
        / tcp()
        / LINE,
        64,
        96,
    ),
]


@pytest.mark.parametrize(("packet", "tcp_offset", "payload_offset"), **table(PACKETS))
def test_parsed(packet: Packet, tcp_offset: int, payload_offset: int) -> None:
    raw = bytes(packet)
    segment = parse_segment(raw)
    assert segment.src == ip_address(packet.src).packed
    assert segment.dst == ip_address(packet.dst).packed
    assert (segment.sport, segment.dport) == (40000, 21)
    assert (segment.seq, segment.ack, segment.flags) == (0xFFFFFFF0, 9, PSH | ACK)
    assert (segment.tcp_offset, segment.payload_offset) == (tcp_offset, payload_offset)
    assert (segment.end, segment.payload) == (len(raw), LINE)


@pytest.mark.parametrize(
    ("letter", "flag"), [("F", FIN), ("S", SYN), ("R", RST), ("P", PSH), ("A", ACK), ("U", URG)]
)
def test_flags(letter: str, flag: int) -> None:
    assert parse_segment(bytes(V4 / TCP(flags=letter))).flags == flag


def test_a_segment_without_payload() -> None:
    segment = parse_segment(bytes(V4 / TCP()))
    assert (segment.payload_offset, segment.end, segment.payload) == (40, 40, b"")


@pytest.mark.parametrize("ip", [V4, V6], ids=["IPv4", "IPv6"])
def test_bytes_past_the_ip_length_are_cut(ip: Packet) -> None:
    raw = bytes(ip / tcp() / LINE)
    segment = parse_segment(raw + b"\0 Ethernet padding")
    assert segment == parse_segment(raw)
    assert rebuild(raw + b"\0 Ethernet padding", segment, LINE) == raw


def ext(count: int) -> Packet:
    packet = V6
    for _ in range(count):
        packet = packet / IPv6ExtHdrDestOpt()
    return packet / TCP()


REFUSED = [
    # id                   packet                                           reason
    ("nothing", b"", "neither IPv4 nor IPv6"),
    ("version 5", b"\x50" + bytes(40), "neither IPv4 nor IPv6"),
    ("IPv4 of 19 bytes", b"\x45" + bytes(18), "IPv4 header cut off"),
    ("IPv4 ihl 4", b"\x44" + bytes(V4 / TCP())[1:], "IPv4 header length wrong"),
    ("IPv4 length 0", IP(len=0) / TCP(), "IPv4 header length wrong"),
    ("IPv4 length too long", IP(len=41) / TCP(), "IPv4 packet cut off"),
    ("IPv4 first fragment", IP(flags="MF") / TCP(), "fragment"),
    ("IPv4 last fragment", IP(frag=1) / TCP(), "fragment"),
    ("IPv4 UDP", V4 / UDP() / bytes(20), "not TCP"),
    ("IPv4 in IPv4", V4 / V4 / TCP(), "not TCP"),
    ("IPv6 of 39 bytes", b"\x60" + bytes(38), "IPv6 header cut off"),
    ("IPv6 length too long", IPv6(plen=21) / TCP(), "IPv6 packet cut off"),
    ("IPv6 fragment", V6 / IPv6ExtHdrFragment() / TCP(), "fragment"),
    ("IPv6 fragment, behind", V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment() / TCP(), "fragment"),
    ("IPv6 UDP", V6 / UDP() / bytes(20), "not TCP"),
    ("IPv6 AH", IPv6(nh=51) / bytes(40), "not TCP"),
    ("IPv6 no next header", IPv6(nh=59) / bytes(40), "not TCP"),
    ("IPv6 UDP, behind", V6 / IPv6ExtHdrDestOpt() / UDP() / bytes(20), "not TCP"),
    ("extension header alone", IPv6(nh=0, plen=4) / bytes(4), "IPv6 extension header cut off"),
    (
        "extension header in the padding",
        IPv6(nh=0, plen=4) / b"\x06\0" / bytes(30),
        "IPv6 extension header cut off",
    ),
    ("extension header past the end", IPv6(nh=0) / b"\x06\xff" / bytes(30), "TCP header cut off"),
    (
        "source route",
        V6 / IPv6ExtHdrRouting(segleft=1, addresses=["::1"]) / TCP(),
        "source route not at its end",
    ),
    ("nine extension headers", ext(9), "too many extension headers"),
    ("TCP header of 19 bytes", IP(proto=6) / bytes(19), "TCP header cut off"),
    ("TCP offset 4", V4 / TCP(dataofs=4), "TCP data offset outside the segment"),
    ("TCP offset past the end", V4 / TCP(dataofs=6), "TCP data offset outside the segment"),
    (
        "TCP offset in the padding",
        IP(len=40) / TCP(dataofs=6) / bytes(9),
        "TCP data offset outside the segment",
    ),
]


@pytest.mark.parametrize(("packet", "reason"), **table(REFUSED))
def test_refused(packet: Packet | bytes, reason: str) -> None:
    with pytest.raises(SegmentError) as refusal:
        parse_segment(bytes(packet))
    assert refusal.value.reason == reason


def test_eight_extension_headers_are_walked() -> None:
    assert parse_segment(bytes(ext(8))).tcp_offset == 40 + 8 * 8


def test_the_error_is_the_peers() -> None:
    with pytest.raises(PeerError, match=r"^packet refused: not TCP$"):
        parse_segment(bytes(V4 / UDP()))


@pytest.mark.parametrize("packet", **table([(row[0], row[1]) for row in PACKETS]))
def test_every_truncation_is_refused(packet: Packet) -> None:
    raw = bytes(packet)
    for length in range(len(raw)):
        with pytest.raises(SegmentError):
            parse_segment(raw[:length])


def starts_like(first: int) -> Callable[[bytes], bytes]:
    return lambda data: bytes([first]) + data


@given(
    st.binary(max_size=120)
    | st.binary(min_size=39).map(starts_like(0x60))
    | st.binary().map(starts_like(0x45))
)
def test_random_bytes_are_parsed_or_refused(packet: bytes) -> None:
    with contextlib.suppress(SegmentError):
        segment = parse_segment(packet)
        assert segment.tcp_offset + 20 <= segment.payload_offset <= segment.end <= len(packet)
        assert segment.payload == packet[segment.payload_offset : segment.end]


@given(
    st.sampled_from(PACKETS),
    st.lists(st.tuples(st.integers(0, 79), st.integers(0, 255)), max_size=4),
)
def test_a_damaged_packet_is_parsed_or_refused(
    row: tuple[str, Packet, int, int], damage: list[tuple[int, int]]
) -> None:
    raw = bytearray(bytes(row[1]))
    for at, value in damage:
        raw[at % len(raw)] = value
    with contextlib.suppress(SegmentError):
        segment = parse_segment(bytes(raw))
        assert segment.tcp_offset + 20 <= segment.payload_offset <= segment.end <= len(raw)


@pytest.mark.parametrize("packet", **table([(row[0], row[1]) for row in PACKETS]))
def test_rebuilt_with_its_own_payload_a_packet_is_the_same(packet: Packet) -> None:
    raw = bytes(packet)
    assert rebuild(raw, parse_segment(raw), LINE) == raw


@pytest.mark.parametrize("packet", **table([(row[0], row[1]) for row in PACKETS]))
@given(payload=st.binary(max_size=100), seq=st.integers(0, 0xFFFFFFFF))
def test_rebuilt_as_scapy_builds_it(packet: Packet, payload: bytes, seq: int) -> None:
    raw = bytes(packet)
    wanted = packet.copy()
    wanted[TCP].seq = seq
    wanted[TCP].remove_payload()
    assert rebuild(raw, parse_segment(raw), payload, seq) == bytes(wanted / payload)


@pytest.mark.parametrize(
    ("ip", "longest"), [(V4, 65535 - 20 - 32), (V6, 65535 - 32)], ids=["4", "6"]
)
def test_rebuilt_up_to_what_ip_can_carry(ip: Packet, longest: int) -> None:
    raw = bytes(ip / tcp() / LINE)
    segment = parse_segment(raw)
    payload = bytes(longest)
    assert parse_segment(rebuild(raw, segment, payload)).payload == payload
    with pytest.raises(ValueError, match="cannot carry 65536 bytes"):
        rebuild(raw, segment, payload + b"\0")
