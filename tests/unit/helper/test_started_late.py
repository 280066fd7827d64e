"""An engine that first sees a session in its middle."""

from __future__ import annotations

import pytest

from ftpfw.conntrack.model import Conntrack, Direction

from .world import ISN, MASQUERADED, ROUTED, World

PORT = b"PORT 10,77,1,10,4,1\r\n"

GARBAGE = [
    # id, what a keepalive brings from before the first byte that counts
    ("NUL", b"\x00"),
    ("the end of the line before", b"\n"),
    ("nothing", b""),
]


@pytest.mark.parametrize("conntrack", [ROUTED, MASQUERADED], ids=["routed", "masqueraded"])
@pytest.mark.parametrize("garbage", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_a_keepalive_hides_no_line(conntrack: Conntrack, garbage: bytes) -> None:
    world = World(conntrack)
    assert world.segment(Direction.ORIGINAL, ISN - 1, garbage) == garbage
    world.client(PORT)
    assert len(world.kernel.expectations) == 1


def test_a_keepalive_of_the_server_hides_no_reply() -> None:
    world = World(ROUTED)
    world.segment(Direction.REPLY, ISN - 1, b"\x00")
    world.server(b"227 Entering Passive Mode (192,0,2,10,4,1)\r\n")
    assert len(world.kernel.expectations) == 1


@pytest.mark.parametrize("direction", Direction)
def test_a_line_may_begin_with_one_byte(direction: Direction) -> None:
    """Typed by hand, or sent byte by byte: the first byte counts."""
    world = World(ROUTED)
    line, say = (
        (PORT, world.client)
        if direction is Direction.ORIGINAL
        else (b"229 Extended (|||1025|)\r\n", world.server)
    )
    for index in range(len(line)):
        say(line[index : index + 1])
    assert len(world.kernel.expectations) == 1
