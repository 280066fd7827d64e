import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import checksum as scapy_checksum

from ftpfw.tcp.checksum import internet_checksum, tcp_checksum
from tests.unit.table import table


def word_by_word(data: bytes) -> int:
    """RFC 1071 4.1, as it is written there."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


CHECKSUMS = [
    # id                   data                                     checksum
    ("RFC 1071 3", bytes.fromhex("0001f203f4f5f6f7"), 0x220D),
    ("nothing", b"", 0xFFFF),
    ("zeros", bytes(20), 0xFFFF),
    ("the other zero", b"\xff\xff", 0),
    ("the other zero twice", b"\xff\xff\xff\xff", 0),
    ("odd length", b"\x01", 0xFEFF),
]


@pytest.mark.parametrize(("data", "checksum"), **table(CHECKSUMS))
def test_checksum(data: bytes, checksum: int) -> None:
    assert internet_checksum(data) == checksum


@given(st.binary() | st.lists(st.sampled_from([b"\0", b"\xff"])).map(b"".join))
def test_equals_the_sum_word_by_word(data: bytes) -> None:
    assert internet_checksum(data) == word_by_word(data) == scapy_checksum(data)


@given(st.binary(), st.integers(0, 20))
def test_data_with_its_checksum_gives_0(data: bytes, at: int) -> None:
    front, back = data[: at * 2], data[at * 2 :]
    front += b"\0" * (len(front) % 2)
    checksum = internet_checksum(front + b"\0\0" + back)
    assert internet_checksum(front + checksum.to_bytes(2, "big") + back) == 0


@given(st.binary(), st.binary())
def test_a_sum_goes_on_from_its_first_part(first: bytes, rest: bytes) -> None:
    first += b"\0" * (len(first) % 2)
    begun = int.from_bytes(first, "big")
    assert internet_checksum(rest, begun) == internet_checksum(first + rest)


@given(st.sampled_from([4, 16]), st.data())
def test_tcp_is_summed_after_its_pseudo_header(size: int, data: st.DataObject) -> None:
    src, dst = (data.draw(st.binary(min_size=size, max_size=size)) for _ in range(2))
    segment = data.draw(st.binary(min_size=20))
    if size == 4:
        pseudo = src + dst + struct.pack("!BBH", 0, 6, len(segment))
    else:
        pseudo = src + dst + struct.pack("!LHBB", len(segment), 0, 0, 6)
    assert tcp_checksum(src, dst, segment) == word_by_word(pseudo + segment)
