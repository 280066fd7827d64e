"""Rule sets in a real kernel, through iptables-legacy and iptables-nft."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from ftpfw.errors import HostError
from ftpfw.ruleset import legacy
from ftpfw.ruleset.apply import apply, check, choose_firewall, firewalls_with_ours, remove
from ftpfw.ruleset.drift import Kind
from ftpfw.ruleset.live import NOTE_CHAIN, parse_save
from ftpfw.ruleset.model import AttachHelper, Family, Jump, Match, Rule, RuleSet
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import CASES, NAMES, backends, compiled, rendered, sample
from tests.unit.table import table

from .netns import Namespaces, run
from .rules_host import SUFFIX, RulesHost, entered, known_helper, require_helper

__all__ = ["known_helper"]

FOREIGN = """\
*filter
:DOCKER-USER - [0:0]
:ufw-before-forward - [0:0]
-A INPUT -i lo -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -j ufw-before-forward
-A FORWARD -s 10.9.0.0/16 -m comment --comment "not ours: ftpfw-forward" -j ACCEPT
-A DOCKER-USER -j RETURN
-A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
"""


@pytest.fixture(params=SUFFIX)
def host(
    request: pytest.FixtureRequest, known_helper: None, namespaces: Namespaces
) -> Iterator[RulesHost]:
    namespace = namespaces.create("rules")
    with entered(namespace):
        yield RulesHost(namespace, request.param)


def load(host: RulesHost, family: Family, text: str) -> None:
    argv = [f"{host.program(family)}-restore", "--noflush"]
    subprocess.run(argv, input=text, text=True, check=True, capture_output=True)


def both(name: str, backend: Backend) -> list[RuleSet]:
    return [compiled(name, backend, family) for family in Family]


def rules_of(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Table → chain → rules, without what is empty; -I into an empty chain is -A."""
    tables = parse_save(text.replace("\n-I ", "\n-A "))
    filled = {
        table: {chain: rules for chain, rules in saved.rules.items() if rules}
        for table, saved in tables.items()
    }
    return {table: chains for table, chains in filled.items() if chains}


@pytest.mark.parametrize(("name", "backend", "family"), **table(CASES))
def test_what_is_rendered_is_what_lives(
    host: RulesHost, name: str, backend: Backend, family: Family
) -> None:
    require_helper(backend)
    wanted = rendered(name, backend, family)
    load(host, family, wanted)
    assert rules_of(host.save(family)) == rules_of(wanted)
    assert check([compiled(name, backend, family)], host.firewall) == []


@pytest.mark.parametrize(("name", "backend", "family"), **table(CASES))
def test_what_is_applied_is_what_is_rendered(
    host: RulesHost, name: str, backend: Backend, family: Family
) -> None:
    require_helper(backend)
    apply([compiled(name, backend, family)], host.firewall)
    live = rules_of(host.save(family))
    for chains in live.values():
        chains.pop(NOTE_CHAIN, None)
    assert live == rules_of(rendered(name, backend, family))


@pytest.mark.parametrize("name", NAMES)
def test_applied_checked_reapplied_replaced_and_removed(host: RulesHost, name: str) -> None:
    load(host, Family.IPV4, FOREIGN)
    before = contents(host)
    for backend in backends(sample(name)):
        if backend is Backend.CTHELPER:
            continue
        apply(both(name, backend), host.firewall)
        assert check(both(name, backend), host.firewall) == []
        once = host.saved()
        apply(both(name, backend), host.firewall)
        assert host.saved() == once
    if backend is not Backend.BORROWED:
        assert "NFQUEUE" not in host.saved()
    remove(host.firewall)
    assert contents(host) == before


def contents(host: RulesHost) -> str:
    """Everything on nf_tables; on legacy, where no used table can be unloaded, what is in them."""
    if host.firewall == "nft-compat":
        return nf_tables(host)
    return "\n".join(line for line in host.saved().splitlines() if not is_empty_table(line))


def nf_tables(host: RulesHost) -> str:
    """iptables-nft-save prints builtin chains that do not exist; nft does not."""
    return run(host.namespace, "nft", "--stateless", "list", "ruleset")


def is_empty_table(line: str) -> bool:
    return line == "COMMIT" or line.startswith("*") or line.endswith(" ACCEPT [0:0]")


def test_foreign_rules_stand_between_ours(host: RulesHost) -> None:
    load(host, Family.IPV4, FOREIGN)
    apply(both("nat-gateway", Backend.BORROWED), host.firewall)
    forward = host.iptables("-S FORWARD").splitlines()[1:]
    assert forward[0] == "-A FORWARD -j ftpfw-forward"
    assert forward[-1] == "-A FORWARD -j ftpfw-drop"
    assert len(forward) == 5


def test_counters_survive_a_second_apply(host: RulesHost) -> None:
    wanted = both("nat-gateway", Backend.BORROWED)
    apply(wanted, host.firewall)
    host.iptables("-t raw -D ftpfw-raw 2")
    rule = "-s 10.0.1.0/24 -i eth1 -p tcp -m tcp --dport 21 -c 7 420 -j CT --helper sane"
    host.iptables(f"-t raw -A ftpfw-raw {rule}")
    apply(wanted, host.firewall)
    assert host.packets("ftpfw-raw", "--helper sane") == 7


def test_a_table_that_others_use_by_now_stays(host: RulesHost) -> None:
    apply(both("nat-gateway", Backend.BORROWED), host.firewall)
    host.iptables("-t raw -A OUTPUT -o lo -j ACCEPT")
    host.iptables("-t mangle -P INPUT DROP")
    remove(host.firewall)
    assert rules_of(host.save(Family.IPV4, "-t", "raw")) == {
        "raw": {"OUTPUT": ("-o lo -j ACCEPT",)}
    }
    assert ":INPUT DROP" in host.save(Family.IPV4, "-t", "mangle")


OTHERS = [
    # id                          what was there before
    ("nothing", []),
    ("a table without the chain", ["-A INPUT -j ACCEPT"]),
    ("an idle chain", ["-A FORWARD -j ACCEPT", "-F FORWARD"]),
    ("a policy", ["-P FORWARD DROP"]),
]


@pytest.mark.parametrize("commands", **table(OTHERS))
def test_no_chain_stays_behind(host: RulesHost, commands: list[str]) -> None:
    for command, family in product(commands, Family):
        host.iptables(command, family)
    before = contents(host)
    for backend in (Backend.NONE, Backend.BORROWED):
        apply(both("nat-gateway-ipv6", backend), host.firewall)
    remove(host.firewall)
    assert contents(host) == before


USES = [
    # id        what others did            what iptables-save prints of it
    ("a rule", "-A FORWARD -j ACCEPT", "-A FORWARD -j ACCEPT"),
    ("a policy", "-P FORWARD DROP", ":FORWARD DROP"),
]


@pytest.mark.parametrize(("command", "left"), **table(USES))
def test_a_chain_that_others_use_by_now_stays(host: RulesHost, command: str, left: str) -> None:
    host.iptables("-A INPUT -j ACCEPT")
    apply(both("nat-gateway", Backend.NONE), host.firewall)
    host.iptables(command)
    remove(host.firewall)
    used = host.save(Family.IPV4)
    assert left in used
    assert "ftpfw" not in used


def test_a_table_that_was_there_before_stays(host: RulesHost) -> None:
    for family in Family:
        host.iptables("-t raw -A OUTPUT -j ACCEPT", family)
        host.iptables("-t raw -F OUTPUT", family)
    before, raw = host.saved(), host.save(Family.IPV4, "-t", "raw")
    apply(both("nat-gateway-ipv6", Backend.BORROWED), host.firewall)
    remove(host.firewall)
    assert host.save(Family.IPV4, "-t", "raw") == raw
    if host.firewall == "nft-compat":
        assert host.saved() == before


def test_only_tables_with_rules_come_into_being(host: RulesHost) -> None:
    apply(both("nat-gateway", Backend.NONE), host.firewall)
    assert set(parse_save(host.save(Family.IPV4))) == {"raw", "nat", "filter"}
    assert host.save(Family.IPV6) == ""


def test_what_is_left_of_rules_deleted_by_hand_goes_too(host: RulesHost) -> None:
    apply(both("nat-gateway", Backend.NONE), host.firewall)
    for command in ("-D POSTROUTING -j ftpfw-nat", "-F ftpfw-nat", "-X ftpfw-nat"):
        host.iptables(f"-t nat {command}")
    remove(host.firewall)
    assert rules_of(host.saved()) == {}
    assert "ftpfw" not in host.saved()


def test_rolled_back_to_the_older_rules(host: RulesHost) -> None:
    load(host, Family.IPV4, FOREIGN)
    apply(both("nat-gateway", Backend.NONE), host.firewall)
    host.iptables("-I FORWARD -i lo -j ACCEPT")
    before = contents(host)
    apply(both("nat-gateway-ipv6", Backend.BORROWED), host.firewall)()
    assert contents(host) == before


BREAKAGES = [
    # id                  what the administrator did             what check says
    ("rule deleted", "-t raw -D ftpfw-raw 1", Kind.MISSING, "ftpfw-raw"),
    ("rule added", "-A ftpfw-forward -j ACCEPT", Kind.UNEXPECTED, "ftpfw-forward"),
    ("rule replaced", "-R ftpfw-drop 1 -i eth9 -j DROP", Kind.CHANGED, "ftpfw-drop"),
    ("hook deleted", "-D FORWARD -j ftpfw-drop", Kind.MISSING, "FORWARD"),
    ("hook added", "-A INPUT -j ftpfw-forward", Kind.UNEXPECTED, "INPUT"),
    ("rule ahead", "-I FORWARD -i lo -j ACCEPT", Kind.MISPLACED, "FORWARD"),
    ("rule behind", "-A FORWARD -i lo -j ACCEPT", Kind.MISPLACED, "FORWARD"),
    ("chain added", "-t nat -N ftpfw-mine", Kind.UNEXPECTED, "ftpfw-mine"),
]


@pytest.mark.parametrize(("breakage", "kind", "chain"), **table(BREAKAGES))
def test_drift_is_found_and_mended(host: RulesHost, breakage: str, kind: Kind, chain: str) -> None:
    wanted = both("nat-gateway", Backend.KERNEL)
    apply(wanted, host.firewall)
    host.iptables(breakage)
    assert [(drift.kind, drift.chain) for drift in check(wanted, host.firewall)] == [(kind, chain)]
    apply(wanted, host.firewall)
    assert check(wanted, host.firewall) == []


def spoilt(ruleset: RuleSet, rule: Rule, chain: int) -> RuleSet:
    chains = list(ruleset.chains)
    chains[chain] = replace(chains[chain], rules=(*chains[chain].rules, rule))
    return replace(ruleset, chains=tuple(chains))


UNKNOWN_HELPER = Rule(Match(), AttachHelper("no-such-helper"), "The kernel refuses this.")
UNKNOWN_CHAIN = Rule(Match(), Jump("no-such-chain"), "No program can build this.")

FAULTS = [
    ("first table of the first family", Family.IPV4, UNKNOWN_HELPER, 0),
    ("last table of the first family", Family.IPV4, UNKNOWN_CHAIN, -1),
    ("first table of the second family", Family.IPV6, UNKNOWN_HELPER, 0),
    ("last table of the second family", Family.IPV6, UNKNOWN_CHAIN, -1),
]


@pytest.mark.parametrize(("family", "rule", "chain"), **table(FAULTS))
@pytest.mark.parametrize("earlier", [None, Backend.NONE], ids=["no rules", "older rules"])
def test_a_fault_in_any_table_undoes_all(
    host: RulesHost, earlier: Backend | None, family: Family, rule: Rule, chain: int
) -> None:
    load(host, Family.IPV4, FOREIGN)
    if earlier:
        apply(both("nat-gateway-ipv6", earlier), host.firewall)
    before = contents(host)
    wanted = [
        spoilt(one, rule, chain) if one.family is family else one
        for one in both("nat-gateway-ipv6", Backend.BORROWED)
    ]
    with pytest.raises(HostError, match=f"{host.program(family)}.*") as caught:
        apply(wanted, host.firewall)
    assert "doctor" in (caught.value.mend or "")
    assert contents(host) == before


def test_firewall_is_chosen_by_where_rules_live(host: RulesHost) -> None:
    other = next(name for name in SUFFIX if name != host.firewall)
    assert choose_firewall() in SUFFIX
    host.iptables("-A INPUT -i lo -j ACCEPT")
    assert choose_firewall() == host.firewall
    apply(both("nat-gateway", Backend.KERNEL), other)
    assert choose_firewall() == other
    assert firewalls_with_ours() == [other]


def test_legacy_waits_for_the_xtables_lock(
    namespaces: Namespaces, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.path.join(tmp_path, "xtables.lock")
    monkeypatch.setenv("XTABLES_LOCKFILE", path)
    monkeypatch.setattr(legacy, "LOCK_WITHIN", 0.0)
    with entered(namespaces.create("lock")), open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(HostError, match="another program holds"):
            apply(both("nat-gateway", Backend.KERNEL), "legacy")
        fcntl.flock(lock, fcntl.LOCK_UN)
        with legacy.Legacy().locked(), pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
