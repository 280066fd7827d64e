"""Strict checks through a loaded gateway: each is attacked, and no port opens.

The test plays client and server. Every attack ends in a line that opens a port where
nothing is checked, in the same segment. `drop` means that nothing of it ever arrives, `reset` that
both hosts end the connection at once, `log` that everything is as in compat.

The attacks share a gateway, because loading one takes longer than all of an attack: each is a
session of its own, under a policy that the helper has just read again.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Expectation
from ftpfw.ftp.checks import Action, Check
from ftpfw.helper import control
from ftpfw.lab.daemons.running import Site

from .conftest import joined, made_namespaces
from .gateway_host import (
    Gateway,
    Session,
    borrowed,
    gateway,
    session,
    standing_gateway,
)
from .lab_server import vsftpd
from .netns import inside, require_program, run
from .sockets import PATIENCE, connect, listen, receive_line

__all__ = ["borrowed", "gateway"]

CLIENT, SERVER, PUBLIC = "10.77.1.10", "192.0.2.10", "192.0.2.1"
PORT = 51201
OPENS_CLIENT = b"PORT 10,77,1,10,200,1\r\n"
OPENS_SERVER = b"227 Entering Passive Mode (192,0,2,10,200,1)\r\n"

GREETED = ((b"", b"220 Hello\r\n"),)
LOGGED_IN = (
    *GREETED,
    (b"USER ftp\r\n", b"331 Password\r\n"),
    (b"PASS x\r\n", b"230 In\r\n"),
)


@dataclass(frozen=True)
class Attack:
    """``line`` comes from the client or else the server; ``before`` has been said.

    ``opens``: in compat the attack, as a whole, opens a port.
    """

    check: Check
    line: bytes
    by_client: bool = True
    before: tuple[tuple[bytes, bytes], ...] = LOGGED_IN
    helper: str = ""
    opens: bool = True

    @property
    def segment(self) -> bytes:
        return self.line + (OPENS_CLIENT if self.by_client else OPENS_SERVER)


ASKED = (*LOGGED_IN, (b"PASV\r\n", b""))
ATTACKS = [
    Attack(Check.FOREIGN_ADDRESS, b"PORT 10,77,1,99,200,1\r\n"),
    Attack(Check.FOREIGN_ADDRESS, b"227 (10,9,9,9,200,1)\r\n", by_client=False, before=ASKED),
    Attack(Check.PRIVILEGED_PORT, b"PORT 10,77,1,10,0,22\r\n"),
    Attack(Check.COMMAND_FROM_SERVER, b"PORT 192,0,2,10,200,1\r\n", by_client=False, before=ASKED),
    Attack(Check.REPLY_FROM_CLIENT, b"227 (10,77,1,10,200,1)\r\n"),
    Attack(Check.UNASKED_REPLY, b"", by_client=False),
    Attack(Check.TRAILING_BYTES, b"PORT 10,77,1,10,200,1;\r\n"),
    Attack(Check.WRONG_COUNT, b"PORT 10,77,1,10,200\r\n"),
    Attack(Check.BARE_LINE_FEED, b"NOOP\n"),
    Attack(Check.LINE_TOO_LONG, b"STAT " + b"x" * 4096 + b"\r\n"),
    Attack(Check.NUL, b"STAT a\0b\r\n"),
    Attack(Check.TELNET_IN_VERB, b"PO\xff\xf1RT 10,77,1,10,200,1\r\n"),
    Attack(Check.UNKNOWN_VERB, b"FROB\r\n"),
    Attack(Check.DENIED_VERB, b"site exec\r\n", helper='denied_verbs = ["SITE"]'),
    Attack(Check.LOGIN_REQUIRED, b"", before=GREETED),
    Attack(Check.ANONYMOUS_ONLY, b"USER root\r\n", before=GREETED),
    Attack(Check.TOO_MANY_PENDING, b"NOOP\r\n" * 2, helper="pending = 2"),
    Attack(Check.REPLY_TOO_LONG, b"200 " + b"x" * 4096 + b"\r\n", by_client=False, before=ASKED),
    Attack(Check.EPSV_ALL, b"", before=(*LOGGED_IN, (b"EPSV ALL\r\n", b"200 OK\r\n"))),
]
attacks = pytest.mark.parametrize(
    "attack", ATTACKS, ids=[f"{a.check}-{'client' if a.by_client else 'server'}" for a in ATTACKS]
)


@pytest.fixture(scope="module", params=["borrowed", "cthelper"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway that is loaded, for the attacks."""
    directory = tmp_path_factory.mktemp("shared")
    with (
        made_namespaces() as namespaces,
        standing_gateway(request.param, joined(namespaces), directory) as gateway,
    ):
        load(gateway, '"compat"')
        yield gateway


def write(gateway: Gateway, checks: str, helper: str = "", *, nat: bool = True) -> Path:
    path = gateway.directory / "gateway.toml"
    path.write_text(
        f'[gateway]\ninside = ["in0"]\noutside = "out0"\nmasquerade = {json.dumps(nat)}\n'
        f'[helper]\nbackend = "{gateway.backend}"\nchecks = {checks}\n{helper}\n'
        '[clients]\nallow = ["10.77.1.0/24", "fd77:1::/64"]\n'
    )
    return path


def load(gateway: Gateway, checks: str, helper: str = "", *, nat: bool = True) -> None:
    path = write(gateway, checks, helper, nat=nat)
    if not nat:
        run(gateway.net.server, "ip", "route", "add", "10.77.1.0/24", "via", PUBLIC)
    gateway.done("load", path)


@contextmanager
def attacked(gateway: Gateway, attack: Attack, action: Action) -> Iterator[Session]:
    """A session in which the attack has been sent."""
    write(gateway, f'{{ {attack.check} = "{action}" }}', attack.helper)
    gateway.hang_up()
    withdraw_all(gateway)
    with session(gateway) as talk, ending_by_resets(talk):
        for command, reply in attack.before:
            assert not command or talk.say(command) == command
            assert not reply or talk.answer(reply) == reply
        sender(talk, attack).sendall(attack.segment)
        yield talk


@contextmanager
def ending_by_resets(talk: Session) -> Iterator[None]:
    """Have both hosts forget the session, so that nothing of it is sent again in the next one."""
    try:
        yield
    finally:
        for end in (talk.client, talk.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))


def withdraw_all(gateway: Gateway) -> None:
    """Expectations outlive the test that they were made in."""
    with inside(gateway.net.gateway, Ctnetlink) as kernel:
        for expectation in kernel.list_expectations():
            kernel.delete_expectation(expectation)


def sender(talk: Session, attack: Attack) -> socket.socket:
    return talk.client if attack.by_client else talk.server


def receiver(talk: Session, attack: Attack) -> socket.socket:
    return talk.server if attack.by_client else talk.client


def noted(talk: Session, check: Check) -> int:
    """How often a check has fired in a session; asked of the helper itself, which is faster."""
    report = control.ask(talk.gateway.state / "control.sock")
    host, port = talk.client.getsockname()[:2]
    refusals = [one for worker in report["workers"] for one in worker["refusals"]]
    here = [one for one in refusals if one["client"] == f"{host}:{port}"]
    return [one["why"] for one in here].count(check.value)


def expectations(gateway: Gateway) -> list[Expectation]:
    with inside(gateway.net.gateway, Ctnetlink) as kernel:
        return kernel.list_expectations()


def await_note(talk: Session, check: Check) -> None:
    """Until the inspector has found the line."""
    until = time.monotonic() + PATIENCE
    while not noted(talk, check):
        assert time.monotonic() < until, f"{check} was not noted"


def opened(gateway: Gateway, attack: Attack) -> bool:
    """Whether the other side can open the data connection that was announced."""
    net = gateway.net
    listens, calls = (net.client, net.server) if attack.by_client else (net.server, net.client)
    address = CLIENT if attack.by_client else SERVER
    known_as = PUBLIC if attack.by_client else SERVER
    with inside(listens, lambda: listen(address, PORT)):
        try:
            inside(calls, lambda: connect(known_as, PORT, timeout=0.5)).close()
        except OSError:
            return False
        return True


def require_reset(connection: socket.socket) -> None:
    """What had arrived before is read first."""
    connection.settimeout(PATIENCE)
    with pytest.raises(ConnectionResetError):
        read_to_the_end(connection)


def read_to_the_end(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@attacks
def test_drop(shared: Gateway, attack: Attack) -> None:
    with attacked(shared, attack, Action.DROP) as talk:
        await_note(talk, attack.check)
        assert expectations(shared) == []
        assert not opened(shared, attack)
        # Lines ahead of the one that the check is about may have come.
        readable, _, _ = select.select([receiver(talk, attack)], [], [], 0)
        arrived = receiver(talk, attack).recv(65536) if readable else b""
        assert b"PORT" not in arrived
        assert b"227" not in arrived


@attacks
def test_reset(shared: Gateway, attack: Attack) -> None:
    with attacked(shared, attack, Action.RESET) as talk:
        require_reset(receiver(talk, attack))
        require_reset(sender(talk, attack))
        assert noted(talk, attack.check) == 1
        assert expectations(shared) == []
        assert not opened(shared, attack)


@attacks
def test_log(shared: Gateway, attack: Attack) -> None:
    with attacked(shared, attack, Action.LOG) as talk:
        arrived = receiver(talk, attack)
        lines = [receive_line(arrived) for _ in range(attack.segment.count(b"\n"))]
        assert lines[-1] == attack.segment.splitlines(keepends=True)[-1].replace(
            b"10,77,1,10", b"192,0,2,1"
        )
        assert noted(talk, attack.check) >= 1
        assert opened(shared, attack)


@pytest.mark.parametrize("nat", [True, False], ids=["masqueraded", "routed"])
def test_a_refused_port_is_closed_again(gateway: Gateway, nat: bool) -> None:
    load(gateway, '{ port-refused = "log" }', nat=nat)
    with session(gateway) as talk:
        talk.say(OPENS_CLIENT)
        assert len(gateway.expectations()) == 1
        assert talk.answer(b"500 Illegal PORT command.\r\n") == b"500 Illegal PORT command.\r\n"
        assert gateway.expectations() == []
        assert noted(talk, Check.PORT_REFUSED) == 1


def test_too_many_expectations(gateway: Gateway) -> None:
    """From three control connections of one client; those that were used do not count."""
    load(gateway, '{ too-many-expectations = "reset" }', "expectations_per_client = 2")
    with ExitStack() as stack:
        listener = inside(gateway.net.server, lambda: listen(SERVER, 21))
        stack.enter_context(listener)
        talks = []
        for _ in range(3):
            client = stack.enter_context(inside(gateway.net.client, lambda: connect(SERVER, 21)))
            server = stack.enter_context(listener.accept()[0])
            server.settimeout(PATIENCE)
            talks.append(Session(gateway, client, server))
        talks[0].say(OPENS_CLIENT)
        talks[0].answer(b"200 OK\r\n")
        assert opened(gateway, Attack(Check.TOO_MANY_EXPECTATIONS, b""))
        for number, talk in enumerate(talks[:2]):
            talk.say(b"PORT 10,77,1,10,201,%d\r\n" % number)
        talks[2].client.sendall(b"PORT 10,77,1,10,201,3\r\n")
        require_reset(talks[2].server)
        require_reset(talks[2].client)
        ports = [one["destination"] for one in gateway.expectations()]
        assert sorted(ports) == [f"{PUBLIC}:51456", f"{PUBLIC}:51457"]


@pytest.mark.parametrize("nat", [True, False], ids=["masqueraded", "routed"])
@pytest.mark.parametrize("action", ["drop", "reset"])
def test_after_a_rewrite_and_without_nat(gateway: Gateway, nat: bool, action: str) -> None:
    """Sequence numbers that the kernel has shifted, and a flow that nothing shifts."""
    load(gateway, f'{{ unknown-verb = "{action}" }}', nat=nat)
    with session(gateway) as talk:
        for _ in range(2):
            talk.say(OPENS_CLIENT)
            talk.answer(b"200 OK\r\n")
        talk.client.sendall(b"FROB\r\n")
        if action == "reset":
            require_reset(talk.server)
            require_reset(talk.client)
            assert gateway.expectations() == []
        else:
            await_note(talk, Check.UNKNOWN_VERB)
            talk.server.setblocking(False)
            with pytest.raises(BlockingIOError):
                talk.server.recv(100)


CURL = [
    ("PORT", ["-P", "-", "--disable-eprt"]),
    ("EPRT", ["-P", "-"]),
    ("PASV", ["--disable-epsv"]),
    ("EPSV", []),
]


@pytest.fixture
def site(gateway: Gateway, tmp_path: Path) -> Iterator[Site]:
    require_program("vsftpd", "curl", "lftp")
    tmp_path.chmod(0o755)
    with vsftpd(gateway.net.server, SERVER, tmp_path) as site:
        yield site


def test_real_clients_fail_no_check(gateway: Gateway, site: Site, tmp_path: Path) -> None:
    load(gateway, '"strict"')
    content = bytes(range(256)) * 2048
    site.publish("file", content)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    for mode, options in CURL:
        curl = ["curl", "-sS", "--max-time", "20", *options]
        run(gateway.net.client, *curl, "-o", str(target), f"ftp://{SERVER}/file")
        assert target.read_bytes() == content
        run(gateway.net.client, *curl, "-T", str(source), f"ftp://{SERVER}/incoming/{mode}")
        assert (site.incoming / mode).read_bytes() == content
    for passive in ("on", "off"):
        target.unlink()
        name = f"lftp-{passive}"
        script = (
            f"set net:timeout 10; set net:max-retries 1; set ftp:passive-mode {passive};"
            f" open ftp://{SERVER}; ls; get file -o {target}; put {source} -o incoming/{name}; bye"
        )
        run(gateway.net.client, "lftp", "-c", script)
        assert target.read_bytes() == content
        assert (site.incoming / name).read_bytes() == content
    notes = gateway.notes()
    assert "check" not in notes, notes
    assert not any(worker["errors"] for worker in workers(gateway))


def workers(gateway: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.status()["helper"]["workers"]
    return found
