"""What the engine keeps of a peer has a bound, however long the peer goes on."""

from __future__ import annotations

import pytest

from ftpfw.conntrack.model import Direction
from ftpfw.ftp.session import MAX_PENDING
from ftpfw.helper.expecting import TIMEOUT
from ftpfw.helper.settings import Settings
from tests.fuzz.memory import kept_by
from tests.unit.table import table

from .world import ROUTED, World

C, S = Direction.ORIGINAL, Direction.REPLY
COMPAT, ATTENTIVE = Settings(), Settings(transfers=True)

ROUNDS = max(MAX_PENDING, TIMEOUT) + 100
"""One a second: by then every bound in time or number is reached."""

PEERS = [
    # id                         settings   what is said again and again; %d is a fresh port
    ("data connections", COMPAT, [(C, b"EPSV\r\n"), (S, b"229 (|||%d|)\r\n")]),
    ("transfers without an answer", ATTENTIVE, [(C, b"RETR x\r\n")]),
    ("transfers that are passed over", ATTENTIVE, [(C, b"RETR x\r\nSTAT\r\n"), (S, b"211 x\r\n")]),
    ("AUTH without an answer", COMPAT, [(C, b"AUTH TLS\r\n")]),
    ("a reply without an end", ATTENTIVE, [(S, b"211-x\r\n")]),
    ("a line without an end", ATTENTIVE, [(C, b"STOR" + 100 * b"x")]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "says"), **table(PEERS))
def test_bounded(settings: Settings, says: list[tuple[Direction, bytes]]) -> None:
    world = World(ROUTED, settings)
    first = most_kept(world, says)
    assert most_kept(world, says) < 1.2 * first


def most_kept(world: World, says: list[tuple[Direction, bytes]]) -> int:
    """The most objects that the engine held at a time."""
    kept = []
    for number in range(ROUNDS):
        world.now += 1
        for direction, line in says:
            port = 20000 + world.seq[direction] % 40000
            world.say(direction, line.replace(b"%d", b"%d" % port))
        world.notes.clear()
        world.kernel.expectations.clear()
        if number % 100 == 0:
            kept.append(kept_by(world.engine).things)
    return max(kept)
