"""What nft prints, read back. The texts are those of nft 1.0.6."""

from __future__ import annotations

import pytest

from ftpfw.helper.doctor.nftables import NftRule, parse_rule_texts, parse_ruleset

LISTED = """{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
{"table": {"family": "inet", "name": "t", "handle": 1}},
{"ct helper": {"family": "inet", "name": "ftp-std", "table": "t", "handle": 3, "type": "ftp",
 "protocol": "tcp", "l3proto": "inet"}},
{"chain": {"family": "inet", "table": "t", "name": "pre", "handle": 2}},
{"rule": {"family": "inet", "table": "t", "chain": "pre", "handle": 8, "expr": [
 {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 21}},
 {"ct helper": "ftp-std"}]}}]}"""

TEXTS = """\
table inet t { # handle 1
	chain pre { # handle 2
		type filter hook prerouting priority mangle; policy accept;
		tcp dport 21 ct helper set "ftp-std" # handle 8
		accept comment "a # handle 3" # handle 9
	}
}
"""


def test_rules_and_helpers() -> None:
    found = parse_ruleset(LISTED)
    (rule,) = found.rules
    assert (rule.table, rule.chain, rule.handle) == (("inet", "t"), "pre", 8)
    assert rule.place == "inet t pre"
    assert rule.statements[-1] == {"ct helper": "ftp-std"}
    assert found.helpers == {(("inet", "t"), "ftp-std"): "ftp"}
    assert found.tables() == {("inet", "t"): 1}


def test_words_by_handle() -> None:
    assert parse_rule_texts(TEXTS) == {
        8: 'tcp dport 21 ct helper set "ftp-std"',
        9: 'accept comment "a # handle 3"',
    }


@pytest.mark.parametrize(
    "text", ["", "{}", "Error: JSON support not compiled-in", '{"nftables": 1}']
)
def test_what_is_no_listing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"listing|Expecting"):
        parse_ruleset(text)


def test_a_place_is_table_and_chain() -> None:
    assert NftRule(("ip6", "a"), "b", 1, ()).place == "ip6 a b"
