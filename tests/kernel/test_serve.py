"""The embedded server: anonymous downloads with real clients, and where pyftpdlib is wrong."""

from __future__ import annotations

import ftplib
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .netns import require_program, require_root
from .served import HERE, PATIENCE, Served, await_line, make_root, serve


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    require_root()
    root = make_root(tmp_path_factory.mktemp("serve"))
    (root / "out").symlink_to("/etc")
    (root / "pub" / "passwd").symlink_to("/etc/passwd")
    (root / "pub" / "link").symlink_to("/pub/hello.txt")
    os.mkfifo(root / "pub" / "fifo", 0o644)
    with serve(root, "--root", str(root), "--max-clients", "40", "--xferlog", f"{root}.log") as one:
        yield one


class TestClients:
    """curl, lftp and ftplib fetch a file, active and passive."""

    @pytest.mark.parametrize(
        "way",
        [["--disable-epsv"], ["--epsv"], ["-P", "-", "--disable-eprt"], ["-P", "-"]],
        ids=["PASV", "EPSV", "PORT", "EPRT"],
    )
    def test_curl(self, served: Served, way: list[str]) -> None:
        require_program("curl")
        url = f"ftp://{HERE}:{served.port}/pub/big.bin"
        content = subprocess.run(["curl", "-sS", *way, url], capture_output=True, check=True).stdout
        assert content == (served.root / "pub" / "big.bin").read_bytes()

    @pytest.mark.parametrize("passive", ["true", "false"], ids=["passive", "active"])
    def test_lftp(self, served: Served, passive: str, tmp_path: Path) -> None:
        require_program("lftp")
        script = (
            f"set ftp:passive-mode {passive}; set net:max-retries 1; open ftp://{HERE}:{served.port};"
            f" ls; get pub/big.bin -o {tmp_path}/got"
        )
        done = subprocess.run(["lftp", "-c", script], capture_output=True, text=True, check=True)
        assert "pub" in done.stdout
        assert (tmp_path / "got").read_bytes() == (served.root / "pub" / "big.bin").read_bytes()

    @pytest.mark.parametrize("passive", [True, False])
    @pytest.mark.parametrize("user", ["anonymous", "ftp"])
    def test_ftplib(self, served: Served, passive: bool, user: str) -> None:
        with ftplib.FTP(timeout=PATIENCE) as ftp:
            ftp.connect(HERE, served.port)
            ftp.login(user)
            ftp.set_pasv(passive)
            content: list[bytes] = []
            ftp.retrbinary("RETR pub/hello.txt", content.append)
            assert b"".join(content) == b"hello\n"
            ftp.cwd("/pub")
            names = {name for name, _ in ftp.mlsd()}
            assert names == {"big.bin", "hello.txt", "private.txt", "link"}
            ftp.voidcmd("TYPE I")
            assert ftp.size("link") == 6


def test_a_download_goes_on_in_the_middle(served: Served) -> None:
    with served.login() as talk:
        assert talk.code("REST 1000000") == "350"
        content, reply = talk.fetch("RETR pub/big.bin")
    assert content == (served.root / "pub" / "big.bin").read_bytes()[1000000:]
    assert reply.startswith("226")


def test_plain_downloads_use_sendfile(served: Served) -> None:
    require_program("strace")
    (worker,) = served.workers()
    with served.login() as talk:
        tracer = subprocess.Popen(
            ["strace", "-f", "-e", "trace=sendfile", "-p", str(worker)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        talk.fetch("RETR pub/big.bin")
        tracer.terminate()
        assert "sendfile(" in tracer.communicate()[1]


def test_a_small_file_costs_one_segment_of_replies(served: Served) -> None:
    with served.login() as talk, talk.data() as data:
        talk.send("RETR pub/hello.txt")
        assert data.makefile("rb").read() == (served.root / "pub" / "hello.txt").read_bytes()
        replies = talk.socket.recv(4096).decode().splitlines()
    assert [reply[:3] for reply in replies] == ["150", "226"]


@pytest.mark.parametrize("command", ["NLST -1 pub", "LIST -la pub"])
def test_options_of_ls_are_passed_over(served: Served, command: str) -> None:
    """ncftp sends them; no daemon takes them for a file."""
    with served.login() as talk:
        listing, _ = talk.fetch(command)
    assert b"hello.txt" in listing


@pytest.mark.parametrize(
    "command",
    [
        "RETR out/passwd",
        "RETR pub/passwd",
        "RETR ../../../etc/passwd",
        "RETR pub/fifo",
        "CWD out",
        "SIZE pub/passwd",
        "MDTM out/passwd",
        "RETR pub/.secret",
        "RETR pub/private.txt",
        "SIZE pub/private.txt",
        "MLST pub/.secret",
        "STAT pub/.secret",
        "LIST out",
        "NLST out",
        "NLST -1 out",
        "LIST -la pub/.secret",
        "RETR pub/missing",
        "RETR pub",
    ],
)
def test_nothing_outside_or_hidden_is_told(served: Served, command: str) -> None:
    """One answer, the same as for what is not there."""
    with served.login() as talk, talk.data():
        assert talk.ask(command) == talk.ask("RETR pub/nothing-of-this-name")


@pytest.mark.parametrize(
    "command",
    [
        "STOR x",
        "STOR pub/hello.txt",
        "APPE pub/hello.txt",
        "STOU",
        "DELE pub/hello.txt",
        "RNFR pub/hello.txt",
        "MKD d",
        "RMD pub",
        "SITE CHMOD 777 pub",
        "MFMT 20200101000000 pub/hello.txt",
    ],
)
def test_nothing_can_be_changed(served: Served, command: str) -> None:
    with served.login() as talk, talk.data():
        assert talk.ask(command).startswith("550")


def test_what_is_said_before_login_is_little(served: Served) -> None:
    with served.talk() as talk:
        assert talk.greeting == "220 FTP server ready."
        assert talk.code("STAT") == talk.code("LIST") == "530"


def test_sessions_run_as_the_user_and_cannot_go_back(served: Served) -> None:
    uid = str(pwd.getpwnam("ftp").pw_uid)
    (worker,) = served.workers()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == [uid] * 4
    assert status["CapPrm"].strip() == status["CapEff"].strip() == "0" * 16
    assert status["NoNewPrivs"].strip() == "1"
    assert len(status["Groups"].split()) == 1


def test_a_transfer_is_in_the_xferlog(served: Served) -> None:
    with served.login() as talk:
        talk.fetch("RETR pub/hello.txt")
    log = Path(f"{served.root}.log")
    await_line(log, "/pub/hello.txt b _ o a me@example.net")  # others have fetched it, too
    line = log.read_text().splitlines()[-1].split()
    assert line[6:] == [
        HERE,
        "6",
        f"{served.root}/pub/hello.txt",
        "b",
        "_",
        "o",
        "a",
        "me@example.net",
        "ftp",
        "0",
        "*",
        "c",
    ]


def test_a_name_in_a_listing_forges_no_line(served: Served) -> None:
    (served.root / "pub" / "a\r\nb").write_bytes(b"")
    try:
        with served.login() as talk:
            content, _ = talk.fetch("LIST pub")
            facts, _ = talk.fetch("MLSD pub")
    finally:
        (served.root / "pub" / "a\r\nb").unlink()
    assert b"a??b" in content
    assert b"\nb\r" not in content + facts


def test_nothing_behind_the_last_reply_is_obeyed(served: Served) -> None:
    with served.login() as talk:
        talk.send("QUIT", "PWD", "NOOP")
        assert talk.reply().startswith("221")
        assert talk.reply() == ""


def test_pipelined_commands_wait_for_the_transfer(served: Served) -> None:
    with served.login() as talk, talk.data() as data:
        talk.send("RETR pub/big.bin", "PWD")
        assert talk.reply().startswith("150")
        received = 0
        while chunk := data.recv(1 << 16):
            received += len(chunk)
        assert received == 1 << 20
        assert talk.reply().startswith("226")
        assert talk.reply().startswith("257")


@pytest.mark.parametrize(
    "command",
    [
        "PORT 127,0,0,2,200,1",
        "PORT 127,0,0,1,0,25",
        "EPRT |1|127.0.0.2|5000|",
        "EPRT |1|127.0.0.1|22|",
        "PORT 1,2,3",
        "PORT 127,0,0,1,999,1",
    ],
)
def test_no_bounce(served: Served, command: str) -> None:
    with served.login() as talk:
        assert talk.code(command) == "501"
        assert talk.code("RETR pub/hello.txt") == "425"


@pytest.mark.parametrize("command", ["EPRT |2|::1|5000|", "EPRT |3|127.0.0.1|5000|", "EPSV 2"])
def test_another_network_protocol_is_named(served: Served, command: str) -> None:
    with served.login() as talk:
        assert talk.ask(command).startswith("522 Network protocol not supported")


def test_active_data_is_opened_when_the_transfer_begins(served: Served) -> None:
    with served.login() as talk, socket.create_server((HERE, 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        assert talk.code(f"PORT 127,0,0,1,{port >> 8},{port & 255}") == "200"
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.settimeout(PATIENCE)
        assert talk.code("RETR pub/hello.txt") == "150"
        with listener.accept()[0] as data:
            assert data.recv(100) == b"hello\n"
        assert talk.reply().startswith("226")


def test_a_seat_is_free_when_its_session_has_ended(tmp_path: Path) -> None:
    require_root()
    root = make_root(tmp_path)
    with serve(root, "--root", str(root), "--max-clients", "1", "--workers", "2") as one:
        with one.login() as first, one.talk("127.0.0.2") as second:
            assert second.greeting.startswith("421 Too many connections,")
            first.ask("QUIT")
            assert first.reply() == ""
        with one.login("127.0.0.2"):
            pass


def test_a_worker_that_dies_frees_its_seats_and_is_replaced(tmp_path: Path) -> None:
    require_root()
    root = make_root(tmp_path)
    with serve(root, "--root", str(root), "--max-clients", "1") as one:
        with one.login() as talk:
            (worker,) = one.workers()
            os.kill(worker, 9)
            assert talk.reply() == ""
        one.await_said("another is started")
        with one.login() as talk:
            assert talk.code("PWD") == "257"
        assert one.workers() != [worker]


def test_nothing_is_imported_once_privileges_are_gone(tmp_path: Path) -> None:
    """Python says what it imports; every verb is tried after the server is ready."""
    require_root()
    root = make_root(tmp_path)
    with serve(root, "--root", str(root), "--upload", options=("-X", "importtime")) as one:
        before = one.said().count("import time:")
        assert before > 100
        with one.login() as talk:
            for command in ("LIST", "NLST", "MLSD pub", "RETR pub/hello.txt", "LIST nothing"):
                talk.fetch(command)
            for command in (
                "FEAT",
                "HELP",
                "SYST",
                "STAT",
                "STAT pub",
                "MLST pub",
                "SIZE pub/hello.txt",
                "MDTM pub/hello.txt",
                "MFMT 20200101000000 pub/hello.txt",
                "SITE HELP",
                "EPRT |1|127.0.0.2|1|",
                "OPTS UTF8 ON",
                "CWD pub",
                "CDUP",
                "ABOR",
                "TYPE A",
                "REST 1",
                "NOSUCH",
                "PASV",
            ):
                talk.ask(command)
            talk.store("STOR incoming/new", b"new")
            talk.store("STOU incoming/new", b"new")
        with one.ftp() as ftp:
            ftp.set_pasv(False)
            ftp.retrlines("LIST")
            ftp.quit()
        one.await_said("stored", 2)
        assert one.said().count("import time:") == before, one.said()[-1000:]
