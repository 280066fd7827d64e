"""Readiness, told to whoever listens on $NOTIFY_SOCKET."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftpfw.errors import HostError
from ftpfw.helper.notify import READY, listening, notify, reloading, require_listener

PATIENCE = 5.0


def test_ready_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ready.sock"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with listening(path) as ready:
        notify(READY)
        assert ready(os.getpid(), PATIENCE)
    assert not path.exists()


def test_other_messages_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ready.sock"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with listening(path) as ready:
        notify(reloading())
        assert not ready(os.getpid(), 0.1)
        notify(reloading())
        notify(READY)
        assert ready(os.getpid(), PATIENCE)


def test_the_end_of_the_process_ends_the_wait(tmp_path: Path) -> None:
    with listening(tmp_path / "ready.sock") as ready:
        process = subprocess.Popen([sys.executable, "-c", ""])
        assert not ready(process.pid, PATIENCE)
        assert process.wait() == 0


def test_nobody_needs_to_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone.sock"))
    notify(READY)


def test_who_waits_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ready.sock"
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    require_listener()
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with listening(path):
        require_listener()
    with pytest.raises(HostError, match=r"nobody waits at \$NOTIFY_SOCKET .*No such file"):
        require_listener()
