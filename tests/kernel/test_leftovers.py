"""The check that compares a host before and after notices every kind of thing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from .leftovers import left, snapshot
from .netns import Namespaces, inside, require_root, run

pytestmark = pytest.mark.xdist_group("leftovers")


@pytest.fixture
def home(namespaces: Namespaces) -> str:
    require_root()
    return namespaces.create("left")


@contextmanager
def a_namespace(home: str) -> Iterator[str]:
    del home
    name = "ftpfw-left-over"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@contextmanager
def a_link(home: str) -> Iterator[str]:
    run(home, "ip", "link", "add", "left0", "type", "veth", "peer", "name", "left1")
    yield "left0@left1"


@contextmanager
def a_rule(home: str) -> Iterator[str]:
    run(home, "iptables-legacy", "-A", "FORWARD", "-j", "DROP")
    yield "iptables-legacy-save: -A FORWARD -j DROP"


@contextmanager
def a_table(home: str) -> Iterator[str]:
    run(home, "iptables-nft", "-N", "ftpfw-left")
    yield "iptables-nft-save: :ftpfw-left -"


@contextmanager
def a_process(home: str) -> Iterator[str]:
    del home
    command = [sys.executable, "-c", "import time; time.sleep(600)", "ftpfw-left-over"]
    with subprocess.Popen(command) as process:
        try:
            yield f"{process.pid} "
        finally:
            process.kill()


@contextmanager
def a_sysctl(home: str) -> Iterator[str]:
    run(home, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    yield "/proc/sys/net/ipv4/ip_forward=1"


@contextmanager
def a_directory(home: str) -> Iterator[str]:
    del home
    path = Path(tempfile.gettempdir()) / "ftpfw-1-left-over"
    path.mkdir()
    try:
        yield str(path)
    finally:
        path.rmdir()


KINDS = [
    pytest.param("namespace", a_namespace, id="namespace"),
    pytest.param("link", a_link, id="link"),
    pytest.param("rule", a_rule, id="rule"),
    pytest.param("rule", a_table, id="chain"),
    pytest.param("process", a_process, id="process"),
    pytest.param("sysctl", a_sysctl, id="sysctl"),
    pytest.param("file", a_directory, id="directory"),
]


@pytest.mark.parametrize(("kind", "leave"), KINDS)
def test_it_is_noticed(
    home: str, kind: str, leave: Callable[[str], AbstractContextManager[str]]
) -> None:
    before = inside(home, snapshot)
    with leave(home) as name:
        found = left(before, inside(home, snapshot))
    assert any(one == kind and text.startswith(name) for one, text in found), found


def test_a_mount_is_noticed(home: str) -> None:
    del home
    script = (
        "import subprocess, tempfile;"
        "from tests.kernel.leftovers import left, snapshot;"
        "place = tempfile.mkdtemp(); before = snapshot();"
        "subprocess.run(['mount', '-t', 'tmpfs', 'none', place], check=True);"
        "assert ('mount', f'/ {place}') in left(before, snapshot());"
        "subprocess.run(['umount', place], check=True)"
    )
    subprocess.run(["unshare", "--mount", sys.executable, "-c", script], check=True)


def test_nothing_is_nothing(home: str) -> None:
    once = inside(home, snapshot)
    assert not [one for one in left(once, inside(home, snapshot)) if one[0] in {"link", "rule"}]
