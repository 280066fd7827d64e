"""Metrics over HTTP: what is answered, and what scrapers that hang can do."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ftpfw.errors import HostError
from ftpfw.helper.metrics_server import CONNECTIONS, exporting
from ftpfw.helper.report import Report

from .reports import helper_report

GET = b"GET /metrics HTTP/1.0\r\n\r\n"


def scraper(path: Path, request: bytes = b"") -> socket.socket:
    """A connection to the socket file, on which ``request`` has been sent."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    connection.settimeout(10)
    connection.sendall(request)
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def scrape(path: Path) -> bytes:
    return answer(scraper(path, GET))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "metrics.sock"
    with exporting(str(path), helper_report):
        yield path


def test_a_scraper_gets_the_report(served: Path) -> None:
    head, _, body = scrape(served).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"text/plain" in head
    assert b"\nftpfw_expectations 0.0\n" in body


def test_the_socket_file_is_its_owners_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with exporting(str(path), helper_report):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_socket_file_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with exporting(str(path), helper_report):
        assert b"200 OK" in scrape(path)


def test_any_other_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(HostError, match="metrics cannot be served at"):
        exporting(str(path), helper_report).__enter__()
    assert path.read_text() == "mine"


def test_a_helper_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    def report() -> Report:
        raise HostError("the helper does not answer")

    path = tmp_path / "metrics.sock"
    with exporting(str(path), report):
        told = scrape(path)
    assert told.startswith(b"HTTP/1.0 503 ")
    assert told.endswith(b"the helper does not answer\n")


HANGING = [
    ("says nothing", b""),
    ("half a request", b"GET /metr"),
    ("half a head", b"GET /metrics HTTP/1.0\r\nAccept: text"),
]


@pytest.mark.parametrize("said", [row[1] for row in HANGING], ids=[row[0] for row in HANGING])
def test_scrapers_that_hang_keep_nobody_out(served: Path, said: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS + 3):
            stack.enter_context(scraper(served, said))
        assert b"200 OK" in scrape(served)


def test_the_oldest_makes_room(served: Path) -> None:
    with ExitStack() as stack:
        hanging = [stack.enter_context(scraper(served)) for _ in range(CONNECTIONS)]
        assert b"200 OK" in scrape(served)
        assert hanging[0].recv(1) == b""
        hanging[-1].sendall(GET)
        assert hanging[-1].recv(65536).startswith(b"HTTP/1.0 200 OK")


def test_one_that_does_not_read_costs_a_connection_only(served: Path) -> None:
    with scraper(served, GET * 1000):
        assert b"200 OK" in scrape(served)


def test_a_scraper_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with exporting(str(path), helper_report):
        hanging = scraper(path, b"GET")
        assert b"200 OK" in scrape(path)
    assert answer(hanging) == b""


def test_nowhere_is_nothing_served(tmp_path: Path) -> None:
    with exporting(None, helper_report):
        assert list(tmp_path.iterdir()) == []


def test_only_get_is_answered(served: Path) -> None:
    posted = answer(scraper(served, b"POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n"))
    assert posted.startswith(b"HTTP/1.0 405 ")
