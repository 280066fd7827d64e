"""ftpfw against nf_conntrack_ftp: the same conversations through two gateways at once.

Both have the same addresses, the same policy but for its backend, and clients that use
the same ports. Compared are the bytes that arrive and the expectations as the kernel
tells of them (IPCTNL_MSG_EXP_NEW): addresses, ports, mask, translation, flags and time to
live. A difference is either in the list of `differences` or a failure, which
prints the smallest conversation that still shows it.

    FTPFW_CONVERSATIONS   how many for each situation
    FTPFW_SEED            which; without it always the same ones
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.model import Expectation, ExpectNat
from ftpfw.conntrack.nfsocket import NETLINK_NETFILTER
from ftpfw.conntrack.nlmsg import split_messages
from ftpfw.conntrack.wire_expect import ExpMessage, unpack_expectation

from .conftest import GatewayNet, joined
from .conversations import Conversation, End, Ends, Exchange, Ports, Side, conversation, smaller
from .differences import Case, Seen, fault, names
from .loading import loaded
from .netns import Namespaces, inside, require_program, run
from .recordings import recorded

CAPTURES = Path(__file__).parents[3] / "shared" / "pcaps"

CONVERSATIONS = int(os.environ.get("FTPFW_CONVERSATIONS", "300"))
SEED = int(os.environ.get("FTPFW_SEED", "21"))

AT_ONCE = 200
"""Conversations of a batch; the next begins when each has come to its end."""

CONTROL = 21
CLIENT_PORTS = range(20000, 60000)

POLL = 0.05
"""Seconds after which a sender is asked whether it repeats itself."""

SOL_NETLINK_GROUP_EXP_NEW = 1 << 3  # NF_NETLINK_CONNTRACK_EXP_NEW
SO_RCVBUFFORCE = 33
RETRANSMITS = 2  # offset of tcpi_retransmits in struct tcp_info
AT_ONCE_BY_RST = struct.pack("ii", 1, 0)  # struct linger


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the client and the server are; the FTP client is outside if the server is published."""

    name: str
    ends: Ends
    policy: str
    published: bool = False


CLIENTS = '[clients]\nallow = ["10.77.1.0/24", "fd77:1::/64"]\n'
PUBLISHED = '[[server]]\naddress = "{}"\npublic = "{}"\n'
INSIDE4, INSIDE6, OUTSIDE4, OUTSIDE6 = "10.77.1.10", "fd77:1::10", "192.0.2.10", "2001:db8:2::10"
GATEWAY4, GATEWAY6 = "192.0.2.1", "2001:db8:2::1"


def _ends(client: str, client_seen: str, server: str, server_seen: str) -> Ends:
    own_and_seen = ((client, client_seen), (server, server_seen))
    return Ends(*(End(ip_address(own), ip_address(seen)) for own, seen in own_and_seen))


SITUATIONS = [
    Situation(
        "masqueraded", _ends(INSIDE4, GATEWAY4, OUTSIDE4, OUTSIDE4), f"masquerade = true\n{CLIENTS}"
    ),
    Situation(
        "masqueraded, IPv6",
        _ends(INSIDE6, GATEWAY6, OUTSIDE6, OUTSIDE6),
        f"masquerade = true\n{CLIENTS}",
    ),
    Situation("routed", _ends(INSIDE4, INSIDE4, OUTSIDE4, OUTSIDE4), CLIENTS),
    Situation("routed, IPv6", _ends(INSIDE6, INSIDE6, OUTSIDE6, OUTSIDE6), CLIENTS),
    Situation(
        "published",
        _ends(OUTSIDE4, OUTSIDE4, INSIDE4, GATEWAY4),
        PUBLISHED.format(INSIDE4, GATEWAY4),
        published=True,
    ),
    Situation(
        "published, IPv6",
        _ends(OUTSIDE6, OUTSIDE6, INSIDE6, GATEWAY6),
        PUBLISHED.format(INSIDE6, GATEWAY6),
        published=True,
    ),
]


@dataclass(frozen=True, slots=True)
class Talk:
    """Both ends of a control connection; ``port`` is the client's."""

    port: int
    client: socket.socket
    server: socket.socket

    def end(self, side: Side) -> socket.socket:
        return self.client if side is Side.CLIENT else self.server

    def close(self) -> None:
        """End it at once on both sides, so that the ports are free."""
        for end in (self.client, self.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE_BY_RST)
            end.close()


class Way:
    """A client and a server with one of the two gateways between them.

    ``repeats`` is how often a sender repeats a segment until the session counts as hung:
    nothing is lost here but what the gateway drops.
    """

    def __init__(self, net: GatewayNet, situation: Situation, repeats: int) -> None:
        self._net = net
        self._ends = situation.ends
        self._repeats = repeats
        family = socket.AF_INET if situation.ends.client.own.version == 4 else socket.AF_INET6
        self._family = family
        ways = (net.server, net.client) if situation.published else (net.client, net.server)
        self._client_host, server_host = ways
        self._listener = inside(server_host, self._listen)
        self._events = inside(net.gateway, _expectation_events)
        self._awaited: dict[int, asyncio.Future[socket.socket]] = {}
        self._expected: defaultdict[int, list[Expectation]] = defaultdict(list)
        self._known: defaultdict[int, set[Expectation]] = defaultdict(set)

    def close(self) -> None:
        self._listener.close()
        self._events.close()

    def _listen(self) -> socket.socket:
        listener = socket.socket(self._family, socket.SOCK_STREAM)
        listener.bind((str(self._ends.server.own), CONTROL))
        listener.listen(AT_ONCE)
        listener.setblocking(False)
        return listener

    def _dials(self, ports: list[int]) -> list[socket.socket]:
        return [self._dial(port) for port in ports]

    def _dial(self, port: int) -> socket.socket:
        client = socket.socket(self._family, socket.SOCK_STREAM)
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((str(self._ends.client.own), port))
        return client

    async def hold(self, batch: dict[int, Conversation]) -> dict[int, list[Seen]]:
        """Hold conversations from the clients' ports given, all at once; what became of each."""
        loop = asyncio.get_running_loop()
        clients = inside(self._client_host, lambda: self._dials(list(batch)))
        self._awaited = {port: loop.create_future() for port in batch}
        loop.add_reader(self._listener, self._accept)
        try:
            talks = zip(batch, clients, batch.values(), strict=True)
            seen = await asyncio.gather(*(self._hold(*talk) for talk in talks))
        finally:
            loop.remove_reader(self._listener)
        run(self._net.gateway, "conntrack", "-F")  # and with it all expectations
        self._read_events()
        self._expected.clear()
        self._known.clear()
        return dict(zip(batch, seen, strict=True))

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            while True:
                server, (_, port, *_) = self._listener.accept()
                server.setblocking(False)
                self._awaited[port].set_result(server)

    async def _hold(self, port: int, client: socket.socket, whole: Conversation) -> list[Seen]:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (str(self._ends.server.seen), CONTROL))
        talk = Talk(port, client, await self._awaited[port])
        for end in (talk.client, talk.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seen = []
        for exchange in whole:
            try:
                arrived, hung = await self._say(exchange, talk)
            except ConnectionError:
                arrived, hung = b"", True
            seen.append(Seen(arrived, self._fresh(port), hung))
            if hung:
                break
        talk.close()
        return seen

    async def _say(self, exchange: Exchange, talk: Talk) -> tuple[bytes, bool]:
        """What arrives of an exchange, and whether the session hangs."""
        loop = asyncio.get_running_loop()
        sender = talk.end(exchange.side)
        receiver = talk.server if sender is talk.client else talk.client
        for segment in exchange.segments:
            await loop.sock_sendall(sender, segment)
        return await self._arrival(sender, receiver, exchange.data.count(b"\n"))

    async def _arrival(
        self, sender: socket.socket, receiver: socket.socket, lines: int
    ) -> tuple[bytes, bool]:
        """What arrives up to the last of the lines, and whether that hangs."""
        arrived = b""
        while arrived.count(b"\n") < lines:
            try:
                piece = receiver.recv(65536)
                if not piece:
                    raise ConnectionError("ended")
                arrived += piece
            except BlockingIOError:
                await _readable(receiver, POLL)
                if _repeats(sender) >= self._repeats:
                    return arrived, True
        return arrived, False

    def _fresh(self, port: int) -> tuple[Expectation, ...]:
        """What is expected for a control connection now, and has not been before.

        The kernel tells of an expectation before it lets go of the segment that announced it.
        """
        self._read_events()
        expected, known = self._expected[port], self._known[port]
        fresh = tuple(expectation for expectation in expected if expectation not in known)
        known.update(fresh)
        expected.clear()
        return tuple(dict.fromkeys(fresh))

    def _read_events(self) -> None:
        with suppress(BlockingIOError):
            while True:
                for message in split_messages(self._events.recv(65536)):
                    if message.type == ExpMessage.NEW:
                        expectation = unpack_expectation(message.payload)
                        self._expected[expectation.master.sport].append(_comparable(expectation))


async def _readable(connection: socket.socket, seconds: float) -> None:
    """Wait until there is something to receive, or for so long.

    Not loop.sock_recv: cancelled by a timeout, it can lose what it has received.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ready.wait()
    loop.remove_reader(connection)


def _comparable(expectation: Expectation) -> Expectation:
    """Without what must differ: the helper's name, the kernel's own number, a second gone by.

    nf_nat_ftp leaves the address out that its expected connection is translated to, because
    nf_nat_follow_master() takes the master's; so does ctnetlink's caller in vain.
    """
    nat = expectation.nat
    if nat is not None:
        nobody = bytes(len(nat.tuple.src))
        nat = ExpectNat(nat.direction, replace(nat.tuple, src=nobody, dst=nobody))
    return replace(expectation, helper=None, id=0, nat=nat, timeout=round(expectation.timeout, -1))


def _expectation_events() -> socket.socket:
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    events.bind((0, SOL_NETLINK_GROUP_EXP_NEW))
    events.setblocking(False)
    return events


def _repeats(sender: socket.socket) -> int:
    """How often the oldest segment that has not been acknowledged was repeated."""
    return sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[RETRANSMITS]


@dataclass(frozen=True, slots=True)
class Pair:
    """The same network twice, once with each of the two gateways."""

    situation: Situation
    kernel: Way
    ours: Way
    ports: Iterator[int]

    def compare(self, talks: list[Conversation]) -> list[Comparison]:
        """Hold conversations on both ways, all at once."""
        batch = dict(zip(self.ports, talks, strict=False))
        kernel, ours = asyncio.run(self._hold(batch))
        ends = self.situation.ends
        return [compared(talk, ends, kernel[port], ours[port]) for port, talk in batch.items()]

    async def _hold(
        self, batch: dict[int, Conversation]
    ) -> tuple[dict[int, list[Seen]], dict[int, list[Seen]]]:
        return await asyncio.gather(self.kernel.hold(batch), self.ours.hold(batch))

    def smallest(self, failing: Comparison) -> Comparison:
        """The failing conversation with all left out that it does not need to fail."""
        for less in smaller(failing.conversation):
            (comparison,) = self.compare([less])
            if comparison.faults:
                return self.smallest(comparison)
        return failing


@dataclass(frozen=True, slots=True)
class Comparison:
    """A conversation, and by exchange what is wrong with it and what it was excused by."""

    conversation: Conversation
    lines: list[str]
    faults: list[str]
    names: list[str]

    def __str__(self) -> str:
        return "\n".join([*self.lines, *self.faults])


def compared(talk: Conversation, ends: Ends, kernel: list[Seen], ours: list[Seen]) -> Comparison:
    result = Comparison(talk, [], [], [])
    begun: set[Side] = set()
    for exchange, theirs, mine in zip(talk, kernel, ours, strict=False):
        case = Case(exchange, ends, opening=exchange.side not in begun)
        begun.add(exchange.side)
        found, unexplained = names(case, theirs, mine)
        result.names.extend(found)
        result.lines.append(f"{exchange}{''.join(f'  [{name}]' for name in found)}")
        wrong = fault(exchange, mine)
        if unexplained or wrong:
            said = [f"kernel: {effect.value}" for effect in unexplained]
            result.faults.extend([*said, *([wrong] if wrong else [])])
            result.faults.extend(
                f"  {who:6} {_told(seen)}" for who, seen in (("kernel", theirs), ("ftpfw", mine))
            )
        if theirs.hung or mine.hung or result.faults:
            break
    return result


def _told(seen: Seen) -> str:
    return f"{seen.arrived!r}{' hung' if seen.hung else ''} {[str(e.tuple) for e in seen.expected]}"


def policy(situation: Situation, backend: str) -> str:
    keys, _, rest = situation.policy.partition("[")
    gateway = f'[gateway]\ninside = ["in0"]\noutside = "out0"\n{keys}'
    return f'{gateway}[helper]\nbackend = "{backend}"\n[{rest}'


REPEATS_OF_KERNEL = 2
REPEATS_OF_FTPFW = 6
"""The inspector shares a busy machine; the kernel's helper works in the kernel."""

ROUTES = (
    ("client", "default via 10.77.1.1"),
    ("client", "default via fd77:1::1"),
    ("server", "10.77.1.0/24 via 192.0.2.1"),
    ("server", "fd77:1::/64 via 2001:db8:2::1"),
    ("server", "192.0.2.1/32 dev eth0"),
    ("server", "2001:db8:2::1/128 dev eth0"),
)
"""All that the hosts need to reach each other, translated or not."""

PROMPT = ("rto_min", "20ms", "quickack", "1")
"""Of routes: a sender repeats itself soon, and every segment is acknowledged at once."""


@contextmanager
def pair(
    namespaces: Namespaces, situation: Situation, backend: str, directory: Path
) -> Iterator[Pair]:
    """Both networks, and both gateways loaded."""
    nets = [joined(namespaces) for _ in range(2)]
    for net in nets:
        prompt = PROMPT if net is nets[0] else ()
        for host, way in ROUTES:
            run(getattr(net, host), "ip", "route", "replace", *way.split(), *prompt)
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(loaded(net.gateway, policy(situation, name), directory / name))
            for net, name in zip(nets, ("kernel", backend), strict=True)
        ]
        kernel = Way(nets[0], situation, REPEATS_OF_KERNEL)
        ours = Way(nets[1], situation, REPEATS_OF_FTPFW)
        stack.callback(kernel.close)
        stack.callback(ours.close)
        yield Pair(situation, kernel, ours, cycle(CLIENT_PORTS))
        gateways[1].require_no_faults()


@pytest.fixture(params=["borrowed", "cthelper"])
def backend(request: pytest.FixtureRequest) -> str:
    require_program("conntrack")
    if request.param == "cthelper" and not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    return str(request.param)


def announced_ports(random: Random) -> Ports:
    """Every port once a batch, in random order."""
    return iter(random.sample(range(1, 65536), 65535))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_random_conversations(
    namespaces: Namespaces, situation: Situation, backend: str, tmp_path: Path
) -> None:
    random = Random(f"{SEED} {situation.name}")
    named: Counter[str] = Counter()
    with pair(namespaces, situation, backend, tmp_path) as both:
        for done in range(0, CONVERSATIONS, AT_ONCE):
            ports = announced_ports(random)
            talks = [
                conversation(random, situation.ends, ports)
                for _ in range(min(AT_ONCE, CONVERSATIONS - done))
            ]
            for comparison in both.compare(talks):
                named.update(comparison.names or ["equal"])
                if comparison.faults:
                    pytest.fail(f"FTPFW_SEED={SEED}\n{both.smallest(comparison)}")
    assert named["equal"] > CONVERSATIONS / 20, named
    print(f"{situation.name}, FTPFW_SEED={SEED}: {dict(named.most_common())}")


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_recorded_conversations(
    namespaces: Namespaces, situation: Situation, backend: str, tmp_path: Path
) -> None:
    captures = sorted(CAPTURES.glob("*/*.pcap"))
    if not captures:
        pytest.skip("needs the captures in ../shared/pcaps")
    held = 0
    with pair(namespaces, situation, backend, tmp_path) as both:
        for capture in captures:
            for talk in recorded(capture, situation.ends):
                (comparison,) = both.compare([talk])
                held += len(comparison.lines)
                assert not comparison.faults, f"{capture.name}\n{comparison}"
    assert held > 0
