"""An exercise that stays up, entered and taken down; and what is left when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import netns

from ftpfw.lab.standing import PLACE

from .netns import require_program, require_root

NAME = "two-modes"
WITHIN = 60.0

pytestmark = pytest.mark.xdist_group("lab-up")


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ftpfw", "lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)


@pytest.fixture(autouse=True)
def _needs() -> Iterator[None]:
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl")
    if PLACE.exists():
        pytest.skip("an exercise of somebody's is up: ftpfw lab down")
    yield
    lab("down")
    assert not PLACE.exists()


def up(name: str = NAME) -> dict[str, Any]:
    done = lab("up", name, "--json")
    assert done.returncode == 0, done.stderr
    standing: dict[str, Any] = json.loads(done.stdout)
    return standing


def left(standing: dict[str, Any]) -> set[str]:
    """Namespaces, files and processes of an exercise that was up."""
    found = {name for name in netns.listnetns() if name in standing["namespaces"].values()}
    found |= {
        str(path) for path in [Path(standing["directory"]), *PLACE.glob("*")] if path.exists()
    }
    prefix = f"ftpfw-{standing['pid']}-"
    found |= {str(path) for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")}
    return found


def test_it_stays_and_goes() -> None:
    standing = up()
    assert left(standing)
    inside = lab("shell", "client", "curl", "-sS", "ftp://192.0.2.10/")
    assert "download.bin" in inside.stdout
    done = lab("down", "--json")
    assert json.loads(done.stdout) == {"down": [NAME]}
    assert not left(standing)


def test_a_gateway_answers_its_command_line() -> None:
    standing = up("ftpfw-helper")
    done = lab("shell", "gateway", "ftpfw", "status", "--json")
    assert json.loads(done.stdout)["backend"]
    assert lab("down").returncode == 0
    assert not left(standing)


def test_a_second_one_is_refused() -> None:
    standing = up()
    again = lab("up", NAME)
    assert again.returncode == 1
    assert f"{NAME} is up already" in again.stderr
    assert lab("down", "nat-gateway").returncode == 1
    assert lab("shell", "client", "true").returncode == 0, "the first is unhurt"
    lab("down")
    assert not left(standing)


def test_of_two_at_once_one_is_refused() -> None:
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: lab("up", NAME), range(2)))
    assert sorted(done.returncode for done in both) == [0, 1]
    assert sum(f"-up-{NAME}-client" in name for name in netns.listnetns()) == 1
    assert json.loads(lab("down", "--json").stdout) == {"down": [NAME]}
    assert not [name for name in netns.listnetns() if f"-up-{NAME}-" in name]


def test_an_unknown_host_names_the_known_ones() -> None:
    up()
    done = lab("shell", "router", "true")
    assert done.returncode == 1
    assert "one of client, server" in done.stderr


@pytest.mark.parametrize("then", [("down",), ("up", NAME)], ids=" ".join)
def test_what_a_killed_keeper_left_is_removed(then: tuple[str, ...]) -> None:
    standing = up()
    descriptor = os.pidfd_open(standing["pid"])
    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)
    assert left(standing)
    assert lab(*then).returncode == 0
    lab("down")
    assert not left(standing)


def test_what_does_not_come_up_leaves_nothing(tmp_path: Path) -> None:
    text = Path("labs", NAME, "exercise.toml").read_text().replace("vsftpd", "wu-ftpd")
    (tmp_path / "exercise.toml").write_text(text)
    before = set(netns.listnetns())
    done = lab("up", str(tmp_path))
    assert done.returncode == 1
    assert "there is no daemon wu-ftpd" in done.stderr
    assert not [name for name in set(netns.listnetns()) - before if "-up-" in name]
