"""Rules in two places: what is said of them, and the commands that move or clear one."""

from __future__ import annotations

import pytest

from ftpfw.helper.doctor.finding import Finding
from ftpfw.helper.doctor.nftables import Nftables, NftRule
from ftpfw.helper.doctor.rulesets import (
    COMPAT,
    LEGACY,
    Rules,
    Unread,
    clear,
    judge_rulesets,
    saved_words,
)
from ftpfw.ruleset.live import parse_save
from ftpfw.ruleset.model import Family
from tests.unit.table import table

BARE = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
ONE = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"
OURS = "*raw\n:PREROUTING ACCEPT [0:0]\n:ftpfw-raw - [0:0]\n-A PREROUTING -j ftpfw-raw\nCOMMIT\n"
CHAIN = "*filter\n:INPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n-A INPUT -j DOCKER\nCOMMIT\n"

CLEAR_ONE = "printf '%s\\n' '*filter' ':FORWARD ACCEPT [0:0]' COMMIT | iptables-{}-restore"


def native(*tables: tuple[str, str]) -> Nftables:
    """One rule in each of some tables."""
    return Nftables(tuple(NftRule(name, "c", 1, ()) for name in tables))


def rules(
    legacy: str = "", compat: str = "", nft: Nftables | None = None, default: str = COMPAT
) -> Rules:
    saved = {(LEGACY, Family.IPV4): legacy, (COMPAT, Family.IPV4): compat}
    parsed = {key: parse_save(text) for key, text in saved.items()}
    return Rules(parsed, nft or Nftables(), default=default)


def one(of: Rules) -> Finding:
    (finding,) = judge_rulesets(of)
    return finding


IN_ONE_PLACE = [
    # id, rules, where
    ("nowhere", rules(), "none yet"),
    ("bare tables are nothing", rules(BARE, ONE), "in nf_tables"),
    ("legacy", rules(ONE, BARE), "in iptables-legacy"),
    ("nft's own", rules(BARE, nft=native(("inet", "firewalld"))), "in nf_tables"),
    (
        "the other family's",
        rules(ONE, nft=native(("ip6", "mine"))),
        "each family's in one place",
    ),
    ("what bridges or devices have", rules(ONE, nft=native(("bridge", "b"))), "in iptables-legacy"),
]


@pytest.mark.parametrize(("of", "where"), **table(IN_ONE_PLACE))
def test_in_one_place(of: Rules, where: str) -> None:
    finding = one(of)
    assert finding.ok
    assert finding.found == where


MIXED = [
    # id, rules, found, the one to move or clear, its command
    (
        "legacy goes",
        rules(ONE, ONE),
        "in iptables-legacy (filter 1) and in nf_tables (filter 1)",
        CLEAR_ONE.format("legacy"),
    ),
    (
        "nft's own cannot go",
        rules(ONE, nft=native(("inet", "firewalld")), default=LEGACY),
        "in nf_tables (inet firewalld 1)",
        CLEAR_ONE.format("legacy"),
    ),
    (
        "iptables is legacy",
        rules(ONE, ONE, default=LEGACY),
        "move those of iptables-nft, or clear them",
        CLEAR_ONE.format("nft"),
    ),
    ("ours stay", rules(OURS, ONE), "in iptables-legacy (raw 1)", CLEAR_ONE.format("nft")),
    (
        "iptables-nft's tables are not nft's own",
        rules(ONE, ONE, native(("ip", "filter"))),
        "in nf_tables (filter 1)",
        CLEAR_ONE.format("legacy"),
    ),
]


@pytest.mark.parametrize(("of", "found", "cleared"), **table(MIXED))
def test_mixed(of: Rules, found: str, cleared: str) -> None:
    finding = one(of)
    assert (finding.ok, finding.needed) == (False, False)
    assert found in finding.found
    assert finding.alternative == cleared
    assert finding.mend.endswith(f"-restore --noflush && {cleared}")


def test_ours_leave_by_our_own_command() -> None:
    finding = one(rules(OURS, nft=native(("inet", "mine"))))
    assert finding.mend == "ftpfw unload"
    assert finding.alternative == "ftpfw rules remove POLICY"


def test_a_chain_that_both_have_would_be_emptied_by_the_other() -> None:
    finding = one(rules(CHAIN, CHAIN))
    assert "both have filter DOCKER" in finding.found
    assert finding.mend == "printf '%s\\n' '*filter' COMMIT | iptables-legacy-restore"
    assert not finding.alternative


def test_what_was_not_read_is_not_called_fine() -> None:
    unread = Unread("nft", "nft is not installed", "apt-get install nftables")
    finding = one(Rules(unread=(unread,)))
    assert not finding.ok
    assert (finding.subject, finding.mend) == ("rules of nft", "apt-get install nftables")


def test_ipv6_has_programs_of_its_own() -> None:
    assert clear(Family.IPV6, COMPAT, parse_save(ONE)).endswith(" | ip6tables-nft-restore")


SAVED = [
    ("plain", "-p tcp -j CT --helper ftp", ["-p", "tcp", "-j", "CT", "--helper", "ftp"]),
    ("spaces", '--comment "it is mine" -j X', ["--comment", "it is mine", "-j", "X"]),
    ("quotes", r'--comment "say \"hi\", it\'s"', ["--comment", 'say "hi", it\'s']),
    ("a dollar", '--comment "$(reboot) `x`"', ["--comment", "$(reboot) `x`"]),
    ("a backslash", r'--comment "a\\b"', ["--comment", r"a\b"]),
    ("nothing", '--comment ""', ["--comment", ""]),
]


@pytest.mark.parametrize(("rule", "words"), **table(SAVED))
def test_words_that_iptables_saved(rule: str, words: list[str]) -> None:
    assert saved_words(rule) == words
