"""A gateway host as its administrator uses it, and sessions across it that a test plays itself."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from ftpfw.conntrack import cthelper

from .conftest import GatewayNet
from .netns import inside, require_program, run
from .sockets import PATIENCE, connect, listen, receive_line

CONTROL = 21


@dataclass(frozen=True)
class Gateway:
    """The gateway host, as its administrator uses it."""

    net: GatewayNet
    directory: Path
    backend: str

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def policy(self, **helper: object) -> Path:
        helper = {"backend": self.backend, **helper}
        settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in helper.items())
        path = self.directory / "gateway.toml"
        path.write_text(
            f'[gateway]\ninside = ["in0"]\noutside = "out0"\nmasquerade = true\n'
            f"[helper]\n{settings}\n"
            f'[clients]\nallow = ["10.77.1.0/24", "fd77:1::/64"]\n'
        )
        return path

    def ftpfw(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.net.gateway, sys.executable, "-m", "ftpfw"]
        return subprocess.run(
            [*command, *map(str, arguments)],
            env={**os.environ, "FTPFW_STATE_DIR": str(self.state)},
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def started(self, *arguments: str | Path, **environment: str) -> Iterator[Popen[str]]:
        """A command that goes on meanwhile; ended by SIGKILL if nothing else has."""
        command = ["ip", "netns", "exec", self.net.gateway, sys.executable, "-m", "ftpfw"]
        state = {"FTPFW_STATE_DIR": str(self.state)}
        process = Popen(
            [*command, *map(str, arguments)], env={**os.environ, **state, **environment}, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def done(self, *arguments: str | Path) -> str:
        """Run a command that must succeed; its output."""
        finished = self.ftpfw(*arguments)
        assert finished.returncode == 0, finished.stderr + finished.stdout
        return finished.stdout

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.ftpfw("status", "--json").stdout)
        return report

    def notes(self) -> dict[str, dict[str, int]]:
        notes: dict[str, dict[str, int]] = {}
        for worker in self.status()["helper"]["workers"]:
            for kind, reasons in worker["notes"].items():
                for reason, count in reasons.items():
                    kept = notes.setdefault(kind, {})
                    kept[reason] = kept.get(reason, 0) + count
        return notes

    def expectations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.done("expect", "list", "--json"))[
            "expectations"
        ]
        return found

    def helper_pid(self) -> int:
        return int((self.state / "ftpfw.pid").read_text())

    def hang_up(self) -> None:
        """Send SIGHUP to a helper that `load` started, and wait until it has been heeded."""
        ready = self.state / "ready.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(ready))
            listener.settimeout(PATIENCE)
            os.kill(self.helper_pid(), signal.SIGHUP)
            while listener.recv(4096) != b"READY=1":
                pass
        ready.unlink()

    def kill_helper(self) -> None:
        """Kill it, and wait until its workers have ended too, which they do a little later."""
        pid = self.helper_pid()
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        descriptors = [os.pidfd_open(one) for one in (pid, *map(int, workers))]
        os.kill(pid, signal.SIGKILL)
        for descriptor in descriptors:
            assert select.select([descriptor], [], [], PATIENCE)[0]
            os.close(descriptor)

    def traces(self) -> dict[str, str]:
        """Everything that a load could leave on this host."""
        found = {}
        for program in ("iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"):
            saved = run(self.net.gateway, f"{program}-save").splitlines()
            found[program] = "\n".join(
                line
                for line in saved
                if line.startswith(("-", ":")) and " ACCEPT " not in line  # bare builtin chains
            )
        found["nft"] = run(self.net.gateway, "nft", "--stateless", "list", "ruleset")
        found["queues"] = self._listed("netfilter/nfnetlink_queue")
        found["expectations"] = self._listed("nf_conntrack_expect")
        found["helpers"] = str(cthelper.registered()) if cthelper.available() else ""
        found["state"] = str(sorted(self.state.glob("*")) if self.state.exists() else None)
        pids = ["ip", "netns", "pids", self.net.gateway]
        found["processes"] = subprocess.run(pids, capture_output=True, text=True, check=True).stdout
        return found

    def _listed(self, file: str) -> str:
        """A file of /proc/net; where its module is not loaded yet there is none, nor an entry."""
        return run(self.net.gateway, "cat", f"/proc/net/{file}", check=False)


@pytest.fixture(params=["borrowed", "cthelper"])
def gateway(
    request: pytest.FixtureRequest, gateway_net: GatewayNet, tmp_path: Path
) -> Iterator[Gateway]:
    with standing_gateway(request.param, gateway_net, tmp_path) as here:
        yield here


@contextmanager
def standing_gateway(backend: str, net: GatewayNet, directory: Path) -> Iterator[Gateway]:
    """A gateway host on which nothing is loaded yet, and nothing is left at the end."""
    require_program("iptables-legacy", "iptables-nft", "nft")
    if backend == "cthelper" and not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    here = Gateway(net, directory, backend)
    try:
        yield here
    finally:
        here.ftpfw("unload")


@pytest.fixture
def borrowed(gateway_net: GatewayNet, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway for what only our own queue rule can do."""
    with standing_gateway("borrowed", gateway_net, tmp_path) as here:
        yield here


@dataclass(frozen=True)
class Session:
    """One control connection, seen from both ends."""

    gateway: Gateway
    client: socket.socket
    server: socket.socket

    def say(self, line: bytes) -> bytes:
        """The client sends a line; what reaches the server."""
        self.client.sendall(line)
        return receive_line(self.server)

    def answer(self, line: bytes) -> bytes:
        """The server sends a line; what reaches the client."""
        self.server.sendall(line)
        return receive_line(self.client)

    def client_listens(self) -> socket.socket:
        address = self.client.getsockname()[0]
        return inside(self.gateway.net.client, lambda: listen(address))


@contextmanager
def session(gateway: Gateway, server: str = "192.0.2.10") -> Iterator[Session]:
    with ExitStack() as stack:
        listener = inside(gateway.net.server, lambda: listen(server, CONTROL))
        stack.enter_context(listener)
        client = inside(gateway.net.client, lambda: connect(server, CONTROL))
        stack.enter_context(client)
        accepted, _ = listener.accept()
        stack.enter_context(accepted)
        accepted.settimeout(PATIENCE)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Session(gateway, client, accepted)


def port_line(endpoint: tuple[str, int]) -> bytes:
    host, port = endpoint
    return f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}\r\n".encode()


def announced(line: bytes) -> tuple[str, int]:
    numbers = line.decode().removeprefix("PORT ").strip().split(",")
    return ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])


def transfer(talk: Session, listener: socket.socket, endpoint: tuple[str, int]) -> None:
    """The server opens the data connection that it was told of, and bytes cross both ways."""
    with inside(talk.gateway.net.server, lambda: connect(*endpoint)) as data:
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(PATIENCE)
            data.sendall(b"down\n")
            assert receive_line(accepted) == b"down\n"
            accepted.sendall(b"up\n")
            assert receive_line(data) == b"up\n"


def active(talk: Session) -> None:
    """One active transfer, and the control connection goes on in both directions."""
    with talk.client_listens() as listener:
        seen = talk.say(port_line(listener.getsockname()[:2]))
        host, _ = announced(seen)
        assert host == "192.0.2.1"
        assert talk.answer(b"200 PORT command successful.\r\n").startswith(b"200")
        transfer(talk, listener, announced(seen))
    assert talk.say(b"NOOP\r\n") == b"NOOP\r\n"
    assert talk.answer(b"200 Zzz\r\n") == b"200 Zzz\r\n"
