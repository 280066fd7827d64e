from dataclasses import replace

import pytest

from ftpfw.errors import PolicyError
from ftpfw.ruleset.policy import Helper, OnCrash, interfaces, require_cthelper_can
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.ruleset.toml_lines import Source

TWO_INSIDE = """\
[gateway]
inside = ["eth1",
  "br-lan.7"]
outside = "eth0"
"""


def test_interfaces_come_with_their_lines() -> None:
    policy = read_policy(TWO_INSIDE, "gateway.toml")
    named = [(name, policy.source.line(path)) for name, path in interfaces(policy)]
    assert named == [("eth1", 2), ("br-lan.7", 3), ("eth0", 4)]


def test_cthelper_fails_open_and_has_one_queue() -> None:
    source = Source("gateway.toml", {})
    require_cthelper_can(Helper(), source)
    for helper in (replace(Helper(), on_crash=OnCrash.CLOSED), replace(Helper(), queue=range(2))):
        with pytest.raises(PolicyError, match="cthelper"):
            require_cthelper_can(helper, source)
