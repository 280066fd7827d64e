"""The sample policies of rules/, and small policies made from them."""

from contextlib import suppress
from pathlib import Path

from ftpfw.errors import PolicyError
from ftpfw.ruleset.compile import compile_policy, families
from ftpfw.ruleset.expressible import require_expressible
from ftpfw.ruleset.iptables import render_save
from ftpfw.ruleset.model import Family, RuleSet
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy

RULES = Path(__file__).parents[3] / "rules"
EXTENSION = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}

MINIMAL = """\
[gateway]
inside = ["eth1"]
outside = "eth0"
masquerade = true

[clients]
allow = ["10.0.1.0/24"]
"""


def sample(name: str) -> Policy:
    path = RULES / f"{name}.toml"
    return read_policy(path.read_text(), path.name)


def backends(policy: Policy) -> list[Backend]:
    """Those the policy can be compiled for; what it names itself, alone."""
    possible = []
    if policy.helper.backend is not Backend.AUTO:
        return [policy.helper.backend]
    for backend in Backend:
        with suppress(PolicyError):
            require_expressible(policy, backend)
            possible.append(backend)
    possible.remove(Backend.AUTO)
    return possible


NAMES = sorted(path.stem for path in RULES.glob("*.toml"))
CASES = [
    (f"{name}.{backend}.{EXTENSION[family]}", name, backend, family)
    for name in NAMES
    for backend in backends(sample(name))
    for family in families(sample(name))
]


def compiled(name: str, backend: Backend, family: Family) -> RuleSet:
    return compile_policy(sample(name), backend, family)


def rendered(name: str, backend: Backend, family: Family) -> str:
    return render_save(compiled(name, backend, family))
