"""The log file that several processes write."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from ftpfw.helper.logfile import SharedLog

WRITER = """
import logging, sys
from pathlib import Path
from ftpfw.helper.logfile import SharedLog
log = logging.getLogger("test")
log.addHandler(SharedLog(Path(sys.argv[1]), limit=int(sys.argv[2])))
for number in range(200):
    log.warning("%s %03d %s", sys.argv[3], number, "x" * 50)
"""


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, __file__, 1, text, None, None)


def test_a_full_file_makes_room(tmp_path: Path) -> None:
    path = tmp_path / "helper.log"
    log = SharedLog(path, limit=20)
    for text in ("the first line", "the second line", "the third line", "the fourth line"):
        log.emit(record(text))
    log.close()
    assert path.read_text() == "the third line\nthe fourth line\n"
    assert (tmp_path / "helper.log.1").read_text() == "the first line\nthe second line\n"


def test_several_processes_lose_and_mix_no_line(tmp_path: Path) -> None:
    path = tmp_path / "helper.log"
    limit = 4 * 200 * 60 * 3 // 4  # reached once
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(limit), str(number)])
        for number in range(4)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    older = tmp_path / "helper.log.1"
    lines = older.read_text().splitlines() + path.read_text().splitlines()
    expected = {f"{writer} {number:03} {'x' * 50}" for writer in range(4) for number in range(200)}
    assert sorted(lines) == sorted(expected)


def test_it_follows_a_file_that_was_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "helper.log"
    log = SharedLog(path)
    log.emit(record("before"))
    path.rename(tmp_path / "moved")
    log.emit(record("after"))
    log.close()
    assert path.read_text() == "after\n"
