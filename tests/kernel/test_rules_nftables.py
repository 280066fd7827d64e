"""The table ``inet ftpfw`` in a real kernel, beside other people's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ftpfw.errors import HostError
from ftpfw.ruleset.apply import apply, check, choose_firewall, firewalls_with_ours, remove
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.drift import Kind
from ftpfw.ruleset.model import AttachHelper, Match, Rule, RuleSet
from ftpfw.ruleset.nft_native import Nftables
from ftpfw.ruleset.nftables import render_nftables
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.many import many_servers
from tests.unit.ruleset.samples import NAMES, backends, sample
from tests.unit.table import table

from .netns import Namespaces, run
from .rules_host import NftHost, entered, known_helper, require_helper, require_nft_queue

__all__ = ["known_helper"]

FIREWALL = "nftables"

FOREIGN = """\
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		jump ftpfw-like
	}

	chain ftpfw-like {
		ip saddr 10.9.0.0/16 accept comment "not ours: ftpfw-forward"
	}
}
table ip ftpfw {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.17.0.0/16 oifname != "docker0" masquerade
	}
}
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
	}
}
"""

CASES = [
    (f"{name}.{backend}", name, backend) for name in NAMES for backend in backends(sample(name))
]


@pytest.fixture
def host(known_helper: None, namespaces: Namespaces) -> Iterator[NftHost]:
    namespace = namespaces.create("rules")
    with entered(namespace):
        yield NftHost(namespace)


def wanted(name: str, backend: Backend) -> list[RuleSet]:
    return compile_families(sample(name), backend)


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_applied_checked_reapplied_and_removed(host: NftHost, name: str, backend: Backend) -> None:
    require_helper(backend)
    rulesets = wanted(name, backend)
    if " queue " in render_nftables(rulesets):
        require_nft_queue()
    host.load(FOREIGN)
    before = host.saved()
    apply(rulesets, FIREWALL)
    assert check(rulesets, FIREWALL) == []
    once = host.nft("--handle list ruleset")
    apply(rulesets, FIREWALL)
    assert host.nft("--handle list ruleset") == once, "what is as wanted is left alone"
    remove(FIREWALL)
    assert host.saved() == before


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_the_file_is_what_is_applied(host: NftHost, name: str, backend: Backend) -> None:
    require_helper(backend)
    rulesets = wanted(name, backend)
    if " queue " in render_nftables(rulesets):
        require_nft_queue()
    for _ in range(2):
        host.load(render_nftables(rulesets))
        assert check(rulesets, FIREWALL) == []


def test_rules_of_the_administrator_s_own_are_kept(host: NftHost) -> None:
    apply(wanted("nat-gateway", Backend.NONE), FIREWALL)
    host.nft("add rule inet ftpfw ftpfw-yours iifname eth1 udp dport 53 accept")
    assert check(wanted("nat-gateway", Backend.NONE), FIREWALL) == []
    undo = apply(wanted("nat-gateway", Backend.KERNEL), FIREWALL)
    assert "udp dport 53 accept" in host.nft("list chain inet ftpfw ftpfw-yours")
    undo()
    assert check(wanted("nat-gateway", Backend.NONE), FIREWALL) == []
    assert "udp dport 53 accept" in host.nft("list chain inet ftpfw ftpfw-yours")


def test_rolled_back_to_the_older_rules(host: NftHost) -> None:
    host.load(FOREIGN)
    apply(wanted("published-server", Backend.NONE), FIREWALL)
    before = host.saved()
    apply(wanted("nat-gateway-ipv6", Backend.KERNEL), FIREWALL)()
    assert host.saved() == before


def test_rolled_back_to_nothing(host: NftHost) -> None:
    host.load(FOREIGN)
    before = host.saved()
    apply(wanted("nat-gateway", Backend.KERNEL), FIREWALL)()
    assert host.saved() == before


def test_a_fault_changes_nothing(host: NftHost) -> None:
    host.load(FOREIGN)
    apply(wanted("nat-gateway", Backend.NONE), FIREWALL)
    before = host.saved()
    (ruleset,) = wanted("nat-gateway", Backend.KERNEL)
    unknown = Rule(Match(), AttachHelper("no-such-helper"), "The kernel refuses this.")
    raw = replace(ruleset.chains[0], rules=(unknown, *ruleset.chains[0].rules))
    spoilt = replace(ruleset, chains=(raw, *ruleset.chains[1:]))
    with pytest.raises(HostError, match="no such conntrack helper") as caught:
        apply([spoilt], FIREWALL)
    assert "modprobe" in (caught.value.mend or "")
    assert host.saved() == before


def test_a_kernel_that_cannot_queue_is_told_apart(host: NftHost) -> None:
    rulesets = wanted("nat-gateway", Backend.BORROWED)
    require_helper(Backend.BORROWED)
    if Nftables().takes(rulesets):
        pytest.skip("needs a kernel without nf_tables' queue statement")
    with pytest.raises(HostError, match="cannot queue") as caught:
        apply(rulesets, FIREWALL)
    assert "nft-compat" in (caught.value.mend or "")
    host.load(FOREIGN)
    assert choose_firewall(rulesets) == "nft-compat"


BREAKAGES = [
    # id              what the administrator did                     what check says
    ("rule deleted", "flush chain inet ftpfw ftpfw-nat", Kind.MISSING, "ftpfw-nat"),
    ("rule added", "add rule inet ftpfw ftpfw-nat accept", Kind.UNEXPECTED, "ftpfw-nat"),
    ("chain added", "add chain inet ftpfw mine", Kind.UNEXPECTED, "mine"),
    ("set added", "add set inet ftpfw s {type mark;}", Kind.UNEXPECTED, "set s"),
]


@pytest.mark.parametrize(("breakage", "kind", "chain"), **table(BREAKAGES))
def test_drift_is_found_and_mended(host: NftHost, breakage: str, kind: Kind, chain: str) -> None:
    rulesets = wanted("nat-gateway", Backend.KERNEL)
    apply(rulesets, FIREWALL)
    host.nft(breakage)
    found = check(rulesets, FIREWALL)
    assert {(one.family, one.table) for one in found} == {("inet", "ftpfw")}
    assert (found[0].kind, found[0].chain) == (kind, chain)
    apply(rulesets, FIREWALL)
    assert check(rulesets, FIREWALL) == []


def test_every_chain_is_missing_where_nothing_is_applied(host: NftHost) -> None:
    found = check(wanted("nat-gateway", Backend.KERNEL), FIREWALL)
    assert {one.kind for one in found} == {Kind.MISSING}
    assert "ct helper ftp" in {one.chain for one in found}


def test_chosen_where_nothing_but_tables_of_nft_live(host: NftHost) -> None:
    rulesets = wanted("nat-gateway", Backend.KERNEL)
    assert choose_firewall(rulesets) != FIREWALL
    host.load(FOREIGN)
    assert choose_firewall(rulesets) == FIREWALL
    run(host.namespace, "iptables-nft", "-A", "INPUT", "-i", "lo", "-j", "ACCEPT")
    assert choose_firewall(rulesets) == "nft-compat"
    apply(rulesets, FIREWALL)
    assert choose_firewall(rulesets) == FIREWALL
    assert firewalls_with_ours() == [FIREWALL]


@pytest.mark.parametrize("one_address", [True, False], ids=["one address", "many addresses"])
@pytest.mark.parametrize("backend", [Backend.KERNEL, Backend.NONE])
def test_many_servers_live_too(host: NftHost, one_address: bool, backend: Backend) -> None:
    policy = read_policy(many_servers(300, one_address=one_address), "many.toml")
    rulesets = compile_families(policy, backend)
    apply(rulesets, FIREWALL)
    assert check(rulesets, FIREWALL) == []
    assert "203.0.113.1" in host.saved() or "198.51.100.77" in host.saved()
