"""Machines for the scripts of labs/vagrant, without a hypervisor.

A machine is a network namespace with a mount, a UTS and a PID namespace of its own: the host's
files under an overlay, so that what is written is seen nowhere else and gone at the end. Like a
virtual machine it has a network of its own beside the lab's, on eth0, and finds the project in
/srv/ftpfw and the environment in /opt/ftpfw.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .netns import Namespaces

PROJECT = Path(__file__).parents[2]
SCRIPTS = "/srv/ftpfw/labs/vagrant"
INIT = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$0"
mkdir "$0/up" "$0/work" "$0/root" "$0/venv-up" "$0/venv-work"
mount -t overlay -o lowerdir=/,upperdir="$0/up",workdir="$0/work" overlay "$0/root"
cd "$0/root"
mkdir -p opt/ftpfw srv/ftpfw
mount --bind "$1" srv/ftpfw
mount -t overlay -o lowerdir="$2",upperdir="$0/venv-up",workdir="$0/venv-work" overlay opt/ftpfw
for path in opt/ftpfw/lib/python*/site-packages/*ftpfw*.pth; do echo /srv/ftpfw >"$path"; done
cp srv/ftpfw/pyproject.toml opt/ftpfw/.complete
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
echo ready
exec chroot . cat
"""
"""Ends with its standard input, and all else in the machine with it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that is up; ``init`` is its first process, by the host's count."""

    name: str
    init: int

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program on it, as root."""
        enter = ("nsenter", "--target", str(self.init), "--mount", "--uts", "--net", "--pid")
        return subprocess.run(
            [*enter, "--root", "--wd", *argv], capture_output=True, text=True, check=False
        )

    def output(self, *argv: str) -> str:
        """What a program prints; its failure is the test's, with what it said."""
        done = self.run(*argv)
        if done.returncode:
            pytest.fail(f"{self.name}: {' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def addresses(self, interface: str) -> list[str]:
        """The addresses of an interface that others can reach, as the kernel lists them."""
        said: list[dict[str, Any]] = json.loads(
            self.output("ip", "-j", "address", "show", interface)
        )
        return [
            f"{one['local']}/{one['prefixlen']}"
            for one in said[0]["addr_info"]
            if one["scope"] == "global"
        ]

    def state(self) -> str:
        """Addresses, routes, rules and what else the scripts make, as text."""
        commands = (
            # What comes with the carrier, which the kernel reports when it has time, is left out.
            "ip -o link | sed -e 's/<.*>//' -e 's/state.*link/link/';"
            "ip -o address | grep -v fe80 | sed 's/valid.*//'; ip route | sed 's/ linkdown//';"
            "ip -6 route | grep -v -e fe80 -e ff00;"
            "cat /proc/sys/net/ipv4/ip_forward /etc/hosts /etc/hostname;"
            "iptables-save | grep -v -e '^#' -e '^:'; nft list ruleset | grep -v -e packets;"
            "cat /run/ftpfw-machine/policy.toml; find /etc /usr/local -newer /etc/hostname"
        )
        return self.output("sh", "-c", commands)


@contextmanager
def machine(name: str, namespace: str, directory: Path) -> Iterator[Machine]:
    """A machine on a network namespace; ``directory`` is where its files are mounted."""
    directory.mkdir()
    unshare = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child")
    mounted = (str(directory), str(PROJECT), sys.prefix)
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace, *unshare, "sh", "-c", INIT, *mounted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            if process.stdout.readline() != "ready\n":
                complaint = process.stderr.read()
                if "unknown filesystem type 'overlay'" in complaint:
                    pytest.skip("needs a kernel with overlayfs")
                pytest.fail(complaint)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            yield Machine(name, int(children.read_text().split()[0]))
        finally:
            process.kill()


@contextmanager
def machines_of(
    exercise: str, namespaces: Namespaces, directory: Path
) -> Iterator[dict[str, Machine]]:
    """The machines of an exercise, by name, linked as Vagrant would link them."""
    argv = [sys.executable, "-I", "labs/vagrant/topology.py", exercise]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    hosts = json.loads(said)["machines"]
    ends: dict[str, list[tuple[str, str, str]]] = {}
    made = {}
    for host in hosts:
        made[host["name"]] = namespaces.create(host["name"])
        for number, link in enumerate(host["links"], start=1):
            ends.setdefault(link["name"], []).append(
                (made[host["name"]], f"eth{number}", link["mac"])
            )
    for left, right in ends.values():
        namespaces.link(left[0], left[1], right[0], right[1])
    for namespace, interface, mac in (end for both in ends.values() for end in both):
        subprocess.run(
            ["ip", "-n", namespace, "link", "set", interface, "down", "address", mac], check=True
        )
    with ExitStack() as stack:
        for namespace in made.values():
            namespaces.link(namespace, "eth0", namespace, "outside")
        yield {
            name: stack.enter_context(machine(name, namespace, directory / name))
            for name, namespace in made.items()
        }
