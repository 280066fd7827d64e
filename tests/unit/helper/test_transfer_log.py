"""The transfer log between the thread of packets and a loop that is late."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpfw.ftp.negotiation import Kind
from ftpfw.helper import transfer_log
from ftpfw.helper.commands import Transfer
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.transfer_file import TransferFile
from ftpfw.helper.transfer_log import BACKLOG, Outputs, TransferLog

from .world import ORIGINAL

TRANSFER = Transfer(ORIGINAL, 1, None, Kind.PORT, "kim", "RETR", "file")


class Observer:
    """In place of the one that listens to the kernel: keeps when what it is told was said."""

    def __init__(self, *_: Any) -> None:
        self.said: list[float] = []

    def tell(self, _: Transfer, said: float) -> None:
        self.said.append(said)

    def close(self) -> None:
        pass


def test_what_waits_while_a_disk_hangs_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer()
    monkeypatch.setattr(transfer_log, "_Observer", lambda *_: observer)
    with closing(EventLoop()) as loop, closing(TransferFile(str(tmp_path / "log"))) as file:
        log = TransferLog(Outputs(file, None), 0, loop)
        for _ in range(BACKLOG + 3):
            log.note(TRANSFER)
        assert log.report() == {"written": 0, "lost": 3}
        noted = time.monotonic()
        loop.after(0, loop.stop)
        loop.run()
        assert len(observer.said) == BACKLOG
        assert max(observer.said) <= noted, "a late loop makes no transfer later"
        log.note(TRANSFER)
        assert log.report()["lost"] == 3, "there is room again"
