"""A real firewalld in a network namespace, with a system bus and a configuration of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from ftpfw.ruleset.firewalld import render_script
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy

from .netns import require_program, run

STARTS_WITHIN = 30.0

FOREIGN_RULE = "ipv4 mangle PREROUTING 0 -s 198.51.100.1 -j DROP"
"""The administrator's own, which stays as it is."""

DEFAULTS = Path("/etc/firewalld/firewalld.conf")

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass(frozen=True, slots=True)
class Firewalld:
    """A host whose firewall is firewalld's, as its administrator uses it."""

    namespace: str
    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "etc"

    @property
    def environment(self) -> dict[str, str]:
        bus = f"unix:path={self.directory / 'bus'}"
        own = {"DBUS_SYSTEM_BUS_ADDRESS": bus, "FIREWALLD_CONFIG": str(self.config)}
        return {**os.environ, **own}

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", self.namespace, *map(str, argv)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *arguments: str) -> str:
        """The output of a firewall-cmd that must succeed."""
        done = self.run("firewall-cmd", *arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def script(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = self.directory / "firewalld.sh"
        path.write_text(text)
        return self.run("sh", path, *arguments)

    def load(self, text: str) -> None:
        done = self.script(text)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + self.log()

    def remove(self, text: str) -> None:
        done = self.script(text, "remove")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + self.log()

    def packets(self, *parts: str) -> int:
        """The packets that the one direct rule with ``parts`` in its text has counted."""
        rules = [
            line
            for line in run(self.namespace, "iptables-save", "-c").splitlines()
            if all(part in line for part in parts)
        ]
        assert len(rules) == 1, rules
        return int(rules[0].removeprefix("[").partition(":")[0])

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def files(self) -> dict[str, bytes]:
        """The configuration directory, byte for byte."""
        found = sorted(self.config.rglob("*"))
        return {
            str(path.relative_to(self.config)): b"" if path.is_dir() else path.read_bytes()
            for path in found
        }

    def rules(self) -> str:
        """Everything that filters, translates or queues here, less counters."""
        nft = run(self.namespace, "nft", "--stateless", "list", "ruleset")
        saved = sorted(re.split(r"(?m)^(?=table )", nft))  # which table was first says nothing
        for program in ("iptables-legacy-save", "ip6tables-legacy-save"):
            lines = run(self.namespace, program).splitlines()
            saved += [line for line in lines if line.startswith("-")]
        return re.sub(r"counter packets \d+ bytes \d+", "counter", "\n".join(saved))


def script(policy: str, backend: Backend) -> str:
    return render_script(read_policy(policy, "gateway.toml"), backend)


@contextmanager
def firewalld(
    namespace: str, directory: Path, firewall_backend: str, zones: dict[str, str]
) -> Iterator[Firewalld]:
    """firewalld, running; ``zones`` are those of the interfaces."""
    require_program("firewalld", "dbus-daemon", "nft", "iptables-legacy")
    here = Firewalld(namespace, directory)
    _configure(here, firewall_backend)
    bus = directory / "bus.conf"
    bus.write_text(BUS.format(socket=directory / "bus"))
    with ExitStack() as stack:
        daemon = ["dbus-daemon", f"--config-file={bus}", "--nofork", "--print-address"]
        with_bus = stack.enter_context(
            _running(daemon, here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
        assert with_bus.stdout
        assert with_bus.stdout.readline(), "dbus-daemon did not start"
        options = ["--nofork", "--nopid", "--log-target=file", f"--log-file={directory / 'log'}"]
        command = ["firewalld", *options, f"--system-config={here.config}"]
        stack.enter_context(_running(["ip", "netns", "exec", namespace, *command], here))
        _wait_until_running(here)
        for interface, zone in zones.items():
            here.command("--permanent", f"--zone={zone}", f"--add-interface={interface}")
        here.command("--permanent", "--direct", "--add-rule", *FOREIGN_RULE.split())
        here.command("--reload")
        yield here


def _configure(here: Firewalld, firewall_backend: str) -> None:
    for name in ("zones", "services", "helpers", "policies", "ipsets", "icmptypes"):
        (here.config / name).mkdir(parents=True)
    text = DEFAULTS.read_text()
    text = re.sub(r"(?m)^FirewallBackend=.*", f"FirewallBackend={firewall_backend}", text)
    (here.config / "firewalld.conf").write_text(text)


@contextmanager
def _running(
    argv: list[str], here: Firewalld, stdout: int | None = None, stderr: int | None = None
) -> Iterator[Popen[str]]:
    """A program for as long as the block lasts; firewalld takes its rules away when it ends."""
    assert shutil.which(argv[0])
    with Popen(argv, env=here.environment, stdout=stdout, stderr=stderr, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait_until_running(here: Firewalld) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while here.run("firewall-cmd", "--state").stdout.strip() != "running":
        assert time.monotonic() < deadline, here.log()
