"""FTPS of the embedded server: real clients, and attacks on the change to TLS."""

from __future__ import annotations

import ftplib
import io
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ftpfw.server.embedded.certificate import keep

from .netns import require_program, require_root
from .served import HERE, PATIENCE, Served, make_root, serve

WITHOUT_CHECKING = ssl._create_unverified_context()


class Resuming(ftplib.FTP_TLS):
    """ftplib, which resumes the session of the control connection, or another one."""

    session: ssl.SSLSession | None = None

    def ntransfercmd(
        self, cmd: str, rest: int | str | None = None
    ) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        session = self.session or self.sock.session
        return self.context.wrap_socket(connection, session=session), size


def connected(port: int, kind: type[ftplib.FTP_TLS] = Resuming) -> ftplib.FTP_TLS:
    ftp = kind(context=WITHOUT_CHECKING, timeout=PATIENCE)
    ftp.connect(HERE, port)
    ftp.login()
    ftp.prot_p()
    return ftp


def fetched(ftp: ftplib.FTP, name: str) -> bytes:
    content = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", content.write)
    return content.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    require_root()
    root = make_root(tmp_path_factory.mktemp("tls"))
    pem = root.parent / "server.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        [*make, "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", pem, "-out", pem],
        check=True,
        capture_output=True,
    )
    with serve(
        root, "--root", str(root), "--upload", "--tls", str(pem), options=("-X", "importtime")
    ) as one:
        yield one


@pytest.mark.parametrize("way", [[], ["--tls-max", "1.2"]], ids=["TLS 1.3", "TLS 1.2"])
def test_curl(served: Served, way: list[str]) -> None:
    require_program("curl")
    argv = ["curl", "-sSk", "-m", "20", "--ssl-reqd", *way]
    url = f"ftp://{HERE}:{served.port}"
    got = subprocess.run([*argv, f"{url}/pub/big.bin"], capture_output=True, check=True).stdout
    assert got == (served.root / "pub" / "big.bin").read_bytes()
    upload = ["-T", str(served.root / "pub" / "big.bin"), f"{url}/incoming/"]
    subprocess.run([*argv, *upload], capture_output=True, check=True)
    stored = [*(served.root / "incoming").glob("big.bin*")]
    assert {path.read_bytes() for path in stored} == {got}


def test_lftp(served: Served, tmp_path: Path) -> None:
    require_program("lftp")
    script = (
        "set ssl:verify-certificate no; set ftp:ssl-force true; set ftp:ssl-protect-data true;"
        f" set net:max-retries 1; open ftp://{HERE}:{served.port}; ls;"
        f" get pub/big.bin -o {tmp_path}/got; put {tmp_path}/got -o incoming/lftp.bin"
    )
    subprocess.run(["lftp", "-c", script], capture_output=True, check=True)
    content = (served.root / "pub" / "big.bin").read_bytes()
    assert (tmp_path / "got").read_bytes() == content
    assert (served.root / "incoming" / "lftp.bin").read_bytes() == content


@pytest.mark.parametrize("passive", [True, False])
def test_data_connections_resume_their_session(served: Served, passive: bool) -> None:
    with connected(served.port) as ftp:
        ftp.set_pasv(passive)
        assert fetched(ftp, "pub/hello.txt") == b"hello\n"
        assert "pub" in ftp.nlst()


def test_a_data_connection_that_resumes_another_session_is_refused(served: Served) -> None:
    with connected(served.port) as thief, connected(served.port) as ftp:
        assert isinstance(thief.sock, ssl.SSLSocket)
        assert isinstance(ftp, Resuming)
        ftp.session = thief.sock.session
        with pytest.raises(ftplib.error_perm, match="522"):
            fetched(ftp, "pub/hello.txt")


def test_clear_text_behind_auth_in_its_own_segment_is_no_handshake(served: Served) -> None:
    with served.talk() as talk:
        assert talk.ask("AUTH TLS").startswith("234")
        talk.send("USER anonymous")
        with suppress(ConnectionResetError):
            assert b"331" not in talk.socket.recv(1000)


def test_auth_ends_the_login(served: Served) -> None:
    with served.login() as talk:
        assert talk.ask("AUTH TLS").startswith("234")
        inside = WITHOUT_CHECKING.wrap_socket(talk.socket)
        inside.sendall(b"PWD\r\n")
        assert inside.recv(100).startswith(b"530")
        inside.close()


def test_an_upload_that_is_cut_off_is_not_whole(served: Served) -> None:
    """Who can end the TCP connection, without close_notify, must not shorten a file."""
    with connected(served.port) as ftp:
        data = ftp.transfercmd("STOR incoming/cut")
        data.sendall(b"half")
        os.close(data.detach())
        with pytest.raises(ftplib.error_temp, match="426"):
            ftp.voidresp()
    assert not [*(served.root / "incoming").glob("cut*")]


def test_nothing_is_imported_for_it_once_privileges_are_gone(served: Served) -> None:
    before = served.said().count("import time:")
    with connected(served.port) as ftp:
        fetched(ftp, "pub/hello.txt")
        ftp.storbinary("STOR incoming/late", io.BytesIO(b"late"))
    assert served.said().count("import time:") == before


def test_implicit_tls(tmp_path: Path) -> None:
    require_root()
    require_program("curl")
    root = make_root(tmp_path)
    keep(tmp_path / "kept.pem", "203.0.113.5")
    with serve(root, "--root", str(root), "--tls", f"{tmp_path}/kept.pem", "--implicit-tls") as one:
        url = f"ftps://{HERE}:{one.port}/pub/hello.txt"
        got = subprocess.run(["curl", "-sSk", url], capture_output=True, check=True).stdout
        assert got == b"hello\n"


FORCED = """
anonymous_enable=YES
listen=YES
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
rsa_cert_file={pem}
anon_root={root}
"""


def test_tls_is_required_where_a_configuration_says_so(served: Served, tmp_path: Path) -> None:
    root = make_root(tmp_path)
    configuration = tmp_path / "vsftpd.conf"
    configuration.write_text(
        FORCED.lstrip().format(root=root, pem=served.root.parent / "server.pem")
    )
    with serve(root, "--vsftpd", str(configuration)) as one:
        with one.talk() as talk:
            assert talk.code("USER anonymous") == "530"
        with ftplib.FTP_TLS(context=WITHOUT_CHECKING, timeout=PATIENCE) as ftp:
            ftp.connect(HERE, one.port)
            ftp.login()
            assert ftp.sendcmd("PBSZ 0").startswith("200")
            with pytest.raises(ftplib.error_perm):
                ftp.sendcmd("EPSV")
