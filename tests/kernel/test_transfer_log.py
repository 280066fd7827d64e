"""The transfer log, live: vsftpd behind a masquerading gateway, and clients of every manner."""

from __future__ import annotations

import ftplib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ftpfw.lab.daemons.running import Site
from tests.unit.table import table

from .gateway_host import (
    Gateway,
    gateway,
)
from .lab_server import vsftpd
from .netns import inside, require_program, run

__all__ = ["gateway"]

PATIENCE = 10.0
SERVER = "192.0.2.10"
FILE = bytes(range(256)) * 1000
EMAIL = "kim@example.net"


@dataclass(frozen=True)
class Logged:
    """A gateway that logs transfers, and the server beyond it."""

    gateway: Gateway
    site: Site

    @property
    def file(self) -> Path:
        return self.gateway.directory / "transfers.json"

    @property
    def xferlog(self) -> Path:
        return self.gateway.directory / "xferlog"

    def load(self, **helper: object) -> None:
        logs = {"transfer_log": str(self.file), "xferlog": str(self.xferlog)}
        self.gateway.done("load", self.gateway.policy(**logs, **helper))

    def entries(self, count: int) -> list[dict[str, Any]]:
        """The lines, once there are so many: when the join is done is told by nothing else."""
        end = time.monotonic() + PATIENCE
        while len(lines := self.file.read_text().splitlines()) < count:
            assert time.monotonic() < end, lines
            time.sleep(0.02)
        assert len(lines) == count
        return [json.loads(line) for line in lines]

    def login(self, *, passive: bool) -> ftplib.FTP:
        with ExitStack() as on_failure:
            ftp = ftplib.FTP(timeout=PATIENCE)
            on_failure.callback(ftp.close)
            ftp.connect(SERVER)
            ftp.login("anonymous", EMAIL)
            ftp.set_pasv(passive)
            on_failure.pop_all()
            return ftp


@pytest.fixture
def logged(gateway: Gateway, tmp_path: Path) -> Iterator[Logged]:
    require_program("vsftpd", "unshare")
    run(gateway.net.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
    directory = tmp_path / "vsftpd"
    directory.mkdir()
    for above in directory.parents[:3]:  # pytest keeps its directories from vsftpd's user
        above.chmod(0o755)
    with vsftpd(gateway.net.server, SERVER, directory) as site:
        site.publish("file", FILE)
        yield Logged(gateway, site)


MODES = [("active", False, "PORT"), ("passive", True, "PASV")]


@pytest.mark.parametrize(("passive", "mode"), **table(MODES))
def test_a_session_of_several_transfers(logged: Logged, passive: bool, mode: str) -> None:
    logged.load()

    def session() -> str:
        with logged.login(passive=passive) as ftp:
            ftp.retrbinary("RETR file", lambda _: None)
            ftp.storbinary("STOR incoming/up", BytesIO(FILE))
            with pytest.raises(ftplib.error_perm, match="550"):
                ftp.retrbinary("RETR nothing", lambda _: None)
            ftp.retrlines("LIST", lambda _: None)
            assert ftp.sock is not None
            host, port = ftp.sock.getsockname()
            return f"{host}:{port}"

    client = inside(logged.gateway.net.client, session)
    # Each is timed by what is heard of first, the line or the event: on a busy host in no order.
    entries = {(entry["verb"], entry["path"]): entry for entry in logged.entries(4)}
    wanted = (("RETR", "file"), ("STOR", "incoming/up"), ("RETR", "nothing"), ("LIST", ""))
    down, up, refused, listing = (entries[one] for one in wanted)
    for entry in (down, up, refused, listing):
        assert (entry["client"], entry["server"]) == (client, f"{SERVER}:21")
        assert (entry["user"], entry["mode"]) == ("anonymous", mode)
        assert entry["control"]["reply"].startswith(f"{SERVER}:21 -> 192.0.2.1:")
    assert (down["reply"], down["complete"]) == (226, 1)
    assert down["size"] == len(FILE)
    assert len(FILE) < down["bytes"]["down"] < 1.1 * len(FILE)
    assert 0 < down["bytes"]["up"] < 0.1 * len(FILE)
    assert (up["reply"], up["complete"]) == (226, 1)
    assert len(FILE) < up["bytes"]["up"] < 1.1 * len(FILE)
    assert (refused["reply"], refused["complete"]) == (550, 0)
    assert (listing["reply"], listing["complete"]) == (226, 1)
    opened = f"{SERVER}:" if mode == "PORT" else "10.77.1.10:"
    assert down["data"]["original"].startswith(opened)
    assert down["duration"] >= 0


def test_xferlog_has_the_files_and_no_password(logged: Logged) -> None:
    logged.load()

    def session() -> None:
        with logged.login(passive=True) as ftp:
            ftp.retrbinary("RETR file", lambda _: None)
            ftp.storbinary("STOR incoming/with blank", BytesIO(FILE))
            ftp.retrlines("LIST", lambda _: None)

    inside(logged.gateway.net.client, session)
    logged.entries(3)
    down, up = (line.split() for line in logged.xferlog.read_text().splitlines())
    assert " ".join(down[6:]) == f"10.77.1.10 {len(FILE)} file b _ o a anonymous ftp 0 * c"
    assert up[8:12] == ["incoming/with_blank", "b", "_", "i"]
    assert EMAIL not in logged.xferlog.read_text() + logged.file.read_text()


def test_aborted_download_is_not_complete(logged: Logged) -> None:
    logged.site.publish("big", bytes(64 << 20))
    logged.load()

    def session() -> None:
        with logged.login(passive=True) as ftp:
            data = ftp.transfercmd("RETR big")
            data.recv(1 << 16)
            data.close()  # with bytes unread: a reset
            with pytest.raises(ftplib.error_temp, match="426"):
                ftp.voidresp()

    inside(logged.gateway.net.client, session)
    (entry,) = logged.entries(1)
    assert (entry["reply"], entry["complete"], entry["size"]) == (426, False, 64 << 20)
    assert 0 < entry["bytes"]["down"] < 64 << 20


def test_client_that_vanishes_has_no_reply(logged: Logged) -> None:
    logged.load()

    def session() -> None:
        ftp = logged.login(passive=True)
        port = ftp.makepasv()[1]
        ftp.putcmd("STOR incoming/partial")
        with socket.create_connection((SERVER, port), PATIENCE) as data:
            assert ftp.getresp().startswith("150")
            data.sendall(FILE)
            assert ftp.sock is not None
            # Both connections end by a reset, without a word.
            for one in (ftp.sock, data):
                linger = (1).to_bytes(4, "little") + bytes(4)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            ftp.close()

    inside(logged.gateway.net.client, session)
    (entry,) = logged.entries(1)
    assert (entry["verb"], entry["reply"], entry["complete"]) == ("STOR", None, False)
    assert entry["bytes"]["up"] > 0


def test_without_accounting_it_says_what_is_missing_once(logged: Logged) -> None:
    run(logged.gateway.net.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0")
    logged.load()

    def session() -> None:
        with logged.login(passive=True) as ftp:
            for _ in range(2):
                ftp.retrbinary("RETR file", lambda _: None)

    inside(logged.gateway.net.client, session)
    for entry in logged.entries(2):
        assert (entry["bytes"], entry["packets"], entry["complete"]) == (None, None, True)
    helper_log = (logged.gateway.state / "helper.log").read_text()
    assert helper_log.count("nf_conntrack_acct=1") == 1


def test_several_workers_share_a_log(logged: Logged) -> None:
    if logged.gateway.backend != "borrowed":
        pytest.skip("cthelper has one queue")
    logged.load(queue="3-4")

    def session() -> None:
        with logged.login(passive=False) as ftp:
            ftp.retrbinary("RETR file", lambda _: None)

    for _ in range(6):
        inside(logged.gateway.net.client, session)
    entries = logged.entries(6)
    assert all(entry["complete"] for entry in entries)
    assert len({entry["data"]["original"] for entry in entries}) == 6, "each is told once"


def test_log_that_is_renamed_is_begun_anew(logged: Logged) -> None:
    logged.load()

    def session() -> None:
        with logged.login(passive=True) as ftp:
            ftp.retrbinary("RETR file", lambda _: None)

    inside(logged.gateway.net.client, session)
    logged.entries(1)
    logged.file.rename(logged.file.with_suffix(".1"))
    logged.file.touch()
    inside(logged.gateway.net.client, session)
    logged.entries(1)


def test_full_disk_stops_no_transfer(logged: Logged) -> None:
    logged.gateway.done("load", logged.gateway.policy(transfer_log="/dev/full"))

    def session() -> None:
        with logged.login(passive=False) as ftp:
            for _ in range(2):
                ftp.retrbinary("RETR file", lambda _: None)

    inside(logged.gateway.net.client, session)

    def lost() -> int:
        (worker,) = logged.gateway.status()["helper"]["workers"]
        count: int = worker["transfer_log"]["lost"]
        return count

    end = time.monotonic() + PATIENCE
    while lost() < 2:
        assert time.monotonic() < end
    log = (logged.gateway.state / "helper.log").read_text()
    assert log.count("No space left on device") == 1


def test_directory_that_is_missing_is_told_at_once(logged: Logged) -> None:
    policy = logged.gateway.policy(transfer_log=str(logged.file.parent / "missing" / "log"))
    refused = logged.gateway.ftpfw("load", policy)
    assert refused.returncode == 1
    assert "No such file or directory" in refused.stderr
    assert logged.gateway.ftpfw("status").returncode == 1
