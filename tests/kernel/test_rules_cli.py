"""``ftpfw rules`` as an administrator runs it, on a terminal of his own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import GatewayNet
from .rules_host import SUFFIX, NftHost, RulesHost

POLICY = """\
[gateway]
inside = ["in0"]
outside = "out0"
masquerade = true

[helper]
backend = "none"

[clients]
allow = ["10.77.1.0/24", "fd77:1::/64"]
"""

PATIENCE = 20.0
"""Seconds until a command that should have ended counts as hanging."""


class Admin:
    """Runs ``ftpfw rules`` on the gateway."""

    def __init__(self, host: RulesHost | NftHost, directory: Path) -> None:
        self.host = host
        self.policy = directory / "gateway.toml"
        self.policy.write_text(POLICY)

    def argv(self, command: str, *options: str) -> list[str]:
        ftpfw = [sys.executable, "-m", "ftpfw", "rules", command, str(self.policy), *options]
        return ["ip", "netns", "exec", self.host.namespace, *ftpfw]

    def rules(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(command, *options), capture_output=True, text=True, check=False
        )

    def apply(self, *options: str) -> subprocess.CompletedProcess[str]:
        return self.rules("apply", "--backend", self.host.firewall, *options)


@pytest.fixture(params=[*SUFFIX, NftHost.firewall])
def admin(request: pytest.FixtureRequest, gateway_net: GatewayNet, tmp_path: Path) -> Admin:
    if request.param == NftHost.firewall:
        return Admin(NftHost(gateway_net.gateway), tmp_path)
    return Admin(RulesHost(gateway_net.gateway, request.param), tmp_path)


@pytest.fixture
def one_admin(gateway_net: GatewayNet, tmp_path: Path) -> Admin:
    """For what has nothing to do with the kind of firewall."""
    return Admin(RulesHost(gateway_net.gateway, "nft-compat"), tmp_path)


def is_live(admin: Admin) -> bool:
    return "ftpfw-forward" in admin.host.saved()


def test_applied_checked_and_removed(admin: Admin) -> None:
    before = admin.host.saved()
    applied = admin.apply()
    said = rf"applied on {admin.host.firewall}: (\d+) IPv4 and \1 IPv6 rules\n"
    assert re.fullmatch(said, applied.stdout)
    assert admin.rules("check").returncode == 0
    removed = admin.rules("remove")
    assert (removed.returncode, removed.stdout) == (0, f"removed from {admin.host.firewall}\n")
    assert not is_live(admin)
    if admin.host.firewall != "legacy":
        assert admin.host.saved() == before
    assert "no rules" in admin.rules("remove").stdout


def drop_all_but_loopback(host: RulesHost | NftHost) -> tuple[str, str]:
    """Put another rule in the place of the first drop: what was wanted, and what is found."""
    if isinstance(host, RulesHost):
        host.iptables("-R ftpfw-drop 1 -i lo -j ACCEPT")
        return "-i in0 -o out0 -j DROP", "-i lo -j ACCEPT"
    wanted = 'iifname "in0" oifname "out0" counter drop'
    listing = host.nft("--stateless --handle list chain inet ftpfw ftpfw-forward").splitlines()
    (handle,) = (line.split()[-1] for line in listing if line.strip().startswith(wanted))
    host.nft(f"replace rule inet ftpfw ftpfw-forward handle {handle} iifname lo accept")
    return wanted, 'iifname "lo" accept'


def test_drift_is_a_table_or_an_object(admin: Admin) -> None:
    admin.apply()
    wanted, found = drop_all_but_loopback(admin.host)
    said = admin.rules("check")
    assert said.returncode == 1
    iptables = isinstance(admin.host, RulesHost)
    assert "ftpfw-drop" in said.stdout or not iptables
    assert found in said.stdout
    report = json.loads(admin.rules("check", "--json").stdout)
    assert report == {
        "firewall": admin.host.firewall,
        "drift": [
            {
                "kind": "changed",
                "family": "IPv4" if iptables else "inet",
                "table": "filter" if iptables else "ftpfw",
                "chain": "ftpfw-drop" if iptables else "ftpfw-forward",
                "wanted": wanted,
                "found": found,
            }
        ],
    }


def test_a_dry_run_shows_the_difference_and_changes_nothing(admin: Admin) -> None:
    before = admin.host.saved()
    first = admin.apply("--dry-run")
    assert (first.returncode, first.stderr) == (0, "")
    assert admin.host.saved() == before
    lines = first.stdout.splitlines()
    assert [line for line in lines if line.startswith("-") and not line.startswith("---")] == []
    admin.apply()
    live = admin.host.saved()
    assert "is as wanted" in admin.apply("--dry-run").stdout
    wanted, found = drop_all_but_loopback(admin.host)
    lines = admin.apply("--dry-run").stdout.splitlines()
    assert [line[0] for line in lines if line.endswith(wanted)] == ["+"]
    assert [line[0] for line in lines if line.endswith(found)] == ["-"]
    admin.apply()
    assert admin.host.saved() == live


def test_an_interface_that_is_not_here_stops_everything(one_admin: Admin) -> None:
    one_admin.policy.write_text(POLICY.replace("out0", "wan9"))
    before = one_admin.host.saved()
    refused = one_admin.apply()
    assert refused.returncode == 2
    assert f"{one_admin.policy}:3: gateway.outside: there is no interface 'wan9'" in refused.stderr
    assert one_admin.host.saved() == before


def test_rules_live_on_one_firewall_only(one_admin: Admin) -> None:
    other = next(name for name in SUFFIX if name != one_admin.host.firewall)
    assert one_admin.rules("apply", "--backend", other).returncode == 0
    refused = one_admin.apply()
    assert refused.returncode == 1
    assert f"live on {other} already" in refused.stderr
    assert not is_live(one_admin)
    assert one_admin.rules("remove").stdout == f"removed from {other}\n"


def test_a_broken_policy_does_not_keep_its_rules_in_place(one_admin: Admin) -> None:
    one_admin.apply()
    one_admin.policy.write_text("not a policy")
    assert one_admin.rules("check").returncode == 2
    assert one_admin.rules("remove").returncode == 0
    assert not is_live(one_admin)


class Terminal:
    """``rules apply --confirm`` on a pseudo-terminal."""

    def __init__(self, admin: Admin, seconds: int) -> None:
        self.near, far = pty.openpty()
        options = ("--backend", admin.host.firewall, "--confirm", str(seconds))
        self.process = subprocess.Popen(
            admin.argv("apply", *options),
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
        )
        os.close(far)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            assert select.select([self.near], [], [], PATIENCE)[0], self.shown
            self.shown += os.read(self.near, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.near, text.encode())

    def hang_up(self) -> None:
        os.close(self.near)
        self.near = -1

    def end(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.near >= 0:
            os.close(self.near)


Open = Callable[[Admin, int], Terminal]


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def open_terminal(admin: Admin, seconds: int) -> Terminal:
        opened.append(Terminal(admin, seconds))
        opened[-1].wait_for("keep these rules? [y/N]")
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_a_yes_keeps_the_rules(one_admin: Admin, terminal: Open) -> None:
    asked = terminal(one_admin, 60)
    assert is_live(one_admin)
    asked.type("y\n")
    asked.wait_for("applied on")
    assert asked.end() == 0
    assert is_live(one_admin)


@pytest.mark.parametrize("answer", ["n\n", "\n", "yesterday\n", "\x04"])
def test_any_other_answer_rolls_back(one_admin: Admin, terminal: Open, answer: str) -> None:
    asked = terminal(one_admin, 60)
    asked.type(answer)
    asked.wait_for("rolled back")
    assert asked.end() == 1
    assert not is_live(one_admin)


def test_silence_rolls_back(one_admin: Admin, terminal: Open) -> None:
    asked = terminal(one_admin, 1)
    asked.wait_for("rolled back")
    assert asked.end() == 1
    assert not is_live(one_admin)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_rolls_back(one_admin: Admin, terminal: Open, number: signal.Signals) -> None:
    asked = terminal(one_admin, 60)
    asked.process.send_signal(number)
    assert asked.end() == 1
    assert not is_live(one_admin)


def test_a_lost_terminal_rolls_back(one_admin: Admin, terminal: Open) -> None:
    asked = terminal(one_admin, 60)
    asked.hang_up()
    asked.end()
    assert not is_live(one_admin)


def test_rolled_back_to_the_rules_before(admin: Admin, terminal: Open) -> None:
    admin.policy.write_text(POLICY.replace(', "fd77:1::/64"', ""))
    admin.apply()
    before = admin.host.saved()
    admin.policy.write_text(POLICY.replace("10.77.1.0/24", "10.77.0.0/16"))
    asked = terminal(admin, 60)
    assert "10.77.0.0/16" in admin.host.saved()
    asked.type("n\n")
    asked.end()
    assert [line for line in admin.host.saved().splitlines() if "ftpfw" in line] == [
        line for line in before.splitlines() if "ftpfw" in line
    ]
