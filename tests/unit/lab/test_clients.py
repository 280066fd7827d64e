from __future__ import annotations

from itertools import product
from pathlib import PurePath

import pytest

from ftpfw.lab.clients.commands import COMMANDS, Errand, Mode, What, cannot, modes_sent


def errand(what: What, mode: Mode, *, server: str = "192.0.2.10", tls: bool = False) -> Errand:
    remote = {What.DOWN: "a.bin", What.UP: "incoming/b.bin", What.LIST: ""}[what]
    return Errand(what, mode, server, remote, PurePath("here/file"), tls)


def told(client: str, one: Errand) -> str:
    """Everything a client is told, as one text."""
    invocation = COMMANDS[client](one)
    return " ".join(invocation.argv) + "\n" + invocation.stdin


@pytest.mark.parametrize(("client", "what"), list(product(COMMANDS, What)))
def test_each_mode_that_a_client_has_is_told_apart(client: str, what: What) -> None:
    able = [mode for mode in Mode if cannot(client, mode, 4, what) is None]
    assert len({told(client, errand(what, mode)) for mode in able}) == len(able)


@pytest.mark.parametrize("client", COMMANDS)
def test_the_files_are_named(client: str) -> None:
    assert "a.bin" in told(client, errand(What.DOWN, Mode.PASV))
    if cannot(client, Mode.PASV, 4, What.UP) is None:
        assert "incoming/b.bin" in told(client, errand(What.UP, Mode.PASV))


@pytest.mark.parametrize("client", ["curl", "lftp", "wget"])
def test_an_ipv6_address_stands_in_brackets(client: str) -> None:
    assert "ftp://[2001:db8::1]" in told(client, errand(What.DOWN, Mode.EPSV, server="2001:db8::1"))


def test_nobodys_own_configuration_is_read() -> None:
    one = errand(What.DOWN, Mode.PASV)
    assert "--norc" in told("lftp", one)
    assert " -q " in told("curl", one)
    assert "--no-config" in told("wget", one)
    assert " -n " in told("tnftp", one)


@pytest.mark.parametrize("client", ["curl", "lftp"])
def test_tls_is_asked_for_and_insisted_on(client: str) -> None:
    secure = told(client, errand(What.DOWN, Mode.PASV, tls=True))
    assert "--ssl-reqd" in secure or "ftp:ssl-force yes" in secure
    assert secure != told(client, errand(What.DOWN, Mode.PASV))


CANNOT = [
    pytest.param("curl", Mode.PORT, 6, What.DOWN, "no room", id="PORT on IPv6"),
    pytest.param("curl", Mode.EPRT, 6, What.DOWN, None, id="EPRT on IPv6"),
    pytest.param("lftp", Mode.EPRT, 4, What.DOWN, "IPv6 only", id="lftp EPRT"),
    pytest.param("lftp", Mode.EPRT, 6, What.DOWN, None, id="lftp EPRT on IPv6"),
    pytest.param("wget", Mode.PASV, 4, What.UP, "does not upload", id="wget up"),
    pytest.param("wget", Mode.EPSV, 4, What.DOWN, "IPv6 only", id="wget EPSV"),
    pytest.param("ncftp", Mode.EPSV, 6, What.DOWN, "IPv4 only", id="ncftp on IPv6"),
    pytest.param("tnftp", Mode.EPSV, 4, What.LIST, None, id="tnftp EPSV"),
]


@pytest.mark.parametrize(("client", "mode", "version", "what", "why"), CANNOT)
def test_what_a_client_has_not(
    client: str, mode: Mode, version: int, what: What, why: str | None
) -> None:
    reason = cannot(client, mode, version, what)
    assert reason is None if why is None else why in (reason or "")


TRACES = [
    pytest.param("> USER anonymous\n> EPRT |1|10.0.0.1|5|\n", {"EPRT"}, id="curl"),
    pytest.param("---> PASV\n<--- 227 Entering\n", {"PASV"}, id="lftp"),
    pytest.param("> EPRT |1|\n< 500 no\n> PORT 1,2\n", {"EPRT", "PORT"}, id="changed its mind"),
    pytest.param("< 200 PORT command successful\n", set(), id="a reply is no command"),
    pytest.param("---> EPSV\n---> RETR a\n", {"EPSV"}, id="tnftp"),
    pytest.param("2026-11-26 08:06:28  Cmd: PORT 10,0,0,1,2,3\n", {"PORT"}, id="ncftp"),
    pytest.param("==> SIZE a ... 6\n==> PASV ... done.    ==> RETR a", {"PASV"}, id="wget"),
    pytest.param("> PASVX\n", set(), id="another verb"),
]


@pytest.mark.parametrize(("trace", "modes"), TRACES)
def test_modes_sent(trace: str, modes: set[str]) -> None:
    assert modes_sent(trace) == modes
