"""Segments that are passed over unread: nothing would have come of reading them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Direction
from ftpfw.helper.settings import Settings

from .world import ISN, MASQUERADED, PUBLISHED, ROUTED, World

PIECES = [
    b"NOOP\r\n",
    b"RETR eprt\r\n",
    b"PORT 10,77,1,10,156,64\r\n",
    b"po",
    b"rt 10,77,1,10,156,65\n",
    b"200 OK\r\n",
    b"230-Welcome\r\n",
    b"227 in the text (1,2,3,4,5,6)\r\n",
    b"230 Done\r\n",
    b"227 Entering Passive Mode (10,77,1,10,156,66)\r\n",
    b"229 (|||40002|)\r\n",
    b"22",
    b"9-\r\n",
    b"USER anonymous\r\n",
    b"AUTH TLS\r\n",
    b"auth ssl\r\n",
    b"234 Go on\r\n",
    b"534 No\r\n",
    b"\x16\x03\x01 a record\r\n",
    b"\xff\xf4\xf2",
    b"x" * 5000,
    b"\n",
]


def talks(pieces: list[bytes]) -> st.SearchStrategy[list[tuple[Direction, list[bytes]]]]:
    segment = st.lists(st.sampled_from(pieces), min_size=1, max_size=3)
    return st.lists(st.tuples(st.sampled_from(Direction), segment), max_size=12)


WITHOUT_AUTH = [piece for piece in PIECES if not piece.lower().startswith(b"auth")]
"""Who reads every line knows better which of several commands a reply answers."""


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([ROUTED, MASQUERADED, PUBLISHED]), talks(PIECES), st.integers(0, 3))
def test_reading_everything_decides_the_same(
    conntrack: Conntrack, talk: list[tuple[Direction, list[bytes]]], repeats: int
) -> None:
    quick, thorough = World(conntrack), World(conntrack)
    seq = dict.fromkeys(Direction, ISN)
    for number, (direction, pieces) in enumerate(talk):
        payload = b"".join(pieces)
        raw = quick.raw(direction, seq[direction], payload)
        for _ in range(2 if number == repeats else 1):
            assert quick.inspect(raw) == thorough.read(raw)
        seq[direction] += len(payload)
    assert quick.noted() == thorough.noted()
    assert quick.kernel.done == thorough.kernel.done
    assert [flow.user for flow in quick.engine.flows] == [
        flow.user for flow in thorough.engine.flows
    ]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([ROUTED, MASQUERADED, PUBLISHED]), talks(WITHOUT_AUTH))
def test_a_transfer_log_changes_no_decision(
    conntrack: Conntrack, talk: list[tuple[Direction, list[bytes]]]
) -> None:
    dull, attentive = World(conntrack), World(conntrack, Settings(transfers=True))
    seq = dict.fromkeys(Direction, ISN)
    for direction, pieces in talk:
        payload = b"".join(pieces)
        raw = dull.raw(direction, seq[direction], payload)
        assert dull.inspect(raw) == attentive.inspect(raw)
        seq[direction] += len(payload)
    assert dull.noted() == attentive.noted()
    assert dull.kernel.done == attentive.kernel.done


def test_most_of_a_session_is_passed_over() -> None:
    world = World(MASQUERADED)
    talk = [
        (Direction.REPLY, b"220 (vsFTPd 3.0.3)\r\n"),
        (Direction.ORIGINAL, b"USER anonymous\r\n"),
        (Direction.REPLY, b"331 Please specify the password.\r\n"),
        (Direction.ORIGINAL, b"PASS secret\r\n"),
        (Direction.REPLY, b"230 Login successful.\r\n"),
        (Direction.ORIGINAL, b"PORT 10,77,1,10,156,64\r\n"),
    ]
    passed = []
    for direction, payload in talk:
        raw = world.raw(direction, world.seq[direction], payload)
        world.seq[direction] += len(payload)
        if world.engine.glance(raw, after_nat=False):
            passed.append(payload)
        else:
            world.read(raw)
    first_of_each, announcing = talk[:2], talk[-1:]
    assert passed == [payload for _, payload in talk[len(first_of_each) : -len(announcing)]]
