"""Netlink attributes: padding, nesting, and refusing what is cut."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.nla import (
    NLA_F_NESTED,
    NLA_F_NET_BYTEORDER,
    WireError,
    pack_attribute,
    pack_be16,
    pack_be32,
    pack_nested,
    pack_string,
    pack_u8,
    unpack_attributes,
    unpack_be16,
    unpack_be32,
    unpack_string,
    unpack_u8,
)

kinds = st.integers(1, 0x3FFF)


@given(st.dictionaries(kinds, st.binary(max_size=40), max_size=8))
def test_attributes_come_back_as_they_were_packed(attributes: dict[int, bytes]) -> None:
    packed = b"".join(pack_attribute(kind, payload) for kind, payload in attributes.items())
    assert len(packed) % 4 == 0
    assert unpack_attributes(packed) == attributes


@given(kinds, kinds, st.binary(max_size=9))
def test_nested_attributes_come_back(outer: int, inner: int, payload: bytes) -> None:
    packed = pack_nested(outer, pack_attribute(inner, payload))
    assert unpack_attributes(unpack_attributes(packed)[outer]) == {inner: payload}


@pytest.mark.parametrize("flag", [NLA_F_NESTED, NLA_F_NET_BYTEORDER], ids=["nested", "byte order"])
def test_type_flags_are_not_part_of_the_type(flag: int) -> None:
    assert unpack_attributes(pack_attribute(7 | flag, b"x")) == {7: b"x"}


def test_the_later_of_two_attributes_holds() -> None:
    assert unpack_attributes(pack_u8(1, 5) + pack_u8(1, 6))[1] == b"\x06"


def test_last_attribute_may_lack_its_padding() -> None:
    assert unpack_attributes(pack_u8(1, 5)[:5]) == {1: b"\x05"}


def test_numbers_and_names_come_back() -> None:
    found = unpack_attributes(
        pack_u8(1, 255) + pack_be16(2, 0xFFFE) + pack_be32(3, 0xFFFFFFFD) + pack_string(4, "sane")
    )
    assert unpack_u8(found[1]) == 255
    assert unpack_be16(found[2]) == 0xFFFE
    assert unpack_be32(found[3]) == 0xFFFFFFFD
    assert unpack_string(found[4]) == "sane"


def test_numbers_are_in_network_order() -> None:
    assert pack_be32(1, 0x01020304).endswith(b"\x01\x02\x03\x04")


def test_name_that_is_not_ascii_is_escaped() -> None:
    assert unpack_string(b"s\xe4ne\0") == r"s\xe4ne"


CUT = [
    # id                          bytes                    why
    ("header cut", b"\x08\x00\x01", "header is cut"),
    ("shorter than its header", b"\x03\x00\x01\x00", "length 3"),
    ("longer than the rest", b"\x09\x00\x01\x00abcd", "length 9"),
    ("leftover bytes", b"\x08\x00\x01\x00abcd\x00\x00", "header is cut"),
]


@pytest.mark.parametrize(("data", "why"), [row[1:] for row in CUT], ids=[row[0] for row in CUT])
def test_cut_attribute_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        unpack_attributes(data)


def test_missing_attribute_is_a_wire_error() -> None:
    with pytest.raises(WireError, match="attribute 3 is missing"):
        unpack_attributes(pack_u8(1, 5))[3]


def test_number_of_another_size_is_refused() -> None:
    with pytest.raises(WireError, match="3 bytes where 4 are due"):
        unpack_be32(b"abc")


@given(st.binary(max_size=80))
def test_random_bytes_raise_nothing_but_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        unpack_attributes(data)
