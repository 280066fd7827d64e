"""Network namespaces for tests: made with ip(8), named ftpfw-<pid>-…, always removed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import count
from threading import Thread
from typing import TypeVar

import pytest

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def require_root() -> None:
    """Skip where network namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")


def require_program(*names: str) -> None:
    """Skip where one of the programs is not installed."""
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"needs the program {name}")


def run(namespace: str, *argv: str, check: bool = True) -> str:
    """Run a program inside ``namespace``; its standard output. Its complaint is the failure."""
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, *argv], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        pytest.fail(f"{namespace}: {' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def inside(namespace: str, function: Callable[[], T]) -> T:
    """Call ``function`` in a thread that has entered ``namespace``; its result or exception.

    Sockets stay in the namespace in which they were opened, so what ``function``
    opens can be used outside.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            _enter(namespace)
            outcome.append(function())
        except BaseException as error:  # raised again in the caller
            failure.append(error)

    thread = Thread(target=body)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _enter(namespace: str) -> None:
    with open(f"/run/netns/{namespace}", "rb") as handle:
        set_namespace(handle.fileno())


def set_namespace(descriptor: int) -> None:
    """Put the calling thread into the network namespace of an open file (setns(2))."""
    if _libc.setns(descriptor, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Namespaces:
    """Makes namespaces, and removes all of them at the end."""

    _numbers = count()

    def __init__(self) -> None:
        self.made: list[str] = []

    def _name(self, role: str) -> str:
        return f"ftpfw-{os.getpid()}-{next(self._numbers)}-{role}"

    def create(self, role: str) -> str:
        """A new namespace with its loopback up; its name."""
        name = self._name(role)
        _ip("netns", "add", name)
        self.made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        return name

    def own(self, role: str) -> str:
        """A name for the namespace that this process is in, which is not removed with it."""
        name = self._name(role)
        _ip("netns", "attach", name, str(os.getpid()))
        self.made.append(name)
        return name

    def link(self, left: str, left_name: str, right: str, right_name: str) -> None:
        """Join two namespaces by a veth pair, up on both sides."""
        peer = ("peer", "name", right_name, "netns", right)
        _ip("link", "add", "name", left_name, "netns", left, "type", "veth", *peer)
        _ip("-n", left, "link", "set", "dev", left_name, "up")
        _ip("-n", right, "link", "set", "dev", right_name, "up")

    def address(self, namespace: str, interface: str, *addresses: str) -> None:
        """Give ``interface`` addresses, usable at once (no duplicate address detection)."""
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            _ip("-n", namespace, "address", "add", address, "dev", interface, *nodad)

    def route(self, namespace: str, *gateways: str) -> None:
        """Default routes, one for each family's gateway."""
        for gateway in gateways:
            _ip("-n", namespace, "route", "add", "default", "via", gateway)

    def remove(self) -> None:
        """Remove what was made; what is left of a failed removal is for the next to name."""
        for name in self.made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*argv: str) -> None:
    done = subprocess.run(["ip", *argv], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"ip {' '.join(argv)}: {done.stderr.strip()}")
