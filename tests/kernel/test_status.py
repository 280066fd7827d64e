"""What status and expect watch show of a gateway at work, on a terminal and off it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from subprocess import PIPE, Popen
from termios import TIOCSWINSZ
from typing import Any

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Expectation
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nlmsg import Flag
from ftpfw.conntrack.wire_expect import pack_new_expectation

from .gateway_host import (
    Gateway,
    Session,
    active,
    announced,
    gateway,
    port_line,
    session,
    transfer,
)
from .netns import inside
from .sockets import PACE, PATIENCE

__all__ = ["gateway"]

WIDTH = 80
CLOSES_SCREEN = "\x1b[?1049l"
FLAGS_AT = 6  # of nlmsg_flags in struct nlmsghdr


def endpoint(connection: socket.socket) -> str:
    host, port = connection.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def log_in(talk: Session, user: bytes = b"anna") -> None:
    for line, reply in ((b"USER " + user, b"331 Password"), (b"PASS secret", b"230 In")):
        talk.say(line + b"\r\n")
        talk.answer(reply + b"\r\n")


def test_status_tells_who_is_there_and_what_may_come(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        log_in(talk)
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        report = gateway.status()
        text = gateway.done("status")
        client = endpoint(talk.client)
    (told,) = report["total"]["sessions"]
    assert told.pop("age") < PATIENCE + 60
    assert told.pop("phase") in {"clear", "logged-in", "transfer"}
    assert told == {
        "client": client,
        "server": "192.0.2.10:21",
        "user": "anna",
        "expectations": 1,
    }
    (expected,) = report["expectations"]
    assert (expected["client"], expected["destination"]) == (client, "192.0.2.1:51201")
    assert "secret" not in json.dumps(report) + text
    for shown in (client, "anna", "192.0.2.1:51201", "10.77.1.10:51201"):
        assert shown in text


def test_a_session_that_has_ended_is_no_session_any_more(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as gone, session(gateway, "2001:db8:2::10") as stays:
        log_in(gone)
        log_in(stays)
        gone.client.close()
        gone.server.recv(1)
        gone.server.close()
        report = gateway.status()
        client = endpoint(stays.client)
    assert [told["client"] for told in report["total"]["sessions"]] == [client]


def test_status_tells_what_was_refused_and_why(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway, "2001:db8:2::10") as talk:
        before = time.time()
        talk.say(b"EPRT |2|fd77:1::99|5000|\r\n")
        talk.say(b"EPRT |2|fd77:1::10|\r\n")
        foreign, unusable = gateway.status()["total"]["refusals"]
        text = gateway.done("status")
        client = endpoint(talk.client)
    assert (foreign["why"], foreign["line"]) == ("foreign address", "EPRT |2|fd77:1::99|5000|")
    assert unusable["line"] == "EPRT |2|fd77:1::10|"
    for refusal in (foreign, unusable):
        assert before <= refusal["time"] <= time.time()
        assert (refusal["client"], refusal["server"]) == (client, "[2001:db8:2::10]:21")
    assert foreign["client"] in text, "brackets are no markup"


def test_a_peers_control_characters_do_not_reach_the_terminal(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        talk.say(b"USER \x1b[2J[red]anna\r\n")
        talk.say(b"PORT \x1b]0;owned\x07[bold]\r\n")
        text = gateway.done("status")
    assert "\x1b" not in text
    assert r"PORT \x1b]0;owned\x07[bold]" in text
    assert r"\x1b[2J[red]anna" in text


def test_the_workers_of_several_queues_are_summed(gateway: Gateway) -> None:
    if gateway.backend != "borrowed":
        pytest.skip(f"not in the nature of the backend {gateway.backend}")
    gateway.done("load", gateway.policy(queue="3-4"))
    with session(gateway) as one, session(gateway, "2001:db8:2::10") as other:
        one.say(b"PORT 10,77,1,10,200,1\r\n")
        other.say(b"EPRT |2|fd77:1::10|5000|\r\n")
        report = gateway.status()
        clients = {endpoint(one.client), endpoint(other.client)}
    total, workers = report["total"], report["helper"]["workers"]
    assert total["negotiations"] == {"EPRT": {"expected": 1}, "PORT": {"expected": 1}}
    assert {told["client"] for told in total["sessions"]} == clients
    assert total["packets"] == sum(worker["packets"] for worker in workers)
    assert sum(total["verdict_seconds"]["counts"]) == total["packets"]


def test_the_kernels_refusals_are_counted_by_errno(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        for _ in range(2):
            talk.say(b"PORT 10,77,1,10,200,1\r\n")
            talk.answer(b"200 PORT command successful.\r\n")
        (errno,) = gateway.notes()["kernel-error"]
    assert errno in {"EBUSY", "EEXIST"}


@dataclass(frozen=True)
class Terminal:
    """A command on a terminal of its own."""

    process: Popen[bytes]
    master: int

    def shows(self, wanted: str) -> str:
        """Everything that was drawn until ``wanted`` was."""
        seen, end = "", time.monotonic() + 2 * PATIENCE
        while wanted not in seen:
            ready, _, _ = select.select([self.master], [], [], end - time.monotonic())
            assert ready, f"it never shows {wanted!r}: {seen}"
            seen += without_styles(os.read(self.master, 65536).decode())
        return seen

    def interrupted(self) -> tuple[int, str]:
        """The exit code after Ctrl-C, and what is left on the terminal, its screen closed."""
        self.process.send_signal(signal.SIGINT)
        left = b""
        while select.select([self.master], [], [], 2 * PATIENCE)[0]:
            try:
                left += os.read(self.master, 65536)
            except OSError:  # EIO: nobody has it open any more
                break
        _, _, stays = left.decode().rpartition(CLOSES_SCREEN)
        return self.process.wait(PATIENCE), without_styles(stays)


def without_styles(drawn: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


@contextmanager
def on_a_terminal(gateway: Gateway, *arguments: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    environment = {
        key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES"}
    }
    process = Popen(
        ["ip", "netns", "exec", gateway.net.gateway, sys.executable, "-m", "ftpfw", *arguments],
        env={**environment, "FTPFW_STATE_DIR": str(gateway.state), "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_status_watch_follows_on_a_terminal(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk, on_a_terminal(gateway, "status", "--watch") as terminal:
        terminal.shows("gateway")
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        terminal.shows("192.0.2.1:51201")
        code, left = terminal.interrupted()
    assert code == 0
    assert "192.0.2.1:51201" in left, "what was seen last stays"
    assert max(len(line.rstrip()) for line in left.splitlines()) <= WIDTH


def test_expect_watch_follows_on_a_terminal(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk, on_a_terminal(gateway, "expect", "watch") as terminal:
        terminal.shows("expected data connections")
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        terminal.shows("192.0.2.1:51201")
        talk.answer(b"200 PORT command successful.\r\n")
        active(talk)
        terminal.shows("used")
        code, left = terminal.interrupted()
    assert code == 0
    assert max(len(line.rstrip()) for line in left.splitlines()) <= WIDTH


@pytest.mark.parametrize("command", [("status", "--watch"), ("status", "--watch", "--json")])
def test_a_live_view_needs_a_terminal(gateway: Gateway, command: tuple[str, ...]) -> None:
    refused = gateway.ftpfw(*command)
    assert refused.returncode == 2
    assert "--json" in refused.stderr
    assert refused.stdout == ""


@dataclass(frozen=True)
class Lines:
    """A command that tells a line at a time."""

    process: Popen[bytes]

    def next(self) -> str:
        out = self.process.stdout
        assert out is not None
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([out], [], [], 2 * PATIENCE)[0], f"nothing comes after {line!r}"
            byte = os.read(out.fileno(), 1)
            assert byte, f"it ended after {line!r}"
            line += byte
        return line.decode().rstrip()

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.next())
        return event


@contextmanager
def expect_watch(gateway: Gateway, *options: str) -> Iterator[Lines]:
    command = ["ip", "netns", "exec", gateway.net.gateway, sys.executable, "-m", "ftpfw"]
    with Popen([*command, "expect", "watch", *options], stdout=PIPE) as process:
        try:
            yield Lines(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_expect_watch_tells_each_event(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk, talk.client_listens() as listener:
        port, client = listener.getsockname()[1], endpoint(talk.client)
        public = announced(talk.say(port_line(listener.getsockname()[:2])))
        with expect_watch(gateway, "--json") as told:
            opened = told.event()
            talk.answer(b"200 PORT command successful.\r\n")
            transfer(talk, listener, public)
            used = told.event()
            talk.say(b"PORT 10,77,1,10,200,1\r\n")
            expected = told.event()
    assert (opened["event"], opened["translated_to"]) == ("open", f"10.77.1.10:{port}")
    assert (opened["client"], opened["server"]) == (client, "192.0.2.10:21")
    assert used["event"] == "used"
    assert used["connection"].startswith("192.0.2.10:")
    assert used["connection"].endswith(f" -> 192.0.2.1:{public[1]}")
    assert (expected["event"], expected["destination"]) == ("expected", "192.0.2.1:51201")
    assert 0 < expected["seconds_left"] <= 300


def test_expect_watch_tells_in_words_where_there_is_no_terminal(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        with expect_watch(gateway) as told:
            line = told.next()
        client = endpoint(talk.client)
    said = rf"\d\d:\d\d:\d\d open      192\.0\.2\.10:any -> 192\.0\.2\.1:51201 for {client}"
    assert re.match(said, line), line


def in_kernel(gateway: Gateway, change: Callable[[Expectation], object]) -> None:
    """Change the one expectation that there is behind ftpfw's back."""

    def body() -> None:
        with Ctnetlink() as kernel:
            (expectation,) = kernel.list_expectations()
        change(expectation)

    inside(gateway.net.gateway, body)


def withdraw(expectation: Expectation) -> None:
    with Ctnetlink() as kernel:
        kernel.delete_expectation(expectation)


def shorten(expectation: Expectation) -> None:
    """Leave it the time that a command takes to start.

    A NEW without NLM_F_EXCL sets the timeout of one that exists.
    """
    netlink = NfSocket.open()
    try:
        message = bytearray(pack_new_expectation(shorter(expectation), 1))
        flags = struct.unpack_from("=H", message, FLAGS_AT)[0] & ~(Flag.EXCL | Flag.CREATE)
        struct.pack_into("=H", message, FLAGS_AT, flags)

        def request(seq: int) -> bytes:
            struct.pack_into("=I", message, FLAGS_AT + 2, seq)
            return bytes(message)

        assert netlink.change(request).errno == 0
    finally:
        netlink.close()


def shorter(expectation: Expectation) -> Expectation:
    seconds = round(2 * PACE)
    return Expectation(expectation.master, expectation.tuple, expectation.mask, timeout=seconds)


ENDS: list[tuple[str, Callable[[Expectation], object], bool]] = [
    ("gone", withdraw, False),
    ("timed-out", shorten, True),
]


@pytest.mark.parametrize(("fate", "change", "before"), ENDS, ids=[row[0] for row in ENDS])
def test_expect_watch_tells_how_it_ended(
    gateway: Gateway, fate: str, change: Callable[[Expectation], object], before: bool
) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        if before:
            in_kernel(gateway, change)
        with expect_watch(gateway, "--json") as told:
            assert told.event()["event"] == "open"
            if not before:
                in_kernel(gateway, change)
            ended = told.event()
    assert (ended["event"], ended["connection"]) == (fate, None)


def test_expect_watch_ends_when_its_reader_does(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        talk.say(b"PORT 10,77,1,10,200,1\r\n")
        command = ["ip", "netns", "exec", gateway.net.gateway, sys.executable, "-m", "ftpfw"]
        with Popen([*command, "expect", "watch"], stdout=PIPE, stderr=PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert b"open" in process.stdout.readline()
            process.stdout.close()
            talk.answer(b"200 PORT command successful.\r\n")
            active(talk)
            process.wait(2 * PATIENCE)
            assert b"Traceback" not in process.stderr.read()


def test_a_helper_that_goes_away_is_shown_as_such(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with on_a_terminal(gateway, "status", "--watch") as terminal:
        terminal.shows("gateway")
        gateway.kill_helper()
        terminal.shows("not running")
        assert terminal.interrupted()[0] == 0
