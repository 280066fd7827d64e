"""``ftpfw doctor`` in namespaces that are broken in each way it knows, and mended as it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftpfw.helper.doctor.facts import can_add, find_extensions
from ftpfw.helper.doctor.modules import EXTENSIONS, Modules
from tests.unit.table import table

from .netns import Namespaces, require_program, require_root, run

ATTACH = (
    "-t raw -A PREROUTING -p tcp --dport 21 -m comment --comment '$(id) \"x\"' -j CT --helper ftp"
)

NFT_ATTACHES = """nft -f - <<END
table inet mine {
  ct helper std {
    type "ftp" protocol tcp
  }
  chain pre {
    type filter hook prerouting priority -150
    tcp dport 21 ct helper set "std"
  }
}
END"""

NFT_RULE = "nft add table inet mine; nft add chain inet mine c; nft add rule inet mine c accept"

NFT_OFFLOADS = """nft -f - <<END
table inet fast {
  flowtable ft {
    hook ingress priority 0
    devices = { lo }
  }
  chain forward {
    type filter hook forward priority 0
    meta l4proto { tcp, udp } ct state established flow add @ft
  }
}
END"""

TWO_WAYS = """
ip link add up0 type veth peer name up1
ip link set up0 up; ip link set up1 up
ip address add 192.0.2.1/24 dev up0; ip address add 198.51.100.1/24 dev up1
ip route add default via 192.0.2.2; ip route add default via 198.51.100.2 table 100
sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.up0.rp_filter=2"""

BRIDGED = """
ip link add br0 type bridge
sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1"""


@dataclass(frozen=True, slots=True)
class Broken:
    """Shell commands that break a namespace, and what doctor is to name.

    ``needs`` must succeed, or the kernel or host lacks what it takes to break it. ``after`` must
    succeed once it is mended.
    """

    commands: str
    subject: str
    needs: str = "true"
    after: str = "true"


BREAKS = [
    (
        "rules in legacy and nft",
        Broken(
            "iptables-legacy -P FORWARD DROP; iptables-legacy -N mine;"
            " iptables-legacy -A mine -m comment --comment 'it'\\''s $x' -j ACCEPT;"
            " iptables-nft -P INPUT DROP; iptables-nft -A INPUT -i lo -j ACCEPT",
            "IPv4 rules",
            "iptables-legacy -V && iptables-nft -V",
            "iptables-nft -C mine -m comment --comment 'it'\\''s $x' -j ACCEPT &&"
            " iptables-nft-save | grep '^:INPUT DROP' && iptables-nft-save | grep '^:FORWARD DROP'"
            " && ! iptables-legacy-save | grep -e '^-A' -e DROP",
        ),
    ),
    (
        "rules in legacy and in a table of nft's own",
        Broken(
            f"ip6tables-legacy -A INPUT -i lo -j ACCEPT; {NFT_RULE}",
            "IPv6 rules",
            "ip6tables-legacy -V && nft -v",
            "ip6tables-nft -C INPUT -i lo -j ACCEPT && nft list table inet mine",
        ),
    ),
    (
        "chains of one name in both",
        Broken(
            "for i in iptables-legacy iptables-nft; do $i -N mine; $i -A mine -j DROP; done",
            "IPv4 rules",
            "iptables-legacy -V && iptables-nft -V",
            "iptables-nft -C mine -j DROP && ! iptables-legacy-save | grep mine",
        ),
    ),
    (
        "the kernel's helper, attached by iptables-legacy",
        Broken(f"iptables-legacy {ATTACH}", "kernel's FTP helper", "iptables-legacy -V"),
    ),
    (
        "the kernel's helper, attached by ip6tables-nft",
        Broken(f"ip6tables-nft {ATTACH}", "kernel's FTP helper", "ip6tables-nft -V"),
    ),
    (
        "the kernel's helper, attached by nft",
        Broken(NFT_ATTACHES, "kernel's FTP helper", "nft -v", "nft list ct helper inet mine std"),
    ),
    (
        "a flowtable",
        Broken(
            NFT_OFFLOADS,
            "flowtable fast",
            "nft -c 'add table t; add flowtable t f { hook ingress priority 0; }'",
            "nft list chain inet fast forward | grep 'udp .*flow add @ft'",
        ),
    ),
    ("forwarding of IPv4", Broken("sysctl -qw net.ipv4.ip_forward=0", "IPv4 forwarding")),
    (
        "forwarding of IPv6",
        Broken("ip address add 2001:db8::1/64 dev lo", "IPv6 forwarding"),
    ),
    (
        "forwarding of one interface",
        Broken(
            "ip link add eth0.7 type veth peer name eth1; sysctl -qw net.ipv4.ip_forward=1"
            " net/ipv4/conf/eth0.7/forwarding=0",
            "IPv4 forwarding eth0.7",
        ),
    ),
    ("a strict rp_filter", Broken(TWO_WAYS, "rp_filter up1")),
    (
        "accounting",
        Broken("sysctl -qw net.netfilter.nf_conntrack_acct=0", "conntrack accounting"),
    ),
    (
        "bridged packets that meet iptables",
        Broken(BRIDGED, "bridge-nf-call", "test -e /proc/sys/net/bridge"),
    ),
    (
        "a setting of an older kernel",
        Broken(
            "echo '# theirs\nnet.netfilter.nf_conntrack_helper = 1' >/etc/sysctl.d/ftp.conf",
            "automatic helpers",
            "! test -e /proc/sys/net/netfilter/nf_conntrack_helper",
            "grep -x '#net.netfilter.nf_conntrack_helper = 1' /etc/sysctl.d/ftp.conf",
        ),
    ),
]


class Host:
    """A namespace whose /etc/sysctl.d is its own."""

    def __init__(self, namespace: str, sysctls: Path) -> None:
        self.namespace = namespace
        self.sysctls = sysctls
        sysctls.mkdir()

    def shell(self, commands: str, check: bool = True) -> str:
        mounted = f"mount --bind {self.sysctls} /etc/sysctl.d\nset -e\n{commands}"
        return run(self.namespace, "unshare", "--mount", "sh", "-c", mounted, check=check)

    def succeeds(self, command: str) -> bool:
        return "did so" in self.shell(f"({command}) >/dev/null 2>&1 && echo did so", check=False)

    def doctor(self) -> list[dict[str, Any]]:
        """What is not ok."""
        said = self.shell(f"{sys.executable} -m ftpfw doctor --json || true")
        return [finding for finding in json.loads(said)["findings"] if not finding["ok"]]

    def wrong(self, subject: str) -> list[dict[str, Any]]:
        return [finding for finding in self.doctor() if finding["subject"] == subject]


@pytest.fixture
def host(namespaces: Namespaces, tmp_path: Path) -> Host:
    require_program("sysctl", "unshare")
    return Host(namespaces.create("doctor"), tmp_path / "sysctl.d")


@pytest.mark.parametrize("broken", **table(BREAKS))
def test_broken_named_and_mended(host: Host, broken: Broken) -> None:
    if not host.succeeds(broken.needs):
        pytest.skip(f"needs what makes this succeed: {broken.needs}")
    host.shell(broken.commands)
    (finding,) = host.wrong(broken.subject)
    assert not finding["needed"]
    host.shell(finding["mend"])
    assert not host.wrong(broken.subject)
    assert host.succeeds(broken.after)


def test_rules_of_another_kind_can_be_cleared_instead(host: Host) -> None:
    require_program("iptables-legacy", "iptables-nft")
    host.shell("iptables-legacy -P INPUT DROP; iptables-nft -A INPUT -i lo -j ACCEPT")
    (finding,) = host.wrong("IPv4 rules")
    host.shell(finding["alternative"])
    assert not host.wrong("IPv4 rules")
    assert host.succeeds("iptables-legacy-save | grep '^:INPUT ACCEPT'")
    assert host.succeeds("iptables-nft -C INPUT -i lo -j ACCEPT")


def test_the_table_at_eighty_columns(host: Host) -> None:
    host.shell(TWO_WAYS)
    said = host.shell(f"{sys.executable} -m ftpfw doctor | cat", check=False)
    lines = said.splitlines()
    notes = [line for line in lines if line.startswith("note")]
    assert lines[0].startswith("note"), "what is wrong comes first"
    assert any("rp_filter up1: strict" in line for line in notes)
    assert "       mend: sysctl -w net.ipv4.conf.up1.rp_filter=2" in lines


def test_looking_changes_nothing(host: Host) -> None:
    """No table, rule or setting comes into being; iptables-legacy makes a table at first use."""
    seen = (
        "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names; nft list ruleset;"
        " sysctl -a 2>/dev/null | grep -E 'net.(ipv4.conf|ipv6.conf|netfilter|bridge)';"
        " ip link"
    )
    before = host.shell(seen)
    host.doctor()
    assert host.shell(seen) == before


def test_trials_say_what_proc_lists() -> None:
    """Where nothing tells what the kernel has, a rule on trial does; here both can be compared."""
    require_root()
    require_program("iptables-legacy", "unshare")
    unknown = Modules(loaded=None)
    listed = find_extensions(unknown, may_try=False).listed
    if not listed:
        pytest.skip("needs a kernel with iptables-legacy, for /proc/net/ip_tables_matches")
    some = {extension.name for extension in EXTENSIONS}
    assert {name for name in some if can_add(name)} >= listed & some


def missing(host: Host, directory: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Doctor where a PATH has only ``programs``."""
    directory.mkdir()
    for name in programs:
        path = subprocess.run(["which", name], capture_output=True, text=True, check=True)
        (directory / name).symlink_to(path.stdout.strip())
    inside = ["ip", "netns", "exec", host.namespace, "env", f"PATH={directory}"]
    return subprocess.run(
        [*inside, sys.executable, "-m", "ftpfw", "doctor"],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_host_without_programs(host: Host, tmp_path: Path) -> None:
    done = missing(host, tmp_path / "empty")
    assert done.returncode == 1
    assert done.stdout.startswith("fault  iptables: iptables-")
    for line in ("rules of nft: not read", "program ip: missing", "program unshare: missing"):
        assert f"note   {line}" in done.stdout
    for claim in ("ok     rule sets", "ok     rp_filter", "ok     flowtables"):
        assert claim not in done.stdout, "what was not read is not called fine"


def test_a_host_without_the_queue_bindings(host: Host, tmp_path: Path) -> None:
    (tmp_path / "netfilterqueue.py").write_text("raise ImportError('libnetfilter_queue.so.1')\n")
    doctor = f"PYTHONPATH={tmp_path} {sys.executable} -m ftpfw doctor --json"
    said = host.shell(f"{doctor} || echo $? >&2")
    finding = json.loads(said)["findings"]
    (fault,) = [one for one in finding if one["needed"] and not one["ok"]]
    assert fault["subject"] == "python netfilterqueue"
    assert "libnetfilter_queue.so.1" in fault["found"]
    assert " -m pip install " in fault["mend"]
    assert host.succeeds(f"! {doctor}"), "a fault is exit code 1"
    assert host.succeeds(f"{sys.executable} -m ftpfw doctor"), "notes are not"
