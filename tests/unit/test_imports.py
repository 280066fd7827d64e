"""Who may import whom: the core knows nothing of the shells, and arrows go one way."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ftpfw"

LAYERS = ["errors", "ftp", "tcp", "conntrack", "ruleset", "helper", "lab", "cli"]
"""Each may import those before it."""

PURE = {
    "errors",
    "ftp",
    "tcp",
    "conntrack.model",
    "conntrack.nla",
    "conntrack.nlmsg",
    "conntrack.wire",
    "conntrack.wire_conntrack",
    "conntrack.wire_expect",
    "conntrack.wire_tuple",
    "conntrack.cthelper_wire",
    "conntrack.refusals",
    "ruleset.toml_lines",
    "ruleset.policy",
    "ruleset.model",
    "ruleset.bpf",
    "ruleset.compile",
    "ruleset.iptables",
    "ruleset.drift",
    "ruleset.live",
    "lab.measures",
    "helper.commands",
    "helper.outlet",
    "helper.flow",
    "helper.expecting",
    "helper.engine",
    "helper.tally",
    "lab.topology",
    "lab.scenario",
    "lab.results",
}

NO_EFFECTS = set(sys.stdlib_module_names) - {
    "asyncio",
    "fcntl",
    "io",
    "logging",
    "multiprocessing",
    "pathlib",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
"""What the core may use: the standard library, less what touches files, time or the network."""

CONSTANTS_ONLY = {"socket": {"AF_INET", "AF_INET6", "AF_UNSPEC"}, "os": {"strerror"}}
"""Modules with effects of which the core takes constants and pure functions."""


def modules() -> dict[str, Path]:
    """Module name below ftpfw → file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> list[tuple[str, str]]:
    """Every (module, name) that a file imports; name is "" for ``import module``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def is_pure(name: str) -> bool:
    return name in PURE or name.partition(".")[0] in PURE


MODULES = modules()


@pytest.mark.parametrize("name", [n for n in MODULES if n not in ("__init__", "__main__")])
def test_arrows_go_one_way(name: str) -> None:
    layer = LAYERS.index(name.partition(".")[0])
    for module, _ in imported(MODULES[name]):
        if module.startswith("ftpfw."):
            assert LAYERS.index(module.split(".")[1]) <= layer, f"{name} imports {module}"


@pytest.mark.parametrize("name", [n for n in MODULES if is_pure(n)])
def test_the_core_touches_nothing(name: str) -> None:
    for module, what in imported(MODULES[name]):
        top = module.partition(".")[0]
        if top == "ftpfw":
            target = f"{module}.{what}".removeprefix("ftpfw.")
            inner = target if target in MODULES else module.removeprefix("ftpfw.")
            assert is_pure(inner), f"{name} imports the shell {inner}"
        elif top in CONSTANTS_ONLY and what:
            assert what in CONSTANTS_ONLY[top], f"{name} imports {module}.{what}"
        else:
            allowed = top in NO_EFFECTS or (top == "msgspec" and name == "ruleset.policy")
            assert allowed, f"{name} imports {module}"


def test_only_the_command_line_prints() -> None:
    for name, path in MODULES.items():
        if name.startswith("cli"):
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        names = {n.func.id for n in calls if isinstance(n.func, ast.Name)}
        assert "print" not in names, name


def test_every_pure_module_exists() -> None:
    known = set(MODULES) | {name.partition(".")[0] for name in MODULES}
    assert known >= PURE
