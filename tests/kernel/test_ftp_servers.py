"""What the tests say of a daemon that does not come up."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import made_namespaces
from .ftp_servers import HERE, _await_ready
from .netns import inside, require_root

WORDS = "the daemon's own words"
GREETER = "import socket; socket.socket(fileno=0).accept()[0].send(b'500 no')"


@contextmanager
def said_and(directory: Path, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that has said something, and does what it should not."""
    (directory / "output").write_text(WORDS)
    process = subprocess.Popen(argv)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("argv", "within", "why"),
    [
        (("sleep", "600"), 0.2, "nobody answers at .* after 0.2 s"),
        (("sh", "-c", "exit 3"), 60.0, "it has ended with status 3"),
    ],
    ids=["never answers", "ends"],
)
def test_a_server_that_is_never_ready_is_told_of(
    argv: tuple[str, ...], within: float, why: str, tmp_path: Path
) -> None:
    require_root()
    with made_namespaces() as namespaces, said_and(tmp_path, *argv) as process:
        here = namespaces.create("server")
        with pytest.raises(pytest.fail.Exception, match=f"{why}\n{WORDS}"):
            _await_ready(here, process, tmp_path, (HERE, 21), within)


def test_a_greeting_that_is_none_is_told_of(tmp_path: Path) -> None:
    require_root()
    with made_namespaces() as namespaces, said_and(tmp_path, "sleep", "600") as process:
        here = namespaces.create("server")
        with inside(here, lambda: socket.create_server((HERE, 0))) as listener:
            greeter = subprocess.Popen([sys.executable, "-c", GREETER], stdin=listener.fileno())
            with pytest.raises(pytest.fail.Exception, match=f"greets with b'500 no'\n{WORDS}"):
                _await_ready(here, process, tmp_path, listener.getsockname())
            greeter.wait()
