"""Explicit FTPS across a loaded gateway, with real TLS on the control connection.

The client inside reaches a server outside, or, where the gateway publishes it, the host inside
is the server. What TLS hides cannot be read: the server's passive range opens for those
who have a control connection to it, and for nobody else.
"""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .gateway_host import (
    Gateway,
    active,
    borrowed,
    gateway,
    session,
)
from .lab_server import vsftpd
from .netns import inside, require_program, run
from .sockets import PATIENCE, connect, listen, receive_line

__all__ = ["borrowed", "gateway"]

INSIDE, OUTSIDE, PUBLIC = "10.77.1.10", "192.0.2.10", "192.0.2.1"
STRANGER = "192.0.2.66"
PASSIVE = range(50000, 50101)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key and its certificate in one file."""
    require_program("openssl")
    key = tmp_path_factory.mktemp("tls") / "server.pem"
    certificate = key.with_suffix(".crt")
    elliptic = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    named = ("-subj", "/CN=ftp.example", "-days", "2", "-keyout", key, "-out", certificate)
    subprocess.run(["openssl", "req", "-x509", *elliptic, *named], capture_output=True, check=True)
    key.write_text(key.read_text() + certificate.read_text())
    return key


@dataclass(frozen=True)
class Control:
    """Both ends of a control connection, in clear text or under TLS."""

    client: socket.socket
    server: socket.socket

    def say(self, line: bytes) -> None:
        self.client.sendall(line)
        assert receive_line(self.server) == line

    def answer(self, line: bytes) -> None:
        self.server.sendall(line)
        assert receive_line(self.client) == line

    def talk(self, rounds: int = 5) -> None:
        for number in range(rounds):
            self.say(b"NOOP %d\r\n" % number)
            self.answer(b"200 %d\r\n" % number)

    def under_tls(self, certificate: Path) -> Control:
        """AUTH TLS, 234 and the handshake."""
        self.say(b"AUTH TLS\r\n")
        self.answer(b"234 Go on\r\n")
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        with ThreadPoolExecutor() as pool:
            there = pool.submit(server.wrap_socket, self.server, server_side=True)
            here = pool.submit(client.wrap_socket, self.client)
            return Control(here.result(), there.result())

    def in_clear_again(self) -> Control:
        """CCC: said and answered under TLS, which both sides then end."""
        self.say(b"CCC\r\n")
        self.answer(b"200 In clear again\r\n")
        assert isinstance(self.client, ssl.SSLSocket)
        assert isinstance(self.server, ssl.SSLSocket)
        with ThreadPoolExecutor() as pool:
            here, there = pool.submit(self.client.unwrap), pool.submit(self.server.unwrap)
            return Control(here.result(), there.result())


@contextmanager
def control(gateway: Gateway) -> Iterator[Control]:
    """A client inside, a server outside."""
    with session(gateway) as talk:
        yield Control(talk.client, talk.server)


def queued(gateway: Gateway) -> int:
    """Packets that a rule has given to the inspector."""
    saved = run(gateway.net.gateway, "iptables-legacy-save", "-c")
    saved += run(gateway.net.gateway, "iptables-nft-save", "-c")
    counts = [re.match(r"\[(\d+):", line) for line in saved.splitlines() if "NFQUEUE" in line]
    assert counts
    return sum(int(count[1]) for count in counts if count)


def phases(gateway: Gateway) -> list[str]:
    return [
        one["phase"]
        for worker in gateway.status()["helper"]["workers"]
        for one in worker["sessions"]
    ]


def test_a_client_inside_speaks_tls_to_a_server_outside(
    gateway: Gateway, certificate: Path
) -> None:
    gateway.done("load", gateway.policy())
    with control(gateway) as clear:
        clear.talk()
        opaque = clear.under_tls(certificate)
        opaque.talk()
        assert phases(gateway) == ["tls"]
        assert gateway.notes()["opaque"] == {"AUTH accepted": 1}
        opaque.client.close()
        opaque.server.close()


def test_tls_is_no_longer_queued(borrowed: Gateway, certificate: Path) -> None:
    borrowed.done("load", borrowed.policy())
    with control(borrowed) as clear:
        opaque = clear.under_tls(certificate)
        before = queued(borrowed)
        opaque.talk(50)
        assert queued(borrowed) == before
        opaque.client.close()
        opaque.server.close()


def test_auth_refused_stays_clear(gateway: Gateway) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        assert talk.say(b"AUTH TLS\r\n") == b"AUTH TLS\r\n"
        assert talk.answer(b"534 No\r\n") == b"534 No\r\n"
        active(talk)
    assert phases(gateway) == ["clear"]


def test_ccc_brings_the_inspector_back(gateway: Gateway, certificate: Path) -> None:
    gateway.done("load", gateway.policy())
    with session(gateway) as talk:
        opaque = Control(talk.client, talk.server).under_tls(certificate)
        opaque.talk()
        clear = opaque.in_clear_again()
        active(type(talk)(gateway, clear.client, clear.server))
        assert phases(gateway) == ["clear"]
        assert gateway.notes()["opaque"] == {"AUTH accepted": 1, "clear text again": 1}
        clear.client.close()
        clear.server.close()


def publish(gateway: Gateway) -> Path:
    """The policy of a gateway whose inside host is a server with FTPS."""
    path = gateway.directory / "published.toml"
    path.write_text(
        '[gateway]\ninside = ["in0"]\noutside = "out0"\nmasquerade = true\n'
        f'[helper]\nbackend = "{gateway.backend}"\n'
        f'[[server]]\naddress = "{INSIDE}"\npublic = "{PUBLIC}"\n'
        f'passive_ports = "{PASSIVE[0]}-{PASSIVE[-1]}"\n'
    )
    run(gateway.net.server, "ip", "address", "add", f"{STRANGER}/24", "dev", "eth0")
    gateway.done("load", path)
    return path


@contextmanager
def published_control(gateway: Gateway) -> Iterator[Control]:
    """A client outside, the published server inside."""
    with inside(gateway.net.client, lambda: listen(INSIDE, 21)) as listener:
        client = inside(gateway.net.server, lambda: connect(PUBLIC, 21))
        server, _ = listener.accept()
        server.settimeout(PATIENCE)
        with client, server:
            yield Control(client, server)


def data_crosses(gateway: Gateway, port: int, source: str = OUTSIDE) -> bool:
    """Whether a client outside can open a data connection, and both sides are heard on it."""
    with inside(gateway.net.client, lambda: listen(INSIDE, port)) as listener:
        try:
            client = inside(
                gateway.net.server,
                lambda: socket.create_connection((PUBLIC, port), 0.7, source_address=(source, 0)),
            )
        except OSError:
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
            return False
        server, (seen, _) = listener.accept()
        server.settimeout(PATIENCE)
        with client, server:
            assert seen == source
            client.sendall(b"up\n")
            assert receive_line(server) == b"up\n"
            server.sendall(b"down\n")
            assert receive_line(client) == b"down\n"
        return True


def test_a_published_server_opens_its_range_to_who_has_a_control_connection(
    gateway: Gateway, certificate: Path
) -> None:
    publish(gateway)
    assert not data_crosses(gateway, 50007), "nobody has"
    with published_control(gateway) as clear:
        assert not data_crosses(gateway, 50007), "it is in clear text, and has announced nothing"
        opaque = clear.under_tls(certificate)
        for port in (PASSIVE[0], 50007, PASSIVE[-1]):
            assert data_crosses(gateway, port)
        assert gateway.expectations() == [], "each was for one connection"
        assert not data_crosses(gateway, PASSIVE[0] - 1)
        assert not data_crosses(gateway, PASSIVE[-1] + 1)
        assert not data_crosses(gateway, 50007, source=STRANGER)
        opaque.talk()
        opaque.client.close()
        opaque.server.close()
    assert not data_crosses(gateway, 50008), "the control connection has ended"
    assert gateway.expectations() == []


def test_several_data_connections_at_once(gateway: Gateway, certificate: Path) -> None:
    publish(gateway)
    with published_control(gateway) as clear:
        opaque = clear.under_tls(certificate)
        with ThreadPoolExecutor() as pool:
            assert all(pool.map(lambda port: data_crosses(gateway, port), range(50010, 50018)))
        opaque.client.close()
        opaque.server.close()


def test_a_killed_helper_goes_on_under_tls(gateway: Gateway, certificate: Path) -> None:
    policy = publish(gateway)
    with published_control(gateway) as clear:
        opaque = clear.under_tls(certificate)
        gateway.kill_helper()
        opaque.talk()
        assert not data_crosses(gateway, 50007), "nobody is there to ask"
        gateway.done("load", policy)
        assert data_crosses(gateway, 50007)
        assert phases(gateway) == ["tls"]
        opaque.talk()
        opaque.client.close()
        opaque.server.close()


def test_curl_and_vsftpd(gateway: Gateway, certificate: Path, tmp_path: Path) -> None:
    """Upload and download of a real client under TLS, control and data."""
    require_program("vsftpd", "curl")
    secure = {
        "ssl_enable": "YES",
        "allow_anon_ssl": "YES",
        "force_anon_logins_ssl": "YES",
        "force_anon_data_ssl": "YES",
        "rsa_cert_file": str(certificate),
        "require_ssl_reuse": "NO",
        "ssl_ciphers": "HIGH",
        "pasv_min_port": str(PASSIVE[0]),
        "pasv_max_port": str(PASSIVE[-1]),
        "pasv_address": PUBLIC,
    }
    publish(gateway)
    content = bytes(range(256)) * 4096
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    tmp_path.chmod(0o755)
    with vsftpd(gateway.net.client, INSIDE, tmp_path, secure) as site:
        site.publish("file", content)
        for way in ("--disable-epsv", "--ftp-pasv"):
            url = f"ftp://{PUBLIC}"
            run(gateway.net.server, *curl(way), "-o", str(target), f"{url}/file")
            assert target.read_bytes() == content
            run(gateway.net.server, *curl(way), "-T", str(source), f"{url}/incoming/{way}")
            assert (site.incoming / way).read_bytes() == content
    assert set(gateway.notes()) <= {"opaque", "expected"}


def curl(way: str) -> list[str]:
    return ["curl", "-sS", "--max-time", "20", "--ssl-reqd", "--insecure", way]
