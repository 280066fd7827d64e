"""Rules of others that attach the kernel's FTP helper."""

from __future__ import annotations

import pytest

from ftpfw.helper.doctor.attached import FIREWALLD, judge_attached
from ftpfw.helper.doctor.nftables import Nftables, NftRule, Statement, TableName
from ftpfw.helper.doctor.rulesets import COMPAT, LEGACY, Rules, Unread
from ftpfw.ruleset.live import parse_save
from ftpfw.ruleset.model import Family
from tests.unit.table import table

ATTACH = "-p tcp -m tcp --dport 21 -j CT --helper ftp"


def saved(rule: str, chain: str = "PREROUTING") -> Rules:
    text = f"*raw\n:PREROUTING ACCEPT [0:0]\n:{chain} - [0:0]\n-A {chain} {rule}\nCOMMIT\n"
    return Rules({(LEGACY, Family.IPV4): parse_save(text)})


IPTABLES = [
    # id, rules, mends
    ("the kernel's", saved(ATTACH), [f"iptables-legacy -t raw -D PREROUTING {ATTACH}"]),
    (
        "under another name",
        saved("-p tcp -j CT --helper ftp-2121"),
        ["iptables-legacy -t raw -D PREROUTING -p tcp -j CT --helper ftp-2121"],
    ),
    (
        "a comment that a shell would run",
        saved(f'-m comment --comment "it\\\'s $(reboot)" {ATTACH}'),
        [
            "iptables-legacy -t raw -D PREROUTING -m comment --comment"
            f" 'it'\"'\"'s $(reboot)' {ATTACH}"
        ],
    ),
    ("one of our chains", saved(ATTACH, "ftpfw-raw"), []),
    ("another helper", saved("-p tcp -j CT --helper tftp"), []),
    ("a match, not a target", saved("-m helper --helper ftp -j ACCEPT"), []),
    ("a zone", saved("-j CT --zone 1"), []),
    ("nonsense", saved('-m comment --comment "--helper ftp'), []),
]


@pytest.mark.parametrize(("rules", "mends"), **table(IPTABLES))
def test_iptables(rules: Rules, mends: list[str]) -> None:
    assert [finding.mend for finding in judge_attached(rules) if not finding.ok] == mends


def test_each_program_has_its_own_command() -> None:
    text = f"*raw\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT {ATTACH}\nCOMMIT\n"
    rules = Rules({(COMPAT, Family.IPV6): parse_save(text)})
    (finding,) = judge_attached(rules)
    assert finding.mend == f"ip6tables-nft -t raw -D OUTPUT {ATTACH}"
    assert "raw OUTPUT, ip6tables-nft" in finding.found


def nft(statement: Statement, where: TableName = ("inet", "mine"), kind: str = "ftp") -> Rules:
    rule = NftRule(where, "pre", 7, (statement,))
    return Rules(nftables=Nftables((rule,), {(where, "h"): kind}))


BY_MAP = {"ct helper": {"map": {"key": {}, "data": {"set": [[21, "h"], [69, "other"]]}}}}
NFT = [
    ("the kernel's", nft({"ct helper": "h"}), ["nft delete rule inet mine pre handle 7"]),
    ("by a map", nft(BY_MAP), ["nft delete rule inet mine pre handle 7"]),
    ("another helper", nft({"ct helper": "h"}, kind="tftp"), []),
    ("an object that is not there", nft({"ct helper": "x"}), []),
    ("our table", nft({"ct helper": "h"}, ("inet", "ftpfw")), []),
    ("no helper", nft({"accept": None}), []),
]


@pytest.mark.parametrize(("rules", "mends"), **table(NFT))
def test_nft(rules: Rules, mends: list[str]) -> None:
    assert [finding.mend for finding in judge_attached(rules) if not finding.ok] == mends


def test_firewalld_would_put_it_back() -> None:
    (finding,) = judge_attached(nft({"ct helper": "h"}, ("inet", "firewalld")))
    assert finding.alternative == FIREWALLD


def test_what_was_not_read_is_not_called_fine() -> None:
    assert [finding.ok for finding in judge_attached(Rules())] == [True]
    assert not list(judge_attached(Rules(unread=(Unread("nft", "why"),))))
