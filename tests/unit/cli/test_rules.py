from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpfw.cli.rules import rules
from ftpfw.errors import HostError, PolicyError
from ftpfw.ruleset.policy import Backend, Policy
from tests.unit.ruleset.many import many_servers
from tests.unit.ruleset.samples import MINIMAL
from tests.unit.table import table

NO_HELPER = MINIMAL + '[helper]\nbackend = "none"\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(NO_HELPER)
    return path


def test_generated_rules_go_to_standard_output(policy: Path) -> None:
    result = CliRunner().invoke(rules, ["generate", str(policy), "--format", "iptables"])
    assert result.exit_code == 0
    assert "-A ftpfw-nat -s 10.0.1.0/24 -o eth0 -j MASQUERADE" in result.stdout.splitlines()


def test_a_family_without_clients_has_no_rules(policy: Path) -> None:
    result = CliRunner().invoke(rules, ["generate", str(policy), "--format", "ip6tables"])
    assert result.exit_code == 0
    assert all(line.startswith("#") for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "POLICY", "--format", "pf"],
        ["generate", "POLICY", "--format", "iptables", "--helper-backend", "auto"],
        ["generate", "POLICY"],
        ["generate", "POLICY", "--format", "nftables", "--explain"],
        ["apply", "POLICY", "--backend", "firewalld"],
        ["apply", "POLICY", "--confirm", "0"],
    ],
    ids=" ".join,
)
def test_usage(policy: Path, arguments: list[str]) -> None:
    real = [str(policy) if argument == "POLICY" else argument for argument in arguments]
    result = CliRunner().invoke(rules, real)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["apply", "check", "remove"])
def test_only_root_touches_rules(
    policy: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = CliRunner().invoke(rules, [command, str(policy)])
    assert isinstance(result.exception, HostError)


def test_a_policy_explained(policy: Path) -> None:
    arguments = ["generate", str(policy), "--explain", "--helper-backend", "kernel"]
    policy.write_text(MINIMAL)
    shown = CliRunner().invoke(rules, arguments, catch_exceptions=False).stdout
    assert shown.startswith("1. ftpfw-raw (prerouting, raw - 5): ")
    stages = [line.split()[1] for line in shown.splitlines() if line[:1].isdigit()]
    assert stages == ["ftpfw-raw", "ftpfw-helper", "ftpfw-forward", "ftpfw-nat"]
    words = " ".join(shown.split())
    assert "Nobody on eth0 has an address of 10.0.1.0/24." in words
    assert 'iifname "eth0" ip saddr 10.0.1.0/24 drop' in words
    assert max(len(line) for line in shown.splitlines()) < 100


def test_of_many_servers_few_are_told(policy: Path) -> None:
    arguments = ["generate", str(policy), "--explain", "--helper-backend", "kernel"]
    policy.write_text(many_servers(300))
    shown = CliRunner().invoke(rules, arguments, catch_exceptions=False).stdout
    assert "and 296 more }" in " ".join(shown.split())
    assert len(shown.splitlines()) < 400


def test_the_script_for_firewalld_says_that_auto_was_not_resolved(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, None)
    policy.write_text(MINIMAL)
    result = CliRunner().invoke(rules, ["generate", str(policy), "--format", "firewalld"])
    assert result.exit_code == 0
    assert result.stdout.startswith("#!/bin/sh\n")
    assert '# The policy\'s backend = "auto" was not resolved' in result.stdout
    assert 'module="nf_conntrack_sane"' in result.stdout


def generate(policy: Path, text: str, *options: str) -> list[str]:
    policy.write_text(text)
    arguments = ["generate", str(policy), "--format", "iptables", *options]
    result = CliRunner().invoke(rules, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def offer(monkeypatch: pytest.MonkeyPatch, backend: Backend | None, uid: int = 0) -> list[Policy]:
    """A host that offers one backend, or none; whoever asks it is written down."""
    asked = []

    def resolve_backend(policy: Policy) -> Backend:
        asked.append(policy)
        if backend is None:
            raise HostError("no usable backend")
        return backend

    monkeypatch.setattr("ftpfw.cli.rules.resolve_backend", resolve_backend)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    return asked


UNRESOLVED = [
    # id         the host offers   uid
    ("not root", Backend.KERNEL, 1000),
    ("no backend", None, 0),
]


@pytest.mark.parametrize(("offered", "uid"), **table(UNRESOLVED))
def test_auto_without_a_host_is_borrowed_and_says_so(
    policy: Path, monkeypatch: pytest.MonkeyPatch, offered: Backend | None, uid: int
) -> None:
    asked = offer(monkeypatch, offered, uid)
    auto = generate(policy, MINIMAL)
    assert auto.pop(1).startswith('# The policy\'s backend = "auto" was not resolved')
    assert auto == generate(policy, MINIMAL, "--helper-backend", "borrowed")
    assert len(asked) == (uid == 0)


def test_auto_on_a_host_is_what_it_offers(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, Backend.KERNEL)
    auto = generate(policy, MINIMAL)
    assert auto == generate(policy, MINIMAL, "--helper-backend", "kernel")
    assert any("-j CT --helper ftp" in line for line in auto)


def test_a_backend_that_is_named_asks_no_host(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = offer(monkeypatch, None)
    named = MINIMAL + '[helper]\nbackend = "cthelper"\n'
    assert any("--helper ftpfw" in line for line in generate(policy, named))
    other = generate(policy, named, "--helper-backend", "borrowed")
    assert any("--helper sane" in line for line in other)
    assert not asked


def test_a_missing_file_is_a_policy_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        rules, ["generate", str(tmp_path / "none.toml"), "--format", "iptables"]
    )
    assert isinstance(result.exception, PolicyError)
