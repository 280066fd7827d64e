"""The server's certificate: read, or made once and kept; and a TLS context for each session.

A context of its own for each control connection makes session reuse mean what it should: the
tickets of one context open no other, so a data connection that resumes a session can
only be its control connection's (vsftpd's require_ssl_reuse; RFC 4217 10.4 leaves it open).
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from ftpfw.server.embedded.obeyed import error_at
from ftpfw.server.settings import Settings

DAYS = 825
_OBSOLETE = {"SSLv3": SSL.SSL3_VERSION, "TLSv1": SSL.TLS1_VERSION, "TLSv1.1": SSL.TLS1_1_VERSION}


@dataclass(frozen=True, slots=True)
class Tls:
    """What contexts are made of."""

    key: crypto.PKey
    chain: tuple[crypto.X509, ...]
    settings: Settings

    def context(self) -> SSL.Context:
        """A context for one session: its control connection and the data connections."""
        tls = self.settings.tls
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        oldest = [_OBSOLETE[one] for one in tls.obsolete if one in _OBSOLETE]
        context.set_min_proto_version(min([SSL.TLS1_2_VERSION, *oldest]))
        context.set_options(SSL.OP_NO_COMPRESSION)
        context.use_certificate(self.chain[0])
        for other in self.chain[1:]:
            context.add_extra_chain_cert(other)
        context.use_privatekey(self.key)
        context.set_session_id(secrets.token_bytes(16))
        if tls.ciphers:
            context.set_cipher_list(tls.ciphers.encode())
        if tls.client_certificate:
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
            context.load_verify_locations(tls.authorities)
        return context

    def fingerprint(self) -> str:
        """SHA-256 of the certificate, for clients to compare."""
        return self.chain[0].digest("sha256").decode()


def load(settings: Settings) -> Tls:
    """Read certificate and key; ConfigError where they do not fit."""
    tls = settings.tls
    if tls.certificate is None:
        mend = "name one, or let ftpfw serve --tls make one"
        raise error_at(settings, "tls.certificate", "TLS without a certificate", mend)
    try:
        chain = Path(tls.certificate).read_bytes()
        key = Path(tls.key or tls.certificate).read_bytes()
        made = Tls(
            crypto.load_privatekey(crypto.FILETYPE_PEM, key),
            tuple(
                crypto.X509.from_cryptography(one) for one in x509.load_pem_x509_certificates(chain)
            ),
            settings,
        )
        made.context().check_privatekey()
    except (OSError, ValueError, crypto.Error, SSL.Error) as error:
        what = f"no certificate with its key: {error or 'they do not fit'}"
        mend = "give PEM files of a certificate and its key"
        raise error_at(settings, "tls.certificate", what, mend) from error
    return made


def keep(file: Path, public: str | None) -> None:
    """Make a certificate for this host in ``file``, unless there is one."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host, public)), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(pem)
    fresh.replace(file)


def _names(host: str, public: str | None) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(host), x509.DNSName("localhost")]
    if public is None:
        return names
    try:
        return [*names, x509.IPAddress(ip_address(public))]
    except ValueError:
        return [*names, x509.DNSName(public)]
