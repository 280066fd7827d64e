"""Host-port arguments: any bytes give an endpoint or a HostPortError with a known reason.

What was parsed, formatted and parsed again is the same; what was found in a reply can be
replaced where it was found, and is found there again; what ``format_`` refuses is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from ftpfw.ftp.hostport import (
    NO_HOST_PORT,
    Eprt,
    HostPort,
    HostPortError,
    find_227,
    find_229,
    format_eprt,
    format_port,
    parse_eprt,
    parse_port,
)
from tests.fuzz.script import Script

REASONS = {
    NO_HOST_PORT,
    "six numbers wanted",
    "more than six numbers",
    "octet above 255",
    "port 0",
    "port above 65535",
    "malformed port",
    "malformed address",
    "no delimiter",
    "three fields wanted",
    "net-prt neither 1 nor 2",
    "scope id",
}

ELSEWHERE = HostPort(IPv4Address("203.0.113.250"), 65535)


def fuzz(data: bytes) -> None:
    script = Script(data)
    law = script.pick(LAWS)
    try:
        law(script)
    except HostPortError as error:
        _require_known(error)


def _require_known(error: HostPortError) -> None:
    assert error.reason in REASONS, error.reason


def _port(script: Script) -> None:
    endpoint = parse_port(script.rest())
    assert parse_port(format_port(endpoint)) == endpoint


def _eprt(script: Script) -> None:
    eprt = parse_eprt(script.rest())
    assert parse_eprt(format_eprt(eprt.endpoint)).endpoint == eprt.endpoint
    # A delimiter that occurs in an address as it is normally written cannot be kept.
    with suppress(ValueError):
        assert parse_eprt(format_eprt(eprt.endpoint, eprt.delimiter)) == eprt


def _found_227(script: Script) -> None:
    text = script.rest()
    endpoint, start, end = find_227(text)
    assert parse_port(text[start:end]) == endpoint
    told = format_port(ELSEWHERE)
    assert find_227(text[:start] + told + text[end:]) == (ELSEWHERE, start, start + len(told))


def _found_229(script: Script) -> None:
    text = script.rest()
    endpoint, start, end = find_229(text)
    assert endpoint == HostPort(None, int(text[start:end]))
    told = b"%d" % ELSEWHERE.port
    found = (HostPort(None, ELSEWHERE.port), start, start + len(told))
    assert find_229(text[:start] + told + text[end:]) == found


def _formatted(script: Script) -> None:
    delimiter = script.take(1)
    port = script.signed(3)
    address = script.rest()
    host = IPv4Address(address[:4].ljust(4, b"\0"))
    endpoint = HostPort(host, port)
    if len(address) > 4:
        endpoint = HostPort(IPv6Address(address[:16].ljust(16, b"\0")), port)
    with suppress(ValueError):
        assert parse_port(format_port(endpoint)) == endpoint
    with suppress(ValueError):
        assert parse_eprt(format_eprt(endpoint, delimiter)) == Eprt(endpoint, delimiter)


LAWS: tuple[Callable[[Script], None], ...] = (_port, _eprt, _found_227, _found_229, _formatted)
