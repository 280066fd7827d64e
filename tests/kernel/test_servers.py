"""Generated configurations: each starts its daemon, which then lets through what it should.

The probes are from the matrix of what real daemons answer to anonymous clients.
"""

from __future__ import annotations

import ftplib
import io
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ftpfw.server.options import Form
from ftpfw.server.proftpd.writer import write as write_proftpd
from ftpfw.server.pureftpd.reader import read_args
from ftpfw.server.recipes import Place, Purpose, make
from ftpfw.server.settings import Settings, changed

from .conftest import made_namespaces
from .ftp_servers import DAEMONS, PASSWORD, PATIENCE, PROGRAMS, mode, program, serving
from .netns import inside

HERE = Place(address=ip_address("127.0.0.1"), passive_ports=range(61000, 61020))
FORMS = [form for form in PROGRAMS if form is not Form.PURE_DEBIAN]
Client = Callable[[Callable[[ftplib.FTP], object]], object]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with made_namespaces() as made:
        yield made.create("servers")


def client(namespace: str) -> Client:
    """What runs a function with an anonymous session."""

    def run(talk: Callable[[ftplib.FTP], object]) -> object:
        def body() -> object:
            with ftplib.FTP("127.0.0.1", timeout=PATIENCE) as ftp:
                ftp.login()
                return talk(ftp)

        return inside(namespace, body)

    return run


def refused(ftp: ftplib.FTP, *commands: str) -> list[str]:
    """The commands that were not answered by 5xx."""
    replies = []
    for command in commands:
        try:
            replies.append(f"{command}: {ftp.sendcmd(command)}")
        except ftplib.error_perm:
            continue
    return replies


def stores(ftp: ftplib.FTP, name: str, content: bytes = b"hello") -> bool:
    try:
        ftp.storbinary(f"STOR {name}", io.BytesIO(content))
    except ftplib.error_perm:
        return False
    return True


def fetched(ftp: ftplib.FTP, name: str) -> bytes | None:
    content = io.BytesIO()
    try:
        ftp.retrbinary(f"RETR {name}", content.write)
    except ftplib.error_perm:
        return None
    return content.getvalue()


def listed(ftp: ftplib.FTP, name: str) -> list[str]:
    lines: list[str] = []
    try:
        ftp.retrlines(f"LIST {name}", lines.append)
    except ftplib.error_perm:
        return []
    return lines


@pytest.mark.parametrize("form", FORMS)
def test_anonymous_download(namespace: str, form: Form, tmp_path: Path) -> None:
    recipe = make(Purpose.DOWNLOAD, form, HERE)

    def talk(ftp: ftplib.FTP) -> None:
        assert fetched(ftp, "pub/file") == b"content"
        assert not stores(ftp, "pub/new")
        assert not stores(ftp, "new")
        assert not refused(ftp, "DELE pub/file", "RNFR pub/file", "MKD pub/d", "RMD pub")
        assert not refused(ftp, "PORT 127,0,0,2,200,10", "PORT 127,0,0,1,0,25")
        for _ in range(3):
            _, port = ftp.makepasv()
            assert port in HERE.passive_ports

    with serving(namespace, form, recipe, tmp_path) as srv:
        (srv / "ftp" / "pub" / "file").write_bytes(b"content")
        client(namespace)(talk)


@pytest.mark.parametrize("form", FORMS)
def test_drop_box(namespace: str, form: Form, tmp_path: Path) -> None:
    recipe = make(Purpose.DROP_BOX, form, HERE)

    def talk(ftp: ftplib.FTP) -> None:
        assert stores(ftp, "incoming/new")
        assert not stores(ftp, "incoming/new", b"OVERWRITTEN")
        assert fetched(ftp, "incoming/new") is None
        assert not any("new" in line for line in listed(ftp, "incoming"))
        assert not stores(ftp, "incoming/.rhosts")
        assert not stores(ftp, "elsewhere")
        assert not stores(ftp, "incoming/../pub/elsewhere")
        assert not refused(ftp, "DELE incoming/new", "RNFR incoming/new", "MKD incoming/d")
        assert not refused(ftp, "SITE CHMOD 777 incoming/new", "RMD incoming")
        assert not refused(ftp, "MFMT 20200101000000 incoming/new")
        assert fetched(ftp, "pub/file") == b"content"

    with serving(namespace, form, recipe, tmp_path) as srv:
        (srv / "ftp" / "pub" / "file").write_bytes(b"content")
        client(namespace)(talk)
        new = srv / "ftp" / "incoming" / "new"
        assert new.read_bytes() == b"hello"
        assert mode(new) == 0o600


@pytest.mark.parametrize("form", FORMS)
def test_sessions_from_inetd(namespace: str, form: Form, tmp_path: Path) -> None:
    recipe = make(Purpose.DROP_BOX, form, replace(HERE, inetd=True))

    def talk(ftp: ftplib.FTP) -> None:
        assert stores(ftp, "incoming/new")
        assert not stores(ftp, "incoming/new", b"OVERWRITTEN")
        assert fetched(ftp, "pub/file") == b"content"

    with serving(namespace, form, recipe, tmp_path, by_inetd=True) as srv:
        (srv / "ftp" / "pub" / "file").write_bytes(b"content")
        client(namespace)(talk)
    assert "stream tcp nowait root" in (tmp_path / "etc" / "inetd.conf").read_text()


@pytest.mark.parametrize("form", FORMS)
def test_users_have_to_use_tls(namespace: str, form: Form, tmp_path: Path) -> None:
    recipe = make(Purpose.USERS, form, HERE)

    def body() -> None:
        for who in ("alice", PASSWORD), ("anonymous", "lab@"):
            with ftplib.FTP("127.0.0.1", timeout=PATIENCE) as ftp, pytest.raises(ftplib.Error):
                ftp.login(*who)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with ftplib.FTP_TLS("127.0.0.1", timeout=PATIENCE, context=context) as ftps:
            ftps.login("alice", PASSWORD)
            assert ftps.pwd() == "/"
            ftps.cwd("files")
            ftps.mkd("new")
            with pytest.raises(ftplib.Error):
                ftps.mkd("/new")

    with serving(namespace, form, recipe, tmp_path) as srv:
        inside(namespace, body)
        assert (srv / "ftp" / "alice" / "files" / "new").is_dir()


# What the daemons' own readers say of what the writers write

ODD = [
    ("the safe defaults", {}),
    ("anybody", {"anonymous.enabled": True, "anonymous.root": "/srv/a b"}),
    ("quotes", {"messages.banner": 'a "b" \\ # c'}),
    (
        "much of it",
        {
            "users.enabled": True,
            "limits.user_upload_rate": 1500,
            "limits.upload_bytes": 1000,
            "timeouts.session": 60,
            "passive.ports": range(50000, 50100),
            "commands.denied": ("ACCT", "SITE"),
            "users.jail_exceptions": "groups !staff",
            "messages.directory_file": ".message",
        },
    ),
]


@pytest.mark.parametrize("changes", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_proftpd_takes_what_is_written(changes: dict[str, object], tmp_path: Path) -> None:
    daemon = program("proftpd")
    file = tmp_path / "proftpd.conf"
    here = {"process.group": "nogroup", "logs.daemon": f"{tmp_path}/log", "logs.syslog": None}
    settings = changed(Settings(), {**changes, **here})
    file.write_text(write_proftpd(settings).text)
    done = subprocess.run([daemon, "-t", "-c", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("purpose", Purpose)
def test_debians_wrapper_takes_what_is_written(
    namespace: str, purpose: Purpose, tmp_path: Path
) -> None:
    wrapper = program("pure-ftpd-wrapper")
    recipe = make(purpose, Form.PURE_DEBIAN, HERE)
    shutil.copytree(DAEMONS / "etc" / "pure-ftpd", tmp_path / "pure-ftpd", symlinks=True)
    for file in (tmp_path / "pure-ftpd" / "conf").iterdir():
        file.unlink()
    (tmp_path / "setup.sh").write_text(recipe.configuration)
    etc = shutil.copytree("/etc", tmp_path / "etc", symlinks=True)
    shutil.move(tmp_path / "pure-ftpd", etc / "pure-ftpd")
    script = 'mount --bind "$0/etc" /etc; sh -e "$0/setup.sh" && "$1" --show-options'
    argv = ["ip", "netns", "exec", namespace, "sh", "-ec", script, str(tmp_path), wrapper]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = make(purpose, Form.PURE_ARGS, HERE).configuration
    got = read_args(done.stdout, "options").settings
    pid = {"process.pid_file": "/var/run/pure-ftpd/pure-ftpd.pid"}
    assert got == changed(read_args(wanted, "args").settings, pid)
