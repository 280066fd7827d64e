"""Netlink messages: splitting a datagram, reading acknowledgements."""

from __future__ import annotations

import contextlib
import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import (
    NLMSG_DONE,
    NLMSG_ERROR,
    Ack,
    Flag,
    Message,
    attributes_of,
    pack_message,
    split_messages,
    unpack_ack,
)

# As Linux 6.18 sent them, on a little-endian machine.
CAPPED_REFUSAL = bytes.fromhex(
    "240000000200000150000000a7240000 feffffff 48000000010101005000000000000000"
)
REFUSAL_WITH_TEXT = bytes.fromhex(
    "60000000020000034f000000a7240000 deffffff 1c000000010105004f00000000000000"
    "27000100417474726962757465206661696c656420706f6c6963792076616c69646174696f6e0000"
    "08000200140000000c000480080001000d000000"
)
DUMP_END = bytes.fromhex("14000000030002004e000000a7240000 00000000")
# Made by hand: NETLINK_CAP_ACK unset, so the whole request stands before the text.
UNCAPPED_REFUSAL = bytes.fromhex(
    "340000000200000205000000a7240000 ffffffff 18000000010101000500000000000000 0a0000000b0b0b0b"
    "0800010068690000"
)


def only(datagram: bytes) -> Message:
    (message,) = split_messages(datagram)
    return message


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=5))
def test_a_datagram_splits_into_its_messages(sent: list[tuple[int, bytes]]) -> None:
    padded = [(kind, payload + bytes(-len(payload) % 4)) for kind, payload in sent]
    datagram = b"".join(
        pack_message(kind, 0, 2, seq, payload) for seq, (kind, payload) in enumerate(padded)
    )
    received = list(split_messages(datagram))
    assert [(m.type, attributes_of(m.payload)) for m in received] == padded
    assert [m.seq for m in received] == list(range(len(sent)))


ACKS = [
    ("refusal, request not repeated", CAPPED_REFUSAL, Ack(errno.ENOENT)),
    (
        "refusal with text",
        REFUSAL_WITH_TEXT,
        Ack(errno.ERANGE, "Attribute failed policy validation"),
    ),
    ("text behind the whole request", UNCAPPED_REFUSAL, Ack(errno.EPERM, "hi")),
    ("end of a dump", DUMP_END, Ack(0)),
]


@pytest.mark.parametrize(
    ("datagram", "ack"), [row[1:] for row in ACKS], ids=[row[0] for row in ACKS]
)
def test_acknowledgement(datagram: bytes, ack: Ack) -> None:
    assert unpack_ack(only(datagram)) == ack


@pytest.mark.parametrize("size", range(1, len(REFUSAL_WITH_TEXT)))
def test_every_cut_datagram_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        list(split_messages(REFUSAL_WITH_TEXT[:size]))


@pytest.mark.parametrize(
    "message",
    [
        Message(NLMSG_ERROR, 0, 1, b"\0\0"),
        Message(NLMSG_ERROR, Flag.ACK_TLVS, 1, bytes(8)),
        Message(NLMSG_DONE, Flag.ACK_TLVS, 1, bytes(4) + b"\x09\x00\x01\x00"),
    ],
    ids=["no error number", "no repeated header", "cut text"],
)
def test_cut_acknowledgement_is_refused(message: Message) -> None:
    with pytest.raises(WireError):
        unpack_ack(message)


def test_payload_shorter_than_its_nfgenmsg_is_refused() -> None:
    with pytest.raises(WireError, match="nfgenmsg"):
        attributes_of(b"\2\0")


@pytest.mark.parametrize(
    "number", [1, -4096, -(2**31)], ids=["positive", "past MAX_ERRNO", "lowest"]
)
def test_an_error_number_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(WireError, match=str(number)):
        unpack_ack(Message(NLMSG_ERROR, 0, 1, struct.pack("=i", number)))


@given(st.binary(max_size=120))
def test_random_datagrams_raise_nothing_but_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        for message in split_messages(data):
            unpack_ack(message)


@given(st.sampled_from([NLMSG_ERROR, NLMSG_DONE]), st.integers(0, 0xFFFF), st.binary(max_size=80))
def test_random_acknowledgements_raise_nothing_but_wire_error(
    kind: int, flags: int, payload: bytes
) -> None:
    with contextlib.suppress(WireError):
        unpack_ack(Message(kind, flags, 1, payload))
