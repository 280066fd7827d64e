"""Tuples and conntracks on the wire, against bytes of a real kernel and by round trip."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_address
from socket import AF_INET, AF_INET6

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import (
    Conntrack,
    Counters,
    Direction,
    SeqAdj,
    Status,
    TcpState,
    Tuple,
)
from ftpfw.conntrack.nla import (
    Attributes,
    WireError,
    pack_attribute,
    pack_be16,
    pack_be32,
    pack_nested,
    pack_string,
    pack_u8,
    unpack_attributes,
    unpack_be32,
)
from ftpfw.conntrack.nlmsg import Flag, attributes_of, split_messages
from ftpfw.conntrack.wire_conntrack import (
    CTA_COUNTERS_BYTES,
    CTA_COUNTERS_ORIG,
    CTA_COUNTERS_PACKETS,
    CTA_COUNTERS_REPLY,
    CTA_HELP,
    CTA_HELP_NAME,
    CTA_ID,
    CTA_MARK,
    CTA_MARK_MASK,
    CTA_PROTOINFO,
    CTA_PROTOINFO_TCP,
    CTA_PROTOINFO_TCP_STATE,
    CTA_SEQ_ADJ_ORIG,
    CTA_SEQ_ADJ_REPLY,
    CTA_STATUS,
    CTA_STATUS_MASK,
    CTA_TIMEOUT,
    CTA_TUPLE_MASTER,
    CTA_TUPLE_ORIG,
    CTA_TUPLE_REPLY,
    CTA_ZONE,
    CtMessage,
    Wanted,
    pack_get_conntrack,
    pack_list_conntracks,
    pack_seqadj,
    pack_set_mark,
    pack_set_seqadj,
    pack_set_timeout,
    unpack_conntrack,
    unpack_seqadj,
)
from ftpfw.conntrack.wire_tuple import (
    CTA_PROTO_NUM,
    CTA_TUPLE_IP,
    CTA_TUPLE_PROTO,
    NotTcpError,
    pack_tuple,
    unpack_tuple,
)

from ..table import table
from .strategies import directions, names, seqadjs, tuples, u16, u32, u64

CLIENT, SERVER, OUTSIDE = (
    ip_address(text).packed for text in ("10.77.1.10", "192.0.2.10", "192.0.2.1")
)
MASQUERADED = Conntrack(
    id=0x46A234CF,
    original=Tuple(CLIENT, 40021, SERVER, 21),
    reply=Tuple(SERVER, 21, OUTSIDE, 40021),
    status=Status(0x21DE),
    timeout=432000,
    helper="sane",
    seqadj=(SeqAdj(0xEE6B2800, 0, 3), None),
    tcp_state=TcpState.ESTABLISHED,
)
# The answer of Linux 6.18 to a GET, on a little-endian machine.
MASQUERADED_BYTES = bytes.fromhex(
    "1c010000000102004d000000a7240000 02000000"
    "34000180 14000180080001000a4d010a08000200c000020a 1c000280050001000600000006000200 9c550000"
    "0600030000150000"
    "34000280 1400018008000100c000020a08000200c0000201 1c000280050001000600000006000200 00150000"
    "060003009c550000"
    "08000300000021de 0800080000000000 08000c0046a234cf 08000b0000000002 0800070000069780"
    "30000480 2c000180 0500010003000000 050002000a000000 050003000a000000 0600040023000000"
    "0600050023000000"
    "10000580 0900010073616e6500000000"
    "1c000f80 08000100ee6b2800 0800020000000000 0800030000000003"
    "1c001080 0800010000000000 0800020000000000 0800030000000000"
)


def payload_of(datagram: bytes) -> bytes:
    (message,) = split_messages(datagram)
    return message.payload


def pack_conntrack(conntrack: Conntrack) -> bytes:
    """A conntrack as ctnetlink_fill_info writes it, but for what the model leaves out."""
    attributes = [
        pack_tuple(CTA_TUPLE_ORIG, conntrack.original),
        pack_tuple(CTA_TUPLE_REPLY, conntrack.reply),
        pack_be16(CTA_ZONE, conntrack.zone),
        pack_be32(CTA_STATUS, conntrack.status),
        pack_be32(CTA_MARK, conntrack.mark),
        pack_be32(CTA_ID, conntrack.id),
        pack_be32(CTA_TIMEOUT, conntrack.timeout),
    ]
    if conntrack.helper is not None:
        attributes.append(pack_nested(CTA_HELP, pack_string(CTA_HELP_NAME, conntrack.helper)))
    for kind, adj in zip((CTA_SEQ_ADJ_ORIG, CTA_SEQ_ADJ_REPLY), conntrack.seqadj, strict=True):
        if adj is not None:
            attributes.append(pack_seqadj(kind, adj))
    if conntrack.master is not None:
        attributes.append(pack_tuple(CTA_TUPLE_MASTER, conntrack.master))
    if conntrack.counters is not None:
        kinds = (CTA_COUNTERS_ORIG, CTA_COUNTERS_REPLY)
        attributes += map(pack_counters, kinds, conntrack.counters)
    if conntrack.tcp_state is not None:
        state = pack_u8(CTA_PROTOINFO_TCP_STATE, conntrack.tcp_state)
        attributes.append(pack_nested(CTA_PROTOINFO, pack_nested(CTA_PROTOINFO_TCP, state)))
    return bytes(4) + b"".join(attributes)


def pack_counters(kind: int, counters: Counters) -> bytes:
    packets = pack_attribute(CTA_COUNTERS_PACKETS, counters.packets.to_bytes(8, "big"))
    bytes_ = pack_attribute(CTA_COUNTERS_BYTES, counters.bytes.to_bytes(8, "big"))
    return pack_nested(kind, packets, bytes_)


adjusting = st.none() | seqadjs.filter(lambda adj: adj != SeqAdj(0, 0, 0))
counters = st.builds(Counters, u64, u64)
conntracks = st.builds(
    Conntrack,
    id=u32,
    original=tuples,
    reply=tuples,
    status=u32.map(Status),
    mark=u32,
    zone=u16,
    timeout=u32,
    helper=st.none() | names,
    seqadj=st.tuples(adjusting, adjusting),
    master=st.none() | tuples,
    counters=st.none() | st.tuples(counters, counters),
    tcp_state=st.none() | st.sampled_from(TcpState),
)


def test_masqueraded_connection_as_the_kernel_tells_it() -> None:
    assert unpack_conntrack(payload_of(MASQUERADED_BYTES)) == MASQUERADED


@given(tuples)
def test_tuple_comes_back(tuple_: Tuple) -> None:
    assert unpack_tuple(unpack_attributes(pack_tuple(1, tuple_))[1]) == tuple_


@given(conntracks)
def test_conntrack_comes_back(conntrack: Conntrack) -> None:
    assert unpack_conntrack(pack_conntrack(conntrack)) == conntrack


def changed(request: bytes) -> Attributes:
    """The attributes of a request that changes a conntrack and must make none."""
    (message,) = split_messages(request)
    assert message.type == CtMessage.NEW
    assert not message.flags & Flag.CREATE
    return unpack_attributes(attributes_of(message.payload))


@given(tuples, u16, u32, u32, u32)
def test_mark_request_says_what_was_asked(
    original: Tuple, zone: int, mark: int, mask: int, seq: int
) -> None:
    found = changed(pack_set_mark(original, zone, mark, mask, seq))
    assert unpack_tuple(found[CTA_TUPLE_ORIG]) == original
    assert (CTA_ZONE in found) == bool(zone)
    told, under = unpack_be32(found[CTA_MARK]), unpack_be32(found[CTA_MARK_MASK])
    before = ~mark & 0xFFFFFFFF
    after = before & ~under ^ told  # ctnetlink_change_mark
    assert after & mask == mark & mask
    assert after & ~mask == before & ~mask


@given(tuples, u16, u32, u32)
def test_timeout_request_says_what_was_asked(
    original: Tuple, zone: int, seconds: int, seq: int
) -> None:
    found = changed(pack_set_timeout(original, zone, seconds, seq))
    assert unpack_tuple(found[CTA_TUPLE_ORIG]) == original
    assert unpack_be32(found[CTA_TIMEOUT]) == seconds


FILTERS = [
    ("everything", Wanted(), {}),
    ("a zone", Wanted(zone=5), {CTA_ZONE: 5}),
    ("a mark", Wanted(mark=0xFF, mask=0x1F), {CTA_MARK: 0x1F, CTA_MARK_MASK: 0x1F}),
    ("no mark", Wanted(mask=0x10), {CTA_MARK: 0, CTA_MARK_MASK: 0x10}),
    ("a status", Wanted(status=Status.EXPECTED), {CTA_STATUS: 1, CTA_STATUS_MASK: 1}),
]


@pytest.mark.parametrize(("wanted", "filters"), **table(FILTERS))
def test_list_request_has_the_filters_that_are_needed(
    wanted: Wanted, filters: dict[int, int]
) -> None:
    (message,) = split_messages(pack_list_conntracks(wanted, 7))
    assert (message.type, message.flags) == (CtMessage.GET, Flag.REQUEST | Flag.DUMP)
    found = unpack_attributes(attributes_of(message.payload))
    assert {kind: int.from_bytes(value, "big") for kind, value in found.items()} == filters


ONE = replace(MASQUERADED, mark=0x41, zone=5, status=Status.EXPECTED | Status.ASSURED)
MATCHES = [
    ("its zone", Wanted(zone=5), True),
    ("another zone", Wanted(), False),
    ("its family", Wanted(AF_INET, zone=5), True),
    ("the other family", Wanted(AF_INET6, zone=5), False),
    ("its bit of the mark", Wanted(zone=5, mark=0x40, mask=0x40), True),
    ("the bit cleared", Wanted(zone=5, mask=0x40), False),
    ("a bit that is not set", Wanted(zone=5, mark=2, mask=2), False),
    ("its status", Wanted(zone=5, status=Status.EXPECTED), True),
    ("one status of two", Wanted(zone=5, status=Status.EXPECTED | Status.DYING), False),
]


@pytest.mark.parametrize(("wanted", "is_in"), **table(MATCHES))
def test_what_is_wanted_is_checked_again(wanted: Wanted, is_in: bool) -> None:
    assert (ONE in wanted) == is_in


def test_unknown_state_of_tcp_is_refused() -> None:
    state = pack_u8(CTA_PROTOINFO_TCP_STATE, 99)
    told = pack_nested(CTA_PROTOINFO, pack_nested(CTA_PROTOINFO_TCP, state))
    with pytest.raises(WireError, match="99, no state of TCP"):
        unpack_conntrack(pack_conntrack(replace(MASQUERADED, tcp_state=None)) + told)


@given(tuples, u16, directions, seqadjs, u32)
def test_seqadj_request_says_what_was_asked(
    original: Tuple, zone: int, direction: Direction, adj: SeqAdj, seq: int
) -> None:
    found = changed(pack_set_seqadj(original, zone, direction, adj, seq))
    kind = (CTA_SEQ_ADJ_ORIG, CTA_SEQ_ADJ_REPLY)[direction]
    assert unpack_tuple(found[CTA_TUPLE_ORIG]) == original
    assert unpack_seqadj(found[kind]) == adj
    assert (CTA_ZONE in found) == bool(zone)


def test_get_request_as_bytes() -> None:
    assert pack_get_conntrack(MASQUERADED.original, 5, 77) == bytes.fromhex(
        "50000000 0101 0100 4d000000 00000000 02000000"
        "34000180 14000180080001000a4d010a08000200c000020a 1c000280050001000600000006000200"
        "9c5500000600030000150000"
        "0600120000050000"
    )


def test_udp_is_told_apart_from_a_malformed_tuple() -> None:
    udp = pack_nested(CTA_TUPLE_PROTO, pack_u8(CTA_PROTO_NUM, 17))
    with pytest.raises(NotTcpError, match="protocol 17"):
        unpack_tuple(udp)


def test_address_of_a_wrong_size_is_refused() -> None:
    tuple_ = pack_tuple(1, Tuple(b"abcd", 1, b"abcd", 2))
    proto = unpack_attributes(unpack_attributes(tuple_)[1])[CTA_TUPLE_PROTO]
    ip = pack_nested(CTA_TUPLE_IP, pack_attribute(1, b"abc"), pack_attribute(2, b"abcd"))
    with pytest.raises(WireError, match="3 and 4 bytes where 4 are due"):
        unpack_tuple(ip + pack_nested(CTA_TUPLE_PROTO, proto))


@given(st.data())
def test_cut_or_changed_bytes_raise_nothing_but_wire_error(data: st.DataObject) -> None:
    changed = bytearray(payload_of(MASQUERADED_BYTES))
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        unpack_conntrack(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
