"""A network namespace as a host whose rules a test applies, reads and breaks."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from _pytest.mark import ParameterSet

from ftpfw.conntrack import cthelper
from ftpfw.errors import KernelError
from ftpfw.helper.backends import attachable
from ftpfw.ruleset.apply import NAMES as FIREWALLS
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.model import Family, RuleSet
from ftpfw.ruleset.nft_native import Nftables
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import backends, sample

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


class NftHost:
    """One namespace and nftables, in what nft says of it."""

    firewall = "nftables"

    def __init__(self, namespace: str) -> None:
        require_program("nft", "unshare")
        self.namespace = namespace

    def nft(self, command: str) -> str:
        return run(self.namespace, "nft", *command.split())

    def load(self, text: str) -> None:
        argv = ["ip", "netns", "exec", self.namespace, "nft", "-f", "-"]
        subprocess.run(argv, input=text, text=True, check=True, capture_output=True)

    def saved(self) -> str:
        """Everything in nf_tables, without counters."""
        return self.nft("--stateless list ruleset")


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


def require_nft_queue() -> None:
    """Skip where nf_tables cannot queue."""
    require_program("nft", "unshare")
    table = "table inet ftpfw {\nchain c {\nqueue to 0\n}\n}\n"
    argv = ["unshare", "--net", "nft", "-f", "-"]
    if subprocess.run(argv, input=table, text=True, capture_output=True, check=False).returncode:
        pytest.skip("needs nf_tables' queue statement (nft_queue)")


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


def require_backend(backend: Backend) -> None:
    """Skip where the kernel lacks what a backend needs; the inspector registers its own helper."""
    if backend is not Backend.CTHELPER:
        require_helper(backend)
    elif not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")


def holds(firewall: str, backend: Backend, rulesets: Sequence[RuleSet]) -> bool:
    """Whether this kernel can hold the rules there; only nf_tables may be unable to queue."""
    queues = backend in {Backend.BORROWED, Backend.CTHELPER}
    return firewall != Nftables.name or not queues or Nftables().takes(rulesets)


def rule_sets(policies: Sequence[str]) -> list[ParameterSet]:
    """Sample policy, backend and firewall, of all that there are.

    Those of a policy stay with one worker, which keeps its namespaces; those that need our own
    helper, of which a host has one, take turns with all others that do.
    """
    return [
        pytest.param(
            policy,
            backend,
            firewall,
            id=f"{policy}-{backend}-{firewall}",
            marks=[] if backend is Backend.CTHELPER else [pytest.mark.xdist_group(policy)],
        )
        for policy in policies
        for backend in backends(sample(policy))
        for firewall in FIREWALLS
    ]
