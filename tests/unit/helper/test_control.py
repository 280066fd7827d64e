"""The control socket: one report a connection, however long, and nobody can hold it up."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ftpfw.errors import HostError
from ftpfw.helper.control import ControlSocket, ask
from ftpfw.helper.eventloop import EventLoop, beside


@contextmanager
def answering(path: Path, report: dict[str, Any]) -> Iterator[None]:
    with closing(EventLoop()) as loop, closing(ControlSocket(path, lambda: report)) as control:
        loop.watch(control.fileno(), control.answer)
        with beside(loop):
            yield


def test_a_report_arrives_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with answering(path, {"pid": 7}):
        assert ask(path) == {"pid": 7}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_report_may_be_longer_than_a_sockets_buffer(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    report = {"sessions": ["x" * 100] * 20_000}
    with answering(path, report):
        assert ask(path) == report


def test_who_does_not_read_keeps_nobody_waiting_long(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with answering(path, {"sessions": "x" * 2_000_000}), socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        assert ask(path)["sessions"]


def test_nobody_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"does not answer at .*\n  mend: "):
        ask(tmp_path / "control.sock")
