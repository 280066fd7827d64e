"""The drop box under attack: a table of attacks, each of which a precaution is to withstand.

Whether it does is looked for on the disk, or in what comes over the wire.
"""

from __future__ import annotations

import os
import pwd
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from ftpfw.server.embedded.precautions import PRECAUTIONS

from . import served as served_by
from .netns import require_root
from .served import HERE, PATIENCE, Served, Talk, await_line, make_root, serve

Attack = Callable[[Served], None]

ATTACKS: list[tuple[str, Attack]] = []
"""The precaution's name, and what fails where it is not taken."""

RATE = 4 << 20
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket whose close is a reset."""


INTERRUPT = b"\xff\xf4\xff\xf2"
"""Telnet's IP and Synch, which may go before ABOR (RFC 959 4.1.3)."""


def against(precaution: str) -> Callable[[Attack], None]:
    """Add a row."""
    return lambda attack: ATTACKS.append((precaution, attack))


@contextmanager
def drop_box(directory: Path, *options: str) -> Iterator[Served]:
    """A server, started by these options of Python."""
    require_root()
    root = make_root(directory)
    (root / "pub" / "in").symlink_to("/incoming")
    arguments = ["--root", str(root), "--upload", "--quota", "3M", "--xferlog", f"{root}.log"]
    limits = ["--max-clients", "20", "--upload-rate", str(RATE)]
    with serve(root, *arguments, *limits, "--workers", "2", options=options) as one:
        (box(one) / "seen.txt").write_bytes(b"seen")
        (box(one) / "seen.txt").chmod(0o644)
        yield one


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with drop_box(tmp_path_factory.mktemp("uploads")) as one:
        yield one


def box(served: Served) -> Path:
    return served.root / "incoming"


def names(served: Served) -> set[str]:
    return {path.name for path in box(served).iterdir()}


def empty(served: Served) -> None:
    """Room for more."""
    for path in box(served).iterdir():
        if path.name != "seen.txt":
            path.unlink()


def stored(served: Served, command: str, content: bytes = b"content") -> tuple[str, set[str]]:
    """The reply to an upload, and what it has added to the drop box."""
    before = names(served)
    with served.login() as talk:
        reply = talk.store(command, content)
    return reply, names(served) - before


def break_off(served: Served, command: str) -> None:
    """End an upload by a reset, which plain pyftpdlib takes for the end of the file."""
    with served.login() as talk:
        with talk.data() as data:
            assert talk.code(command) == "150"
            data.sendall(b"half of it")
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert talk.reply().startswith("426")


def replies(served: Served, *commands: str) -> list[str]:
    with served.login() as talk:
        found = []
        for command in commands:
            with talk.data():
                found.append(talk.ask(command))
        return found


def tree(served: Served) -> dict[Path, tuple[int, int, int, int]]:
    """What is served, with size, mode, owner and time; uploads that run have no names."""
    found = {path: path.lstat() for path in served.root.rglob("*")}
    return {
        path: (one.st_size, one.st_mode, one.st_uid, one.st_mtime_ns)
        for path, one in found.items()
        if path != box(served)
    }


@against("write-only")
def nothing_can_be_fetched(served: Served) -> None:
    reply, (name,) = stored(served, "STOR incoming/mine.txt")
    assert reply.startswith("226")
    (box(served) / name).chmod(0o644)  # not even then
    for path in ("incoming/seen.txt", f"incoming/{name}", "pub/in/seen.txt", "incoming/./seen.txt"):
        assert replies(served, f"RETR {path}") == [
            "550 No such file or directory, or not permitted."
        ]


@against("unlisted")
def nothing_is_listed(served: Served) -> None:
    for command in ("LIST", "NLST", "MLSD", "STAT"):
        for path in ("incoming", "/incoming/", "pub/in", "incoming/seen.txt", "incoming/*"):
            content, reply = b"", ""
            with served.login() as talk:
                if command == "STAT":
                    reply = talk.ask(f"STAT {path}")
                else:
                    content, reply = talk.fetch(f"{command} {path}")
            assert b"seen" not in content, (command, path)
            assert "5" in reply[:1], (command, path, reply)
    with served.login() as talk:
        talk.ask("CWD incoming")
        assert talk.fetch("LIST")[1].startswith("550")
        assert talk.fetch("LIST -la")[1].startswith("550")


@against("no-overwrite")
def nothing_is_replaced(served: Served) -> None:
    """Plain pyftpdlib overwrites, with the right to write alone."""
    reply, made = stored(served, "STOR incoming/seen.txt", b"OTHER")
    assert reply.startswith("226")
    assert (box(served) / "seen.txt").read_bytes() == b"seen"
    (name,) = made
    assert name.startswith("seen.txt.")
    assert (box(served) / name).read_bytes() == b"OTHER"


@against("no-append")
def nothing_goes_on(served: Served) -> None:
    with served.login() as talk, talk.data():
        assert talk.code("APPE incoming/seen.txt") == "550"
        talk.ask("REST 2")
        assert talk.code("STOR incoming/seen.txt") == "550"
    assert (box(served) / "seen.txt").read_bytes() == b"seen"


@against("no-change")
def nothing_is_changed(served: Served) -> None:
    before = tree(served)
    commands = (
        "DELE incoming/seen.txt",
        "RNFR incoming/seen.txt",
        "RNFR pub/hello.txt",
        "MKD incoming/d",
        "XMKD incoming/d",
        "RMD incoming",
        "SITE CHMOD 777 incoming/seen.txt",
        "SITE CHMOD 777 incoming",
        "MFMT 20200101000000 incoming/seen.txt",
    )
    assert {reply[:3] for reply in replies(served, *commands)} == {"550"}
    assert replies(served, "RNTO incoming/other") == ["550 Not permitted on this server."]
    assert tree(served) == before
    assert stat.S_IMODE(box(served).stat().st_mode) == 0o1730


@against("outside-shut")
def nothing_is_stored_elsewhere(served: Served) -> None:
    before = tree(served)
    for command in ("STOR x", "STOR pub/x", "STOR incoming/../x", "STOU", "STOU pub/x"):
        assert stored(served, command)[0].startswith("550"), command
    assert tree(served) == before


@against("given-away")
def an_upload_is_given_away(served: Served) -> None:
    _, (name,) = stored(served, "STOR incoming/given.txt")
    found = (box(served) / name).stat()
    assert found.st_uid != pwd.getpwnam("ftp").pw_uid
    assert stat.S_IMODE(found.st_mode) == 0o600


@against("dot-files")
def no_dot_files(served: Served) -> None:
    for name in (".rhosts", ".message", ".ftpfw-1-00", "..", "...", "sub/.x"):
        assert stored(served, f"STOR incoming/{name}") == (
            "550 No such file or directory, or not permitted.",
            set(),
        )


@against("odd-names")
def no_odd_names(served: Served) -> None:
    odd = ("-rf", "~root", "a;b", "a`b`", "$HOME", "a|b", " a", "a ", "a\tb", "a\x1b[2J", "x" * 250)
    for name in (*odd, "a\\b", 'a"b', "a>b", "a\nb", "a\x00b", "a*"):
        reply, made = stored(served, f"STOR incoming/{name}")
        assert reply[:1] == "5", (name, reply)
        assert not made


@against("links")
def no_link_leads_out(served: Served) -> None:
    outside = served.root.parent / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    (box(served) / "away").symlink_to(outside)
    (box(served) / "file").symlink_to(outside / "file")
    assert stored(served, "STOR incoming/away/x")[0].startswith("550")
    reply, made = stored(served, "STOR incoming/file")
    assert reply.startswith("226")
    assert all(name.startswith("file.") for name in made)
    assert not list(outside.iterdir())


@against("size")
def no_file_is_too_big(served: Served) -> None:
    """With a bound from a proftpd.conf, since a GiB takes long."""
    root = make_root(served.root.parent / "size")
    configuration = root.parent / "proftpd.conf"
    configuration.write_text(PROFTPD.format(root=root))
    arguments = ["--proftpd", str(configuration), "--user", "ftp"]
    (root / "incoming").mkdir()
    os.chown(root / "incoming", 0, pwd.getpwnam("ftp").pw_gid)
    (root / "incoming").chmod(0o1730)
    with serve(root, *arguments) as one:
        assert stored(one, "STOR incoming/fits", bytes(1 << 20))[0].startswith("226")
        reply, made = stored(one, "STOR incoming/big", bytes((1 << 20) + 1))
        assert reply == "552 Exceeded storage allocation."
        (name,) = made  # ProFTPD keeps what broke off: it is marked, and no client can fetch it
        assert name.startswith("big.partial-")


PROFTPD = """
ServerName "test"
DefaultServer on
AllowForeignAddress off
<Limit LOGIN>
  DenyAll
</Limit>
<Anonymous {root}>
  User ftp
  UserAlias anonymous ftp
  <Limit LOGIN>
    AllowAll
  </Limit>
  MaxStoreFileSize 1 Mb
  <Limit WRITE>
    DenyAll
  </Limit>
  <Directory {root}/incoming>
    <Limit STOR>
      AllowAll
    </Limit>
  </Directory>
</Anonymous>
"""


@against("quota")
def all_uploads_have_a_bound(served: Served) -> None:
    """Two at a time, through two workers: neither gets what the other has."""
    empty(served)
    with served.login() as one, served.login() as other:
        with one.data() as first, other.data() as second:
            assert one.code("STOR incoming/first") == other.code("STOR incoming/second") == "150"
            for data in (first, second):
                data.settimeout(PATIENCE)
                try:
                    data.sendall(bytes(2 << 20))
                except ConnectionError:
                    continue
        codes = sorted(talk.reply()[:3] for talk in (one, other))
    assert "552" in codes
    assert sum(path.lstat().st_size for path in box(served).iterdir()) <= 3 << 20
    assert stored(served, "STOR incoming/small")[0].startswith("226")


@against("quota")
def files_without_content_have_a_bound(served: Served) -> None:
    names_left = 1000 - len(names(served))
    fillers = [box(served) / f"filler-{number}" for number in range(names_left)]
    for path in fillers:
        path.touch()
    try:
        assert stored(served, "STOR incoming/empty", b"") == (
            "552 Exceeded storage allocation.",
            set(),
        )
    finally:
        for path in fillers:
            path.unlink()
    assert len(stored(served, "STOR incoming/empty", b"")[1]) == 1


@against("rate")
def an_upload_does_not_take_the_line(served: Served) -> None:
    empty(served)
    began = time.monotonic()
    reply, (name,) = stored(served, "STOR incoming/fast", bytes(RATE // 4))
    assert reply.startswith("226")
    assert time.monotonic() - began >= 1 / 4
    assert name.startswith("fast")


@against("disk")
def no_uploads_to_a_full_disk(served: Served) -> None:
    """What statvfs(2) says is the unit tests'; here: a file system that is full in fact."""
    small = served.root.parent / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "tmpfs", small], check=True)
    try:
        root = make_root(small)
        (root / "pub" / "big.bin").write_bytes(b"")
        with serve(root, "--root", str(root), "--upload") as one:
            assert stored(one, "STOR incoming/fits", bytes(1000))[0].startswith("226")
            assert stored(one, "STOR incoming/big", bytes(4 << 20)) == (
                "452 Insufficient storage space.",
                set(),
            )
            (root / "pub" / "big.bin").write_bytes(bytes(2900 << 10))
            assert stored(one, "STOR incoming/more", b"x")[0].startswith("452")
    finally:
        subprocess.run(["umount", small], check=True)


def open_sessions(served: Served, sources: list[str]) -> list[str]:
    """The greetings of sessions that are open at the same time."""
    talks = [Talk(served.port, source) for source in sources]
    greetings = [talk.greeting for talk in talks]
    for talk in talks:
        talk.close()
    served.await_said("connected", served.said().count("connected"))
    return greetings


@against("clients")
def sessions_are_limited(served: Served) -> None:
    greetings = open_sessions(served, [f"127.0.1.{1 + number // 4}" for number in range(24)])
    assert [line[:3] for line in greetings].count("220") <= 20
    assert greetings[-1].startswith("421 Too many connections")


@against("clients-per-address")
def sessions_of_an_address_are_limited(served: Served) -> None:
    greetings = open_sessions(served, ["127.0.2.1"] * 6)
    assert [line[:3] for line in greetings] == ["220"] * 5 + ["421"]


def admitted(served: Served) -> Talk:
    """A session, as soon as those that have just ended have given their seats back."""
    for _ in range(200):
        talk = served.talk()
        if talk.greeting.startswith("220"):
            return talk
        talk.close()
        time.sleep(0.05)
    raise AssertionError(talk.greeting)


@against("login-delay")
def failed_logins_are_slow(served: Served) -> None:
    began = time.monotonic()
    with admitted(served) as talk:
        talk.send("USER admin", "PASS admin")
        assert [talk.reply()[:3], talk.reply()[:3]] == ["331", "530"]
    assert time.monotonic() - began >= 1


@against("login-delay")
def failed_logins_are_slow_however_they_are_sent(served: Served) -> None:
    with admitted(served) as talk:
        began = time.monotonic()
        talk.send(*["USER root", "PASS x"] * 3)
        replies = [talk.reply()[:3] for _ in range(6)]
        assert time.monotonic() - began >= 3
        assert replies == ["331", "530", "331", "530", "331", "530"]
        assert talk.reply() == ""


@against("no-bounce")
def no_bounce(served: Served) -> None:
    """Nothing arrives at another host, or at a service of the client's own."""
    for place in (("127.0.0.9", 0), (HERE, privileged_port())):
        with served.login() as talk, socket.create_server(place) as victim:
            address, port = victim.getsockname()
            host_port = f"{address.replace('.', ',')},{port >> 8},{port & 255}"
            for way in (f"PORT {host_port}", f"EPRT |1|{address}|{port}|"):
                assert talk.code(way) == "501"
                assert talk.code("RETR pub/hello.txt") == "425"
                assert talk.code("STOR incoming/bounced") == "425"
            victim.setblocking(False)
            with pytest.raises(BlockingIOError):
                victim.accept()


def privileged_port() -> int:
    """One that nobody listens on."""
    for port in range(1023, 600, -1):
        with suppress(OSError), socket.create_server((HERE, port)):
            return port
    raise AssertionError("no privileged port is free")


@against("no-theft")
def nobody_else_delivers(served: Served) -> None:
    with served.login() as talk:
        where = talk.passive()
        assert talk.code("STOR incoming/stolen") == "150"
        with socket.create_connection(where, PATIENCE, source_address=("127.0.0.8", 0)) as thief:
            assert thief.recv(1) == b""
        with socket.create_connection(where, PATIENCE) as data:
            data.sendall(b"mine")
        assert talk.reply().startswith("226")
    (stolen,) = [path for path in box(served).iterdir() if path.name.startswith("stolen")]
    assert stolen.read_bytes() == b"mine"


@against("no-theft")
def nobody_else_is_served(served: Served) -> None:
    """The thief is dropped without a word."""
    with served.login() as talk:
        where = talk.passive()
        with socket.create_connection(where, PATIENCE, source_address=("127.0.0.2", 0)) as thief:
            assert thief.recv(1) == b""
        with socket.create_connection(where, PATIENCE) as data:
            assert talk.code("RETR pub/hello.txt") == "150"
            assert data.recv(100) == b"hello\n"
        assert talk.reply().startswith("226")


@against("anonymous-only")
def accounts_are_refused(served: Served) -> None:
    with served.talk() as talk:
        assert talk.ask("USER root") == talk.ask("USER anonymous")
        assert talk.code("USER root") == "331"
        assert talk.code("PASS root") == "530"


@against("quiet")
def nothing_is_told_of_the_server(served: Served) -> None:
    with served.talk() as talk:
        said = [talk.greeting, *map(talk.ask, ("STAT", "SYST", "HELP", "FEAT", "NOSUCH"))]
        talk.login()
        said += map(talk.ask, ("STAT", "MLST pub", "STAT /", "SITE HELP", "HELP STOR", "PWD"))
        said += [part.decode() for part in (talk.fetch("LIST pub")[0], talk.fetch("MLSD pub")[0])]
        talk.ask("OPTS MLST unique;unix.uid;unix.mode;type;")
        said += [talk.fetch("MLSD pub")[0].decode()]
    for word in ("pyftpdlib", "ftpfw", "root", "->", "unique", "unix", HERE, str(served.root)):
        assert word not in "\n".join(said)


@against("existence")
def what_is_there_is_not_told(served: Served) -> None:
    for verb in (
        "RETR",
        "SIZE",
        "MDTM",
        "MLST",
        "STAT",
        "LIST",
        "NLST",
        "MLSD",
        "CWD",
        "DELE",
        "RNFR",
    ):
        there, missing = replies(served, f"{verb} incoming/seen.txt", f"{verb} incoming/none.txt")
        assert there == missing, verb
    there, missing = (
        stored(served, f"STOR incoming/{name}")[0] for name in ("seen.txt", "new.txt")
    )
    assert there == missing


@against("log")
def transfers_are_written_down(served: Served) -> None:
    log = Path(f"{served.root}.log")
    _, (name,) = stored(served, "STOR incoming/logged", b"12345")
    await_line(log, name)
    line = log.read_text().splitlines()[-1].split()
    assert line[7:] == [
        "5",
        f"{box(served)}/{name}",
        "b",
        "_",
        "i",
        "a",
        "me@example.net",
        "ftp",
        "0",
        "*",
        "c",
    ]


@against("log")
def broken_transfers_are_written_down(served: Served) -> None:
    log = Path(f"{served.root}.log")
    break_off(served, "STOR incoming/broken-log")
    await_line(log, "broken-log")
    assert log.read_text().splitlines()[-1].split()[-1] == "i"


@against("log")
def transfers_that_never_began_are_written_down(served: Served) -> None:
    """The client is gone before its data connection comes."""
    log, before = Path(f"{served.root}.log"), names(served)
    with served.login() as talk:
        talk.passive()
        assert talk.code("STOR incoming/never") == "150"
    await_line(log, "/incoming/never")
    line = log.read_text().splitlines()[-1].split()
    assert (line[7], line[-1]) == ("0", "i")
    assert names(served) == before


@against("log")
def no_line_of_the_log_is_forged(served: Served) -> None:
    log = Path(f"{served.root}.log")
    with served.talk() as talk:
        assert talk.code("USER anonymous") == "331"
        assert talk.code("PASS a ftp 0 * c\x0bThu") == "501"
        assert talk.code("PASS a ftp 0 * c\u2028Thu Nov") == "230"
        assert talk.code("TYPE I") == "200"
        assert talk.store("STOR incoming/forged", b"1").startswith("226")
    await_line(log, "/incoming/forged")
    line = log.read_text().splitlines()[-1].split(" ")
    assert line[-5:] == ["a_ftp_0_*_c_Thu_Nov", "ftp", "0", "*", "c"]


@against("partial")
def an_upload_that_is_aborted_is_removed(served: Served) -> None:
    """Before its data connection comes, before its first byte, and after; the session goes on."""
    before = names(served)
    with served.login() as talk:
        for content in (None, b"", b"half of it"):
            where = talk.passive()
            assert talk.code("STOR incoming/aborted") == "150"
            with ExitStack() as stack:
                if content is not None:
                    data = socket.create_connection(where, PATIENCE)
                    stack.enter_context(data).sendall(content)
                talk.socket.sendall(INTERRUPT + b"ABOR\r\n")
                assert talk.reply().startswith("426")
                assert talk.reply().startswith("226")
            assert talk.code("PWD") == "257"
            assert names(served) == before


@against("partial")
def what_broke_off_is_removed(served: Served) -> None:
    before = names(served)
    break_off(served, "STOR incoming/partial")
    assert names(served) == before
    talk = served.login()
    with talk.data() as data:
        assert talk.code("STOR incoming/killed") == "150"
        data.sendall(b"half of it")
        for _ in range(500):
            if names(served) != before:
                break
            time.sleep(0.01)
        (hidden,) = names(served) - before
        assert hidden.startswith(".ftpfw-")
        os.kill(int(hidden.split("-")[1]), 9)
        assert talk.reply() == ""
    talk.close()
    served.await_said("another is started")
    assert names(served) == before


def test_every_precaution_is_attacked_and_every_attack_is_on_one() -> None:
    assert {precaution for precaution, _ in ATTACKS} == {one.id for one in PRECAUTIONS}


@pytest.mark.xdist_group("drop box")
@pytest.mark.parametrize(
    ("precaution", "attack"), ATTACKS, ids=[f"{name}: {one.__name__}" for name, one in ATTACKS]
)
def test_precaution(served: Served, precaution: str, attack: Attack) -> None:
    del precaution
    attack(served)


def test_every_attack_has_a_server_that_it_harms() -> None:
    code = "from tests.kernel.careless import WITHOUT; print(*WITHOUT)"
    named = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert named.stdout.split() == [attack.__name__ for _, attack in ATTACKS]


NOTICED = (AssertionError, OSError, ValueError, pytest.fail.Exception)

PROOF = ATTACKS if os.environ.get("FTPFW_SERVER_PROOF") else ATTACKS[::8]


@pytest.mark.parametrize("attack", [attack for _, attack in PROOF], ids=lambda one: one.__name__)
def test_without_its_precaution_an_attack_does_harm(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"from tests.kernel.careless import main; main({attack.__name__!r})"
    monkeypatch.setitem(globals(), "serve", partial(serve, options=("-c", code)))
    for names in (globals(), vars(served_by)):
        monkeypatch.setitem(names, "PATIENCE", 0.5)
    with drop_box(tmp_path, "-c", code) as one, pytest.raises(NOTICED):
        attack(one)
