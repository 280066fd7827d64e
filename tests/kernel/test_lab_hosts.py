from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from pyroute2 import netns

from ftpfw.errors import HostError
from ftpfw.lab.hosts import NAMESPACES, raised, remove_namespace, sweep, work_directory
from ftpfw.lab.library import find
from ftpfw.lab.topology import namespace_name

from .lab_server import vsftpd
from .netns import require_program, require_root

NAT_GATEWAY = find("nat-gateway").topology
SERVER = NAT_GATEWAY.address("server", "eth0")


@pytest.fixture(autouse=True)
def _needs() -> None:
    require_root()
    require_program("ip")


def ours() -> set[str]:
    return {name for name in netns.listnetns() if name.startswith(f"ftpfw-{os.getpid()}-hosts-")}


def dead_pid() -> int:
    """The pid of a process that has ended and was waited for."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_hosts_come_up_and_are_removed() -> None:
    with raised(NAT_GATEWAY, "hosts"):
        assert len(ours()) == 3
    assert not ours()


def test_an_exception_removes_them_too() -> None:
    with pytest.raises(ZeroDivisionError), raised(NAT_GATEWAY, "hosts"):
        _ = 1 / 0
    assert not ours()


def test_the_caller_stays_in_its_own_namespace() -> None:
    before = os.stat("/proc/thread-self/ns/net")
    with raised(NAT_GATEWAY, "hosts") as hosts:
        inside = hosts["client"].call(lambda: os.stat("/proc/thread-self/ns/net"))
        assert not os.path.samestat(before, inside)
        assert os.path.samestat(before, os.stat("/proc/thread-self/ns/net"))


def test_loopback_is_up() -> None:
    def bound() -> int:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=2) as client,
        ):
            return int(client.getpeername()[1])

    with raised(NAT_GATEWAY, "hosts") as hosts:
        assert all(host.call(bound) for host in hosts.values())


def test_server_hears_the_client_but_has_no_way_back() -> None:
    """A datagram crosses the gateway without NAT; the answer has no route."""
    with raised(NAT_GATEWAY, "hosts") as hosts:
        receiver = hosts["server"].call(lambda: socket.socket(type=socket.SOCK_DGRAM))
        sender = hosts["client"].call(lambda: socket.socket(type=socket.SOCK_DGRAM))
        with receiver, sender:
            receiver.settimeout(2)
            receiver.bind((SERVER, 9000))
            sender.sendto(b"hello", (SERVER, 9000))
            data, source = receiver.recvfrom(16)
            assert (data, source[0]) == (b"hello", "10.77.1.10")
            with pytest.raises(OSError, match="unreachable"):
                receiver.sendto(b"hello yourself", source)


def test_removal_kills_what_runs_there() -> None:
    with raised(NAT_GATEWAY, "hosts") as hosts:
        process = hosts["client"].start(["sh", "-c", "echo here; exec sleep 600"])
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    with process:
        assert process.wait(timeout=5) == -9


def test_what_a_killed_run_left_is_swept() -> None:
    name = namespace_name(dead_pid(), "none", "client")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        assert name in sweep()
        assert not (NAMESPACES / name).exists()
    finally:
        remove_namespace(name)


def test_a_living_run_is_not_swept() -> None:
    with raised(NAT_GATEWAY, "hosts"), work_directory("hosts") as directory:
        sweep()
        assert len(ours()) == 3
        assert directory.exists()


def test_work_directory_is_removed() -> None:
    with work_directory("hosts") as directory:
        (directory / "file").write_text("content")
    assert not Path(directory).exists()


def test_a_server_that_ends_at_once_is_quoted() -> None:
    require_program("vsftpd", "unshare")
    with raised(NAT_GATEWAY, "hosts") as hosts, work_directory("hosts") as directory:
        taken = hosts["server"].call(socket.socket)
        with taken:
            taken.bind((SERVER, 21))  # and not listening: connections are refused
            with (
                pytest.raises(HostError, match="vsftpd ended at once: 500 OOPS: could not bind"),
                vsftpd(hosts["server"].namespace, SERVER, directory),
            ):
                pass
