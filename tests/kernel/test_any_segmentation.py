"""Real sessions in tiny segments that are lost, repeated and overtaken on either side of a gateway.

    inside 10.7.1.2 ~~~~ 10.7.1.1 gateway 192.0.2.100 ~~~~ 192.0.2.10 outside
           fd77:1::2     fd77:1::1        2001:db8:2::100  2001:db8:2::10

~~~~ is a cable of `turbulence`. No segment of an endpoint carries more than 48 bytes
(tcp_min_snd_mss), options included, so no PORT arrives in one piece. The client's address
becomes longer on its way, or, where the client spells it with zeros, shorter.

    FTPFW_STORMS   how many times everything is done, with another seed each time; without it
                   half of it is done once
    FTPFW_SEED     the first
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from itertools import product
from pathlib import Path
from random import Random

import pytest

from ftpfw.conntrack import cthelper
from ftpfw.lab.clients.commands import PATIENCE, ClientFailed, Errand, Mode, What
from ftpfw.lab.clients.python import ModeFTP
from ftpfw.lab.clients.running import transfer
from ftpfw.lab.daemons.running import Site
from ftpfw.lab.hosts import LabHost

from .lab_server import vsftpd
from .loading import Loaded, loaded
from .netns import Namespaces, require_program, run
from .turbulence import CHOPPY, FAIR, ROUGH, Cable, Weather, cable

SEED = int(os.environ.get("FTPFW_SEED", "21"))
STORMS = int(os.environ.get("FTPFW_STORMS", "1"))
WHOLE = "FTPFW_STORMS" in os.environ

MSS = 48
HONOURS_MSS = (6, 18)
TCP_MIN_MSS = 88
"""Linux 6.18 sends what the other side asks for; 6.1 was seen to go no lower than this."""
PROMPT = ("rto_min", "20ms", "quickack", "1")
"""Of routes: what is lost is repeated soon, so that many losses fit into a short test."""

TCP = ("net.ipv4.tcp_congestion_control=reno", "net.ipv4.tcp_no_metrics_save=1")
"""A congestion control that is always there; no connection's round trips set another's pace."""

GATEWAY = '[gateway]\ninside = ["in0"]\noutside = "out0"\n'
INSIDE = {4: "10.7.1.2", 6: "fd77:1::2"}
OUTSIDE = {4: "192.0.2.10", 6: "2001:db8:2::10"}
PUBLIC = {4: "192.0.2.100", 6: "2001:db8:2::100"}


@dataclass(frozen=True, slots=True)
class Situation:
    """Which host is the FTP server, where clients find it, and the policy that lets them."""

    name: str
    published: bool
    server: Mapping[int, str]
    policy: str


MASQUERADED = Situation(
    "masqueraded",
    False,
    OUTSIDE,
    GATEWAY
    + 'masquerade = true\n[helper]\nbackend = "{}"\n'
    + '[clients]\nallow = ["10.7.1.0/24", "fd77:1::/64"]\n',
)
PUBLISHED = Situation(
    "published",
    True,
    PUBLIC,
    GATEWAY
    + '[helper]\nbackend = "{}"\n'
    + "".join(
        f'[[server]]\naddress = "{INSIDE[version]}"\npublic = "{PUBLIC[version]}"\n'
        for version in (4, 6)
    ),
)

TRANSFERS = 3


@dataclass(frozen=True, slots=True)
class Net:
    """The hosts' namespaces, and the two cables between them."""

    inside: str
    gateway: str
    outside: str
    cables: tuple[Cable, Cable]


@contextmanager
def plugged(namespaces: Namespaces, weather: Weather, random: Random) -> Iterator[Net]:
    inside, gateway, outside = (namespaces.create(role) for role in ("inside", "gw", "outside"))
    with ExitStack() as stack:
        cables = (
            stack.enter_context(cable((inside, "eth0"), (gateway, "in0"), weather, random)),
            stack.enter_context(cable((gateway, "out0"), (outside, "eth0"), weather, random)),
        )
        namespaces.address(inside, "eth0", "10.7.1.2/24", "fd77:1::2/64")
        namespaces.address(gateway, "in0", "10.7.1.1/24", "fd77:1::1/64")
        namespaces.address(gateway, "out0", "192.0.2.100/24", "2001:db8:2::100/64")
        namespaces.address(outside, "eth0", "192.0.2.10/24", "2001:db8:2::10/64")
        narrow = ("advmss", str(MSS), *PROMPT)
        for way in ("default via 10.7.1.1", "default via fd77:1::1"):
            run(inside, "ip", "route", "replace", *way.split(), *narrow)
        for way in ("192.0.2.100/32 dev eth0", "2001:db8:2::100/128 dev eth0"):
            run(outside, "ip", "route", "replace", *way.split(), *narrow)
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run(gateway, "sysctl", "-qw", *forwarding)
        yield Net(inside, gateway, outside, cables)


PATIENT = 3 * PATIENCE
"""What is lost twice and more is repeated ever more rarely, on a busy machine above all."""


class Speller(ModeFTP):
    """A client that types, few bytes at a time, and spells its address now longer, now shorter."""

    def __init__(self, mode: Mode, random: Random) -> None:
        super().__init__(mode, PATIENT)
        self.random = random
        self.turns = 0

    def putline(self, line: str) -> None:
        assert self.sock is not None
        self.trace += f"> {line}\n"
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = f"{line}\r\n".encode()
        while rest:
            length = self.random.choice((1, 3, 9, len(rest)))
            self.sock.sendall(rest[:length])
            rest = rest[length:]

    def sendport(self, host: str, port: int) -> str:
        self.turns += 1
        octets = host.split(".")
        padded = ".".join(octet.zfill(3) for octet in octets)
        return super().sendport(host if self.mode is Mode.EPRT or self.turns % 2 else padded, port)

    def sendeprt(self, host: str, port: int) -> str:
        self.turns += 1
        if ":" in host and self.turns % 2:
            groups = IPv6Address(host).exploded.split(":")
            host = ":".join(group.lstrip("0") or "0" for group in groups)
        return super().sendeprt(host, port)


def _greet(address: str) -> None:
    with socket.create_connection((address, 21), 2 * PATIENCE) as connection:
        connection.recv(64)


@dataclass(frozen=True, slots=True)
class Errands:
    """What the clients do, each with files of its own."""

    host: LabHost
    site: Site
    directory: Path
    content: bytes
    server: Mapping[int, str]
    seed: int

    def greet(self) -> None:
        """Have every host on the way resolve its neighbours, which costs SYNs their seconds."""
        for address in self.server.values():
            self.host.call(partial(_greet, address))

    def of(self, client: str, mode: Mode, version: int) -> str | None:
        """What went wrong; None if everything arrived as it was sent."""
        name = f"{client}-{mode.value}-{version}"
        try:
            if client == "ftplib":
                self.host.call(lambda: self._spelled(name, mode, self.server[version]))
            else:
                self._brought(name, client, mode, version)
        except (ClientFailed, OSError, EOFError, AssertionError) as error:
            return f"{name}: {error!r}\n{error}"
        return None

    def _spelled(self, name: str, mode: Mode, server: str) -> None:
        """Several transfers each way in one session."""
        session = Speller(mode, Random(f"{self.seed} {name}"))
        with session:
            session.connect(server)
            session.login()
            for turn in range(TRANSFERS):
                fetched = bytearray()
                session.retrbinary("RETR file", fetched.extend)
                assert fetched == self.content
                with (self.directory / "file").open("rb") as file:
                    session.storbinary(f"STOR incoming/{name}-{turn}", file)
                session.voidcmd("NOOP")
        for turn in range(TRANSFERS):
            assert (self.site.incoming / f"{name}-{turn}").read_bytes() == self.content

    def _brought(self, name: str, client: str, mode: Mode, version: int) -> None:
        server, got = self.server[version], self.directory / name
        brought = self.directory / "file"
        for what, remote, local in (
            (What.DOWN, "file", got),
            (What.UP, f"incoming/{name}", brought),
        ):
            errand = Errand(what, mode, server, remote, local, patience=PATIENT)
            transfer(client, self.host, errand)
        assert (self.directory / name).read_bytes() == self.content
        assert (self.site.incoming / name).read_bytes() == self.content


JOBS = [
    *(("ftplib", mode, 4) for mode in Mode),
    ("ftplib", Mode.EPRT, 6),
    ("ftplib", Mode.EPSV, 6),
    ("lftp", Mode.PORT, 4),
    ("lftp", Mode.PASV, 4),
    ("lftp", Mode.EPSV, 4),
    *(("curl", mode, 4) for mode in Mode),
    ("curl", Mode.EPRT, 6),
    ("curl", Mode.EPSV, 6),
]


@pytest.fixture(params=["borrowed", "cthelper"])
def backend(request: pytest.FixtureRequest) -> str:
    require_program("vsftpd", "lftp", "curl")
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("needs /dev/net/tun")
    if request.param == "cthelper" and not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    return str(request.param)


def require_tiny_segments(net: Net) -> None:
    """What the endpoints sent came in segments as short as their kernel makes them."""
    kernel = tuple(map(int, platform.release().split(".")[:2]))
    longest = MSS if kernel >= HONOURS_MSS else TCP_MIN_MSS
    for end in (net.cables[0].left, net.cables[1].right):
        assert end.segments > 0
        assert 0 < end.longest <= longest


def require_weather(net: Net, weather: Weather) -> None:
    """The cables did what they are for."""
    for log in (log for cable_ in net.cables for log in (cable_.left, cable_.right)):
        assert (log.lost > 0) == (weather.loss > 0)
        assert (log.repeated > 0) == (weather.repetition > 0)
        assert (log.overtaken > 0) == (weather.delay > 0)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the sessions have to get through."""

    situation: Situation
    weather: Weather
    sack: bool

    def __str__(self) -> str:
        weather = {FAIR: "in order", CHOPPY: "out of order", ROUGH: "with losses"}[self.weather]
        return f"{self.situation.name}, {weather}, {'SACK' if self.sack else 'no SACK'}"


TRIALS = [
    Trial(situation, weather, sack)
    for situation, (weather, sack) in product(
        (MASQUERADED, PUBLISHED), product((FAIR, CHOPPY, ROUGH), (True, False))
    )
    if WHOLE or sack is not situation.published
]


@dataclass(frozen=True, slots=True)
class Stage:
    """A loaded gateway between a client and a server that has ``file``."""

    net: Net
    gateway: Loaded
    client: LabHost
    site: Site


@contextmanager
def staged(
    namespaces: Namespaces, backend: str, directory: Path, trial: Trial, random: Random
) -> Iterator[Stage]:
    directory.chmod(0o755)
    (directory / "file").write_bytes(random.randbytes(3000))
    with ExitStack() as stack:
        net = stack.enter_context(plugged(namespaces, trial.weather, random))
        for end in (net.inside, net.outside):
            run(end, "sysctl", "-qw", f"net.ipv4.tcp_sack={int(trial.sack)}", *TCP)
        policy = trial.situation.policy.format(backend)
        gateway = stack.enter_context(loaded(net.gateway, policy, directory / "gateway"))
        ends = (net.inside, net.outside)
        server, client = ends if trial.situation.published else reversed(ends)
        (directory / "site").mkdir()
        site = stack.enter_context(vsftpd(server, "::", directory / "site"))
        site.publish("file", (directory / "file").read_bytes())
        yield Stage(net, gateway, LabHost("client", client), site)
        gateway.require_no_faults()


@pytest.mark.parametrize("seed", range(SEED, SEED + STORMS))
@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_every_mode_in_tiny_segments(
    namespaces: Namespaces, backend: str, tmp_path: Path, trial: Trial, seed: int
) -> None:
    with staged(namespaces, backend, tmp_path, trial, Random(seed)) as stage:
        content = (tmp_path / "file").read_bytes()
        where = trial.situation.server
        errands = Errands(stage.client, stage.site, tmp_path, content, where, seed)
        errands.greet()
        with ThreadPoolExecutor(len(JOBS)) as pool:
            failures = list(filter(None, pool.map(lambda job: errands.of(*job), JOBS)))
        notes = [worker["notes"] for worker in stage.gateway.workers()]
        assert not failures, "\n".join([f"FTPFW_SEED={seed}", *failures, str(notes)])
        require_tiny_segments(stage.net)
        require_weather(stage.net, trial.weather)
        assert stage.gateway.statistics()["invalid"] == 0


class Halting(ModeFTP):
    """A client that writes PORT in two pieces, the second of which Nagle's algorithm keeps back."""

    def putline(self, line: str) -> None:
        assert self.sock is not None
        half = line.index(",") + 1 if line.startswith("PORT") else 0
        self.sock.sendall(line[:half].encode())
        self.sock.sendall(f"{line[half:]}\r\n".encode())


def test_a_client_that_waits_for_the_ack_of_half_a_line(
    namespaces: Namespaces, backend: str, tmp_path: Path
) -> None:
    """Without SACK there is no tail loss probe either, which would send the other half."""
    trial = Trial(MASQUERADED, FAIR, sack=False)
    with staged(namespaces, backend, tmp_path, trial, Random(SEED)) as stage:

        def fetch() -> bytes:
            fetched = bytearray()
            with Halting(Mode.PORT, PATIENT) as session:
                session.connect(OUTSIDE[4])
                session.login()
                session.retrbinary("RETR file", fetched.extend)
                session.retrbinary("RETR file", fetched.extend)
            return bytes(fetched)

        assert stage.client.call(fetch) == 2 * (tmp_path / "file").read_bytes()
        (worker,) = stage.gateway.workers()
        assert sum(worker["notes"]["held"].values()) >= 2
        assert "hold-given-up" not in worker["notes"]
