"""FTPS, which mod_tls speaks."""

from __future__ import annotations

from typing import Any

from ftpfw.server.proftpd.arguments import TRUE, boolean, text
from ftpfw.server.proftpd.grammar import Directive
from ftpfw.server.proftpd.site import Site, find
from ftpfw.server.settings import Path, TlsLevel


def settings_of(site: Site) -> dict[Path, Any]:
    """Levels, certificates and versions."""
    on = boolean(find("TLSEngine", site.server), False)
    line = find("TLSOptions", site.server)
    options = {word.lower() for word in line.arguments} if line else set()
    verify = find("TLSVerifyClient", site.server)
    optional = (text(verify) or "").lower() == "optional"
    required = not optional and boolean(verify, False)
    users, guests = (
        _level(on, find("TLSRequired", contexts)) for contexts in (site.users, site.guests)
    )
    return {
        # who has not logged in yet is held to the server's: off in a section lets nobody in
        # (measured on 1.3.8)
        "tls.anonymous": max(users, guests, key=list(TlsLevel).index),
        "tls.users": users,
        "tls.implicit": on and "useimplicitssl" in options,
        "tls.certificate": text(find("TLSRSACertificateFile", site.server)),
        "tls.key": text(find("TLSRSACertificateKeyFile", site.server)),
        "tls.ciphers": text(find("TLSCipherSuite", site.server)),
        "tls.session_reuse": "nosessionreuserequired" not in options,
        "tls.client_certificate": required,
        "tls.certificate_checked": required or optional,
        "tls.authorities": text(find("TLSCACertificateFile", site.server)),
        "tls.obsolete": _obsolete(find("TLSProtocol", site.server)) if on else (),
    }


VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OBSOLETE = VERSIONS[:3]


def _obsolete(line: Directive | None) -> tuple[str, ...]:
    """Without the directive TLS 1.0 is spoken, where the ciphers let it (measured on 1.3.8)."""
    if line is None:
        return _OBSOLETE[1:]
    every = any(word.lower() == "all" for word in line.arguments)
    said = {word.lower().lstrip("+") for word in line.arguments}
    return tuple(
        version
        for version in _OBSOLETE
        if version.lower() in said or (every and f"-{version.lower()}" not in said)
    )


def _level(on: bool, line: Directive | None) -> TlsLevel:
    if not on:
        return TlsLevel.OFF
    word = (text(line) or "off").lower()
    if word in TRUE or word in {"ctrl+data", "auth+data"}:
        return TlsLevel.DATA
    return TlsLevel.CONTROL if word.startswith(("ctrl", "auth")) else TlsLevel.OPTIONAL
