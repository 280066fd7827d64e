"""What ``server generate`` makes, all of it together: server, gateway and the clients people have.

Each configuration is started as generated, its policy is loaded on the gateway that publishes the
server, and curl, lftp, ncftp and tnftp fetch, store and list through it in every mode they have.
``ftpfw serve`` is the fourth server. Over IPv6, and with sessions from inetd, by its line and by
Debian's own inetd, each daemon once. Without a gateway the server's host is its own firewall: the
policy opens what transfers need, and nothing else. ``make server-proof`` does all of it, ``make
test`` a choice.
"""

from __future__ import annotations

import ftplib
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import product
from pathlib import Path, PurePath

import pytest

from ftpfw.lab.clients.commands import ClientFailed, Errand, Mode, What, cannot
from ftpfw.lab.clients.running import missing, transfer
from ftpfw.lab.hosts import LabHost
from ftpfw.server.options import Form
from ftpfw.server.recipes import Place, Purpose, Recipe, make

from .audit_harms import unchecked
from .conftest import GatewayNet
from .ftp_servers import PASSWORD, PATIENCE, PORT, PROGRAMS, serving
from .loading import loaded
from .netns import inside
from .published import OUTSIDE, OUTSIDE6, SERVER, SERVER6, own_net, published_net
from .served import make_root, serve

CLIENTS = ["curl", "lftp", "ncftp", "tnftp"]
PASSIVE_PORTS = range(61000, 61020)
EMBEDDED = None
"""In place of a form: the server of our own."""


@dataclass(frozen=True, slots=True)
class Case:
    """A server, where it is, and how it is started."""

    form: Form | None
    purpose: Purpose
    version: int = 4
    inetd: bool = False
    own: bool = False

    def __str__(self) -> str:
        special = "-inetd" * self.inetd + "-own-host" * self.own + "-ipv6" * (self.version == 6)
        return f"{self.form or 'ftpfw-serve'}-{self.purpose}{special}"

    @property
    def place(self) -> Place:
        """Where it is for the gateway and for the clients."""
        if self.version == 6:
            at = Place(address=ip_address(SERVER6), public=OUTSIDE6)
        else:
            at = Place(address=ip_address(SERVER), public=OUTSIDE)
        if self.own:
            at = replace(at, public=None)
        return replace(at, passive_ports=PASSIVE_PORTS, inetd=self.inetd)

    @property
    def public(self) -> str:
        """The address that clients know."""
        return str(self.place.public or self.place.address)

    @property
    def recipe(self) -> Recipe:
        """What is generated; our own server needs of it the policy alone."""
        return make(self.purpose, self.form or Form.VSFTPD, self.place)


EVERY = [
    *(Case(form, purpose) for form, purpose in product(PROGRAMS, Purpose)),
    *(Case(form, Purpose.DROP_BOX, inetd=True) for form in PROGRAMS),
    Case(Form.VSFTPD, Purpose.DROP_BOX, version=6),
    Case(Form.PURE_ARGS, Purpose.USERS, version=6),
    Case(Form.PURE_DEBIAN, Purpose.DOWNLOAD, version=6, inetd=True),
    Case(Form.PROFTPD, Purpose.DROP_BOX, version=6),
    Case(Form.PROFTPD, Purpose.USERS, version=6, inetd=True),
    Case(EMBEDDED, Purpose.DOWNLOAD),
    Case(EMBEDDED, Purpose.DROP_BOX),
    Case(EMBEDDED, Purpose.DROP_BOX, version=6),
]
OWN_HOST = [
    Case(Form.VSFTPD, Purpose.USERS, own=True),
    Case(Form.PURE_ARGS, Purpose.DROP_BOX, own=True),
    Case(Form.PROFTPD, Purpose.DOWNLOAD, own=True, inetd=True),
    Case(Form.VSFTPD, Purpose.DROP_BOX, own=True, version=6),
]
CHOSEN = [
    Case(Form.VSFTPD, Purpose.USERS),
    Case(Form.PURE_ARGS, Purpose.DOWNLOAD),
    Case(Form.PROFTPD, Purpose.DROP_BOX),
]
PROOF = bool(os.environ.get("FTPFW_SERVER_PROOF"))
RUN = EVERY if PROOF else CHOSEN
UNANNOUNCED = 61007
"""A passive port that another service has taken: no server announces it."""
SYN_SENT = 2
"""TCP_SYN_SENT of the kernel's tcp_states.h."""
CONTENT = os.urandom(300_000)
"""Larger than one segment, and than what one read takes."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs: where it keeps files, and the directories that clients see."""

    files: Path
    fetched: PurePath
    stored: PurePath
    listed: PurePath


@pytest.fixture(scope="module")
def net() -> Iterator[GatewayNet]:
    with published_net() as made:
        yield made


@contextmanager
def running(case: Case, net: GatewayNet, directory: Path) -> Iterator[Running]:
    """The server with one file to be fetched."""
    if case.form is EMBEDDED:
        with embedded(case, net, directory) as root:
            yield filled(root, case.purpose)
        return
    at = (str(case.place.address), PORT)
    with serving(net.server, case.form, case.recipe, directory, by_inetd=case.inetd, at=at) as srv:
        yield filled(srv / "ftp", case.purpose)


@contextmanager
def embedded(case: Case, net: GatewayNet, directory: Path) -> Iterator[Path]:
    root = make_root(directory)
    ports = f"{case.place.passive_ports.start}-{case.place.passive_ports.stop - 1}"
    with serve(
        root,
        *("--root", str(root), "--passive-ports", ports),
        *(("--upload",) if case.purpose is Purpose.DROP_BOX else ()),
        prefix=("ip", "netns", "exec", net.server),
        listen=("--address", str(case.place.address), "--port", "21"),
    ):
        yield root


def filled(root: Path, purpose: Purpose) -> Running:
    """Put the file where this purpose has files."""
    if purpose is Purpose.USERS:
        home = root / "alice"
        file = home / "files" / "file"
        server = Running(home, PurePath("files/file"), PurePath("files"), PurePath("files"))
    else:
        file = root / "pub" / "file"
        server = Running(root, PurePath("pub/file"), PurePath("incoming"), PurePath("pub"))
    file.write_bytes(CONTENT)
    owner = file.parent.stat()
    os.chown(file, owner.st_uid, owner.st_gid)
    return server


def errands(case: Case) -> Iterator[tuple[str, What, Mode]]:
    """What there is to be done; whom and what no client or gateway can do is left out.

    A server whose control connection is encrypted cannot be active through a gateway: nobody
    reads there where it will connect to (RFC 4217 section 9). vsftpd 3.0.3 sends session tickets
    on data connections too, where TLS is 1.3, and cannot be told not to: a client that only
    writes leaves them unread, its close becomes a reset, and now and then (seen with curl 7.88
    and lftp 4.9) vsftpd answers 426 to an upload.
    """
    tls = case.purpose is Purpose.USERS
    for client, what, mode in product(CLIENTS, What, Mode):
        lacking = cannot(client, mode, case.version, what, tls=tls)
        if lacking is not None or (tls and mode.active):
            continue
        if not (tls and case.form is Form.VSFTPD and what is What.UP):
            yield client, what, mode


def done(
    job: tuple[str, What, Mode], case: Case, server: Running, host: LabHost, own: Path
) -> str | None:
    """Do it, and compare what came; what is wrong, None where nothing is."""
    client, what, mode = job
    name = f"{client}-{what}-{mode}"
    local = own / name
    tls = case.purpose is Purpose.USERS
    remote = {What.DOWN: server.fetched, What.UP: server.stored / name, What.LIST: server.listed}
    login = f"alice:{PASSWORD}" if tls else ""
    if what is What.UP:
        local.write_bytes(CONTENT)
    errand = Errand(what, mode, case.public, str(remote[what]), local, tls=tls, login=login)
    try:
        trace = transfer(client, host, errand)
    except ClientFailed as failure:
        return f"{name}: {failure}"
    if what is What.LIST:
        return None if "file" in local.read_text() else f"{name}: not in the listing: {trace}"
    got = server.files / remote[what] if what is What.UP else local
    return None if got.exists() and got.read_bytes() == CONTENT else f"{name}: other bytes: {trace}"


@pytest.mark.parametrize("case", RUN, ids=str)
def test_every_client_through_the_gateway(
    case: Case, net: GatewayNet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with played(case, net, tmp_path, tmp_path_factory):
        pass


@pytest.mark.skipif(not PROOF, reason="is long: make server-proof")
@pytest.mark.parametrize("case", OWN_HOST, ids=str)
def test_every_client_and_the_servers_own_firewall(
    case: Case, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with own_net() as net, played(case, net, tmp_path, tmp_path_factory):
        ports = {PASSIVE_PORTS.start - 1, PASSIVE_PORTS.stop, UNANNOUNCED}
        listeners = inside(net.server, lambda: listening(case, ports))
        with inside(net.client, lambda: session(case)) as ftp:
            answered = inside(net.client, lambda: answering(ports, ftp))
        for listener in listeners:
            listener.close()
    # Inside TLS nobody reads which port is announced: any of the policy's may come.
    assert answered == ({UNANNOUNCED} if case.purpose is Purpose.USERS else set())


def session(case: Case) -> ftplib.FTP:
    """A session of the purpose's own kind."""
    if case.purpose is not Purpose.USERS:
        ftp = ftplib.FTP(case.public, timeout=PATIENCE)
        ftp.login()
        return ftp
    ftps = ftplib.FTP_TLS(case.public, timeout=PATIENCE, context=unchecked())
    ftps.login("alice", PASSWORD)
    ftps.prot_p()
    return ftps


def listening(case: Case, ports: set[int]) -> list[socket.socket]:
    """Other services, which a firewall keeps from clients."""
    family = socket.AF_INET6 if case.version == 6 else socket.AF_INET
    return [socket.create_server((case.public, port), family=family) for port in ports]


def answering(ports: set[int], ftp: ftplib.FTP) -> set[int]:
    """Which of the ports answer before the one that is announced does, which is asked last."""
    announced = ftp.makepasv()
    others = {port: socket.socket(ftp.af, socket.SOCK_STREAM) for port in ports}
    for port, one in others.items():
        one.setblocking(False)
        one.connect_ex((ftp.host, port))
    with socket.create_connection(announced, PATIENCE):
        infos = {
            port: one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            for port, one in others.items()
        }
    for one in others.values():
        one.close()
    return {port for port, (state,) in infos.items() if state != SYN_SENT}


@contextmanager
def played(
    case: Case, net: GatewayNet, directory: Path, directories: pytest.TempPathFactory
) -> Iterator[None]:
    """All errands, of which none may fail; server and gateway are still there when this yields."""
    for client in CLIENTS:
        if why := missing(client):
            pytest.skip(f"needs {client}: {why}")
    own, state = directories.mktemp("own"), directories.mktemp("g")
    host = LabHost("client", net.client)
    with (
        running(case, net, directory) as server,
        loaded(net.gateway, case.recipe.policy, state / "g") as gateway,
    ):
        wrong, refused = [], 0
        for client, what, mode in errands(case):
            outcome = done((client, what, mode), case, server, host, own)
            if what is What.UP and case.purpose is Purpose.DOWNLOAD:
                assert outcome is not None, f"{client} stored a file by {mode}"
                refused += 1
            elif outcome is not None:
                wrong.append(outcome)
        assert not wrong, "\n\n".join(wrong)
        gateway.require_no_faults()
        stored = {one.name for one in server.files.rglob("*-up-*")}
        ups = sum(what is What.UP for _, what, _ in errands(case))
        assert len(stored) == ups - refused
        if case.purpose is Purpose.DROP_BOX:
            modes = {stat.S_IMODE(one.stat().st_mode) for one in server.files.rglob("*-up-*")}
            assert modes == {0o600}
        yield
