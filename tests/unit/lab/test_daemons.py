from __future__ import annotations

import re

import pytest

from ftpfw.lab.daemons.configurations import DAEMONS, Place, Start

PLACE = Place(
    "192.0.2.10",
    "/lab/root",
    "/lab",
    "/lab/empty",
    passive=(50000, 50100),
    public="203.0.113.1",
    certificate="/lab/certificate.pem",
)


def told(start: Start) -> str:
    """Everything that a daemon is told, as one text."""
    return " ".join([*start.arguments, *start.files.values()])


@pytest.mark.parametrize("daemon", DAEMONS)
def test_nothing_of_it_lives_outside_the_lab(daemon: str) -> None:
    paths = re.findall(r"(?<![\w{/.<])/[\w/.-]+", told(DAEMONS[daemon](PLACE, {})))
    assert paths
    assert all(path.startswith("/lab") for path in paths), paths


@pytest.mark.parametrize("daemon", DAEMONS)
def test_it_is_told_where_and_how(daemon: str) -> None:
    text = told(DAEMONS[daemon](PLACE, {}))
    for wanted in ("192.0.2.10", "203.0.113.1", "50000", "50100", "/lab/certificate.pem"):
        assert wanted in text


OPTIONS = [
    pytest.param("vsftpd", "anon_umask", "077", "anon_umask=077", id="vsftpd"),
    pytest.param("pure-ftpd", "U", "177:077", "-U 177:077", id="pure-ftpd"),
    pytest.param("proftpd", "MaxClients", "3", "MaxClients 3", id="proftpd"),
    pytest.param("ftpfw", "quota", "2M", "--quota 2M", id="ftpfw"),
]


@pytest.mark.parametrize(("daemon", "name", "value", "line"), OPTIONS)
def test_an_option_takes_the_place_of_ours(daemon: str, name: str, value: str, line: str) -> None:
    text = told(DAEMONS[daemon](PLACE, {name: value}))
    assert line in text
    assert len(re.findall(rf"(?:^|[\s-]){name}[= ]", text)) == 1
