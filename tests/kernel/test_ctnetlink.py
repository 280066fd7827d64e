"""Ctnetlink against the live kernel: a control connection with an inert helper under NAT."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import (
    Direction,
    Expectation,
    ExpectFlag,
    ExpectNat,
    SeqAdj,
    Status,
    TcpState,
    Tuple,
)
from ftpfw.errors import KernelError
from tests.unit.table import table

from .conftest import GatewayNet
from .netns import inside, require_program, run

PASSIVE_PORT = 50021
ACTIVE_PORT = 40100


@dataclass(frozen=True, slots=True)
class Family:
    """The addresses of the gateway network in one family, and the program for its rules."""

    number: int
    client: str
    server: str
    outside: str
    iptables: str


FAMILIES = [
    Family(socket.AF_INET, "10.77.1.10", "192.0.2.10", "192.0.2.1", "iptables-legacy"),
    Family(socket.AF_INET6, "fd77:1::10", "2001:db8:2::10", "2001:db8:2::1", "ip6tables-legacy"),
]


class Gateway:
    """The gateway of a network, its ctnetlink, and control connections through it."""

    def __init__(self, net: GatewayNet, family: Family, stack: ExitStack) -> None:
        self.net = net
        self.family = family
        self.stack = stack
        self.client, self.server, self.outside = (
            ip_address(text).packed for text in (family.client, family.server, family.outside)
        )
        self.ct = stack.enter_context(inside(net.gateway, Ctnetlink))
        self.listener = self.listen(net.server, family.server, 21)

    def rule(self, *rule: str) -> None:
        run(self.net.gateway, self.family.iptables, *rule)

    def attach_helper(self, *options: str, helper: str = "sane") -> None:
        ftp = ("-p", "tcp", "--dport", "21", "-j", "CT", "--helper", helper, *options)
        attach(self.net.gateway, self.family.iptables, helper, *ftp)

    def masquerade(self) -> None:
        self.rule("-t", "nat", "-A", "POSTROUTING", "-o", "out0", "-j", "MASQUERADE")

    def listen(self, namespace: str, host: str, port: int) -> socket.socket:
        return self.stack.enter_context(
            inside(
                namespace,
                lambda: socket.create_server((host, port), family=self.family.number),
            )
        )

    def datagram_socket(self, namespace: str) -> socket.socket:
        return self.stack.enter_context(
            inside(namespace, lambda: socket.socket(self.family.number, socket.SOCK_DGRAM))
        )

    def connect(
        self, namespace: str, to: tuple[str, int], source: tuple[str, int]
    ) -> socket.socket:
        return self.stack.enter_context(
            inside(namespace, lambda: socket.create_connection(to, 5, source))
        )

    def control_connection(self) -> Tuple:
        """A new control connection; its original tuple."""
        to = (self.family.server, 21)
        control = self.connect(self.net.client, to, (self.family.client, 0))
        self.stack.enter_context(self.listener.accept()[0])
        return Tuple(self.client, control.getsockname()[1], self.server, 21)

    def active(self, master: Tuple) -> Expectation:
        """What a PORT of the masqueraded client makes: server -> gateway, on to the client."""
        size = len(self.client)
        return Expectation(
            master=master,
            tuple=Tuple(self.server, 0, self.outside, ACTIVE_PORT),
            mask=Tuple(b"\xff" * size, 0, b"\xff" * size, 0xFFFF),
            timeout=300,
            nat=ExpectNat(Direction.REPLY, Tuple(self.client, ACTIVE_PORT, bytes(size), 0)),
            expectfn="nat-follow-master",
        )

    def passive(self, master: Tuple) -> Expectation:
        """What a 227 reply makes: client -> server."""
        size = len(self.client)
        return Expectation(
            master=master,
            tuple=Tuple(self.client, 0, self.server, PASSIVE_PORT),
            mask=Tuple(b"\xff" * size, 0, b"\xff" * size, 0xFFFF),
            timeout=300,
        )


def attach(namespace: str, program: str, helper: str, *rule: str) -> None:
    """Append a rule to raw PREROUTING; skip where the kernel lacks the helper."""
    require_program(program)
    append = (program, "-t", "raw", "-A", "PREROUTING", *rule)
    run(namespace, *append, check=False)
    if helper not in run(namespace, program, "-t", "raw", "-S"):
        pytest.skip(f"needs the conntrack helper {helper} (nf_conntrack_{helper})")


@pytest.fixture(params=FAMILIES, ids=["IPv4", "IPv6"])
def bare(request: pytest.FixtureRequest, gateway_net: GatewayNet) -> Iterator[Gateway]:
    """A gateway that tracks and masquerades, but attaches no helper yet."""
    with ExitStack() as stack:
        gateway = Gateway(gateway_net, request.param, stack)
        require_program(gateway.family.iptables)
        gateway.masquerade()
        yield gateway


@pytest.fixture
def gateway(bare: Gateway) -> Gateway:
    """A gateway that attaches ``sane`` to control connections."""
    bare.attach_helper()
    return bare


def errno_of(refusal: pytest.ExceptionInfo[KernelError]) -> str:
    return errno.errorcode[refusal.value.errno]


def test_connection_is_found_by_either_tuple(gateway: Gateway) -> None:
    master = gateway.control_connection()
    found = gateway.ct.get(master)
    assert found is not None
    again = gateway.ct.get(found.reply)
    assert again is not None
    assert replace(again, timeout=found.timeout) == found, "but for a second that has gone by"
    assert found.original == master
    assert (found.reply.src, found.reply.dst) == (gateway.server, gateway.outside)
    assert Status.SRC_NAT | Status.CONFIRMED | Status.SEEN_REPLY in found.status
    assert (found.helper, found.zone, found.seqadj) == ("sane", 0, (None, None))


def test_unknown_connection_is_none(gateway: Gateway) -> None:
    assert gateway.ct.get(Tuple(gateway.client, 1, gateway.server, 21)) is None


def test_expectation_comes_back_with_every_field(gateway: Gateway) -> None:
    exp = replace(gateway.active(gateway.control_connection()), flags=ExpectFlag.PERMANENT)
    gateway.ct.add_expectation(exp)
    (listed,) = gateway.ct.list_expectations()
    assert replace(listed, id=0, timeout=300, mask=exp.mask) == replace(exp, helper="sane")
    assert listed.mask == replace(exp.mask, dst=b"\xff" * len(exp.mask.dst))
    of_family = gateway.ct.list_expectations(gateway.family.number)
    assert [exp.id for exp in of_family] == [listed.id]


def test_policy_of_the_helper_sets_the_time_to_live(gateway: Gateway) -> None:
    gateway.ct.add_expectation(replace(gateway.active(gateway.control_connection()), timeout=7))
    (listed,) = gateway.ct.list_expectations()
    assert listed.timeout > 7


def test_second_expectation_evicts_the_first(gateway: Gateway) -> None:
    master = gateway.control_connection()
    gateway.ct.add_expectation(gateway.active(master))
    gateway.ct.add_expectation(gateway.passive(master))
    assert [exp.tuple.dport for exp in gateway.ct.list_expectations()] == [PASSIVE_PORT]


def test_delete_needs_the_tuple_only(gateway: Gateway) -> None:
    exp = gateway.active(gateway.control_connection())
    gateway.ct.add_expectation(exp)
    gateway.ct.delete_expectation(replace(exp, master=exp.master.inverted()))
    assert gateway.ct.list_expectations() == []


def test_delete_by_another_id_leaves_the_expectation(gateway: Gateway) -> None:
    exp = gateway.active(gateway.control_connection())
    gateway.ct.add_expectation(exp)
    (listed,) = gateway.ct.list_expectations()
    with pytest.raises(KernelError, match="it is gone") as refusal:
        gateway.ct.delete_expectation(replace(exp, id=listed.id ^ 1))
    assert errno_of(refusal) == "ENOENT"
    gateway.ct.delete_expectation(listed)
    assert gateway.ct.list_expectations() == []


def test_active_data_connection_reaches_the_masqueraded_client(gateway: Gateway) -> None:
    gateway.ct.add_expectation(gateway.active(gateway.control_connection()))
    data_port = gateway.listen(gateway.net.client, gateway.family.client, ACTIVE_PORT)
    data_port.settimeout(5)
    source, to = (gateway.family.server, 20), (gateway.family.outside, ACTIVE_PORT)
    sent = gateway.connect(gateway.net.server, to, source)
    received, peer = data_port.accept()
    with received:
        assert peer[:2] == source
        sent.sendall(b"150 here it comes")
        assert received.recv(64) == b"150 here it comes"
    data = gateway.ct.get(Tuple(gateway.server, 20, gateway.outside, ACTIVE_PORT))
    assert data is not None
    assert Status.EXPECTED | Status.DST_NAT in data.status
    assert data.reply.src == gateway.client
    assert gateway.ct.list_expectations() == []


def test_passive_data_connection_passes_a_filter_for_its_helper_only(gateway: Gateway) -> None:
    related = ("-m", "conntrack", "--ctstate", "RELATED", "-m", "helper", "--helper", "sane")
    gateway.rule("-A", "FORWARD", *related, "-j", "ACCEPT")
    master = gateway.control_connection()
    established = ("-p", "tcp", "-m", "conntrack", "--ctstate", "ESTABLISHED")
    gateway.rule("-A", "FORWARD", *established, "-j", "ACCEPT")
    refuse = ("-p", "tcp", "--dport", str(PASSIVE_PORT), "-j", "REJECT")
    gateway.rule("-A", "FORWARD", *refuse)
    gateway.listen(gateway.net.server, gateway.family.server, PASSIVE_PORT)
    source, to = (gateway.family.client, 0), (gateway.family.server, PASSIVE_PORT)
    with pytest.raises(ConnectionRefusedError):
        gateway.connect(gateway.net.client, to, source)
    gateway.ct.add_expectation(gateway.passive(master))
    gateway.connect(gateway.net.client, to, source)


def test_sequence_adjustment_of_both_directions_comes_back(gateway: Gateway) -> None:
    master = gateway.control_connection()
    longer, shorter = SeqAdj(0xFFFFFFF0, 0, 3), SeqAdj(7, -2, -9)
    gateway.ct.set_seqadj(master, Direction.ORIGINAL, longer)
    found = gateway.ct.get(master)
    assert found is not None
    assert found.seqadj == (longer, None)
    gateway.ct.set_seqadj(master, Direction.REPLY, shorter)
    found = gateway.ct.get(master)
    assert found is not None
    assert found.seqadj == (longer, shorter)
    assert Status.SEQ_ADJUST in found.status


def test_adjustment_that_the_kernel_ignores_is_refused(bare: Gateway) -> None:
    master = bare.control_connection()
    with pytest.raises(KernelError, match="no sequence adjustment") as refusal:
        bare.ct.set_seqadj(master, Direction.ORIGINAL, SeqAdj(1, 0, 3))
    assert refusal.value.errno == errno.EOPNOTSUPP


def test_adjustment_of_an_unknown_connection_is_refused(gateway: Gateway) -> None:
    unknown = Tuple(gateway.client, 1, gateway.server, 21)
    with pytest.raises(KernelError, match="has ended or was never tracked") as refusal:
        gateway.ct.set_seqadj(unknown, Direction.REPLY, SeqAdj(1, 0, 3))
    assert errno_of(refusal) == "ENOENT"


def test_bits_of_a_mark_are_set_and_the_others_stay(gateway: Gateway) -> None:
    master = gateway.control_connection()
    for mark, mask in [(0xF0, 0xFF), (0x0F, 0x18), (0, 0x20)]:
        gateway.ct.set_mark(master, mark, mask)
    found = gateway.ct.get(master)
    assert found is not None
    assert found.mark == 0xC8


def test_time_to_live_is_set(gateway: Gateway) -> None:
    master = gateway.control_connection()
    gateway.ct.set_timeout(master, 1000)
    found = gateway.ct.get(master)
    assert found is not None
    assert 0 < found.timeout <= 1000


CHANGES = [
    ("mark", lambda ct, tuple_: ct.set_mark(tuple_, 1, 1)),
    ("timeout", lambda ct, tuple_: ct.set_timeout(tuple_, 1)),
]


@pytest.mark.parametrize("change", **table(CHANGES))
def test_change_of_an_unknown_connection_makes_none(
    gateway: Gateway, change: Callable[[Ctnetlink, Tuple], None]
) -> None:
    unknown = Tuple(gateway.client, 1, gateway.server, 21)
    with pytest.raises(KernelError, match="has ended or was never tracked") as refusal:
        change(gateway.ct, unknown)
    assert errno_of(refusal) == "ENOENT"
    assert gateway.ct.get(unknown) is None


def test_connections_are_listed_by_mark_and_by_status(gateway: Gateway) -> None:
    plain, marked = gateway.control_connection(), gateway.control_connection()
    gateway.ct.set_mark(marked, 0x40000000, 0x40000000)
    found = {one.original: one for one in gateway.ct.list_conntracks(gateway.family.number)}
    assert {*found} == {plain, marked}
    opaque = gateway.ct.list_conntracks(mark=0x40000000, mask=0x40000000)
    assert [one.original for one in opaque] == [marked]
    assert gateway.ct.list_conntracks(status=Status.EXPECTED) == []


def test_data_connection_tells_its_master_and_what_it_carried(gateway: Gateway) -> None:
    run(gateway.net.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
    master = gateway.control_connection()
    gateway.ct.add_expectation(gateway.passive(master))
    gateway.listen(gateway.net.server, gateway.family.server, PASSIVE_PORT)
    to = (gateway.family.server, PASSIVE_PORT)
    data = gateway.connect(gateway.net.client, to, (gateway.family.client, 0))
    (found,) = gateway.ct.list_conntracks(status=Status.EXPECTED)
    assert found.original == Tuple(
        gateway.client, data.getsockname()[1], gateway.server, PASSIVE_PORT
    )
    assert (found.master, found.tcp_state) == (master, TcpState.ESTABLISHED)
    assert found.counters is not None
    assert [counters.packets for counters in found.counters] == [2, 1], "a handshake"
    (control,) = (one for one in gateway.ct.list_conntracks() if one.original == master)
    assert control.master is None


def test_connection_without_a_helper_can_expect_nothing(bare: Gateway) -> None:
    before_the_rule = bare.control_connection()
    bare.attach_helper()
    with pytest.raises(KernelError, match="no helper attached") as refusal:
        bare.ct.add_expectation(bare.active(before_the_rule))
    assert refusal.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("other_master", [False, True], ids=["same master", "other master"])
def test_expectation_that_is_covered_is_refused(gateway: Gateway, other_master: bool) -> None:
    exp = gateway.active(gateway.control_connection())
    gateway.ct.add_expectation(exp)
    (before,) = gateway.ct.list_expectations()
    master = gateway.control_connection() if other_master else exp.master
    with pytest.raises(KernelError, match="existing expectation covers it") as refusal:
        gateway.ct.add_expectation(replace(exp, master=master))
    assert errno_of(refusal) == "EEXIST"
    (after,) = gateway.ct.list_expectations()
    assert (after.id, after.master) == (before.id, exp.master)


def test_wider_expectation_clashes_with_a_narrower(gateway: Gateway) -> None:
    wide = gateway.active(gateway.control_connection())
    narrow = replace(
        wide, tuple=replace(wide.tuple, sport=20), mask=replace(wide.mask, sport=0xFFFF)
    )
    gateway.ct.add_expectation(narrow)
    with pytest.raises(KernelError, match="another expectation clashes") as refusal:
        gateway.ct.add_expectation(replace(wide, master=gateway.control_connection()))
    assert errno_of(refusal) == "EBUSY"


WRONG = [
    ("unknown expectfn", {"expectfn": "no-such-function"}, "EINVAL", "expectfn"),
    ("unknown master", {"master": None}, "ENOENT", "has ended or was never tracked"),
    ("another zone", {"zone": 3}, "ENOENT", "in this zone"),
]


@pytest.mark.parametrize(
    ("change", "name", "cause"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_wrong_expectation_is_refused(
    gateway: Gateway, change: dict[str, object], name: str, cause: str
) -> None:
    exp = gateway.active(gateway.control_connection())
    if "master" in change:
        change = {"master": replace(exp.master, sport=1)}
    with pytest.raises(KernelError, match=cause) as refusal:
        gateway.ct.add_expectation(replace(exp, **change))  # type: ignore[arg-type]
    assert errno_of(refusal) == name
    assert gateway.ct.list_expectations() == []


def test_zone_is_part_of_the_key(bare: Gateway) -> None:
    bare.attach_helper("--zone", "5")
    answers = ("-p", "tcp", "--sport", "21", "-j", "CT", "--zone", "5")
    bare.rule("-t", "raw", "-A", "PREROUTING", *answers)
    master = bare.control_connection()
    assert bare.ct.get(master) is None
    with inside(bare.net.gateway, lambda: Ctnetlink(5)) as zone_5:
        found = zone_5.get(master)
        listed = zone_5.list_conntracks()
    assert found is not None
    assert [one.id for one in listed] == [found.id]
    assert bare.ct.list_conntracks() == []
    assert (found.helper, found.zone) == ("sane", 5)
    exp = replace(bare.active(master), zone=5)
    bare.ct.add_expectation(exp)
    with pytest.raises(KernelError, match="ENOENT"):
        bare.ct.delete_expectation(replace(exp, zone=0))
    bare.ct.delete_expectation(exp)
    assert bare.ct.list_expectations() == []


def test_expectations_of_other_protocols_are_left_out(bare: Gateway) -> None:
    tftp = ("-p", "udp", "--dport", "69", "-j", "CT", "--helper", "tftp")
    require_program("conntrack")
    attach(bare.net.gateway, bare.family.iptables, "tftp", *tftp)
    client, server = (bare.datagram_socket(name) for name in (bare.net.client, bare.net.server))
    server.bind((bare.family.server, 69))
    server.settimeout(5)
    client.sendto(b"\0\1file\0octet\0", (bare.family.server, 69))
    server.recv(64)  # it has passed the gateway
    protocol = ("-f", "ipv4" if bare.family.number == socket.AF_INET else "ipv6")
    assert "proto=17" in run(bare.net.gateway, "conntrack", "-L", "expect", *protocol)
    assert bare.ct.list_expectations() == []


def test_without_cap_net_admin_the_refusal_says_so(bare: Gateway) -> None:
    require_program("setpriv")
    script = "from ftpfw.conntrack.client import Ctnetlink; Ctnetlink().list_expectations()"
    weak = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    report = f"try:\n {script}\nexcept Exception as error: print(error)"
    said = run(bare.net.gateway, *weak, sys.executable, "-c", report)
    assert said.startswith("could not list the expectations: EPERM")
    assert "CAP_NET_ADMIN" in said


def test_socket_stays_in_the_namespace_where_it_was_opened(gateway: Gateway) -> None:
    master = gateway.control_connection()
    with inside(gateway.net.client, Ctnetlink) as elsewhere:
        assert elsewhere.get(master) is None
    assert gateway.ct.get(master) is not None
