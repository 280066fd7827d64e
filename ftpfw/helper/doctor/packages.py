"""Programs that are missing, and the package that has what is missing.

Debian and its like, Fedora and its like (os-release(5)); on others the program's name has
to do. Package names are those of Debian 12 and Fedora 40.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ftpfw.helper.doctor.finding import Finding, note

PACKAGES = {
    # program: Debian's, Fedora's
    "ip": ("iproute2", "iproute"),
    "iptables-legacy": ("iptables", "iptables-legacy"),
    "iptables-nft": ("iptables", "iptables-nft"),
    "nft": ("nftables", "nftables"),
    "unshare": ("util-linux", "util-linux-core"),
}
WANTED = {
    "ip": "routes and bridges are not looked at without it",
    "unshare": "nothing can be tried in a network namespace without it",
}
BINDINGS = {
    "debian": "apt-get install build-essential python3-dev libnetfilter-queue-dev",
    "fedora": "dnf install gcc python3-devel libnetfilter_queue-devel",
}
"""What builds and runs the Python package netfilterqueue."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What installs packages here: ``family`` is debian, fedora or empty; ``ubuntu`` is both."""

    family: str = ""
    ubuntu: bool = False
    release: str = ""
    """The running kernel's, as ``uname -r`` says."""


def parse_os_release(text: str, release: str) -> Distribution:
    """The distribution by /etc/os-release, with the running kernel's release."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    names = " ".join(fields.get(key, "").strip("\"'") for key in ("ID", "ID_LIKE")).split()
    if "debian" in names or "ubuntu" in names:
        return Distribution("debian", "ubuntu" in names, release)
    if {"fedora", "rhel", "centos"} & {*names}:
        return Distribution("fedora", release=release)
    return Distribution(release=release)


def install(program: str, source: Distribution) -> str:
    """The command that installs ``program``."""
    debian, fedora = PACKAGES[program]
    match source.family:
        case "debian":
            return f"apt-get install {debian}"
        case "fedora":
            return f"dnf install {fedora}"
    return f"install {program} (package {debian} on Debian, {fedora} on Fedora)"


def modules_package(source: Distribution) -> str | None:
    """The command that installs the rest of the running kernel's modules, if there is a rest."""
    if source.ubuntu:
        return f"apt-get install linux-modules-extra-{source.release}"
    if source.family == "fedora":
        return f"dnf install kernel-modules-{source.release}"
    if source.family == "debian" and "-cloud-" in source.release:
        return f"apt-get install linux-image-{source.release.rpartition('-')[2]} && reboot"
    return None


def judge_iptables(
    programs: Collection[str], kernel_has: Collection[str], source: Distribution
) -> Iterator[Finding]:
    """One kind of iptables must have both its halves; ``kernel_has`` lists the kernel's."""
    kinds = ("iptables-legacy", "iptables-nft")
    whole = [kind for kind in kinds if kind in programs and kind in kernel_has]
    if whole:
        yield Finding("iptables", True, ", ".join(whole))
        return
    halves = [kind for kind in kinds if kind in kernel_has]
    installed = [kind for kind in kinds if kind in programs]
    if halves:
        found = f"{halves[-1]} is not installed"
        if installed:
            found = f"this kernel has no half for {installed[0]}, and {found}"
        yield Finding("iptables", False, found, install(halves[-1], source))
    else:
        found = "this kernel has neither ip_tables nor nft_compat"
        yield Finding("iptables", False, found, "boot a kernel with CONFIG_NFT_COMPAT")


def judge_programs(programs: Collection[str], source: Distribution) -> Iterator[Finding]:
    """Programs that doctor itself looks with."""
    for name, why in WANTED.items():
        if name not in programs:
            yield note(f"program {name}", False, f"missing: {why}", install(name, source))


def judge_bindings(fault: str | None, python: str, source: Distribution) -> Iterator[Finding]:
    """The Python package netfilterqueue; ``fault`` is why it cannot be imported."""
    if fault is None:
        yield Finding("python netfilterqueue", True, "there")
        return
    pip = f"{shlex.quote(python)} -m pip install --force-reinstall --no-cache-dir netfilterqueue"
    build = BINDINGS.get(source.family)
    yield Finding(
        "python netfilterqueue",
        False,
        f"cannot be imported: {fault}",
        f"{build} && {pip}" if build else pip,
    )
