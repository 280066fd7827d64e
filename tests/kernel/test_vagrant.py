"""The Vagrantfile and what it runs on the machines, on namespaces with the host's files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import made_namespaces
from .machines import PROJECT, SCRIPTS, Machine, machines_of
from .netns import require_program

PYTHON = "/opt/ftpfw/bin/python"
EXERCISE = "nat-gateway"
Machines = dict[str, Machine]

pytestmark = pytest.mark.xdist_group("vagrant")
"""The machines' mounts are at places of this host that one run alone may have."""


def vagrant(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("vagrant") is None:
        pytest.skip("needs the program vagrant, which tools/setup-tests installs")
    own = {"VAGRANT_HOME": str(home), "VAGRANT_DOTFILE_PATH": str(home / "state")}
    return subprocess.run(
        ["vagrant", *arguments],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )


def test_vagrant_takes_the_file(tmp_path: Path) -> None:
    done = vagrant("validate", "--ignore-provider", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "validated successfully" in done.stdout
    for name in ("client", "gateway", "server"):
        assert f"==> {name}: " in done.stdout


def test_vagrant_takes_the_file_for_virtualbox(tmp_path: Path) -> None:
    """VirtualBox itself cannot be had everywhere; Vagrant asks it only for its version here."""
    manage = tmp_path / "VBoxManage"
    manage.write_text('#!/bin/sh\ncase "$*" in --version) echo 6.1.50r161033 ;; esac\n')
    manage.chmod(0o755)
    done = vagrant(
        "validate",
        home=tmp_path / "home",
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        VAGRANT_DEFAULT_PROVIDER="virtualbox",
    )
    assert done.returncode == 0, done.stderr
    assert "validated successfully" in done.stdout


def test_an_exercise_that_there_is_not(tmp_path: Path) -> None:
    done = vagrant("validate", "--ignore-provider", home=tmp_path, FTPFW_LAB="elsewhere")
    assert done.returncode != 0
    assert "no machines for FTPFW_LAB=elsewhere" in done.stderr
    assert "the exercises are" in done.stderr


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The exercise's machines, each made what it is there."""
    require_program("unshare", "nsenter", "ip")
    with (
        made_namespaces() as namespaces,
        machines_of(EXERCISE, namespaces, tmp_path_factory.mktemp("machines")) as made,
    ):
        provision(made)
        yield made


def provision(machines: Machines) -> None:
    """As the Vagrantfile has it; all at once, as libvirt does."""

    def one(machine: Machine) -> None:
        machine.output("sh", f"{SCRIPTS}/programs", "/srv/ftpfw")
        machine.output("sh", f"{SCRIPTS}/lab", EXERCISE, "ftpfw", machine.name)

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, machines.values()))


def test_addresses_names_and_forwarding_are_the_exercise_s(machines: Machines) -> None:
    client, gateway, server = (machines[name] for name in ("client", "gateway", "server"))
    # eth0 is taken on each machine, so what the exercise calls so keeps its own name.
    assert client.addresses("eth1") == ["10.77.1.10/24"]
    assert gateway.addresses("inside0") == ["10.77.1.1/24"]
    assert gateway.addresses("outside0") == ["192.0.2.1/24"]
    assert server.addresses("eth1") == ["192.0.2.10/24", "192.0.2.11/24", "192.0.2.12/24"]
    assert gateway.output("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
    assert [each.output("hostname").strip() for each in machines.values()] == list(machines)


def test_routes_leave_the_machine_s_own_network_alone(machines: Machines) -> None:
    assert "192.0.2.0/24 via 10.77.1.1 dev eth1" in machines["client"].output("ip", "route")
    assert "unreachable 10.77.1.0/24" in machines["server"].output("ip", "route")
    for machine in machines.values():
        assert "default" not in machine.output("ip", "route")


def test_the_policy_is_loaded_as_it_was(machines: Machines) -> None:
    status = json.loads(machines["gateway"].output(PYTHON, "-m", "ftpfw", "status", "--json"))
    assert status["policy"] == "/run/ftpfw-machine/policy.toml"
    assert status["helper"]["workers"]


def test_a_second_time_changes_nothing(machines: Machines) -> None:
    before = {name: machine.state() for name, machine in machines.items()}
    server = machines["server"].output("cat", "/run/ftpfw-machine/pid")
    provision(machines)
    assert {name: machine.state() for name, machine in machines.items()} == before
    assert machines["server"].output("cat", "/run/ftpfw-machine/pid") == server


def test_the_checks_pass_through_the_gateway(machines: Machines) -> None:
    argv = [PYTHON, f"{SCRIPTS}/check.py", EXERCISE, "ftpfw", "client", "--json"]
    *rows, report = map(json.loads, machines["client"].output(*argv).splitlines())
    assert [row["name"] for row in rows[:2]] == ["PORT curl", "PORT lftp"]
    assert report["columns"] == {"ftpfw": "ftpfw"}
    assert all(row["cells"]["ftpfw"]["as_expected"] for row in rows)


def test_a_machine_of_another_topology_is_told(machines: Machines) -> None:
    line = "interface 52:54:00:09:0f:00 eth0 192.0.2.1/24"
    done = machines["server"].run("sh", "-c", f"echo {line} | sh {SCRIPTS}/network")
    assert done.returncode != 0
    assert "no interface has the address 52:54:00:09:0f:00" in done.stderr
