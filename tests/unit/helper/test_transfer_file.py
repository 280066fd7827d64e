"""Appending lines to a file that others rename, fill up or share."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ftpfw.errors import HostError
from ftpfw.helper.transfer_file import TransferFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "transfers"


@contextmanager
def opened(path: Path) -> Iterator[TransferFile]:
    with closing(TransferFile(str(path))) as file:
        yield file


def test_lines_are_appended_and_nobody_else_may_read_them(path: Path) -> None:
    for line in ("one\n", "two\n"):
        with opened(path) as file:
            file.append(line)
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_renamed_file_is_followed(path: Path) -> None:
    with opened(path) as file:
        file.append("one\n")
        path.rename(path.with_suffix(".1"))
        file.append("two\n")
        file.append("three\n")
    assert path.with_suffix(".1").read_text() == "one\n"
    assert path.read_text() == "two\nthree\n"


def test_two_writers_share_a_file_that_is_renamed(path: Path) -> None:
    with opened(path) as one, opened(path) as other:
        one.append("one\n")
        path.rename(path.with_suffix(".1"))
        other.append("two\n")
        one.append("three\n")
    assert path.read_text() == "two\nthree\n"


def test_full_disk_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with opened(Path("/dev/full")) as file:
        for _ in range(3):
            file.append("lost\n")
        assert (file.written, file.lost) == (0, 3)
    assert [record.message for record in caplog.records] == [
        "/dev/full: transfers are not logged: No space left on device"
    ]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes: a write that would is cut (setrlimit(2))."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_line_that_was_cut_spoils_no_other(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with opened(path) as file:
        file.append("one\n")
        with room_for(8):
            file.append("two two\n")
            file.append("three\n")
        file.append("four\n")
        assert (file.written, file.lost) == (2, 2)
    assert path.read_text() == "one\ntwo \nfour\n"
    assert caplog.records[-1].message == f"{path}: transfers are logged again, 2 were not"


def test_file_whose_directory_went_is_written_when_it_is_back(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    directory.mkdir()
    path = directory / "transfers"
    with opened(path) as file:
        path.unlink()
        directory.rmdir()
        file.append("lost\n")
        directory.mkdir()
        file.append("kept\n")
    assert path.read_text() == "kept\n"


def test_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file or directory"):
        TransferFile(str(tmp_path / "missing" / "transfers"))


def test_descriptor_is_given_back(path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with opened(path) as file:
        path.rename(path.with_suffix(".1"))
        file.append("one\n")
    assert set(os.listdir("/proc/self/fd")) == before
