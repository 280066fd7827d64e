"""What the audit finds between a server and its firewall's policy, through a gateway that is up.

As in ``test_audit_demonstrated``: the trouble is there, and the lines of the finding end it.
"""

from __future__ import annotations

import ftplib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftpfw.ruleset.policy_file import read_policy
from ftpfw.server.audit import OTHERS, Finding, audit
from ftpfw.server.checks import CHECKS
from ftpfw.server.forms import read_text
from ftpfw.server.options import Form
from ftpfw.server.recipes import Recipe

from .audit_harms import unchecked
from .conftest import GatewayNet
from .ftp_servers import PASSWORD, serving
from .loading import loaded
from .netns import inside
from .published import OUTSIDE, SERVER, published_net
from .test_audit_demonstrated import LOCAL, NOT_DEMONSTRATED, ROOM, ROWS, VSFTPD

PATIENCE = 3.0
"""Seconds until what a firewall drops counts as lost: everything here is on one machine."""

GATEWAY = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\nmasquerade = true\n'
PUBLISHED = f'[[server]]\naddress = "{SERVER}"\npublic = "{OUTSIDE}"\n'
CLIENTS = '[clients]\nallow = ["10.0.2.0/24"]\n'
NO_HELPER = '[helper]\nbackend = "none"\n'
PINNED = VSFTPD + "pasv_min_port=61000\npasv_max_port=61009\nmax_clients=10\n"
FTPS = LOCAL + "ssl_enable=YES\nrequire_ssl_reuse=NO\nmax_clients=10\n"
FTPS_PINNED = FTPS + "pasv_min_port=61000\npasv_max_port=61009\n"
PORTS = 'passive_ports = "61000-61009"\n'

Trouble = Callable[[], bool]


def is_unreachable() -> bool:
    try:
        with socket.create_connection((str(OUTSIDE), 21), PATIENCE) as connection:
            return not connection.recv(64).startswith(b"220")
    except OSError:
        return True


def fails(ftp: ftplib.FTP, *, trusting: bool = False) -> bool:
    """Whether no listing comes through; ``trusting``: to the address that the 227 reply names."""
    vars(ftp)["trust_server_pasv_ipv4_address"] = trusting  # typeshed does not know it
    ftp.af = socket.AF_INET
    lines: list[str] = []
    try:
        ftp.retrlines("LIST", lines.append)
    except OSError:
        return True
    return not lines


def listing_fails(*, trusting: bool = False) -> Trouble:
    def trouble() -> bool:
        with closing(ftplib.FTP(timeout=PATIENCE)) as ftp:
            ftp.connect(str(OUTSIDE))
            ftp.login()
            return fails(ftp, trusting=trusting)

    return trouble


def ftps_fails(*, trusting: bool = False) -> Trouble:
    def trouble() -> bool:
        with closing(ftplib.FTP_TLS(timeout=PATIENCE, context=unchecked())) as ftps:
            ftps.connect(str(OUTSIDE))
            ftps.login("alice", PASSWORD)
            ftps.prot_p()
            return fails(ftps, trusting=trusting)

    return trouble


def reaches_another_service() -> bool:
    """Somebody else listens on a port of the server's that only data should come to."""
    try:
        with socket.create_connection((str(OUTSIDE), 61500), PATIENCE):
            return True
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Row:
    """A server's configuration and a policy that do not fit, and what comes of it.

    ``to_policy``: the finding's line belongs there.
    """

    id: str
    configuration: str
    policy: str
    trouble: Trouble
    to_policy: bool = True


BEHIND = [
    Row("firewall-unpublished", PINNED, GATEWAY + CLIENTS, is_unreachable),
    Row("firewall-port", PINNED, GATEWAY + PUBLISHED + "port = 2122\n", is_unreachable),
    Row(
        "firewall-ports-closed",
        PINNED,
        GATEWAY + NO_HELPER + PUBLISHED + 'passive_ports = "61020-61029"\n',
        listing_fails(),
    ),
    Row("firewall-ports-missing", FTPS_PINNED, GATEWAY + PUBLISHED, ftps_fails()),
    Row(
        "firewall-ports-wide",
        PINNED,
        GATEWAY + NO_HELPER + PUBLISHED + 'passive_ports = "61000-61999"\n',
        reaches_another_service,
    ),
    Row(
        "announced-address",
        PINNED + "pasv_address=192.0.2.9\n",
        GATEWAY + PUBLISHED + PORTS,
        listing_fails(trusting=True),
        to_policy=False,
    ),
    Row(
        "announced-private",
        FTPS_PINNED,
        GATEWAY + PUBLISHED + PORTS,
        ftps_fails(trusting=True),
        to_policy=False,
    ),
    Row(
        "ftps-unpinned",
        FTPS,
        GATEWAY + PUBLISHED + 'passive_ports = "61000-61199"\n',
        ftps_fails(),
        to_policy=False,
    ),
]
CHOSEN = {"firewall-ports-missing", "announced-private"}
RUN = BEHIND if os.environ.get("FTPFW_SERVER_PROOF") else [r for r in BEHIND if r.id in CHOSEN]


@pytest.fixture(scope="module")
def net() -> Iterator[GatewayNet]:
    with published_net() as made:
        yield made


def found(configuration: str, policy: str) -> dict[str, Finding]:
    reading = read_text(configuration, "vsftpd.conf", Form.VSFTPD)
    return {one.id: one for one in audit(reading, read_policy(policy, "gateway.toml"))}


def mended(row: Row, mend: str) -> tuple[str, str]:
    """Configuration and policy with what the finding proposes."""
    if not row.to_policy:
        return row.configuration + mend.replace("; ", "\n") + "\n", row.policy
    if mend.startswith("[[server]]"):  # on one line, where a file has several
        assert mend == '[[server]] address = "ADDRESS" port = 21'
        return row.configuration, row.policy + PUBLISHED + "port = 21\n"
    key = mend.partition(" ")[0]
    kept = [line for line in row.policy.splitlines() if not line.startswith(f"{key} ")]
    return row.configuration, "\n".join([*kept, mend, ""])


def is_troubled(
    row: Row, both: tuple[str, str], net: GatewayNet, directory: Path, state: Path
) -> bool:
    configuration, policy = both
    directory.mkdir()
    recipe = Recipe(configuration, (), ROOM, "")
    with ExitStack() as stack:
        stack.enter_context(serving(net.server, Form.VSFTPD, recipe, directory))
        stack.enter_context(loaded(net.gateway, policy, state / "g"))
        other = inside(net.server, lambda: socket.create_server(("", 61500)))
        stack.enter_context(other)
        return inside(net.client, row.trouble)


@pytest.mark.parametrize("row", RUN, ids=[row.id for row in RUN])
def test_finding(
    row: Row, net: GatewayNet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    finding = found(row.configuration, row.policy)[row.id]
    better = mended(row, finding.mend)
    assert row.id not in found(*better), finding.mend
    states = [tmp_path_factory.mktemp(name) for name in "bm"]  # sockets have short names
    bad = row.configuration, row.policy
    assert is_troubled(row, bad, net, tmp_path / "bad", states[0])
    assert not is_troubled(row, better, net, tmp_path / "mended", states[1]), finding.mend


def test_every_finding_is_demonstrated() -> None:
    shown = {row.id for row in ROWS} | {row.id for row in BEHIND}
    assert shown | {*NOT_DEMONSTRATED} == {check.id for check in CHECKS} | {*OTHERS}
    assert not shown & {*NOT_DEMONSTRATED}
