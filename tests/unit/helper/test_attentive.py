"""What an attentive reader knows of a session: user, phase, and every transfer for the log."""

from __future__ import annotations

from ftpfw.conntrack.model import Direction
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import Transfer
from ftpfw.helper.flow import Phase
from ftpfw.helper.settings import Settings

from .world import ISN, MASQUERADED, ORIGINAL, ROUTED, World

PORT = b"PORT 10,77,1,10,156,64\r\n"


def logged_in(settings: Settings) -> World:
    world = World(ROUTED, settings)
    world.server(b"220 Hello\r\n")
    world.client(b"USER anna\r\n")
    world.server(b"331 Password\r\n")
    world.client(b"PASS s3cret\r\n")
    world.server(b"230 In\r\n")
    return world


def seen(world: World) -> tuple[str | None, Phase]:
    (flow,) = world.engine.flows
    return flow.user, flow.phase


LOG = Settings(transfers=True)


def test_phases() -> None:
    world = World(ROUTED, LOG)
    world.server(b"220 Hello\r\n")
    assert seen(world) == (None, Phase.CLEAR)
    world.client(b"USER anna\r\n")
    world.server(b"331 Password\r\n")
    world.client(b"PASS s3cret\r\n")
    assert seen(world) == ("anna", Phase.CLEAR)
    world.server(b"230-Welcome\r\n227 is a number\r\n230 In\r\n")
    assert seen(world) == ("anna", Phase.LOGGED_IN)
    world.client(b"LIST\r\n")
    world.server(b"150 Here\r\n")
    assert seen(world) == ("anna", Phase.TRANSFER)
    world.server(b"226 Done\r\n")
    assert seen(world) == ("anna", Phase.LOGGED_IN)
    world.client(b"REIN\r\n")
    world.server(b"220 Hello\r\n")
    assert seen(world) == (None, Phase.CLEAR)


def test_without_a_log_only_the_name_is_known() -> None:
    assert seen(logged_in(Settings())) == ("anna", Phase.CLEAR)


def test_a_transfer_is_told_when_asked_for_and_when_answered() -> None:
    world = logged_in(LOG)
    world.client(PORT)
    world.server(b"200 OK\r\n")
    world.client(b"RETR dir/a b\r\n")
    data = world.kernel.expectations[0].tuple
    asked = Transfer(ORIGINAL, 1, data, Kind.PORT, "anna", "RETR", "dir/a b")
    assert world.transfers == [asked]
    world.server(b"150 Opening BINARY mode data connection for a (4096 bytes).\r\n")
    world.server(b"226 Transfer complete.\r\n")
    answered = Transfer(ORIGINAL, 1, data, Kind.PORT, "anna", "RETR", "dir/a b", 4096, 226)
    assert world.transfers == [asked, answered]


def test_port_and_retr_in_one_segment() -> None:
    world = logged_in(LOG)
    world.client(PORT + b"RETR a\r\n")
    (transfer,) = world.transfers
    assert transfer.data == world.kernel.expectations[0].tuple


def test_a_passive_transfer() -> None:
    world = logged_in(LOG)
    world.client(b"PASV\r\n")
    world.server(b"227 Entering Passive Mode (192,0,2,10,156,64)\r\n")
    world.client(b"STOR up\r\n")
    (transfer,) = world.transfers
    assert (transfer.kind, transfer.verb, transfer.path) == (Kind.PASV, "STOR", "up")
    assert str(transfer.data) == "10.77.1.10:0 -> 192.0.2.10:40000"


def test_a_second_transfer_does_not_get_the_first_ones_data() -> None:
    world = logged_in(LOG)
    world.client(PORT)
    for line in (b"200 OK\r\n", b"150 Go\r\n"):
        world.server(line)
    world.client(b"LIST\r\n")
    world.server(b"226 Done\r\n")
    world.client(b"LIST\r\n")
    world.server(b"425 No data connection\r\n")
    numbers = [(one.number, one.data is None, one.reply) for one in world.transfers]
    assert numbers == [(1, False, None), (1, False, 226), (2, True, None), (2, True, 425)]


def test_a_refused_port_gives_no_data() -> None:
    world = logged_in(LOG)
    world.client(b"PORT 10,77,1,99,156,64\r\n")
    world.server(b"500 Illegal\r\n")
    world.client(b"RETR a\r\n")
    (transfer,) = world.transfers
    assert (transfer.data, transfer.kind) == (None, None)


def test_an_aborted_transfer_has_its_own_reply() -> None:
    world = logged_in(LOG)
    world.client(b"RETR a\r\n")
    world.server(b"150 a (5 bytes)\r\n")
    world.client(b"\xff\xf4\xf2ABOR\r\n")
    world.server(b"426 Aborted\r\n226 ABOR done\r\n")
    assert [(one.number, one.reply) for one in world.transfers] == [(1, None), (1, 426)]


def test_a_transfer_that_waits_for_a_rewrite_is_told_after_it() -> None:
    """Two PORTs sent ahead: the second one's expectation is there before its RETR is told."""
    world = World(MASQUERADED, LOG)
    world.client(PORT)
    second = b"PORT 10,77,1,10,156,65\r\nRETR b\r\n"
    assert world.client(second) == b"PORT "
    assert world.transfers == []
    world.server(b"200 OK\r\n", ack=ISN + len(PORT) - 1)
    world.segment(Direction.ORIGINAL, ISN + len(PORT), second)
    (transfer,) = world.transfers
    assert transfer.data is not None
    assert transfer.data.dport == 40001


def test_no_transfer_is_told_without_a_log() -> None:
    world = logged_in(Settings())
    world.client(PORT + b"RETR a\r\n")
    assert world.transfers == []
