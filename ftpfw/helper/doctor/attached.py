"""The kernel's FTP helper, attached by rules of anybody else.

Two parsers on one connection would both expect and rewrite. The helper that is attached
first stays (xt_ct_target() and nft_ct_helper_obj_eval() leave what they find). ``load`` puts
its rules first, in the kind of iptables that the others are in; but rules that come later may
be ahead of them, and of two kinds the kernel asks the one first whose table came last.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.helper.doctor.nftables import Nftables, NftRule
from ftpfw.helper.doctor.rulesets import PROGRAM, Rules, foreign, saved_words
from ftpfw.ruleset.iptables import parse_rule
from ftpfw.ruleset.model import PREFIX

KERNELS = "ftp"
"""nf_conntrack_ftp's helper; with the parameter ``ports`` there are ``ftp-PORT`` too."""

FIREWALLD = "firewall-cmd --zone=ZONE --remove-service=ftp"
"""Where firewalld put the rule, and would put it again; ZONE is one that has the service."""


def judge_attached(rules: Rules) -> Iterator[Finding]:
    """Each foreign rule that attaches the kernel's FTP helper."""
    findings = [*_iptables(rules), *_nft(rules.nftables)]
    yield from findings
    if not findings and not rules.unread:
        yield note("kernel's FTP helper", True, "attached by no other rule")


def _iptables(rules: Rules) -> Iterator[Finding]:
    for (kind, family), saved in rules.saved.items():
        program = f"{PROGRAM[family]}-{kind}"
        for table, chain, rule in foreign(saved.items()):
            if _attaches(rule):
                place = f"{table} {chain}, {program}"
                delete = [program, "-t", table, "-D", chain, *saved_words(rule)]
                yield _finding(place, shlex.join(delete))


def _attaches(rule: str) -> bool:
    if "--helper" not in rule:
        return False
    try:
        target = parse_rule(rule).target
    except ValueError:
        return False
    if target is None or target.name != "CT":
        return False
    return any(
        _is_kernels(option.values[0]) for option in target.options if option.name == "--helper"
    )


def _is_kernels(name: str) -> bool:
    return name == KERNELS or name.startswith(f"{KERNELS}-")


def _nft(nftables: Nftables) -> Iterator[Finding]:
    for rule in nftables.rules:
        if rule.table[1].startswith(PREFIX.rstrip("-")) or rule.chain.startswith(PREFIX):
            continue
        if any(_is_kernels(nftables.helpers.get((rule.table, name), "")) for name in _sets(rule)):
            firewalld = rule.table[1] == "firewalld"
            mend = f"nft delete rule {rule.place} handle {rule.handle}"
            yield _finding(f"{rule.place}, nft", mend, FIREWALLD if firewalld else "")


def _sets(rule: NftRule) -> Iterator[str]:
    """The names of the helper objects that a rule may attach."""
    for statement in rule.statements:
        match statement.get("ct helper"):
            case str() as name:
                yield name
            case {"map": {"data": {"set": [*elements]}}}:
                yield from (name for name in map(_value, elements) if name)


def _value(element: Any) -> str | None:
    match element:
        case [_, str() as name]:
            return name
    return None


def _finding(place: str, mend: str, alternative: str = "") -> Finding:
    found = f"a rule in {place} attaches it, and two parsers on one connection break it"
    return note("kernel's FTP helper", False, found, mend, alternative)
