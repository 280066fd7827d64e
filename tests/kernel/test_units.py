"""The units of packaging/ under systemd: started, reloaded, killed, stuck and stopped.

They are installed as packaging/README.md says, into a host that is given away afterwards: the
guest of `make vm-test`, whose systemd is the distribution's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpfw.conntrack import cthelper

from .conftest import joined, made_namespaces
from .gateway_host import Gateway, active, session
from .leftovers import GUEST
from .sockets import PATIENCE

ROOT = Path(__file__).parents[2]
PREFIX = Path("/opt/ftpfw")
SETTINGS = Path("/etc/ftpfw")
HELPER = "ftpfw.service"
RULES = "ftpfw-rules.service"
NET_ADMIN = 1 << 12
DYNAMIC_USERS = range(61184, 65520)

# The distribution's interpreter: another may lie where the units' ProtectHome= hides it.
PROGRAM = f"""\
#!/usr/bin/python3
import sys
sys.path[:0] = ["{PREFIX}/source", "{PREFIX}/packages"]
from ftpfw.cli import main
main()
"""


class Host(Gateway):
    """The guest itself as the gateway, under its service manager."""

    @property
    def state(self) -> Path:
        return Path("/run/ftpfw")

    def traces(self) -> dict[str, str]:
        """As on any gateway; but what runs here is no business of ours alone."""
        return {kind: text for kind, text in super().traces().items() if kind != "processes"}

    def is_active(self, unit: str) -> bool:
        return shown(unit, "ActiveState") == "active"

    def restarted(self, times: int) -> None:
        """Wait until the helper has been started again that often, and is ready."""
        deadline = time.monotonic() + 6 * PATIENCE
        while shown(HELPER, "NRestarts") != str(times) or not self.is_active(HELPER):
            assert time.monotonic() < deadline, journal()
            time.sleep(0.2)


def systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + journal()


def shown(unit: str, name: str) -> str:
    argv = ["systemctl", "show", "--value", f"--property={name}", unit]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def journal() -> str:
    """The last that either unit has said."""
    units = ["--unit", HELPER, "--unit", RULES]
    argv = ["journalctl", "--no-pager", "--output=cat", "--lines=25", *units]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def mount(source: Path | str, place: Path) -> None:
    place.mkdir(parents=True)
    subprocess.run(["mount", "--bind", source, place], check=True)


@pytest.fixture(scope="module")
def installed() -> None:
    """What packaging/README.md has an administrator do."""
    if not (GUEST / "status").exists():
        pytest.skip("needs a host to give away: make vm-test")
    mount(sysconfig.get_path("purelib"), PREFIX / "packages")
    mount(ROOT / "ftpfw", PREFIX / "source" / "ftpfw")
    (PREFIX / "bin").mkdir()
    program = PREFIX / "bin" / "ftpfw"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    tried = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"needs our packages for /usr/bin/python3: {tried.stderr}")
    SETTINGS.mkdir()
    for unit in (HELPER, RULES):
        shutil.copy(ROOT / "packaging" / "systemd" / unit, "/etc/systemd/system")
    systemctl("daemon-reload")


@pytest.fixture(params=["borrowed", "cthelper"])
def host(request: pytest.FixtureRequest, installed: None) -> Iterator[Host]:
    if request.param == "cthelper" and not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    with made_namespaces() as namespaces:
        net = joined(namespaces, namespaces.own("gateway"))
        here = Host(net, SETTINGS, request.param)
        here.policy()
        try:
            yield here
        finally:
            systemctl("stop", RULES)
            systemctl("reset-failed")


def test_rules_outlive_the_helper_and_nothing_outlives_the_rules(host: Host) -> None:
    before = host.traces()
    systemctl("start", HELPER)
    with session(host) as talk:
        active(talk)
        systemctl("stop", HELPER)
        assert shown(HELPER, "Result") == "success", journal()
        host.done("rules", "check", SETTINGS / "gateway.toml")
        assert talk.say(b"NOOP\r\n") == b"NOOP\r\n", 'on_crash = "open"'
        systemctl("start", HELPER)
        active(talk)
    systemctl("stop", RULES)
    assert not host.is_active(HELPER)
    assert host.traces() == before


def test_it_is_a_user_of_its_own_with_one_capability(host: Host) -> None:
    host.policy(metrics="127.0.0.1:9921", transfer_log="/var/log/ftpfw/transfers.json")
    systemctl("start", HELPER)
    status = Path(f"/proc/{shown(HELPER, 'MainPID')}/status").read_text()
    found = {name: value.split() for name, _, value in map(partition, status.splitlines())}
    (user,) = set(found["Uid"])
    assert int(user) in DYNAMIC_USERS
    assert {name: int(found[name][0], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {
        "CapPrm": NET_ADMIN,
        "CapEff": NET_ADMIN,
        "CapBnd": NET_ADMIN,
    }
    assert found["Seccomp"] == ["2"]
    assert Path("/var/log/ftpfw/transfers.json").exists()
    metrics = subprocess.run(
        ["curl", "-sS", "http://127.0.0.1:9921/metrics"], capture_output=True, text=True, check=True
    )
    assert "ftpfw_start_time_seconds" in metrics.stdout


def partition(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def test_a_reload_changes_over_and_sessions_go_on(host: Host) -> None:
    policy = host.policy()
    systemctl("start", HELPER)
    pid = shown(HELPER, "MainPID")
    with session(host) as talk:
        active(talk)
        host.policy(ports=[21, 2121])
        systemctl("reload", HELPER)
        assert host.status()["helper"]["policy"]["text"] == policy.read_text()
        assert shown(HELPER, "MainPID") == pid
        active(talk)


def test_a_reload_of_a_policy_that_is_wrong_changes_nothing(host: Host) -> None:
    text = host.policy().read_text()
    systemctl("start", HELPER)
    before = host.traces()
    host.policy(check=1)
    reload = subprocess.run(["systemctl", "reload", HELPER], capture_output=True, check=False)
    assert reload.returncode != 0
    assert "gateway.toml:7: helper.check: unknown key" in journal()
    assert host.is_active(HELPER)
    assert host.traces() == before
    assert host.status()["helper"]["policy"]["text"] == text


def test_a_helper_that_is_killed_is_started_again(host: Host) -> None:
    systemctl("start", HELPER)
    with session(host) as talk:
        active(talk)
        os.kill(int(shown(HELPER, "MainPID")), signal.SIGKILL)
        host.restarted(times=1)
        active(talk)


def test_a_worker_that_stands_still_has_another_helper_started(host: Host) -> None:
    systemctl("start", HELPER)
    with session(host) as talk:
        active(talk)
        (worker,) = host.status()["helper"]["workers"]
        os.kill(worker["pid"], signal.SIGSTOP)
        host.restarted(times=1)
        assert "Failed with result 'watchdog'" in journal()
        active(talk)
