"""A network namespace as a host whose rules a test applies, reads and breaks."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ftpfw.conntrack import cthelper
from ftpfw.errors import KernelError
from ftpfw.helper.backends import attachable
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.model import Family
from ftpfw.ruleset.policy import Backend

from .netns import require_program, run, set_namespace
from .sockets import PATIENCE

SUFFIX = {"legacy": "legacy", "nft-compat": "nft"}
PROGRAM = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}


class RulesHost:
    """One namespace and one of the two kinds of iptables."""

    def __init__(self, namespace: str, firewall: str) -> None:
        self.namespace = namespace
        self.firewall = firewall
        for family in Family:
            require_program(self.program(family))

    def program(self, family: Family) -> str:
        return f"{PROGRAM[family]}-{SUFFIX[self.firewall]}"

    def iptables(self, arguments: str, family: Family = Family.IPV4) -> str:
        return run(self.namespace, self.program(family), *arguments.split())

    def save(self, family: Family, *options: str) -> str:
        """iptables-save's text, without comments and counters."""
        text = run(self.namespace, f"{self.program(family)}-save", *options)
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return re.sub(r" \[\d+:\d+\]", " [0:0]", "\n".join(lines))

    def saved(self) -> str:
        return "\n".join(self.save(family) for family in Family)

    def packets(self, chain: str, *parts: str, family: Family = Family.IPV4) -> int:
        """The packets that the one rule of ``chain`` with ``parts`` in its text has counted."""
        text = run(self.namespace, f"{self.program(family)}-save", "-c")
        wanted = (f"-A {chain} ", *parts)
        rules = [line for line in text.splitlines() if all(part in line for part in wanted)]
        assert len(rules) == 1, rules
        return int(rules[0].removeprefix("[").partition(":")[0])


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Be in a namespace with the main thread: the legacy applier forks."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    set_namespace(there)
    try:
        yield
    finally:
        set_namespace(home)
        os.close(there)
        os.close(home)


@pytest.fixture
def known_helper(request: pytest.FixtureRequest) -> Iterator[None]:
    """Our own helper can be named by rules while a test runs that has it in its name."""
    wanted = "cthelper" in request.node.name and cthelper.available()
    made = wanted and cthelper.make_known(0)
    yield
    if made:
        unregister_at_last()


def unregister_at_last() -> None:
    """The kernel takes a removed namespace's rules away when it comes to it, and tells nobody."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return cthelper.unregister()
        except KernelError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def require_helper(backend: Backend) -> None:
    """Skip where the kernel lacks the conntrack helper of a backend."""
    name = HELPER_NAME.get(backend)
    if name and not attachable(name):
        pytest.skip(f"needs the conntrack helper {name}")
