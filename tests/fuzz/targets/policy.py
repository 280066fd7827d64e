"""The policy file: any bytes give a Policy, or a PolicyError that names a line of the file.

What was accepted can be compiled for each backend and family, or is refused by a PolicyError
again; each rule that comes out is read back as it was written.
"""

from __future__ import annotations

from ftpfw.errors import PolicyError
from ftpfw.helper.settings import settings_of
from ftpfw.ruleset.compile import compile_policy, families
from ftpfw.ruleset.iptables import parse_rule, render_save, to_xtables
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.policy import Backend, Policy, interfaces
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.ruleset.toml_document import decode_toml

FILE = "fuzz.toml"
BACKENDS = [backend for backend in Backend if backend is not Backend.AUTO]


def fuzz(data: bytes) -> None:
    try:
        policy = read_policy(decode_toml(data, FILE), FILE)
        _require_sound(policy)
    except PolicyError as error:
        _require_helpful(error, lines=data.count(b"\n") + 1)


def _require_helpful(error: PolicyError, *, lines: int) -> None:
    assert error.file == FILE
    assert error.line is None or 1 <= error.line <= lines
    assert error.what
    assert error.mend


def _require_sound(policy: Policy) -> None:
    settings_of(policy)
    for _, path in interfaces(policy):
        assert path in policy.source.lines
    for backend in BACKENDS:
        for family in families(policy):
            _require_readable(compile_policy(policy, backend, family))


def _require_readable(ruleset: RuleSet) -> None:
    assert render_save(ruleset)
    for chain in ruleset.chains:
        for rule in chain.rules:
            written = to_xtables(rule.match, rule.action, ruleset.family)
            assert parse_rule(str(written)) == written
            assert "\n" not in rule.why
