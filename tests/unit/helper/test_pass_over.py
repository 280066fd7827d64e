"""Segments that are passed over unread: nothing would have come of reading them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.conntrack.model import Conntrack, Direction

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
    b"\xff\xf4\xf2",
    b"x" * 5000,
    b"\n",
]

said = st.lists(
    st.tuples(
        st.sampled_from(Direction), st.lists(st.sampled_from(PIECES), min_size=1, max_size=3)
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([ROUTED, MASQUERADED, PUBLISHED]), said, st.integers(0, 3))
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
