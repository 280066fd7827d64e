"""What is pure of the virtual machines: who gets which address, and the table of their reports."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ftpfw.lab.exercise import Exercise, Transfer, read_exercise
from ftpfw.lab.results import Cell, RowResult, Verdict

ROOT = Path(__file__).parents[3]
LABS = ROOT / "labs"


def module(path: str) -> ModuleType:
    """A program of the project that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # where dataclasses look for their annotations
    spec.loader.exec_module(made)
    return made


merging = module("tools/vagrant/merging.py")
topology = module("labs/vagrant/topology.py")
engine = module("tools/vagrant/engine.py")


def line(step: int, column: str, seen: Verdict, expected: Verdict = Verdict.PASS) -> str:
    row = RowResult(f"row {step}", "PORT", "curl", {column: Cell(expected, seen, 0.5, "why")})
    return json.dumps({"step": step, **row.as_json()})


def test_columns_that_come_one_after_the_other_are_one_table() -> None:
    seen = merging.Seen()
    for each in (
        line(1, "none", Verdict.FAIL, Verdict.FAIL),
        line(0, "none", Verdict.PASS),
        line(2, "ftpfw", Verdict.PASS),
        line(0, "ftpfw", Verdict.BROKEN),
    ):
        assert seen.hear(each) is not None
    report = {"kernel": "6.1", "backend": "cthelper", "versions": {"curl": "7"}, "rows": []}
    assert seen.hear(json.dumps(report)) is None
    assert (seen.kernel, seen.backend, seen.versions) == ("6.1", "cthelper", {"curl": "7"})
    rows = seen.table()
    assert [row.name for row in rows] == ["row 0", "row 1", "row 2"]
    assert [list(row.cells) for row in rows] == [["none", "ftpfw"], ["none"], ["ftpfw"]]
    assert rows[0].cells["ftpfw"] == Cell(Verdict.PASS, Verdict.BROKEN, 0.5, "why")


@pytest.mark.parametrize("said", ["sudo: unable to resolve host", "[1]", "{}", '{"step": 1}', "3"])
def test_what_is_no_row_is_refused(said: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        merging.Seen().hear(said)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in LABS.glob("*/exercise.toml")))
def test_every_exercise_can_be_machines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert topology.main([name]) == 0
    made = json.loads(capsys.readouterr().out)
    file = LABS / name / "exercise.toml"
    exercise = read_exercise(file.read_text(), str(file))
    assert made["column"] == exercise.columns[-1].name
    assert [machine["name"] for machine in made["machines"]] == [
        host.name for host in exercise.topology.hosts
    ]
    ends = [link for machine in made["machines"] for link in machine["links"]]
    assert len({end["mac"] for end in ends}) == len(ends) == 2 * len(exercise.topology.links)
    assert {end["port"] for end in ends} == {end["peer_port"] for end in ends}
    for host in exercise.topology.hosts:
        assert topology.main([name, host.name]) == 0
        lines = capsys.readouterr().out.splitlines()
        given = {word for each in lines if each.startswith("interface") for word in each.split()}
        for interface in host.interfaces:
            assert {str(address) for address in interface.addresses} <= given
        assert ("forward" in lines) == host.forwards


def test_networks_of_others_are_routed_or_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    topology.main(["nat-gateway", "client"])
    assert "route 192.0.2.0/24 10.77.1.1" in capsys.readouterr().out.splitlines()
    topology.main(["nat-gateway", "server"])
    assert "unreachable 10.77.1.0/24" in capsys.readouterr().out.splitlines()


BAD = {
    "no toml": ("hosts = [x]", "line 1"),
    "no links": ("[hosts.client.interfaces]\neth0 = ['10.0.0.1/24']", "KeyError: 'links'"),
    "no such end": (
        "links = [['a:eth0', 'b:eth0']]\n[hosts.a.interfaces]\neth0 = ['10.0.0.1/24']",
        "a link ends at b:eth0",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_with_its_name(name: str, tmp_path: Path) -> None:
    text, complaint = BAD[name]
    file = tmp_path / "bad.toml"
    file.write_text(text)
    argv = [sys.executable, "-I", str(LABS / "vagrant" / "topology.py"), str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{file}: ")
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("box", "has_service_manager", "own"),
    [("", False, True), ("", True, False), ("mine", False, False), ("mine", True, False)],
)
def test_the_lab_brings_its_own_where_nobody_else_does(
    box: str, has_service_manager: bool, own: bool
) -> None:
    environment = {"FTPFW_BOX": box}
    assert engine.needs_own(environment, has_service_manager=has_service_manager) is own


def matrix() -> Exercise:
    file = LABS / "vagrant" / "matrix.toml"
    return read_exercise(file.read_text(), str(file))


def test_the_matrix_has_every_server_client_and_mode_once() -> None:
    exercise = matrix()
    seen = [
        (step.action.server, step.action.client, step.action.mode)
        for step in exercise.steps
        if isinstance(step.action, Transfer)
    ]
    assert len(set(seen)) == len(seen) == len(exercise.steps)
    servers = {service.address for service in exercise.services}
    assert {server for server, _, _ in seen} == servers
    of_each = {server: {one[1:] for one in seen if one[0] == server} for server in servers}
    assert len({frozenset(each) for each in of_each.values()}) == 1
