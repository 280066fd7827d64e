"""The helper as a service: reload, privileges, watchdog, started late, killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from subprocess import Popen

import pytest

from ftpfw.helper.processes import end_process

from . import paths
from .gateway_host import (
    CONTROL,
    Gateway,
    Session,
    active,
    announced,
    borrowed,
    gateway,
    port_line,
    session,
    transfer,
)
from .loading import loaded
from .netns import Namespaces, inside, require_program, run
from .sockets import PATIENCE, connect, listen, receive_line

__all__ = ["borrowed", "gateway"]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
NET_ADMIN = 1 << 12
QUIET = 2.5
"""Seconds without a sign of life, of which one comes each second."""


@dataclass(frozen=True)
class Manager:
    """A service manager, as far as sd_notify(3) goes."""

    path: Path
    socket: socket.socket

    def hears(self) -> str:
        return self.socket.recv(4096).decode()

    def hears_at_last(self, wanted: str) -> None:
        while self.hears() != wanted:
            pass


@contextmanager
def manager(directory: Path) -> Iterator[Manager]:
    path = directory / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(6 * PATIENCE)
        yield Manager(path, listener)


@contextmanager
def helper(
    gateway: Gateway, policy: Path, **environment: str
) -> Iterator[tuple[Popen[str], Manager]]:
    """A helper that runs in the foreground and is ready."""
    with manager(gateway.directory) as told:
        environment = {"NOTIFY_SOCKET": str(told.path), **environment}
        with gateway.started("helper", policy, **environment) as process:
            assert told.hears() == "READY=1"
            yield process, told


def rewrite(policy: Path, old: str, new: str) -> None:
    text = policy.read_text()
    assert old in text
    policy.write_text(text.replace(old, new, 1))


def text_in_force(gateway: Gateway) -> str:
    text: str = gateway.status()["helper"]["policy"]["text"]
    return text


# Reload


@pytest.mark.parametrize("queue", ["0", "3-4"])
def test_sighup_takes_the_policy_and_keeps_the_sessions(borrowed: Gateway, queue: str) -> None:
    policy = borrowed.policy(queue=queue)
    borrowed.done("rules", "apply", policy)
    with helper(borrowed, policy) as (process, told), session(borrowed) as talk:
        active(talk)
        rewrite(
            policy,
            "[helper]",
            '[helper]\ndenied_verbs = ["SITE"]\nchecks = { denied-verb = "drop" }',
        )
        process.send_signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told.hears())
        assert told.hears() == "READY=1"
        assert text_in_force(borrowed) == policy.read_text()
        active(talk)
        talk.client.sendall(b"SITE CHMOD 777 /\r\n")
        talk.server.settimeout(0.5)
        with pytest.raises(TimeoutError):
            talk.server.recv(1)


def test_load_has_a_helper_that_went_by_another_text_go_by_this_one(borrowed: Gateway) -> None:
    policy = borrowed.policy()
    borrowed.done("load", policy)
    text = policy.read_text()
    rewrite(policy, "[helper]", "[helper]\npending = 3")
    borrowed.hang_up()
    assert text_in_force(borrowed) != text
    assert borrowed.ftpfw("status").returncode == 1
    policy.write_text(text)
    assert "the helper has read it anew" in borrowed.done("load", policy)
    assert text_in_force(borrowed) == text
    borrowed.done("status")


REFUSED = [
    # id, what is replaced, by what, what the log says
    ("not TOML", "[helper]", "[helper", "gateway.toml:5: not valid TOML"),
    ("unknown key", "[helper]", "[helper]\ncheck = 1", "gateway.toml:6: helper.check: unknown key"),
    (
        "queue",
        '"borrowed"',
        '"borrowed"\nqueue = "9"',
        "gateway.toml:7: helper.queue: cannot change",
    ),
    ("mark", '"borrowed"', '"borrowed"\nmark = 16', "gateway.toml:7: helper.mark: cannot change"),
    ("zone", "[helper]", "zone = 7\n[helper]", "gateway.toml:5: gateway.zone: cannot change"),
    ("backend", '"borrowed"', '"kernel"', "gateway.toml:6: helper.backend: cannot change"),
]


@pytest.mark.parametrize(
    ("old", "new", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_bad_policy_is_refused_and_the_old_one_stays(
    borrowed: Gateway, old: str, new: str, reason: str
) -> None:
    policy = borrowed.policy()
    borrowed.done("load", policy)
    before = policy.read_text()
    rewrite(policy, old, new)
    with session(borrowed) as talk:
        borrowed.hang_up()
        status = borrowed.status()["helper"]["policy"]
        assert reason in status["refused"]
        assert status["text"] == before
        log = (borrowed.state / "helper.log").read_text()
        assert reason in log
        assert "mend:" in log
        active(talk)


def test_load_changes_over_to_another_text_in_one_step(gateway: Gateway) -> None:
    before = gateway.traces()
    policy = gateway.policy()
    gateway.done("load", policy)
    pid = gateway.status()["helper"]["pid"]
    with session(gateway) as talk:
        active(talk)
        rewrite(policy, "[helper]", "[helper]\nports = [21, 2121]")
        assert "changed over" in gateway.done("load", policy)
        status = gateway.status()
        assert status["helper"]["pid"] == pid
        assert status["text"] == status["helper"]["policy"]["text"] == policy.read_text()
        assert status["drift"] == 0
        assert status["ports"] == [21, 2121]
        active(talk)
        talk.say(port_line(("10.77.1.10", 40000)))
        rewrite(policy, "ports = [21, 2121]", "ports = [2121]")
        gateway.done("load", policy)
        assert gateway.status()["ports"] == [21, 2121], "unload has to clear up after both"
        assert len(gateway.expectations()) == 1
        gateway.done("unload")
        assert gateway.traces() == before


def test_a_helper_that_refuses_sets_the_rules_back(gateway: Gateway) -> None:
    """Root without capabilities cannot read what another user keeps to himself; load can."""
    policy = gateway.policy()
    gateway.done("load", policy)
    before, text = gateway.traces(), policy.read_text()
    rewrite(policy, "[helper]", "[helper]\nports = [21, 2121]")
    policy.chmod(0o600)
    os.chown(policy, NOBODY, NOBODY)
    finished = gateway.ftpfw("load", policy)
    assert finished.returncode == 1
    assert "the helper refused the policy" in finished.stderr
    assert "Permission denied" in finished.stderr
    assert gateway.traces() == before
    assert gateway.status()["text"] == text_in_force(gateway) == text


def test_rules_that_cannot_be_applied_leave_the_helper_as_it_is(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    text = policy.read_text()
    rewrite(policy, '["in0"]', '["in0", "lo"]')
    broken = gateway.directory / "bin"
    broken.mkdir()
    for name in ("iptables-legacy-restore", "iptables-nft-restore"):
        (broken / name).write_text("#!/bin/sh\nexit 1\n")
        (broken / name).chmod(0o755)
    path = os.environ["PATH"]
    with gateway.started("load", policy, PATH=f"{broken}:{path}") as load:
        assert load.wait() == 1
    assert gateway.status()["text"] == text_in_force(gateway) == text
    assert gateway.status()["drift"] == 0


def test_load_starts_a_dead_helper_with_the_other_text(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    gateway.kill_helper()
    rewrite(policy, "[helper]", "[helper]\nports = [21, 2121]")
    gateway.done("load", policy)
    assert text_in_force(gateway) == policy.read_text()
    assert gateway.status()["drift"] == 0


def test_rules_that_the_running_helper_cannot_serve_are_refused(borrowed: Gateway) -> None:
    policy = borrowed.policy()
    with helper(borrowed, policy):
        borrowed.done("rules", "apply", policy)
        before = borrowed.traces()
        rewrite(policy, "[helper]", '[helper]\nqueue = "7"')
        finished = borrowed.ftpfw("rules", "apply", policy)
        assert finished.returncode == 2
        assert "gateway.toml:6: helper.queue: cannot change" in finished.stderr
        assert borrowed.traces() == before


# Privileges


def standing(pid: int) -> dict[str, str]:
    """What /proc/PID/status says, see proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def require_only_net_admin(pid: int, bounding: int = 0) -> None:
    found = standing(pid)
    sets = {name: int(found[name], 16) for name in found if name.startswith("Cap")}
    assert sets == {
        "CapInh": 0,
        "CapPrm": NET_ADMIN,
        "CapEff": NET_ADMIN,
        "CapBnd": bounding,
        "CapAmb": 0,
    }
    assert found["NoNewPrivs"] == "1"
    assert found["Groups"] == ""
    assert found["Umask"] == "0077"


@pytest.mark.parametrize("queue", ["0", "3-4"])
def test_the_helper_and_its_workers_keep_one_capability(borrowed: Gateway, queue: str) -> None:
    borrowed.done("load", borrowed.policy(queue=queue))
    with session(borrowed) as talk:
        active(talk)
    report = borrowed.status()["helper"]
    for pid in {report["pid"], *(worker["pid"] for worker in report["workers"])}:
        require_only_net_admin(pid)


def interpreter_for(user: int) -> list[str]:
    """A command line of an interpreter that ``user`` may run, and that has our packages."""
    packages = f"PYTHONPATH={sysconfig.get_path('purelib')}:{ROOT}"
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    capability = ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
    for python in (sys.executable, "/usr/bin/python3"):
        command = [*become, *capability, "env", packages, "PYTHONDONTWRITEBYTECODE=1", python]
        tried = subprocess.run(
            [*command, "-c", "import ftpfw.cli.helper"], capture_output=True, check=False, cwd="/"
        )
        if tried.returncode == 0:
            return command
    pytest.skip("needs an interpreter, with our packages, that other users can run")


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """A directory that another user can reach, unlike tmp_path."""
    made = Path(tempfile.mkdtemp(prefix="ftpfw-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def test_another_user_can_run_it_who_has_the_capability(
    borrowed: Gateway, shared_directory: Path
) -> None:
    require_program("setpriv")
    python = interpreter_for(NOBODY)
    here = replace(borrowed, directory=shared_directory)
    policy = here.policy()
    here.state.mkdir(mode=0o700)
    os.chown(here.state, NOBODY, NOBODY)
    here.done("rules", "apply", policy)
    with manager(shared_directory) as told, session(here) as talk:
        environment = {"NOTIFY_SOCKET": str(told.path), "FTPFW_STATE_DIR": str(here.state)}
        process = Popen(
            ["ip", "netns", "exec", here.net.gateway, *python, "-m", "ftpfw", "helper", policy],
            env={**os.environ, **environment},
            cwd="/",
        )
        try:
            assert told.hears() == "READY=1"
            active(talk)
            report = here.status()["helper"]
            assert standing(report["pid"])["Uid"].split() == [str(NOBODY)] * 4
            require_only_net_admin(report["pid"], bounding=int(standing(os.getpid())["CapBnd"], 16))
            rewrite(policy, "[helper]", "[helper]\npending = 5")
            process.send_signal(signal.SIGHUP)
            told.hears_at_last("READY=1")
            assert text_in_force(here) == policy.read_text()
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
    assert list(here.state.iterdir()) == []


def test_a_state_directory_of_another_user_is_named(borrowed: Gateway) -> None:
    borrowed.state.mkdir()
    os.chown(borrowed.state, NOBODY, NOBODY)
    finished = borrowed.ftpfw("helper", borrowed.policy())
    assert finished.returncode == 1
    assert "ftpfw.pid: Permission denied" in finished.stderr
    assert "must belong to the user" in finished.stderr


def test_without_the_capability_it_says_so(borrowed: Gateway) -> None:
    require_program("setpriv")
    less = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-m", "ftpfw", "helper"]
    finished = subprocess.run(
        [*less, borrowed.policy()], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "CAP_NET_ADMIN is missing" in finished.stderr
    assert "mend:" in finished.stderr


# Watchdog


@pytest.mark.parametrize("queue", ["0", "3-4"])
def test_a_worker_that_stands_still_is_not_called_alive(borrowed: Gateway, queue: str) -> None:
    policy = borrowed.policy(queue=queue)
    with helper(borrowed, policy, WATCHDOG_USEC="3000000") as (_, told):
        told.hears_at_last("WATCHDOG=1")
        told.hears_at_last("WATCHDOG=1")
        stopped = borrowed.status()["helper"]["workers"][-1]["pid"]
        os.kill(stopped, signal.SIGSTOP)
        try:
            told.socket.settimeout(QUIET)
            with pytest.raises(TimeoutError):
                told.hears_at_last("never")
        finally:
            os.kill(stopped, signal.SIGCONT)
        told.socket.settimeout(PATIENCE)
        told.hears_at_last("WATCHDOG=1")


def test_without_a_watchdog_there_are_no_signs_of_life(borrowed: Gateway) -> None:
    with helper(borrowed, borrowed.policy()) as (process, told):
        told.socket.settimeout(QUIET)
        with pytest.raises(TimeoutError):
            told.hears()
        told.socket.settimeout(PATIENCE)
        process.terminate()
        assert told.hears() == "STOPPING=1"


# Started late, and killed


def passive(talk: Session, port: int) -> None:
    """The server announces a port, and the client reaches it."""
    line = b"227 Entering Passive Mode (192,0,2,10,%d,%d)\r\n" % (port >> 8, port & 255)
    assert talk.answer(line) == line
    (expectation,) = talk.gateway.expectations()
    assert expectation["destination"] == f"192.0.2.10:{port}"


SILENT = (b"", b"")
SAID_BEFORE = [
    # id, what the client says before and after the helper starts, and what the server says
    ("nothing", SILENT, SILENT),
    ("whole lines", (b"USER a\r\n", b""), (b"331 Password\r\n", b"")),
    ("half a command", (b"PORT 10,77,1,", b"10,200,1\r\n"), SILENT),
    ("half a reply", SILENT, (b"220 Welc", b"ome\r\n")),
    ("half a long reply", SILENT, (b"230-Hello\r\n227 (1,2,3,4,5,6)\r\n", b" x\r\n230 .\r\n")),
]


@pytest.mark.parametrize("queue", ["0", "3-4"])
@pytest.mark.parametrize(
    ("asked", "answered"), [row[1:] for row in SAID_BEFORE], ids=[row[0] for row in SAID_BEFORE]
)
def test_started_late_it_picks_every_session_up_at_its_next_line(
    borrowed: Gateway, queue: str, asked: tuple[bytes, bytes], answered: tuple[bytes, bytes]
) -> None:
    policy = borrowed.policy(queue=queue)
    borrowed.done("rules", "apply", policy)
    with session(borrowed) as talk:
        crosses(talk.client, talk.server, asked[0])
        crosses(talk.server, talk.client, answered[0])
        with helper(borrowed, policy):
            crosses(talk.client, talk.server, asked[1])
            crosses(talk.server, talk.client, answered[1])
            passive(talk, 40000)
            active(talk)


def crosses(sender: socket.socket, receiver: socket.socket, data: bytes) -> None:
    sender.sendall(data)
    received = b""
    while len(received) < len(data):
        received += receiver.recv(len(data)) or pytest.fail("the connection ended")
    assert received == data


@contextmanager
def sessions(gateway: Gateway, *hosts: str) -> Iterator[list[Session]]:
    """A session of each of several inside hosts with the one server."""
    with ExitStack() as stack:
        listener = inside(gateway.net.server, lambda: listen("", CONTROL))
        stack.enter_context(listener)
        talks = []
        for host in hosts:
            run(gateway.net.client, "ip", "address", "replace", f"{host}/24", "dev", "eth0")
            client = inside(gateway.net.client, partial(connect_from, host))
            stack.enter_context(client)
            accepted = stack.enter_context(listener.accept()[0])
            accepted.settimeout(PATIENCE)
            talks.append(Session(gateway, client, accepted))
        yield talks


def connect_from(host: str) -> socket.socket:
    return socket.create_connection(("192.0.2.10", CONTROL), PATIENCE, source_address=(host, 0))


@pytest.mark.parametrize("queue", ["0", "3-4"])
def test_killed_again_and_again_it_picks_all_sessions_up(borrowed: Gateway, queue: str) -> None:
    """Each session has rewrites behind it, whose offsets the next helper takes over."""
    policy = borrowed.policy(queue=queue)
    borrowed.done("load", policy)
    with sessions(borrowed, "10.77.1.10", "10.77.1.11", "10.77.1.12") as talks:
        for talk in talks:
            active(talk)
        for _ in range(2):
            borrowed.kill_helper()
            borrowed.done("load", policy)
            for talk in talks:
                active(talk)
        workers = borrowed.status()["helper"]["workers"]
    assert sum(worker["flows"] for worker in workers) == len(talks)
    assert [worker["errors"] for worker in workers] == [0] * len(workers)


def test_a_transfer_outlives_the_helper(gateway: Gateway) -> None:
    policy = gateway.policy()
    gateway.done("load", policy)
    with session(gateway) as talk, talk.client_listens() as listener:
        seen = announced(talk.say(port_line(listener.getsockname()[:2])))
        with (
            inside(gateway.net.server, lambda: connect(*seen)) as data,
            listener.accept()[0] as end,
        ):
            end.settimeout(PATIENCE)
            crosses(data, end, b"before\n")
            gateway.kill_helper()
            crosses(data, end, b"without\n")
            crosses(talk.server, talk.client, b"150 still there\r\n")
            gateway.done("load", policy)
            crosses(data, end, b"after\n")
        active(talk)


@pytest.mark.parametrize("queue", ["0", "3-4"])
def test_closed_what_is_said_meanwhile_waits_for_the_next_helper(
    borrowed: Gateway, queue: str
) -> None:
    """A PORT that was sent while no helper ran is rewritten and expected all the same."""
    policy = borrowed.policy(on_crash="closed", queue=queue)
    borrowed.done("load", policy)
    with session(borrowed) as talk, talk.client_listens() as listener:
        active(talk)
        borrowed.kill_helper()
        talk.client.sendall(port_line(listener.getsockname()[:2]))
        talk.server.settimeout(0.5)
        with pytest.raises(TimeoutError):
            talk.server.recv(1)
        borrowed.done("load", policy)
        talk.server.settimeout(6 * PATIENCE)  # TCP repeats ever more rarely
        seen = announced(receive_line(talk.server))
        assert seen[0] == "192.0.2.1"
        transfer(talk, listener, seen)


def test_open_what_is_said_meanwhile_goes_on_unread(borrowed: Gateway) -> None:
    """It opens nothing, and the offsets of rewrites before hold without a helper."""
    policy = borrowed.policy()
    borrowed.done("load", policy)
    with session(borrowed) as talk:
        active(talk)
        borrowed.kill_helper()
        line = port_line(("10.77.1.10", 40000))
        assert talk.say(line) == line
        crosses(talk.server, talk.client, b"500 Illegal PORT command.\r\n")
        assert borrowed.expectations() == []
        borrowed.done("load", policy)
        active(talk)


HAIRPIN = """\
[gateway]
inside = ["in0"]
outside = "out0"
masquerade = true
[helper]
backend = "borrowed"
[clients]
allow = ["10.77.1.0/24"]
[[server]]
address = "10.77.1.20"
public = "192.0.2.1"
"""


def test_rewrites_in_both_directions_are_taken_over(namespaces: Namespaces, tmp_path: Path) -> None:
    """A session with both NATs has an offset each way, which the kernel keeps in between."""
    require_program("iptables-legacy", "iptables-nft")
    town = paths.build_town(namespaces)
    with (
        loaded(town.gate, HAIRPIN, tmp_path / "gate") as gate,
        paths.session(town.alice, town.shop, "192.0.2.1", at="10.77.1.20") as talk,
    ):
        for _ in range(3):
            assert paths.passive(talk, "PASV")[0] == "192.0.2.1"
            assert paths.active(talk, "PORT")[0] == "10.77.1.1"
            end_process(int((gate.state / "ftpfw.pid").read_text()), patience=0)
            paths.require_alive(talk)
            gate.ftpfw("load", str(tmp_path / "gate" / "gateway.toml"))
