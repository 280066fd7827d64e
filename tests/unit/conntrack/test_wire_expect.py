"""Expectations on the wire, against bytes of a real kernel and by round trip."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, AF_UNSPEC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import NO_FLAGS, Direction, Expectation, ExpectNat, Tuple
from ftpfw.conntrack.nla import Attributes, WireError, pack_be32, pack_nested, unpack_attributes
from ftpfw.conntrack.nlmsg import Flag, Message, attributes_of, split_messages
from ftpfw.conntrack.wire_expect import (
    CTA_EXPECT_HELP_NAME,
    CTA_EXPECT_ID,
    CTA_EXPECT_NAT,
    CTA_EXPECT_NAT_DIR,
    CTA_EXPECT_TUPLE,
    CTA_EXPECT_ZONE,
    ExpMessage,
    pack_delete_expectation,
    pack_list_expectations,
    pack_new_expectation,
    unpack_expectation,
)
from ftpfw.conntrack.wire_tuple import unpack_tuple

from .strategies import expectations, u32

CLIENT, SERVER, OUTSIDE = (
    ip_address(text).packed for text in ("10.77.1.10", "192.0.2.10", "192.0.2.1")
)
ONES, ZEROS = b"\xff" * 4, bytes(4)
ACTIVE = Expectation(
    master=Tuple(CLIENT, 40021, SERVER, 21),
    tuple=Tuple(SERVER, 0, OUTSIDE, 40100),
    mask=Tuple(ONES, 0, ONES, 0xFFFF),
    timeout=300,
    nat=ExpectNat(Direction.REPLY, Tuple(CLIENT, 40100, ZEROS, 0)),
    expectfn="nat-follow-master",
    helper="sane",
    id=0x7077AD2A,
)
# As Linux 6.18 listed it, on a little-endian machine.
ACTIVE_BYTES = bytes.fromhex(
    "34010000000202004e000000a7240000 02000000"
    "34000280 1400018008000100c000020a08000200c0000201 1c00028005000100060000000600020000000000"
    "060003009ca40000"
    "34000380 1400018008000100ffffffff08000200ffffffff 1c00028005000100060000000600020000000000"
    "06000300ffff0000"
    "34000180 14000180080001000a4d010a08000200c000020a 1c0002800500010006000000060002009c550000"
    "0600030000150000"
    "40000a80 0800010000000001"
    "34000280 14000180080001000a4d010a0800020000000000 1c0002800500010006000000060002009ca40000"
    "0600030000000000"
    "080004000000012c 080005007077ad2a 0800080000000000 0800090000000000"
    "0900060073616e6500000000 16000b006e61742d666f6c6c6f772d6d617374657200 0000"
)


def request(datagram: bytes) -> tuple[Message, Attributes]:
    (message,) = split_messages(datagram)
    return message, unpack_attributes(attributes_of(message.payload))


def test_active_transfer_under_masquerading_as_the_kernel_lists_it() -> None:
    message, _ = request(ACTIVE_BYTES)
    assert unpack_expectation(message.payload) == ACTIVE


@given(expectations, u32)
def test_expectation_comes_back(exp: Expectation, seq: int) -> None:
    message, _ = request(pack_new_expectation(exp, seq))
    assert (message.type, message.seq) == (ExpMessage.NEW, seq)
    assert unpack_expectation(message.payload) == exp
    assert pack_new_expectation(unpack_expectation(message.payload), seq) == pack_new_expectation(
        exp, seq
    )


@given(expectations, st.booleans())
def test_new_request_never_names_a_helper_and_always_excludes(
    exp: Expectation, named: bool
) -> None:
    message, found = request(
        pack_new_expectation(replace(exp, helper="sane" if named else None), 1)
    )
    assert CTA_EXPECT_HELP_NAME not in found
    assert Flag.EXCL | Flag.CREATE | Flag.ACK in Flag(message.flags)


@given(expectations, u32)
def test_delete_names_the_tuple_its_zone_and_the_id_if_it_is_known(
    exp: Expectation, id_: int
) -> None:
    message, found = request(pack_delete_expectation(replace(exp, id=id_), 9))
    assert message.type == ExpMessage.DELETE
    assert unpack_tuple(found[CTA_EXPECT_TUPLE]) == exp.tuple
    assert found.get(CTA_EXPECT_ZONE) == (exp.zone.to_bytes(2, "big") if exp.zone else None)
    assert found.get(CTA_EXPECT_ID) == (id_.to_bytes(4, "big") if id_ else None)


@pytest.mark.parametrize("family", [AF_UNSPEC, AF_INET, AF_INET6])
def test_listing_names_its_family(family: int) -> None:
    message, found = request(pack_list_expectations(family, 9))
    assert message.payload[0] == family
    assert found == {}


def test_expectation_of_the_kernels_own_helper_without_nat() -> None:
    plain = replace(ACTIVE, nat=None, expectfn=None, helper=None, id=0, flags=NO_FLAGS)
    message, _ = request(pack_new_expectation(plain, 1))
    assert unpack_expectation(message.payload) == plain


def test_direction_that_is_none_is_refused() -> None:
    message, _ = request(ACTIVE_BYTES)
    astray = pack_nested(CTA_EXPECT_NAT, pack_be32(CTA_EXPECT_NAT_DIR, 2))
    with pytest.raises(WireError, match="CTA_EXPECT_NAT_DIR is 2"):
        unpack_expectation(message.payload + astray)


@given(st.data())
def test_cut_or_changed_bytes_raise_nothing_but_wire_error(data: st.DataObject) -> None:
    changed = bytearray(request(ACTIVE_BYTES)[0].payload)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        unpack_expectation(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
