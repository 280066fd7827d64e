"""Who may import whom: the core knows nothing of the shells, and arrows go one way."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ftpfw"

LAYERS = [
    "errors",
    "ftp",
    "tcp",
    "conntrack",
    "ruleset",
    "server",
    "helper",
    "capture",
    "lab",
    "cli",
]
"""Each may import those before it."""

SHELLS = {
    "__main__",
    "capture.reader",
    "cli",
    "conntrack.client",
    "conntrack.cthelper",
    "conntrack.events",
    "conntrack.nfsocket",
    "helper.backends",
    "helper.control",
    "helper.crew",
    "helper.daemon",
    "helper.doctor.examination",
    "helper.doctor.facts",
    "helper.eventloop",
    "helper.keeper",
    "helper.landlock",
    "helper.logfile",
    "helper.metrics_server",
    "helper.notify",
    "helper.processes",
    "helper.privileges",
    "helper.queue",
    "helper.reload",
    "helper.state",
    "helper.transfer_file",
    "helper.transfer_log",
    "helper.watchdog",
    "helper.worker",
    "lab.bench",
    "lab.captures",
    "lab.clients.python",
    "lab.clients.running",
    "lab.daemons.running",
    "lab.evidence",
    "lab.gateway",
    "lab.hosts",
    "lab.lean",
    "lab.library",
    "lab.matrix_run",
    "lab.programs",
    "lab.running",
    "lab.scripted",
    "lab.stage",
    "lab.standing",
    "lab.steps",
    "lab.talker",
    "ruleset.apply",
    "ruleset.firewall",
    "ruleset.legacy",
    "ruleset.nft_compat",
    "ruleset.nft_native",
    "ruleset.xtables",
    "server.embedded.addresses",
    "server.embedded.boxes",
    "server.embedded.certificate",
    "server.embedded.control",
    "server.embedded.data",
    "server.embedded.download",
    "server.embedded.files",
    "server.embedded.giving",
    "server.embedded.jail",
    "server.embedded.listeners",
    "server.embedded.login",
    "server.embedded.loop",
    "server.embedded.master",
    "server.embedded.opening",
    "server.embedded.privileges",
    "server.embedded.rendezvous",
    "server.embedded.seats",
    "server.embedded.secure",
    "server.embedded.session",
    "server.embedded.sight",
    "server.embedded.site",
    "server.embedded.texts",
    "server.embedded.transfers",
    "server.embedded.turns",
    "server.embedded.upload",
    "server.embedded.worker",
}
"""Every other module, a new one too, is the core's."""

# The inspector is ctnetlink's one user on the packet path: its worker opens the socket in
# the process that it forked, and a daemon attaches the helper that its crew serves. Doctor and
# backends ask the kernel what it offers. No other shell imports one of another package: what
# load, rules and labs need of each other, the command line hands over, or is.
EDGES = {
    ("helper.backends", "conntrack.cthelper"),
    ("helper.daemon", "conntrack.client"),
    ("helper.daemon", "conntrack.cthelper"),
    ("helper.doctor.examination", "conntrack.client"),
    ("helper.keeper", "conntrack.client"),
    ("helper.keeper", "conntrack.events"),
    ("helper.transfer_log", "conntrack.client"),
    ("helper.transfer_log", "conntrack.events"),
    ("helper.worker", "conntrack.client"),
    ("ruleset.nft_native", "conntrack.nfsocket"),
    ("helper.worker", "conntrack.cthelper"),
}

WITHOUT_EFFECTS = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "difflib",
    "enum",
    "errno",
    "functools",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "operator",
    "re",
    "shlex",
    "statistics",
    "struct",
    "textwrap",
    "tomllib",
    "types",
    "typing",
}
"""What the core may use of the standard library: it computes, and does nothing else."""

PARTS_WITHOUT_EFFECTS = {
    "codecs": {"BOM_UTF8"},
    "os": {"strerror"},
    "pathlib": {"PurePath"},
    "random": {"Random"},  # of which the core is handed one
    "time": {"asctime", "gmtime", "strftime", "struct_time"},  # of a time that is given
    "xml.etree": {"ElementTree"},
    "socket": {"AF_INET", "AF_INET6", "AF_UNSPEC"},
}
"""Modules with effects, and what of them the core may use all the same."""

TYPED_TOML = {"lab.exercise", "ruleset.policy", "ruleset.policy_file"}
"""Where the core uses msgspec, which computes."""

EFFECTS = {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}
"""Builtins that the core may not use."""


def modules() -> dict[str, ast.Module]:
    """Module name below ftpfw → its code."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


MODULES = modules()


def is_shell(name: str) -> bool:
    return name in SHELLS or name.partition(".")[0] in SHELLS


CORE = [name for name in MODULES if not is_shell(name)]


def imported(name: str) -> list[tuple[str, str]]:
    """Every (module, part) that a module imports: a part for each that it takes of a whole one."""
    found = []
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                found += [(alias.name, part) for part in parts_taken(name, bound)]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def parts_taken(name: str, bound: str) -> set[str]:
    """The attributes that a module takes of a name that it bound; "" where it takes the whole."""
    nodes = list(ast.walk(MODULES[name]))
    attribute = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
    uses = [node for node in nodes if isinstance(node, ast.Name) and node.id == bound]
    return {attribute.get(id(use), "") for use in uses} or {""}


def own(name: str) -> Iterator[str]:
    """The modules of ours that a module imports."""
    for module, part in imported(name):
        if module == "ftpfw" or module.startswith("ftpfw."):
            below = f"{module}.{part}".removeprefix("ftpfw.")
            yield below if below in MODULES else module.removeprefix("ftpfw.")


def package(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("name", [n for n in MODULES if package(n) in LAYERS])
def test_arrows_go_one_way(name: str) -> None:
    below = LAYERS[: LAYERS.index(package(name)) + 1]
    assert {package(target) for target in own(name)} - {"ftpfw"} <= {*below}


@pytest.mark.parametrize("name", CORE)
def test_the_core_imports_no_shell(name: str) -> None:
    assert not [target for target in own(name) if is_shell(target)]


@pytest.mark.parametrize("name", CORE)
def test_the_core_uses_nothing_with_effects(name: str) -> None:
    refused = [
        (module, part)
        for module, part in imported(name)
        if package(module) != "ftpfw"
        and module not in WITHOUT_EFFECTS
        and part not in PARTS_WITHOUT_EFFECTS.get(module, ())
        and not (module == "msgspec" and name in TYPED_TOML)
    ]
    assert not refused


@pytest.mark.parametrize("name", CORE)
def test_the_core_calls_no_builtin_with_effects(name: str) -> None:
    names = {node.id for node in ast.walk(MODULES[name]) if isinstance(node, ast.Name)}
    assert not names & EFFECTS


def test_shells_of_two_packages_do_not_know_each_other() -> None:
    edges = {
        (name, target)
        for name in MODULES
        for target in own(name)
        if is_shell(name) and is_shell(target) and package(name) != package(target)
        if package(name) not in {"cli", "__main__"}
    }
    assert edges == EDGES


@pytest.mark.parametrize("name", [n for n in MODULES if package(n) != "cli"])
def test_only_the_command_line_prints(name: str) -> None:
    names = {node.id for node in ast.walk(MODULES[name]) if isinstance(node, ast.Name)}
    assert "print" not in names


def test_what_is_installed_is_what_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        requirement.partition(">")[0].replace("-", "_") for requirement in project["dependencies"]
    }
    tops = {package(module) for name in MODULES for module, _ in imported(name)}
    others = tops - {"ftpfw"} - sys.stdlib_module_names
    assert declared == others


def test_every_shell_exists() -> None:
    assert {*MODULES} | {package(name) for name in MODULES} >= SHELLS
