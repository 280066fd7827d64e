"""Programs that are missing, and what installs them."""

from __future__ import annotations

import pytest

from ftpfw.helper.doctor.packages import (
    PACKAGES,
    Distribution,
    install,
    judge_bindings,
    judge_iptables,
    judge_programs,
    parse_os_release,
)
from tests.unit.table import table

DEBIAN, FEDORA = Distribution("debian"), Distribution("fedora")
BOTH = ["iptables-legacy", "iptables-nft"]

RELEASES = [
    ("Debian", "ID=debian\nVERSION_ID=12\n", Distribution("debian", release="6.1")),
    ("Ubuntu", 'ID=ubuntu\nID_LIKE="debian"\n', Distribution("debian", True, "6.1")),
    ("Mint", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', Distribution("debian", True, "6.1")),
    ("Fedora", "ID=fedora\n", Distribution("fedora", release="6.1")),
    ("Rocky", 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', Distribution("fedora", release="6.1")),
    ("Alpine", "ID=alpine\n", Distribution(release="6.1")),
    ("no file", "", Distribution(release="6.1")),
]


@pytest.mark.parametrize(("text", "expected"), **table(RELEASES))
def test_os_release(text: str, expected: Distribution) -> None:
    assert parse_os_release(text, "6.1") == expected


IPTABLES = [
    # id, installed, the kernel's halves, distribution, ok, found, mend
    ("both", BOTH, BOTH, DEBIAN, True, "iptables-legacy, iptables-nft", ""),
    ("one is enough", ["iptables-nft"], BOTH, DEBIAN, True, "iptables-nft", ""),
    ("none", [], BOTH, DEBIAN, False, "iptables-nft is not installed", "apt-get install iptables"),
    (
        "the wrong one",
        ["iptables-legacy"],
        ["iptables-nft"],
        FEDORA,
        False,
        "this kernel has no half for iptables-legacy, and iptables-nft is not installed",
        "dnf install iptables-nft",
    ),
    (
        "no half in the kernel",
        BOTH,
        [],
        DEBIAN,
        False,
        "this kernel has neither ip_tables nor nft_compat",
        "boot a kernel with CONFIG_NFT_COMPAT",
    ),
]


@pytest.mark.parametrize(("programs", "halves", "source", "ok", "found", "mend"), **table(IPTABLES))
def test_iptables(
    programs: list[str], halves: list[str], source: Distribution, *, ok: bool, found: str, mend: str
) -> None:
    (finding,) = judge_iptables(programs, halves, source)
    assert (finding.ok, finding.found, finding.mend) == (ok, found, mend)
    assert finding.needed


def test_programs_that_doctor_looks_with() -> None:
    assert not list(judge_programs(PACKAGES, DEBIAN))
    findings = list(judge_programs({"unshare"}, FEDORA))
    assert [(finding.subject, finding.mend) for finding in findings] == [
        ("program ip", "dnf install iproute")
    ]


def test_elsewhere_both_names_are_told() -> None:
    assert install("ip", Distribution()) == (
        "install ip (package iproute2 on Debian, iproute on Fedora)"
    )


def test_bindings() -> None:
    (there,) = judge_bindings(None, "/venv/bin/python", DEBIAN)
    assert there.ok
    (missing,) = judge_bindings("No module named 'netfilterqueue'", "/my venv/bin/python", DEBIAN)
    assert (missing.ok, missing.needed) == (False, True)
    assert "No module named" in missing.found
    assert missing.mend.startswith("apt-get install build-essential ")
    assert "&& '/my venv/bin/python' -m pip install " in missing.mend
