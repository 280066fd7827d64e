"""Registering our helper, on kernels with nfnetlink_cthelper (distributions have it).

Registrations belong to the host, and removing one breaks every ``-j CT --helper`` rule
there is, in all network namespaces; so these tests do not run where such a rule may exist.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6

import pytest

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.cthelper_wire import Registration, pack_delete_helper, pack_new_helper
from ftpfw.conntrack.model import Tuple
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.errors import KernelError

from .conftest import GatewayNet
from .netns import Namespaces, inside, require_program, require_root, run

NAME = f"ftpfw-{os.getpid()}"
NOBODYS_QUEUE = 65000


@pytest.fixture
def name() -> Iterator[str]:
    """A helper name of this test run, unregistered afterwards."""
    require_root()
    require_no_ct_rules()
    if not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    yield NAME
    cthelper.unregister(NAME)


def require_no_ct_rules() -> None:
    used = Path("/sys/module/xt_CT/refcnt")
    if used.exists() and int(used.read_text()):
        pytest.skip("unregistering a helper would break the CT rules that this host has")


def ours(name: str) -> list[Registration]:
    found = [one for one in cthelper.registered() if one.name == name]
    return sorted(found, key=lambda one: one.family)


def test_registers_tcp_of_both_families(name: str) -> None:
    cthelper.register(7, name)
    wanted = Registration(name, AF_INET, 7, "ftpfw", max_expected=1, timeout=300, enabled=True)
    assert ours(name) == [wanted, replace(wanted, family=AF_INET6)]


def test_registering_again_moves_the_queue(name: str) -> None:
    cthelper.register(7, name)
    cthelper.register(9, name)
    assert [one.queue for one in ours(name)] == [9, 9]


def test_suspended_until_registered_again(name: str) -> None:
    cthelper.suspend(name)
    assert ours(name) == []
    cthelper.register(7, name)
    cthelper.suspend(name)
    assert [(one.enabled, one.queue) for one in ours(name)] == [(False, 7), (False, 7)]
    cthelper.register(7, name)
    assert [one.enabled for one in ours(name)] == [True, True]


def test_made_known_it_is_suspended_and_what_is_there_stays(name: str) -> None:
    assert cthelper.make_known(7, name)
    assert [one.enabled for one in ours(name)] == [False, False]
    cthelper.register(9, name)
    assert not cthelper.make_known(7, name)
    assert [(one.queue, one.enabled) for one in ours(name)] == [(9, True), (9, True)]


def test_unregistering_twice_is_once(name: str) -> None:
    cthelper.register(7, name)
    cthelper.unregister(name)
    cthelper.unregister(name)
    assert ours(name) == []


@pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["IPv4", "IPv6"])
def test_name_of_another_program_is_refused_and_nothing_stays(name: str, family: int) -> None:
    theirs = Registration(name, family, 1, "their policy", 4, 60)
    with closing(NfSocket.open()) as netlink:
        assert netlink.change(lambda seq: pack_new_helper(theirs, seq, update=False)).errno == 0
        with pytest.raises(KernelError, match="another helper has that name") as refusal:
            cthelper.register(7, name)
        assert refusal.value.errno == errno.EBUSY
        assert ours(name) == [theirs]
        assert netlink.change(lambda seq: pack_delete_helper(theirs, seq)).errno == 0


def test_name_that_is_too_long_is_refused_in_the_kernels_words(name: str) -> None:
    with pytest.raises(KernelError, match="the kernel says") as refusal:
        cthelper.register(7, name.ljust(16, "x"))
    assert refusal.value.errno in (errno.EINVAL, errno.ERANGE)


def test_helper_that_a_rule_names_stays_registered(name: str, namespaces: Namespaces) -> None:
    require_program("iptables-legacy")
    gateway = namespaces.create("gateway")
    rule = ("raw", "-p", "tcp", "--dport", "21", "-j", "CT", "--helper", name)
    cthelper.register(7, name)
    run(gateway, "iptables-legacy", "-A", "PREROUTING", "-t", *rule)
    with pytest.raises(KernelError, match="still names it") as refusal:
        cthelper.unregister(name)
    run(gateway, "iptables-legacy", "-D", "PREROUTING", "-t", *rule)
    assert refusal.value.errno == errno.EBUSY
    assert [one.family for one in ours(name)] == [AF_INET, AF_INET6]


def test_suspended_helper_lets_new_connections_through(name: str, gateway_net: GatewayNet) -> None:
    require_program("iptables-legacy")
    cthelper.register(NOBODYS_QUEUE, name)
    cthelper.suspend(name)
    ftp = ("-p", "tcp", "--dport", "21", "-j", "CT", "--helper", name)
    rules = [("raw", "-A", "PREROUTING", *ftp), ("nat", "-A", "POSTROUTING", "-j", "MASQUERADE")]
    for rule in rules:
        run(gateway_net.gateway, "iptables-legacy", "-t", *rule)
    with ExitStack() as stack:
        stack.callback(run, gateway_net.gateway, "iptables-legacy", "-t", "raw", "-F")
        server = inside(gateway_net.server, lambda: socket.create_server(("192.0.2.10", 21)))
        stack.enter_context(server)
        control = inside(
            gateway_net.client, lambda: socket.create_connection(("192.0.2.10", 21), 10)
        )
        stack.enter_context(control)
        client, port = control.getsockname()
        ct = stack.enter_context(inside(gateway_net.gateway, Ctnetlink))
        server_address = ip_address("192.0.2.10").packed
        found = ct.get(Tuple(ip_address(client).packed, port, server_address, 21))
    assert found is not None
    assert found.helper == name


def test_absence_names_the_module() -> None:
    require_root()
    if cthelper.available():
        pytest.skip("needs a kernel without nfnetlink_cthelper")
    with pytest.raises(KernelError, match="modprobe nfnetlink_cthelper"):
        cthelper.registered()
    with pytest.raises(KernelError, match="modprobe nfnetlink_cthelper"):
        cthelper.register(7)
