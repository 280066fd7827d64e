"""What applied rules do to packets: what passes, what is queued, what is dropped."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.packet import Packet

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Direction, Expectation, ExpectNat, Tuple
from ftpfw.ruleset.apply import apply
from ftpfw.ruleset.compile import compile_policy
from ftpfw.ruleset.model import Family
from ftpfw.ruleset.policy import OPAQUE_MARK, Backend
from ftpfw.ruleset.policy_file import read_policy

from .conftest import GatewayNet
from .netns import inside
from .rules_host import SUFFIX, RulesHost, entered, require_helper

POLICY = """\
[gateway]
inside = ["in0"]
outside = "out0"
masquerade = true

[clients]
allow = ["10.77.1.0/24", "fd77:1::/64"]
"""

PATIENCE = 5.0
"""Seconds until a packet that should pass counts as lost."""

DROPPED = 0.3
"""Seconds to wait for what is dropped; the drop rule's counter is the proof, not the silence."""

CONTROL = 21
DATA_PORT = 40100


@dataclass(frozen=True)
class Addresses:
    family: Family
    number: int
    client: str
    server: str
    outside: str


ADDRESSES = [
    Addresses(Family.IPV4, socket.AF_INET, "10.77.1.10", "192.0.2.10", "192.0.2.1"),
    Addresses(Family.IPV6, socket.AF_INET6, "fd77:1::10", "2001:db8:2::10", "2001:db8:2::1"),
]


class Gateway:
    """Client and server around a gateway with rules, in one family."""

    def __init__(self, net: GatewayNet, rules: RulesHost, at: Addresses, stack: ExitStack) -> None:
        self.net, self.rules, self.at, self.stack = net, rules, at, stack
        self.ct = stack.enter_context(inside(net.gateway, Ctnetlink))

    def apply(self, backend: Backend, more: str = "") -> None:
        require_helper(backend)
        policy = read_policy(POLICY + more, "gateway.toml")
        with entered(self.net.gateway):
            rulesets = [compile_policy(policy, backend, family) for family in Family]
            apply(rulesets, self.rules.firewall)

    def listen(self, namespace: str, host: str, port: int) -> socket.socket:
        family = self.at.number
        listener = inside(namespace, lambda: socket.create_server((host, port), family=family))
        listener.settimeout(PATIENCE)
        return self.stack.enter_context(listener)

    def connect(self, namespace: str, host: str, port: int, patience: float) -> socket.socket:
        opened = inside(namespace, lambda: socket.create_connection((host, port), patience))
        return self.stack.enter_context(opened)

    def session(self, port: int = CONTROL) -> tuple[socket.socket, socket.socket]:
        """A connection from the client to the server: both ends."""
        listener = self.listen(self.net.server, self.at.server, port)
        near = self.connect(self.net.client, self.at.server, port, PATIENCE)
        far, _ = listener.accept()
        far.settimeout(PATIENCE)
        return near, self.stack.enter_context(far)

    def is_dropped(self, namespace: str, host: str, port: int) -> bool:
        before = self.dropped()
        with pytest.raises(TimeoutError):
            self.connect(namespace, host, port, DROPPED)
        return self.dropped() > before

    def dropped(self) -> int:
        ways = ("-i in0 -o out0", "-i out0 -o in0")
        return sum(self.packets("ftpfw-drop", way) for way in ways)

    def packets(self, chain: str, *parts: str) -> int:
        return self.rules.packets(chain, *parts, family=self.at.family)

    def queued(self, number: int = 0) -> int:
        """Commands and replies."""
        ways = ("-i in0", "-i out0")
        return sum(self.packets("ftpfw-mangle", way, f"--queue-num {number} ") for way in ways)

    def master(self, control: socket.socket) -> Tuple:
        client, server = (ip_address(text).packed for text in (self.at.client, self.at.server))
        return Tuple(client, control.getsockname()[1], server, CONTROL)

    def expect_active(self, master: Tuple, port: int) -> None:
        """Let the server open a data connection to ``port``, as for a PORT of the client."""
        size = len(master.src)
        self.ct.add_expectation(
            Expectation(
                master=master,
                tuple=Tuple(master.dst, 0, ip_address(self.at.outside).packed, port),
                mask=Tuple(b"\xff" * size, 0, b"\xff" * size, 0xFFFF),
                timeout=300,
                nat=ExpectNat(Direction.REPLY, Tuple(master.src, port, bytes(size), 0)),
                expectfn="nat-follow-master",
            )
        )

    def send(self, namespace: str, packet: Packet) -> None:
        """Send a crafted packet, as it is."""
        raw = inside(
            namespace,
            lambda: socket.socket(self.at.number, socket.SOCK_RAW, socket.IPPROTO_RAW),
        )
        with raw:
            raw.sendto(bytes(packet), (packet.dst, 0))


@pytest.fixture(params=ADDRESSES, ids=["IPv4", "IPv6"])
def addresses(request: pytest.FixtureRequest) -> Addresses:
    at: Addresses = request.param
    return at


@pytest.fixture(params=SUFFIX)
def gateway(
    request: pytest.FixtureRequest, gateway_net: GatewayNet, addresses: Addresses
) -> Iterator[Gateway]:
    with ExitStack() as stack:
        rules = RulesHost(gateway_net.gateway, request.param)
        yield Gateway(gateway_net, rules, addresses, stack)


def talk(near: socket.socket, far: socket.socket, lines: int) -> None:
    """One segment each way, ``lines`` times: the next one waits for the last one's arrival."""
    for speaker, listener in [(near, far), (far, near)] * lines:
        speaker.sendall(b"NOOP\r\n")
        assert listener.recv(100) == b"NOOP\r\n"


def close(near: socket.socket, far: socket.socket) -> None:
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.shutdown(socket.SHUT_WR)
    assert near.recv(1) == b""


def test_segments_with_data_are_queued_and_no_others(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    assert gateway.queued() == 0  # SYN, SYN+ACK, ACK
    talk(near, far, 5)
    close(near, far)
    assert gateway.queued() == 10


def test_ip_options_do_not_count_as_data(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    if gateway.at.family is Family.IPV4:
        for end in (near, far):
            end.setsockopt(
                socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01\x01\x01\x01\x01\x01\x01\x00"
            )
        talk(near, far, 5)
        close(near, far)
        assert gateway.queued() == 10
    else:
        # Behind extension headers only the inspector finds TCP, so these are all queued.
        options = b"\x00\x00\x01\x04\x00\x00\x00\x00"
        near.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, options)
        talk(near, far, 5)
        close(near, far)
        assert gateway.queued() > 10


def test_both_directions_meet_the_same_queue(gateway: Gateway) -> None:
    """As NAT changes addresses, --queue-balance would send the replies anywhere."""
    gateway.apply(Backend.BORROWED, '[helper]\nqueue = "0-3"\n')
    near, far = gateway.session()
    talk(near, far, 5)
    assert sorted(gateway.queued(number) for number in range(4)) == [0, 0, 0, 10]


def test_only_control_connections_of_clients_are_queued(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    gateway.rules.iptables("-I FORWARD -p tcp -j ACCEPT", gateway.at.family)
    talk(*gateway.session(2121), lines=1)
    assert gateway.queued() == 0


def test_what_has_turned_to_tls_is_queued_only_where_it_looks_like_text(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    gateway.ct.set_mark(gateway.master(near), OPAQUE_MARK, OPAQUE_MARK)
    for speaker, listener in ((near, far), (far, near)):
        for text, queued in ((b"\x17\x03\x03\x00\x20" + bytes(32), 0), (b"NOOP\r\n", 1)):
            before = gateway.queued()
            speaker.sendall(text)
            assert listener.recv(100) == text
            assert gateway.queued() - before == queued


def test_another_bit_of_the_connmark_says_nothing(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    gateway.ct.set_mark(gateway.master(near), 1, 1)
    near.sendall(bytes(5))
    assert far.recv(100) == bytes(5)
    assert gateway.queued() == 1


def published(at: Addresses) -> str:
    """The client as a server that is published."""
    address = f'address = "{at.client}"\npublic = "{at.outside}"'
    return f'[[server]]\n{address}\npassive_ports = "50000-50009"\n'


def test_openers_to_passive_ports_are_queued_and_pass_where_nobody_listens(
    gateway: Gateway,
) -> None:
    gateway.apply(Backend.BORROWED, published(gateway.at))
    listener = gateway.listen(gateway.net.client, gateway.at.client, CONTROL)
    near = gateway.connect(gateway.net.server, gateway.at.outside, CONTROL, PATIENCE)
    far, _ = listener.accept()
    with far:
        far.settimeout(PATIENCE)
        talk(near, far, 1)
    part = "-i out0 -p tcp -m tcp --dport 50000:50009"
    assert gateway.packets("ftpfw-raw", part) == 0
    for port in (49999, 50000, 50009, 50010):
        with pytest.raises(ConnectionRefusedError):  # it is the gateway's own port
            gateway.connect(gateway.net.server, gateway.at.outside, port, PATIENCE)
    assert gateway.packets("ftpfw-raw", part) == 2


def test_an_invalid_segment_for_a_published_server_gets_no_reset(gateway: Gateway) -> None:
    """NAT leaves it alone, so it is for the gateway, whose TCP knows no such connection."""
    gateway.apply(Backend.BORROWED, published(gateway.at))
    segment = TCP(sport=40021, dport=CONTROL, flags="SF")
    ip = IP if gateway.at.family is Family.IPV4 else IPv6
    gateway.send(gateway.net.server, ip(src=gateway.at.server, dst=gateway.at.outside) / segment)
    assert gateway.packets("ftpfw-input", "-i out0 -p tcp", "--ctstate INVALID -j DROP") == 1


@pytest.mark.parametrize("backend", [Backend.BORROWED, Backend.KERNEL, Backend.NONE])
def test_a_control_connection_leaves_with_the_gateway_s_address(
    gateway: Gateway, backend: Backend
) -> None:
    gateway.apply(backend)
    near, far = gateway.session()
    talk(near, far, 1)
    assert far.getpeername()[0] == gateway.at.outside


def test_everything_else_is_dropped(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    gateway.listen(gateway.net.server, gateway.at.server, 80)
    assert gateway.is_dropped(gateway.net.client, gateway.at.server, 80)
    assert gateway.is_dropped(gateway.net.client, gateway.at.server, 50000)


def test_the_administrator_s_own_rules_go_on_working(gateway: Gateway) -> None:
    family = gateway.at.family
    gateway.rules.iptables("-A FORWARD -p tcp --dport 80 -j ACCEPT", family)
    gateway.rules.iptables("-A FORWARD -p tcp --sport 80 -j ACCEPT", family)
    gateway.apply(Backend.BORROWED)
    talk(*gateway.session(80), lines=1)


def test_only_the_invalid_segments_of_control_connections_are_dropped_first(
    gateway: Gateway,
) -> None:
    """SYN and FIN at once are INVALID, and never translated."""
    family = gateway.at.family
    gateway.rules.iptables("-A FORWARD -p tcp -j ACCEPT", family)
    gateway.apply(Backend.BORROWED)
    dropped = {}
    for port in (CONTROL, 80):
        gateway.send(gateway.net.client, invalid(gateway.at, port))
        accepted = gateway.packets("FORWARD", "-p tcp -j ACCEPT")
        dropped[port] = (gateway.packets("ftpfw-forward", "--ctstate INVALID"), accepted)
    assert dropped == {CONTROL: (1, 0), 80: (1, 1)}


def test_nobody_outside_speaks_for_a_client(gateway: Gateway) -> None:
    """Conntrack sees what a server sends in its own name, and nothing in a client's."""
    gateway.apply(Backend.BORROWED)
    gateway.listen(gateway.net.gateway, gateway.at.outside, CONTROL)  # a RST would end the flow
    tracked = {}
    for source in (gateway.at.server, gateway.at.client):
        gateway.send(gateway.net.server, opener(gateway.at, source))
        tracked[source] = gateway.ct.get(opened(gateway.at, source)) is not None
    assert gateway.packets("ftpfw-raw", f"-s {subnet(gateway.at)} -i out0 -j DROP") == 1
    assert tracked == {gateway.at.server: True, gateway.at.client: False}


def test_an_expected_data_connection_comes_in(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    talk(near, far, 1)
    listener = gateway.listen(gateway.net.client, gateway.at.client, DATA_PORT)
    gateway.expect_active(gateway.master(near), DATA_PORT)
    data = gateway.connect(gateway.net.server, gateway.at.outside, DATA_PORT, PATIENCE)
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(PATIENCE)
        talk(data, accepted, 3)


def test_an_expected_connection_to_a_privileged_port_does_not(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    talk(near, far, 1)
    gateway.listen(gateway.net.client, gateway.at.client, 1023)
    gateway.expect_active(gateway.master(near), 1023)
    assert gateway.is_dropped(gateway.net.server, gateway.at.outside, 1023)


def test_what_another_helper_expects_is_not_ours(gateway: Gateway) -> None:
    """RELATED by a helper that is not FTP's: an administrator's sane, beside backend kernel."""
    gateway.apply(Backend.KERNEL)
    attach = "-t raw -R ftpfw-raw 2 -p tcp -m tcp --dport 21 -j CT --helper sane"
    gateway.rules.iptables(attach, gateway.at.family)
    near, far = gateway.session()
    talk(near, far, 1)
    gateway.listen(gateway.net.client, gateway.at.client, DATA_PORT)
    gateway.expect_active(gateway.master(near), DATA_PORT)
    assert gateway.is_dropped(gateway.net.server, gateway.at.outside, DATA_PORT)


def test_without_a_helper_passive_ports_are_open_and_active_ones_shut(gateway: Gateway) -> None:
    gateway.apply(Backend.NONE)
    talk(*gateway.session(50000), lines=1)
    assert gateway.is_dropped(gateway.net.client, gateway.at.server, 1023)


def test_icmp_errors_about_a_control_connection_pass(gateway: Gateway) -> None:
    gateway.apply(Backend.BORROWED)
    near, far = gateway.session()
    talk(near, far, 1)
    rule = f"-d {subnet(gateway.at)} -i out0 -o in0 -p {icmp(gateway.at)}"
    part = f"{rule} -m conntrack --ctstate RELATED --ctproto 6 --ctorigdstport"
    assert gateway.packets("ftpfw-forward", part) == 0
    gateway.send(gateway.net.server, too_big(gateway.at, port=far.getpeername()[1]))
    assert gateway.packets("ftpfw-forward", part) == 1


def subnet(at: Addresses) -> str:
    return "10.77.1.0/24" if at.family is Family.IPV4 else "fd77:1::/64"


def icmp(at: Addresses) -> str:
    return "icmp" if at.family is Family.IPV4 else "ipv6-icmp"


def invalid(at: Addresses, port: int) -> Packet:
    segment = TCP(sport=40021, dport=port, flags="SF")
    ip = IP if at.family is Family.IPV4 else IPv6
    return ip(src=at.client, dst=at.server) / segment


def opener(at: Addresses, source: str) -> Packet:
    """A SYN to the gateway itself."""
    ip = IP if at.family is Family.IPV4 else IPv6
    return ip(src=source, dst=at.outside) / TCP(sport=DATA_PORT, dport=CONTROL, flags="S")


def opened(at: Addresses, source: str) -> Tuple:
    """The connection that ``opener`` opens."""
    src, dst = (ip_address(text).packed for text in (source, at.outside))
    return Tuple(src, DATA_PORT, dst, CONTROL)


def too_big(at: Addresses, port: int) -> Packet:
    """ "Fragmentation needed" from the server's side, about a segment of the masqueraded client."""
    segment = TCP(sport=port, dport=CONTROL, flags="A")
    if at.family is Family.IPV4:
        quoted = IP(src=at.outside, dst=at.server) / segment
        return IP(src=at.server, dst=at.outside) / ICMP(type=3, code=4, nexthopmtu=1280) / quoted
    quoted6 = IPv6(src=at.outside, dst=at.server) / segment
    return IPv6(src=at.server, dst=at.outside) / ICMPv6PacketTooBig(mtu=1280) / quoted6
