"""The socket filter, run by the kernel on messages that a socket of another kind carries."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given

from ftpfw.conntrack.events import attach_filter
from ftpfw.conntrack.model import Expectation, Status, Tuple
from ftpfw.conntrack.nla import pack_be32
from ftpfw.conntrack.nlmsg import pack_message
from ftpfw.conntrack.wire_conntrack import CTA_ID, CTA_STATUS, CtMessage
from ftpfw.conntrack.wire_expect import ExpMessage, pack_new_expectation
from ftpfw.conntrack.wire_tuple import pack_tuple
from tests.unit.table import table

from .strategies import expectations

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(scope="module")
def filtered() -> Iterator[Pair]:
    """A datagram socket pair; the second has the filter."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        attach_filter(right)
        right.setblocking(False)
        yield left, right


def passes(filtered: Pair, message: bytes) -> bool:
    left, right = filtered
    left.send(message)
    try:
        return right.recv(1 << 16) == message
    except BlockingIOError:
        return False


TUPLES = pack_tuple(1, Tuple(bytes(4), 1, bytes(4), 21)) + pack_be32(CTA_ID, 0xFFFFFFFF)


def conntrack(kind: int, status: Status | None) -> bytes:
    told = b"" if status is None else pack_be32(CTA_STATUS, status)
    return pack_message(kind, 0, socket.AF_INET, 0, TUPLES + told + TUPLES)


EVENTS = [
    ("new, expected", conntrack(CtMessage.NEW, Status.EXPECTED), True),
    ("its end", conntrack(CtMessage.DELETE, Status.EXPECTED | Status.DYING), True),
    ("new, not expected", conntrack(CtMessage.NEW, ~Status.EXPECTED), False),
    ("its end, not expected", conntrack(CtMessage.DELETE, Status.DYING), False),
    ("status not told", conntrack(CtMessage.NEW, None), False),
    ("no attribute at all", pack_message(CtMessage.NEW, 0, 2, 0), False),
    ("end of an expectation", pack_message(ExpMessage.DELETE, 0, 2, 0), True),
]


@pytest.mark.parametrize(("message", "taken"), **table(EVENTS))
def test_what_is_let_through(filtered: Pair, message: bytes, taken: bool) -> None:
    assert passes(filtered, message) == taken


@given(expectation=expectations)
def test_every_expectation_is_let_through(filtered: Pair, expectation: Expectation) -> None:
    assert passes(filtered, pack_new_expectation(expectation, 0))
