"""Run ``ftpfw`` and send it a signal before the n-th thing that it does to its host.

    python -m tests.kernel.cut_short COUNT_FILE SIGNAL N ARGUMENT …

What it does to its host: programs that it starts, files that it opens to write, makes, moves or
removes, datagrams that it sends (netlink's are among them), signals that it sends: audit events
(PEP 578). COUNT_FILE has the name of each, a line each, so that a whole run (N = 0) tells how many
there are.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

CHANGES = {
    "subprocess.Popen",
    "os.posix_spawn",
    "os.fork",
    "os.kill",
    "os.mkdir",
    "os.rmdir",
    "os.rename",
    "os.remove",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.chown",
    "shutil.rmtree",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
}
POINTS = int(os.environ.get("FTPFW_CUTS", "2"))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Cut:
    """A signal before the n-th change; N 0: none."""

    signal: signal.Signals
    number: int

    def argv(self, counts: Path, *arguments: str) -> list[str]:
        """The command line of ``ftpfw`` with these arguments, cut short."""
        own = [str(counts), self.signal.name, str(self.number)]
        return [sys.executable, "-m", "tests.kernel.cut_short", *own, *arguments]


def _watch(counts: int, sent: signal.Signals, number: int) -> None:
    seen = count(1)
    at_work: list[bool] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if at_work or not _changes(event, arguments):
            return
        at_work.append(True)
        os.write(counts, f"{event} {arguments[:1]}\n".encode())
        if next(seen) == number:
            os.kill(os.getpid(), sent)
        at_work.clear()

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        name, flags = arguments[0], arguments[2]
        return isinstance(flags, int) and bool(flags & WRITING) and name != os.devnull
    return event in CHANGES


def changes(counts: Path) -> list[str]:
    """What a run did, in its order."""
    return counts.read_text().splitlines()


def chosen(total: int) -> list[int]:
    """Which changes to cut at: some, spread evenly; all if that is few."""
    return sorted({1 + total * (2 * point + 1) // (2 * POINTS) for point in range(POINTS)})


def main() -> None:
    """Run it."""
    file, name, number, *arguments = sys.argv[1:]
    counts = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    sys.argv = ["ftpfw", *arguments]
    from ftpfw.cli import main as ftpfw  # noqa: PLC0415  before the hook: imports change nothing

    _watch(counts, signal.Signals[name], int(number))
    ftpfw()


if __name__ == "__main__":
    main()
