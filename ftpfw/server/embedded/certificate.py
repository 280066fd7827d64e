"""The server's certificate: read, or made once and kept; and a TLS context for each session.

A context of its own for each control connection makes session reuse mean what it should: the
tickets of one context open no other, so a data connection that resumes a session can
only be its control connection's (vsftpd's require_ssl_reuse; RFC 4217 10.4 leaves it open).

``ssl`` reads a key from a file alone, which a session has no right to. The key is in a file in
memory instead (memfd_create(2)), that workers inherit.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.server.embedded.obeyed import error_at
from ftpfw.server.settings import Settings

DAYS = 825
_OBSOLETE = {
    "SSLv3": ssl.TLSVersion.SSLv3,
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
}


@dataclass(frozen=True, slots=True)
class Tls:
    """What contexts are made of; ``memory`` is a descriptor of key and certificates."""

    memory: int
    fingerprint: str
    authorities: str | None
    settings: Settings

    def context(self) -> ssl.SSLContext:
        """A context for one session: its control connection and its data connections."""
        tls = self.settings.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        oldest = [_OBSOLETE[one] for one in tls.obsolete if one in _OBSOLETE]
        context.minimum_version = min([ssl.TLSVersion.TLSv1_2, *oldest])
        if tls.ciphers:
            context.set_ciphers(tls.ciphers)
        if tls.client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
        elif tls.certificate_checked:
            context.verify_mode = ssl.CERT_OPTIONAL
        if self.authorities:
            context.load_verify_locations(cadata=self.authorities)
        context.load_cert_chain(f"/proc/self/fd/{self.memory}")
        return context

    def close(self) -> None:
        """Forget the key."""
        os.close(self.memory)


def load(settings: Settings) -> Tls:
    """Read certificate and key; ConfigError where they do not fit."""
    tls = settings.tls
    if tls.certificate is None:
        mend = "name one, or let ftpfw serve --tls make one"
        raise error_at(settings, "tls.certificate", "TLS without a certificate", mend)
    if tls.client_certificate and tls.authorities is None:
        what = "clients must have a certificate, and nobody is named to vouch for it"
        mend = "name the file of the authorities, or demand no certificate"
        raise error_at(settings, "tls.client_certificate", what, mend)
    memory = os.memfd_create("ftpfw-certificate")
    try:
        chain = Path(tls.certificate).read_text(encoding="ascii")
        key = "" if tls.key is None else Path(tls.key).read_text(encoding="ascii")
        authorities = tls.authorities and Path(tls.authorities).read_text(encoding="ascii")
        os.write(memory, f"{key}\n{chain}".encode())
        made = Tls(memory, _fingerprint(chain), authorities, settings)
        made.context()
    except (OSError, ValueError) as error:
        os.close(memory)
        what = f"no certificate with its key: {error}"
        mend = "give PEM files of a certificate and its key"
        raise error_at(settings, "tls.certificate", what, mend) from error
    return made


def _fingerprint(chain: str) -> str:
    """SHA-256 of the first certificate, for clients to compare."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = chain[chain.index(begin) : chain.index(end) + len(end)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest().hex(":")


def keep(file: Path, public: str | None) -> None:
    """Make a certificate for this host in ``file``, unless there is one; openssl(1) does."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    host = socket.gethostname()[:64] or "localhost"
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    make = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    names = ",".join(_names(host, public))
    about = ("-days", str(DAYS), "-subj", f"/CN={host}", "-addext", f"subjectAltName={names}")
    out = ("-nodes", "-keyout", str(fresh), "-out", "-")
    try:
        done = subprocess.run([*make, *about, *out], capture_output=True, text=True, check=True)
        with fresh.open("a", encoding="ascii") as pem:
            pem.write(done.stdout)
        fresh.replace(file)
    except (OSError, subprocess.CalledProcessError) as error:
        fresh.unlink(missing_ok=True)
        raise HostError(
            f"openssl could not make a certificate: {getattr(error, 'stderr', '') or error}",
            mend="install openssl, or name a certificate of your own: --tls FILE",
        ) from error


def _names(host: str, public: str | None) -> list[str]:
    names = [f"DNS:{host}", "DNS:localhost"]
    if public is None:
        return names
    try:
        return [*names, f"IP:{ip_address(public)}"]
    except ValueError:
        return [*names, f"DNS:{public}"]
