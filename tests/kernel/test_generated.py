"""What ``server generate`` makes, all of it together: server, gateway and the clients people have.

Each configuration is started as generated, its policy is loaded on the gateway that publishes the
server, and curl, lftp, ncftp and tnftp fetch, store and list through it in every mode they have.
``ftpfw serve`` is the fourth server. ``make server-proof`` does all of it, ``make test`` a choice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from pathlib import Path, PurePath

import pytest

from ftpfw.lab.clients.commands import ClientFailed, Errand, Mode, What, cannot
from ftpfw.lab.clients.running import missing, transfer
from ftpfw.lab.hosts import LabHost
from ftpfw.server.options import Form
from ftpfw.server.recipes import Place, Purpose, Recipe, make

from .conftest import GatewayNet
from .ftp_servers import PASSWORD, PORT, PROGRAMS, serving
from .loading import loaded
from .published import OUTSIDE, SERVER, published_net
from .served import make_root, serve

CLIENTS = ["curl", "lftp", "ncftp", "tnftp"]
PLACE = Place(address=ip_address(SERVER), public=OUTSIDE, passive_ports=range(61000, 61020))
EMBEDDED = None
"""In place of a form: the server of our own."""

Case = tuple[Form | None, Purpose]
EVERY: list[Case] = [
    *product(PROGRAMS, Purpose),
    (EMBEDDED, Purpose.DOWNLOAD),
    (EMBEDDED, Purpose.DROP_BOX),
]
CHOSEN: list[Case] = [
    (Form.VSFTPD, Purpose.USERS),
    (Form.PURE_ARGS, Purpose.DOWNLOAD),
    (Form.PROFTPD, Purpose.DROP_BOX),
]
PROOF = bool(os.environ.get("FTPFW_SERVER_PROOF"))
RUN = EVERY if PROOF else CHOSEN
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
def running(
    form: Form | None, purpose: Purpose, net: GatewayNet, directory: Path
) -> Iterator[Running]:
    """The server with one file to be fetched."""
    if form is EMBEDDED:
        with embedded(purpose, net, directory) as root:
            yield filled(root, purpose)
        return
    with serving(net.server, form, made(form, purpose), directory, at=(SERVER, PORT)) as srv:
        yield filled(srv / "ftp", purpose)


def made(form: Form | None, purpose: Purpose) -> Recipe:
    """The recipe; our own server needs of it the policy alone."""
    return make(purpose, form or Form.VSFTPD, PLACE)


@contextmanager
def embedded(purpose: Purpose, net: GatewayNet, directory: Path) -> Iterator[Path]:
    root = make_root(directory)
    ports = f"{PLACE.passive_ports.start}-{PLACE.passive_ports.stop - 1}"
    with serve(
        root,
        *("--root", str(root), "--passive-ports", ports),
        *(("--upload",) if purpose is Purpose.DROP_BOX else ()),
        prefix=("ip", "netns", "exec", net.server),
        listen=("--address", SERVER, "--port", "21"),
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


def errands(form: Form | None, purpose: Purpose) -> Iterator[tuple[str, What, Mode]]:
    """What there is to be done; whom and what no client or gateway can do is left out.

    A server whose control connection is encrypted cannot be active through a gateway: nobody
    reads there where it will connect to (RFC 4217 section 9). vsftpd 3.0.3 sends session tickets
    on data connections too, where TLS is 1.3, and cannot be told not to: a client that only
    writes leaves them unread, its close becomes a reset, and now and then (seen with curl 7.88
    and lftp 4.9) vsftpd answers 426 to an upload.
    """
    tls = purpose is Purpose.USERS
    for client, what, mode in product(CLIENTS, What, Mode):
        if cannot(client, mode, 4, what, tls=tls) is not None or (tls and mode.active):
            continue
        if not (tls and form is Form.VSFTPD and what is What.UP):
            yield client, what, mode


def done(job: tuple[str, What, Mode], server: Running, host: LabHost, own: Path) -> str | None:
    """Do it, and compare what came; what is wrong, None where nothing is."""
    client, what, mode = job
    name = f"{client}-{what}-{mode}"
    local = own / name
    tls = server.stored == PurePath("files")
    remote = {What.DOWN: server.fetched, What.UP: server.stored / name, What.LIST: server.listed}
    login = f"alice:{PASSWORD}" if tls else ""
    if what is What.UP:
        local.write_bytes(CONTENT)
    errand = Errand(what, mode, str(OUTSIDE), str(remote[what]), local, tls=tls, login=login)
    try:
        trace = transfer(client, host, errand)
    except ClientFailed as failure:
        return f"{name}: {failure}"
    if what is What.LIST:
        return None if "file" in local.read_text() else f"{name}: not in the listing: {trace}"
    got = server.files / remote[what] if what is What.UP else local
    return None if got.exists() and got.read_bytes() == CONTENT else f"{name}: other bytes: {trace}"


@pytest.mark.parametrize(
    ("form", "purpose"), RUN, ids=[f"{form or 'ftpfw-serve'}-{purpose}" for form, purpose in RUN]
)
def test_every_client_through_the_gateway(
    form: Form | None,
    purpose: Purpose,
    net: GatewayNet,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    for client in CLIENTS:
        if why := missing(client):
            pytest.skip(f"needs {client}: {why}")
    own, state = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("g")
    host = LabHost("client", net.client)
    policy = made(form, purpose).policy
    with (
        running(form, purpose, net, tmp_path) as server,
        loaded(net.gateway, policy, state / "g") as gateway,
    ):
        wrong, refused = [], 0
        for client, what, mode in errands(form, purpose):
            outcome = done((client, what, mode), server, host, own)
            if what is What.UP and purpose is Purpose.DOWNLOAD:
                assert outcome is not None, f"{client} stored a file by {mode}"
                refused += 1
            elif outcome is not None:
                wrong.append(outcome)
        assert not wrong, "\n\n".join(wrong)
        gateway.require_no_faults()
        stored = {one.name for one in server.files.rglob("*-up-*")}
        ups = sum(what is What.UP for _, what, _ in errands(form, purpose))
        assert len(stored) == ups - refused
        if purpose is Purpose.DROP_BOX:
            modes = {stat.S_IMODE(one.stat().st_mode) for one in server.files.rglob("*-up-*")}
            assert modes == {0o600}
