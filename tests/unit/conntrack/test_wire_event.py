"""Events by type and flags of their message."""

from __future__ import annotations

import pytest

from ftpfw.conntrack.model import Conntrack, Expectation, Status, Tuple
from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import Flag, Message, split_messages
from ftpfw.conntrack.wire_conntrack import CtMessage
from ftpfw.conntrack.wire_event import (
    Destroy,
    Event,
    ExpectDestroy,
    ExpectNew,
    New,
    Update,
    unpack_event,
)
from ftpfw.conntrack.wire_expect import ExpMessage, pack_new_expectation
from tests.unit.table import table

from .test_wire_conntrack import pack_conntrack

TUPLE = Tuple(b"\n\0\0\1", 40000, b"\n\0\0\2", 50000)
DATA = Conntrack(7, TUPLE, TUPLE.inverted(), Status.EXPECTED, master=TUPLE)
EXPECTED = Expectation(TUPLE, TUPLE, TUPLE, 300)

ABOUT_DATA = pack_conntrack(DATA)
ABOUT_EXPECTED = next(split_messages(pack_new_expectation(EXPECTED, 0))).payload
CREATED = Flag.CREATE | Flag.EXCL

KINDS = [
    ("a connection begins", CtMessage.NEW, CREATED, ABOUT_DATA, New(DATA)),
    ("it changes", CtMessage.NEW, 0, ABOUT_DATA, Update(DATA)),
    ("it ends", CtMessage.DELETE, 0, ABOUT_DATA, Destroy(DATA)),
    ("expected", ExpMessage.NEW, CREATED, ABOUT_EXPECTED, ExpectNew(EXPECTED)),
    ("no more expected", ExpMessage.DELETE, 0, ABOUT_EXPECTED, ExpectDestroy(EXPECTED)),
]


@pytest.mark.parametrize(("kind", "flags", "payload", "event"), **table(KINDS))
def test_event_by_its_type(kind: int, flags: int, payload: bytes, event: Event) -> None:
    assert unpack_event(Message(kind, flags, 0, payload)) == event


def test_answer_of_another_subsystem_is_no_event() -> None:
    with pytest.raises(WireError, match="0x900 is no event"):
        unpack_event(Message(0x900, 0, 0, bytes(4)))
