"""A topology's hosts as network namespaces: raised, entered, removed with all that runs in them.

pyroute2 makes the namespaces, links, addresses and routes, from threads that enter a
namespace by setns(2) and end there, so that the calling thread's own never changes and nothing
is forked from a program with threads. Removal kills every process in a namespace first, daemons
that left their parent included: a network namespace lives as long as a process is in it.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

from pyroute2 import IPRoute, netns

from ftpfw.errors import HostError, KernelError
from ftpfw.lab.topology import End, Host, Topology, namespace_name, namespace_owner

T = TypeVar("T")

NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
CARRIER_WITHIN, RETRY_AFTER = 10.0, 0.01
ACCEPT_DAD = "/proc/sys/net/ipv6/conf/{}/accept_dad"
"""Duplicate address detection (RFC 4862 section 5.4): nobody else in a lab has the same address,
and a router asks for no neighbour until its link-local address is through with it
(ndisc_send_ns, net/ipv6/ndisc.c), so that the first packets across it would be lost."""
IF_INET6 = Path("/proc/thread-self/net/if_inet6")
LINK_LOCAL, TENTATIVE = "20", 0x40
"""A scope and a flag in if_inet6 (proc(5))."""
FORWARDING = (
    Path("/proc/sys/net/ipv4/ip_forward"),
    Path("/proc/sys/net/ipv6/conf/all/forwarding"),
)


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host that is up; ``name`` is the topology's, ``namespace`` the kernel's."""

    name: str
    namespace: str

    def start(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        output: TextIO | None = None,
    ) -> Process:
        """Start a program here; its stdout and stderr are one pipe, or the file ``output``.

        In a process group of its own the terminal's Ctrl-C does not reach it.
        """
        return subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            text=True,
            errors="replace",
            process_group=0,
        )

    def call(self, function: Callable[[], T]) -> T:
        """What ``function`` returns in a thread that entered this host and ends there."""
        return _in_new_thread(lambda: (netns.setns(self.namespace, flags=0), function())[1])


Process = subprocess.Popen[str]


def _in_new_thread(function: Callable[[], T]) -> T:
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(function).result()


@contextmanager
def raised(topology: Topology, copy: str) -> Iterator[dict[str, LabHost]]:
    """Raise one copy of a topology; ``copy`` tells it from others of this process."""
    with ExitStack() as stack:
        hosts = {}
        for host in topology.hosts:
            namespace = namespace_name(os.getpid(), copy, host.name)
            stack.callback(remove_namespace, namespace)
            _in_new_thread(partial(_add_namespace, namespace))
            hosts[host.name] = LabHost(host.name, namespace)
        for left, right in topology.links:
            _plug(hosts, left, right)
        for host in topology.hosts:
            hosts[host.name].call(partial(_configure, host))
        for host in topology.hosts:
            hosts[host.name].call(partial(_await_addresses, host))
        yield hosts


def _add_namespace(name: str) -> None:
    """Give the calling thread a new network namespace and bind it to a name (ip-netns(8)).

    pyroute2's own ``create`` would fork, or bind the namespace of the main thread.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise KernelError(f"make the network namespace {name}", ctypes.get_errno())
    netns.attach(name, threading.get_native_id())


def _plug(hosts: Mapping[str, LabHost], left: End, right: End) -> None:
    """A veth pair, made in one namespace with its peer in the other."""
    far = os.open(NAMESPACES / hosts[right.host].namespace, os.O_RDONLY)

    def add() -> None:
        with IPRoute() as route:
            peer = {"ifname": right.interface, "net_ns_fd": far}
            route.link("add", ifname=left.interface, kind="veth", peer=peer)

    try:
        hosts[left.host].call(add)
    finally:
        os.close(far)


def _configure(host: Host) -> None:
    """Addresses, links up (``lo`` too), forwarding and the default route, from within."""
    if host.forwards:
        for switch in FORWARDING:
            with suppress(FileNotFoundError):
                switch.write_text("1")
    with IPRoute() as route:
        for interface in host.interfaces:
            with suppress(FileNotFoundError):
                Path(ACCEPT_DAD.format(interface.name)).write_text("0")
            (index,) = route.link_lookup(ifname=interface.name)
            for address in interface.addresses:
                prefix = address.network.prefixlen
                route.addr("add", index=index, address=str(address.ip), prefixlen=prefix)
            route.link("set", index=index, state="up")
        route.link("set", index=route.link_lookup(ifname="lo")[0], state="up")
        for gateway in host.default_routes:
            default = "::/0" if gateway.version == 6 else "0.0.0.0/0"
            route.route("add", dst=default, gateway=str(gateway))


def _await_addresses(host: Host) -> None:
    """Wait until IPv6 can be used: the kernel takes addresses up with the link's carrier.

    Carrier is reported late where many links come up (linkwatch, net/core/link_watch.c).
    """
    waiting = {
        interface.name
        for interface in host.interfaces
        if any(address.version == 6 for address in interface.addresses)
    }
    for _ in range(int(CARRIER_WITHIN / RETRY_AFTER)):
        if waiting <= _speaks_ipv6(IF_INET6.read_text(encoding="ascii") if waiting else ""):
            return
        time.sleep(RETRY_AFTER)
    raise HostError(f"{host.name}: no IPv6 on {', '.join(waiting)} in {CARRIER_WITHIN:.0f} s")


def _speaks_ipv6(table: str) -> set[str]:
    """The interfaces of if_inet6 that have a link-local address, and no address to wait for."""
    rows = [line.split() for line in table.splitlines()]
    waiting = {name for *_, flags, name in rows if int(flags, 16) & TENTATIVE}
    return {name for _, _, _, scope, _, name in rows if scope == LINK_LOCAL} - waiting


def remove_namespace(name: str) -> None:
    """Kill what runs in a namespace and remove its name; no error where it does not exist."""
    if not (NAMESPACES / name).exists():
        return
    kill_processes(name)
    with suppress(OSError):
        netns.remove(name)


def kill_processes(namespace: str) -> None:
    """SIGKILL every process in a namespace, and wait until each is gone."""
    while pids := _pids(namespace):
        for pid in pids:
            with suppress(ProcessLookupError):
                _kill(pid)


def _kill(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        ended.poll()
    finally:
        os.close(descriptor)


def _pids(namespace: str) -> list[int]:
    """The living processes whose main thread is in a namespace (zombies have none)."""
    inside = (NAMESPACES / namespace).stat()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.path.samestat((entry / "ns" / "net").stat(), inside):
                found.append(int(entry.name))
    return found


@contextmanager
def work_directory(copy: str) -> Iterator[Path]:
    """A directory for one copy's files, which the server's own user may enter."""
    path = Path(tempfile.mkdtemp(prefix=f"ftpfw-{os.getpid()}-{copy}-"))
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> tuple[str, ...]:
    """Remove what killed runs left behind; the names of what was removed."""
    namespaces = [name for name in netns.listnetns() if _is_stale(name)]
    directories = [path for path in Path(tempfile.gettempdir()).iterdir() if _is_stale(path.name)]
    for name in namespaces:
        remove_namespace(name)
    for path in directories:
        shutil.rmtree(path, ignore_errors=True)
    return (*namespaces, *map(str, directories))


def _is_stale(name: str) -> bool:
    owner = namespace_owner(name)
    return owner is not None and not is_alive(owner)


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has waited for yet (proc(5), state Z) does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
