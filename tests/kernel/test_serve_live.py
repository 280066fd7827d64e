"""The embedded server as it is met elsewhere: on IPv6, without root, asking for certificates."""

from __future__ import annotations

import ftplib
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .netns import require_program, require_root
from .served import HERE, PATIENCE, make_root, serve

SIX = "::1"
DEMANDING = """\
listen=YES
anonymous_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
ssl_enable=YES
require_cert=YES
require_ssl_reuse=NO
rsa_cert_file={pem}
ca_certs_file={pem}
anon_root={root}
"""


@pytest.mark.parametrize("way", [[], ["-P", "-"]], ids=["EPSV", "EPRT"])
def test_clients_on_ipv6(way: list[str], tmp_path: Path) -> None:
    require_root()
    require_program("curl")
    root = make_root(tmp_path)
    at = ("--address", SIX, "--port", "0")
    with serve(root, "--root", str(root), "--upload", listen=at) as one:
        curl = ["curl", "-sS", "-v", "-g", "-m", "20", *way]
        url = f"ftp://[{SIX}]:{one.port}"
        got = subprocess.run([*curl, f"{url}/pub/big.bin"], capture_output=True, check=False)
        assert got.stdout == (root / "pub" / "big.bin").read_bytes(), got.stderr
        assert (b"> EPRT |2|" if way else b"> EPSV") in got.stderr
        up = [*curl, "-T", str(root / "pub" / "big.bin"), f"{url}/incoming/up"]
        subprocess.run(up, capture_output=True, check=True)
    assert (root / "incoming" / "up").read_bytes() == (root / "pub" / "big.bin").read_bytes()


@contextmanager
def may_tell() -> Iterator[None]:
    """Let another user send to the socket on which a server says that it is ready."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def test_a_user_without_privileges_serves(tmp_path: Path) -> None:
    require_root()
    require_program("setpriv")
    root = make_root(tmp_path)
    nobody = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups")
    with may_tell(), serve(root, "--root", str(root), prefix=nobody) as one, one.login() as talk:
        assert talk.fetch("RETR pub/hello.txt")[0] == b"hello\n"
        assert talk.fetch("RETR pub/private.txt")[1].startswith("550")
        assert talk.store("STOR new", b"x").startswith("55")
        status = Path(f"/proc/{one.workers()[0]}/status").read_text()
        assert "CapEff:\t0000000000000000" in status


def test_a_certificate_that_nobody_vouches_for_cannot_be_demanded(tmp_path: Path) -> None:
    require_root()
    configuration = tmp_path / "vsftpd.conf"
    text = DEMANDING.format(root=make_root(tmp_path), pem=certificate(tmp_path, "ours"))
    configuration.write_text(text.partition("ca_certs_file")[0])
    command = [sys.executable, "-m", "ftpfw", "serve", "--vsftpd", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{configuration}:7: clients must have a certificate" in done.stderr


def certificate(directory: Path, name: str) -> Path:
    """Key and certificate, signed by itself."""
    pem = directory / f"{name}.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(
        [*make, "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", pem, "-out", pem],
        check=True,
        capture_output=True,
    )
    return pem


def logs_in(port: int, shown: Path | None) -> bool:
    """Whether a client that shows a certificate, or none, gets as far as a listing's names."""
    context = ssl._create_unverified_context()
    if shown is not None:
        context.load_cert_chain(shown)
    try:
        with ftplib.FTP_TLS(context=context, timeout=PATIENCE) as ftp:
            ftp.connect(HERE, port)
            ftp.login()
            ftp.prot_p()
            return "hello.txt" in {name.rpartition("/")[2] for name in ftp.nlst("pub")}
    except (ssl.SSLError, ConnectionError, EOFError, ftplib.Error):
        return False


def test_a_client_certificate_is_demanded(tmp_path: Path) -> None:
    require_root()
    root = make_root(tmp_path)
    ours, strange = certificate(tmp_path, "ours"), certificate(tmp_path, "strange")
    configuration = tmp_path / "vsftpd.conf"
    configuration.write_text(DEMANDING.format(root=root, pem=ours))
    with serve(root, "--vsftpd", str(configuration)) as one:
        assert logs_in(one.port, ours)
        assert not logs_in(one.port, None)
        assert not logs_in(one.port, strange)
        with socket.create_connection((HERE, one.port), PATIENCE) as connection:
            assert connection.recv(64).startswith(b"220")  # it is there still
