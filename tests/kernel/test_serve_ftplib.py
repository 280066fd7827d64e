"""Every method of CPython's ftplib against our handler: in clear text and TLS, passive and active.

Its own tests have a server of theirs, which answers without files; what they ask a client is asked
here, and looked at on the disk. A row names the methods that it is about, and has to call them.
In the end each command is sent with arguments of every kind, which no method would send.
"""

from __future__ import annotations

import ftplib
import io
import os
import pwd
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest

from .beside import certificate, writable
from .netns import require_root
from .served import HERE, PATIENCE, Served, make_root, serve

WITHOUT_CHECKING = ssl._create_unverified_context()
TEXT = b"first\nsecond\n"
CONTENT = bytes(range(256)) * 1000

CONFIGURATION = """listen=YES
anonymous_enable=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_mkdir_write_enable=YES
anon_umask=022
max_per_ip=0
delay_failed_login=0
ssl_enable=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
rsa_cert_file={pem}
"""


class Recorded:
    """Stands before one of ftplib's classes, and notes which of its methods are called."""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            vars(self).setdefault("_called", set()).add(name)
        return super().__getattribute__(name)


class Plain(Recorded, ftplib.FTP):
    """In clear text."""


class Secure(Recorded, ftplib.FTP_TLS):
    """Inside TLS."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client in a directory of its own, that it may write to."""

    ftp: ftplib.FTP
    directory: Path
    name: str

    def put(self, name: str, content: bytes) -> Path:
        """A file that is there."""
        path = self.directory / name
        path.write_bytes(content)
        os.chown(path, pwd.getpwnam("ftp").pw_uid, -1)
        return path


@dataclass(frozen=True, slots=True)
class Row:
    methods: frozenset[str]
    use: Callable[[Client], None]
    secure: bool


ROWS: list[Row] = []


def uses(*methods: str, secure: bool = False) -> Callable[[Callable[[Client], None]], None]:
    """Add a row; ``secure``: it is about FTP_TLS alone."""
    return lambda use: ROWS.append(Row(frozenset(methods), use, secure))


def public(kind: type) -> set[str]:
    names = {name for name in dir(kind) if not name.startswith("_")}
    return {name for name in names if callable(getattr(kind, name))} - {"debug"}  # an alias


NUMBERS = count()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    require_root()
    with ExitStack() as stack:
        found = {}
        for address in (HERE, "::1"):
            root = make_root(tmp_path_factory.mktemp("ftplib"))
            writable(root, "open")
            file = root.parent / "vsftpd.conf"
            file.write_text(CONFIGURATION.format(root=root, pem=certificate(root)))
            listen = ("--address", address, "--port", "0")
            found[address] = stack.enter_context(
                serve(root, "--vsftpd", str(file), "--root", str(root), listen=listen)
            )
        yield found


def connected(kind: type[ftplib.FTP], served: Served, address: str) -> ftplib.FTP:
    if issubclass(kind, ftplib.FTP_TLS):
        ftp: ftplib.FTP = kind(timeout=PATIENCE, context=WITHOUT_CHECKING)
    else:
        ftp = kind(timeout=PATIENCE)
    ftp.connect(address, served.port)
    return ftp


WAYS = [*product((Plain, Secure), (True, False), (HERE, "::1"))]


def named(way: tuple[type[ftplib.FTP], bool, str]) -> str:
    kind, passive, address = way
    return f"{kind.__name__}, {'passive' if passive else 'active'}, {address}"


@pytest.fixture
def client(servers: dict[str, Served], way: tuple[type[ftplib.FTP], bool, str]) -> Iterator[Client]:
    kind, passive, address = way
    served = servers[address]
    name = f"open/{next(NUMBERS)}"
    writable(served.root, name)
    with connected(kind, served, address) as ftp:
        ftp.login()
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
        ftp.set_pasv(passive)
        ftp.cwd(name)
        vars(ftp)["_called"].clear()
        yield Client(ftp, served.root / name, f"/{name}")


def refused(code: str, call: Callable[..., object], *arguments: object) -> None:
    """A call is answered by an error of this code."""
    with pytest.raises(ftplib.Error, match=f"^{code}"):
        call(*arguments)


# What a session is made of


@uses("connect", "getwelcome", "login", "close")
def a_session_begins_anew(client: Client) -> None:
    ftp = client.ftp
    ftp.close()
    assert ftp.connect(ftp.host, ftp.port).startswith("220")
    assert ftp.getwelcome() == ftp.welcome
    refused("530", ftp.login, "nobody", "secret")
    assert ftp.login().startswith("230")


@uses("quit")
def a_session_ends(client: Client) -> None:
    assert client.ftp.quit().startswith("221")
    assert client.ftp.sock is None


@uses("sendcmd", "voidcmd", "voidresp", "getresp", "putcmd", "putline", "getmultiline", "getline")
def replies_of_one_line_and_of_several(client: Client) -> None:
    ftp = client.ftp
    assert ftp.sendcmd("NOOP").startswith("200")
    assert ftp.voidcmd("TYPE I").startswith("200")
    ftp.putcmd("FEAT")
    feat = ftp.getmultiline().splitlines()
    assert feat[0].startswith("211-")
    assert feat[-1].startswith("211 ")
    assert {" EPSV", " REST STREAM", " SIZE", " TVFS"} <= {*feat}
    ftp.putline("NOOP")
    assert ftp.getline().startswith("200")
    ftp.putcmd("NOOP")
    assert ftp.getresp().startswith("200")
    ftp.putcmd("NOOP")
    assert ftp.voidresp().startswith("200")
    for number in (2044, 5000, 100_000):
        refused("500", ftp.voidcmd, "NOOP " + "x" * number)
    refused("500", ftp.voidcmd, "NOSUCH")


@uses("set_debuglevel", "sanitize")
def what_is_sent_is_shown(client: Client) -> None:
    client.ftp.set_debuglevel(1)
    assert client.ftp.voidcmd("NOOP").startswith("200")
    assert client.ftp.sanitize("PASS secret") == "'PASS ******'"


@uses("acct")
def there_are_no_accounts(client: Client) -> None:
    refused("50", client.ftp.acct, "password")
    assert client.ftp.pwd() == client.name


# Files and directories


@uses("cwd", "pwd", "mkd", "rmd")
def directories(client: Client) -> None:
    ftp = client.ftp
    for name in ("plain", "with blanks", "ümläut"):
        assert ftp.mkd(name) == f"{client.name}/{name}"
        assert (client.directory / name).is_dir()
        ftp.cwd(name)
        assert ftp.pwd() == f"{client.name}/{name}"
        ftp.cwd("..")
        assert ftp.pwd() == client.name
        refused("550", ftp.mkd, name)
        assert ftp.rmd(name).startswith("250")
        assert not (client.directory / name).exists()
    refused("550", ftp.cwd, "missing")
    refused("550", ftp.rmd, "missing")
    refused("550", ftp.voidcmd, "MFMT 20200101000000 missing")
    (client.directory / 'a "quoted" name').mkdir()
    ftp.cwd('a "quoted" name')
    assert ftp.pwd() == f'{client.name}/a "quoted" name'


@uses("rename", "delete", "size")
def files(client: Client) -> None:
    ftp = client.ftp
    client.put("old", CONTENT)
    ftp.voidcmd("TYPE I")
    assert ftp.size("old") == len(CONTENT)
    assert ftp.rename("old", "new").startswith("250")
    refused("550", ftp.size, "old")
    refused("550", ftp.rename, "old", "other")
    assert (client.directory / "new").read_bytes() == CONTENT
    assert ftp.delete("new").startswith("250")
    refused("550", ftp.delete, "new")
    assert not [*client.directory.iterdir()]


@uses("nlst", "dir", "mlsd")
def listings(client: Client) -> None:
    ftp = client.ftp
    assert [*ftp.mlsd()] == []
    client.put("a", b"12345")
    client.put("b c", b"")
    (client.directory / "d").mkdir()
    assert sorted(ftp.nlst()) == ["a", "b c", "d"]
    assert ftp.nlst("d") == []
    lines: list[str] = []
    ftp.dir(lines.append)
    assert [line[0] for line in lines] == ["-", "-", "d"]
    assert re.split(" +", lines[0], maxsplit=8)[4::4] == ["5", "a"]
    facts = dict(ftp.mlsd(facts=["type", "size"]))
    assert {name: one["type"] for name, one in facts.items()} == {
        "a": "file",
        "b c": "file",
        "d": "dir",
    }
    assert facts["a"] == {"type": "file", "size": "5"}
    assert [name for name, _ in ftp.mlsd("/pub")] != []
    refused("550", ftp.nlst, "missing")
    refused("550", ftp.dir, "missing")
    refused("550", lambda: [*ftp.mlsd("missing")])


# Transfers


@uses("retrbinary", "retrlines")
def downloads(client: Client) -> None:
    ftp = client.ftp
    client.put("binary", CONTENT)
    client.put("text", TEXT)
    for rest in (None, 1000):
        received = io.BytesIO()
        assert ftp.retrbinary("RETR binary", received.write, 8192, rest).startswith("226")
        assert received.getvalue() == CONTENT[rest or 0 :]
    lines: list[str] = []
    assert ftp.retrlines("RETR text", lines.append).startswith("226")
    assert lines == ["first", "second"]
    refused("550", ftp.retrbinary, "RETR missing", print)
    refused("550", ftp.retrlines, "RETR missing")
    assert ftp.pwd() == client.name


@uses("storbinary", "storlines")
def uploads(client: Client) -> None:
    ftp = client.ftp
    assert ftp.storbinary("STOR binary", io.BytesIO(CONTENT)).startswith("226")
    assert (client.directory / "binary").read_bytes() == CONTENT
    assert ftp.storbinary("STOR binary", io.BytesIO(b"end"), rest=1000).startswith("226")
    assert (client.directory / "binary").read_bytes()[990:1003] == CONTENT[990:1000] + b"end"
    assert ftp.storbinary("APPE binary", io.BytesIO(b"more")).startswith("226")
    assert (client.directory / "binary").read_bytes().endswith(b"more")
    assert ftp.storlines("STOR text", io.BytesIO(TEXT)).startswith("226")
    assert (client.directory / "text").read_bytes() == TEXT
    assert ftp.storbinary("STOR empty", io.BytesIO()).startswith("226")
    assert (client.directory / "empty").read_bytes() == b""
    refused("550", ftp.storbinary, "STOR /pub/refused", io.BytesIO(b"x"))


@uses("transfercmd", "ntransfercmd")
def data_connections(client: Client) -> None:
    ftp = client.ftp
    client.put("binary", CONTENT)
    ftp.voidcmd("TYPE I")
    data, size = ftp.ntransfercmd("RETR binary")
    assert size == len(CONTENT)
    with data, data.makefile("rb") as stream:
        assert stream.read() == CONTENT
    assert ftp.voidresp().startswith("226")
    data = ftp.transfercmd("STOR copy", rest=None)
    data.sendall(CONTENT)
    if isinstance(data, ssl.SSLSocket):
        data.unwrap()
    data.close()
    assert ftp.voidresp().startswith("226")
    assert (client.directory / "copy").read_bytes() == CONTENT


@uses("abort")
def a_transfer_is_aborted(client: Client) -> None:
    """In clear text ABOR is sent as urgent data."""
    ftp = client.ftp
    assert ftp.abort().startswith("225")
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd("STOR aborted")
    data.sendall(CONTENT)
    assert ftp.abort().startswith("426")
    assert ftp.voidresp().startswith("226")
    data.close()
    assert ftp.pwd() == client.name


@uses("set_pasv", "makepasv")
def passive_connections(client: Client) -> None:
    ftp = client.ftp
    ftp.set_pasv(True)
    host, port = ftp.makepasv()
    assert host == ftp.host
    with socket.create_connection((host, port), PATIENCE) as data:
        ftp.putcmd("ABOR")
        assert ftp.getresp().startswith("225")
        with suppress(ConnectionResetError):  # where the server had not accepted it yet
            assert data.recv(1) == b""


@uses("makeport", "sendport", "sendeprt")
def active_connections(client: Client) -> None:
    ftp = client.ftp
    with ftp.makeport() as listener:
        assert listener.family == ftp.af
    if ftp.af == socket.AF_INET:
        assert ftp.sendport(HERE, 2000).startswith("200")
        refused("501", ftp.sendport, HERE, 25)
    refused("501", ftp.sendport, "192.0.2.1", 2000)
    assert ftp.sendeprt(ftp.host, 2000).startswith("200")
    other = "192.0.2.1" if ftp.af == socket.AF_INET else "2001:db8::1"
    refused("501", ftp.sendeprt, other, 2000)


# TLS


@uses("auth", "login", secure=True)
def tls_comes_before_the_login(client: Client) -> None:
    ftp = client.ftp
    assert isinstance(ftp, ftplib.FTP_TLS)
    ftp.close()
    ftp.connect(ftp.host, ftp.port)
    assert not isinstance(ftp.sock, ssl.SSLSocket)
    assert ftp.auth().startswith("234")
    assert isinstance(ftp.sock, ssl.SSLSocket)
    with pytest.raises(ValueError, match="Already using TLS"):
        ftp.auth()
    refused("503", ftp.voidcmd, "AUTH TLS")
    assert ftp.login(secure=False).startswith("230")


@uses("prot_p", "prot_c", secure=True)
def data_is_protected_or_not(client: Client) -> None:
    ftp = client.ftp
    assert isinstance(ftp, ftplib.FTP_TLS)
    client.put("text", TEXT)
    for protect, kind in ((ftp.prot_c, socket.socket), (ftp.prot_p, ssl.SSLSocket)):
        assert protect().startswith("200")
        data = ftp.transfercmd("RETR text")
        assert type(data) is kind
        with data, data.makefile("rb") as stream:
            assert stream.read().replace(b"\r", b"") == TEXT
        assert ftp.voidresp().startswith("226")


@uses("ccc", secure=True)
def the_control_connection_stays_protected(client: Client) -> None:
    """Who turns back to clear text lets others speak for the client."""
    assert isinstance(client.ftp, ftplib.FTP_TLS)
    refused("50", client.ftp.ccc)
    assert isinstance(client.ftp.sock, ssl.SSLSocket)
    assert client.ftp.pwd() == client.name


def test_every_method_has_a_row() -> None:
    assert frozenset().union(*(row.methods for row in ROWS)) == public(ftplib.FTP_TLS)


CASES = [(row, way) for row in ROWS for way in WAYS if way[0] is Secure or not row.secure]


@pytest.mark.xdist_group("ftplib")
@pytest.mark.parametrize(
    ("row", "way"), CASES, ids=[f"{row.use.__name__}, {named(way)}" for row, way in CASES]
)
def test_ftplib(row: Row, client: Client) -> None:
    row.use(client)
    assert row.methods <= vars(client.ftp)["_called"]


VERBS = [
    "ABOR",
    "ACCT",
    "ALLO",
    "APPE",
    "AUTH",
    "CCC",
    "CDUP",
    "CWD",
    "DELE",
    "EPRT",
    "EPSV",
    "FEAT",
    "HELP",
    "LIST",
    "MDTM",
    "MFMT",
    "MKD",
    "MLSD",
    "MLST",
    "MODE",
    "NLST",
    "NOOP",
    "OPTS",
    "PASV",
    "PBSZ",
    "PORT",
    "PROT",
    "PWD",
    "REST",
    "RETR",
    "RMD",
    "RNFR",
    "RNTO",
    "SITE",
    "SIZE",
    "STAT",
    "STOR",
    "STOU",
    "STRU",
    "SYST",
    "TYPE",
    "XCUP",
    "XCWD",
    "XMKD",
    "XPWD",
    "XRMD",
]
HUGE = "99999999999999999999999"
ARGUMENTS = (
    "",
    "missing",
    "missing/below",
    "file",
    "file/below",
    "directory",
    "..",
    "/",
    "out",
    "out/passwd",
    "nowhere",
    "loop",
    "fifo",
    "20200101000000 missing",
    "20200101000000 /",
    "99999999999999 file",
    "CHMOD 777 missing",
    "CHMOD 9 file",
    "-la missing",
    "x" * 300,
    HUGE,
    "-1",
    "\udcff\udcfe",
)


BEFORE = [
    ("RNFR file", "RNTO"),
    *(
        (f"REST {position}", verb)
        for position in ("3", "4000", HUGE)
        for verb in ("RETR", "STOR", "STOU", "APPE", "LIST")
    ),
]
"""Commands that another one takes up."""


@pytest.mark.xdist_group("ftplib")
@pytest.mark.parametrize(("before", "verb"), [*BEFORE, *(("NOOP", verb) for verb in VERBS)])
def test_no_argument_ends_a_session(servers: dict[str, Served], before: str, verb: str) -> None:
    """Each command is answered once, whatever it names; `serve` sees that no fault is logged."""
    served = servers[HERE]
    name = f"open/{next(NUMBERS)}"
    writable(served.root, name)
    with served.login() as talk:
        for argument in ARGUMENTS:
            fill(served.root / name)
            assert talk.code(f"CWD /{name}") == "250"
            assert talk.code(before)[0] in "235"
            with talk.data():
                line = f"{verb} {argument}".rstrip(" ")
                talk.socket.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")
                reply = talk.reply()
                assert re.match(r"[1-5]\d\d", reply), (line, reply)
            if reply.startswith("1"):
                assert re.match(r"[245]\d\d", talk.reply()), line
            assert talk.code("NOOP") == "200", line


def fill(directory: Path) -> None:
    """What arguments name, where it is not there any more."""
    for link, target in (("out", "/etc"), ("nowhere", "/nowhere"), ("loop", "loop")):
        if not (directory / link).is_symlink():
            (directory / link).unlink(missing_ok=True)
            (directory / link).symlink_to(target)
    (directory / "directory").mkdir(exist_ok=True)
    if not (directory / "file").exists():
        (directory / "file").write_bytes(TEXT)
    if not (directory / "fifo").exists():
        os.mkfifo(directory / "fifo", 0o666)
