"""What a running helper can take without a restart."""

from __future__ import annotations

import pytest

from ftpfw.errors import PolicyError
from ftpfw.helper.standing import Standing, control_ports, require_takeable
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy

TEXT = """\
[gateway]
inside = ["eth1"]
outside = "eth0"
masquerade = true
zone = 3
[helper]
backend = "auto"
queue = "0"
mark = 0x40000000
[clients]
allow = ["10.0.1.0/24"]
"""


def policy(old: str = "", new: str = "") -> Policy:
    return read_policy(TEXT.replace(old, new, 1), "gateway.toml")


TAKEN = [
    # id, what is replaced, by what
    ("clients", "10.0.1.0/24", "10.0.2.0/24"),
    ("ports", "[helper]", "[helper]\nports = [21, 2121]"),
    ("checks", "[helper]", '[helper]\nchecks = "strict"'),
    ("on_crash", "[helper]", '[helper]\non_crash = "closed"'),
    ("the backend that auto has taken", '"auto"', '"borrowed"'),
    ("interfaces", '"eth1"', '"eth2"'),
]


@pytest.mark.parametrize(("old", "new"), [r[1:] for r in TAKEN], ids=[r[0] for r in TAKEN])
def test_taken(old: str, new: str) -> None:
    require_takeable(policy(old, new), policy(), Backend.BORROWED)


REFUSED = [
    # id, what is replaced, by what, the line and key that the error names
    ("zone", "zone = 3", "zone = 4", "gateway.toml:5: gateway.zone"),
    ("backend", '"auto"', '"kernel"', "gateway.toml:7: helper.backend"),
    ("queue", 'queue = "0"', 'queue = "0-1"', "gateway.toml:8: helper.queue"),
    ("mark", "0x40000000", "0x20000000", "gateway.toml:9: helper.mark"),
    ("a log", "[helper]", '[helper]\nxferlog = "/x"', "gateway.toml:7: helper.xferlog"),
    ("metrics", "[helper]", '[helper]\nmetrics = "/x"', "gateway.toml:7: helper.metrics"),
]


@pytest.mark.parametrize(
    ("old", "new", "named"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(old: str, new: str, named: str) -> None:
    with pytest.raises(PolicyError, match="cannot change") as error:
        require_takeable(policy(old, new), policy(), Backend.BORROWED)
    assert str(error.value).startswith(named)
    assert "unload first" in str(error.value)


def test_a_backend_without_inspector_is_not_what_auto_would_take() -> None:
    with pytest.raises(PolicyError, match=r"helper\.backend"):
        require_takeable(policy(), policy('"auto"', '"none"'), Backend.NONE)


def test_what_auto_had_to_take_binds_it() -> None:
    closed = policy("[helper]", '[helper]\non_crash = "closed"')
    with pytest.raises(PolicyError, match="impossible"):
        require_takeable(closed, policy(), Backend.CTHELPER)


def test_reports_tell_the_text_in_force() -> None:
    told = Standing(policy(), since=5.0, refused="why").as_json()
    assert told == {"file": "gateway.toml", "text": TEXT, "since": 5.0, "refused": "why"}


def test_control_ports_are_those_of_servers_outside_and_inside() -> None:
    servers = '[[server]]\naddress = "10.0.2.1"\npublic = "192.0.2.1"\nport = 2121\n[clients]'
    assert control_ports(policy("[clients]", servers)) == {21, 2121}
