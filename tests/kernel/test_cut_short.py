"""Commands that a signal ends at any point, and disks without room: nothing is left behind.

``make proof`` cuts before each thing that a command does to its host, ``make test`` before two.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from pyroute2 import netns

from ftpfw.lab.hosts import is_alive, sweep
from ftpfw.lab.topology import namespace_owner

from .cut_short import Cut, changes, chosen
from .gateway_host import Gateway, borrowed
from .netns import require_program, require_root
from .sockets import PATIENCE
from .test_lab_run import living_processes, traces

__all__ = ["borrowed"]

SIGNALS = (signal.SIGINT, signal.SIGKILL)
WHOLE = Cut(signal.SIGKILL, 0)
BARE = re.compile(
    r"table ip6? \w+ \{\n(\tchain [A-Z]+ \{\n\t\ttype [^\n]* policy accept;\n\t\}\n)*\}\n"
)
"""Tables of iptables-nft's with nothing in them, which it makes when it first looks or writes."""

LONG = 60.0
FTPFW = (sys.executable, "-m", "ftpfw")


class Cutter:
    """Runs commands on the gateway, cut short."""

    def __init__(self, gateway: Gateway, counts: Path) -> None:
        self.gateway = gateway
        self.counts = counts
        self.before = gateway.traces()

    def run(self, how: Cut, *arguments: str | Path) -> int:
        """Its exit code; negative: the signal that ended it."""
        command = how.argv(self.counts, *map(str, arguments))
        return subprocess.run(
            ["ip", "netns", "exec", self.gateway.net.gateway, *command],
            env={**os.environ, "FTPFW_STATE_DIR": str(self.gateway.state)},
            capture_output=True,
            check=False,
        ).returncode

    def cuts(self, signals: tuple[signal.Signals, ...]) -> list[Cut]:
        """Where to cut what has been run whole before."""
        total = len(changes(self.counts))
        return [Cut(sent, number) for sent in signals for number in chosen(total)]

    def left(self) -> dict[str, str]:
        """What is on the host that was not there before."""
        now = self.gateway.traces()
        now["nft"] = BARE.sub("", now["nft"])
        return {key: value for key, value in now.items() if value != self.before[key]}

    def clean(self, *arguments: str | Path) -> None:
        """A command that takes away whatever there is."""
        done = self.gateway.ftpfw(*arguments)
        assert done.returncode == 0 or "nothing is loaded" in done.stderr, done.stderr


@pytest.fixture
def cutter(borrowed: Gateway, tmp_path: Path) -> Cutter:
    return Cutter(borrowed, tmp_path / "counts")


def test_load(cutter: Cutter) -> None:
    """Ended by a signal it undoes what it did; killed, ``unload`` does."""
    policy = cutter.gateway.policy()
    assert cutter.run(WHOLE, "load", policy) == 0
    cuts = cutter.cuts((signal.SIGTERM, *SIGNALS))
    cutter.clean("unload")
    for cut in cuts:
        code = cutter.run(cut, "load", policy)
        if cut.signal is signal.SIGKILL:
            assert code == -signal.SIGKILL
            cutter.clean("unload")
        else:
            assert code in {-cut.signal, 128 + cut.signal}
        assert not cutter.left(), cut


def test_load_that_is_killed_while_its_helper_starts(cutter: Cutter) -> None:
    """The helper finds nobody to tell that it is ready, and ends."""
    with cutter.gateway.started("load", cutter.gateway.policy()) as process:
        helper = _child(process.pid)
        process.kill()
    try:
        cutter.clean("unload")
        assert select.select([helper], [], [], LONG)[0], "the helper goes on alone"
    finally:
        os.close(helper)
    assert not cutter.left()


def _child(pid: int) -> int:
    """A pidfd of the helper that a load is about to start."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # others come and go
                if b"helper" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                    return os.pidfd_open(int(child))
    raise AssertionError("no helper was started")


def test_unload(cutter: Cutter) -> None:
    """Killed, it is done again; other signals wait until it is done."""
    policy = cutter.gateway.policy()
    cutter.gateway.done("load", policy)
    assert cutter.run(WHOLE, "unload") == 0
    for cut in cutter.cuts(SIGNALS):
        cutter.gateway.done("load", policy)
        cutter.run(cut, "unload")
        if cut.signal is signal.SIGKILL:
            cutter.clean("unload")
        assert not cutter.left(), cut


@pytest.mark.parametrize("firewall", ["legacy", "nft-compat", "nftables"])
def test_rules(cutter: Cutter, firewall: str) -> None:
    """``apply`` is whole or undone, and killed it is taken away by ``remove``."""
    policy = cutter.gateway.policy(backend="kernel")
    on = ("--backend", firewall)
    assert cutter.run(WHOLE, "rules", "apply", policy, *on) == 0
    applies = cutter.cuts(SIGNALS)
    assert cutter.run(WHOLE, "rules", "remove", policy) == 0
    removes = cutter.cuts((signal.SIGKILL,))
    assert not cutter.left()
    for cut in applies:
        cutter.run(cut, "rules", "apply", policy, *on)
        cutter.clean("rules", "remove", policy)
        assert not cutter.left(), cut
    for cut in removes:
        cutter.gateway.done("rules", "apply", policy, *on)
        cutter.run(cut, "rules", "remove", policy)
        cutter.clean("rules", "remove", policy)
        assert not cutter.left(), cut


def test_lab_run(tmp_path: Path) -> None:
    """Ended by a signal it takes its hosts down; killed, the next run does."""
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl")
    counts = tmp_path / "counts"

    def run(cut: Cut) -> int:
        command = cut.argv(counts, "lab", "run", "two-modes")
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            code = process.wait(LONG)
        if cut.signal is signal.SIGKILL:
            sweep()
        assert not traces(process.pid), cut
        assert not living_processes(process.pid), cut
        return code

    assert run(WHOLE) == 0
    total = len(changes(counts))
    for sent in SIGNALS:
        for number in chosen(total):
            assert run(Cut(sent, number)) in {0, -sent, 128 + sent}


SMALL = """
set -e
mount -t tmpfs -o size=16k,mode=1777 tmpfs "$0"
[ -z "$FILLED" ] || dd if=/dev/zero of="$0/filler" bs=1k 2>/dev/null || true
exec "$@"
"""


def on_a_small_disk(
    place: Mapping[str, Path], *command: str, filled: bool = False
) -> subprocess.CompletedProcess[str]:
    """A command for whose files there is hardly room, or none: a tmpfs that nobody else sees.

    ``place``: the variable that names the directory for its files.
    """
    ((variable, directory),) = place.items()
    directory.mkdir(exist_ok=True)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", SMALL, str(directory), *command],
        env={**os.environ, variable: str(directory), "FILLED": "yes" if filled else ""},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


@pytest.mark.parametrize("filled", [True, False], ids=["full", "small"])
def test_load_without_room(cutter: Cutter, *, filled: bool) -> None:
    """On a full disk it is refused; where there is room for its files, its log may be cut off."""
    enter = ("ip", "netns", "exec", cutter.gateway.net.gateway)
    load = (*FTPFW, "load", str(cutter.gateway.policy()))
    unload = ("sh", "-c", f"{shlex.join(load)} && {shlex.join([*FTPFW, 'unload'])}")
    place = {"FTPFW_STATE_DIR": cutter.gateway.state}
    done = on_a_small_disk(place, *enter, *(load if filled else unload), filled=filled)
    cutter.gateway.state.rmdir()  # that the small disk was mounted on
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if filled else 0), done.stderr
    assert ("No space left on device" in done.stderr) is filled
    assert not cutter.left()


@pytest.mark.parametrize(
    "command", ["run", pytest.param("up", marks=pytest.mark.xdist_group("lab-up"))]
)
def test_lab_without_room(tmp_path: Path, command: str) -> None:
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl")
    done = on_a_small_disk({"TMPDIR": tmp_path}, *FTPFW, "lab", command, "two-modes")
    assert done.returncode == 1, done.stdout
    assert "No space left on device" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    owners = {name: namespace_owner(name) for name in netns.listnetns() if "two-modes" in name}
    assert not [name for name, owner in owners.items() if owner and not is_alive(owner)]
