"""What of ours is on a host: taken before and after a run, the difference is what was left.

Namespaces, links, rules, processes, mounts, helpers, sysctls and files. Everything of the network
is that of the calling thread's namespace.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from ftpfw.conntrack import cthelper

GUEST = Path("/run/vm")
"""Where tools/vm/init leaves its notes: it is there on a machine made for one run only."""

Snapshot = Mapping[str, frozenset[str]]

SAVES = (
    ("iptables-legacy-save",),
    ("ip6tables-legacy-save",),
    ("iptables-nft-save",),
    ("ip6tables-nft-save",),
    ("nft", "list", "ruleset"),
)
SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/netfilter/nf_conntrack_acct",
    "net/netfilter/nf_conntrack_expect_max",
    "net/netfilter/nf_conntrack_max",
)
PROGRAMS = {"vsftpd", "pure-ftpd", "proftpd", "conntrack", "firewalld", "libvirtd"}
FILES = ("/run/ftpfw*", "/run/ftpfw-lab/*", "/run/netns/ftpfw*", "/etc/netns/ftpfw*")
TEMPORARY = "ftpfw-[0-9]*"


def snapshot() -> Snapshot:
    """All of it; each thing is a line of text."""
    kinds: Mapping[str, Callable[[], set[str]]] = {
        "namespace": lambda: {path.name for path in Path("/run/netns").glob("ftpfw*")},
        "link": _links,
        "rule": _rules,
        "process": _processes,
        "mount": _mounts,
        "helper": _helpers,
        "sysctl": _sysctls,
        "file": _files,
    }
    return {kind: frozenset(take()) for kind, take in kinds.items()}


def left(before: Snapshot, after: Snapshot) -> list[tuple[str, str]]:
    """Kind and name of what is there after, and was not before."""
    return [(kind, name) for kind in after for name in sorted(after[kind] - before[kind])]


def _links() -> set[str]:
    return {line.split(":")[1].strip() for line in _said("ip", "-o", "link").splitlines()}


def _rules() -> set[str]:
    """Rules without their counters, and the names of chains and tables that are ours."""
    found = set()
    for command in SAVES:
        for line in _said(*command).splitlines():
            text = line.partition("[")[0].strip()
            if text.startswith("-A") or "ftpfw" in text:
                found.add(f"{command[0]}: {text}")
    return found


def _processes() -> set[str]:
    """Programs of ours, without this one, those before it and those beside it."""
    found = set()
    mine = {os.getpid(), os.getppid()}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue
        text = b" ".join(words).decode(errors="replace")
        ours = name in PROGRAMS or any(
            word in text for word in (" -m ftpfw", " -m tests.kernel.", "ftpfw-")
        )
        tests = any(Path(os.fsdecode(word)).name == "pytest" for word in words[:4])
        if ours and int(entry.name) not in mine and not tests:
            found.add(f"{entry.name} {text[:100]}")
    return found


def _mounts() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {" ".join(line.split()[3:5]) for line in lines if "/run/netns/" not in line}


def _helpers() -> set[str]:
    return {"nfnetlink_cthelper ftpfw"} if _registered() else set()


def _registered() -> bool:
    if not cthelper.available():
        return False
    return "ftpfw" in _said("nfct", "helper", "list")


def _sysctls() -> set[str]:
    paths = [Path("/proc/sys") / name for name in SYSCTLS]
    return {f"{path}={path.read_text().strip()}" for path in paths if path.exists()}


def _files() -> set[str]:
    found = {str(path) for glob in FILES for path in Path("/").glob(glob.removeprefix("/"))}
    return found | {str(path) for path in Path(tempfile.gettempdir()).glob(TEMPORARY)}


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
