"""Small files, over TCP on loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ftpfw.server.embedded.download import SMALL, Download, send_small


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), 10) as sender,
    ):
        receiver, _ = listener.accept()
        with receiver:
            receiver.settimeout(10)
            yield sender, receiver


def download(directory: Path, content: bytes, at: int = 0) -> Download:
    path = directory / "file"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, at, os.SEEK_SET)
    return Download(descriptor, "/file", len(content))


def received(sockets: tuple[socket.socket, socket.socket]) -> bytes:
    sender, receiver = sockets
    sender.close()
    with receiver.makefile("rb") as stream:
        return stream.read()


@pytest.mark.parametrize("at", [0, 5])
def test_a_file_goes_whole(
    connected: tuple[socket.socket, socket.socket], tmp_path: Path, at: int
) -> None:
    file = download(tmp_path, b"a few bytes", at)
    assert send_small(connected[0], file)
    file.close()
    assert received(connected) == b"a few bytes"[at:]


def test_what_does_not_fit_is_left_for_later(
    connected: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    sender = connected[0]
    sender.setblocking(False)
    before = 0
    with suppress(BlockingIOError):
        while True:
            before += sender.send(bytes(SMALL))
    file = download(tmp_path, b"a few bytes")
    assert not send_small(sender, file)
    assert file.tell() == 0
    file.close()
    assert received(connected) == bytes(before)


@pytest.mark.parametrize("size", [0, SMALL + 1])
def test_an_empty_or_large_file_is_not_sent_so(
    connected: tuple[socket.socket, socket.socket], tmp_path: Path, size: int
) -> None:
    file = download(tmp_path, bytes(size))
    assert not send_small(connected[0], file)
    file.close()
    assert received(connected) == b""
