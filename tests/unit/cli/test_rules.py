from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpfw.cli.rules import rules
from ftpfw.errors import HostError, PolicyError
from tests.unit.ruleset.samples import MINIMAL

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
        ["generate", "POLICY", "--format", "nftables"],
        ["generate", "POLICY", "--format", "firewalld"],
        ["generate", "POLICY", "--format", "pf"],
        ["generate", "POLICY"],
        ["apply", "POLICY", "--backend", "nftables"],
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


def test_a_missing_file_is_a_policy_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        rules, ["generate", str(tmp_path / "none.toml"), "--format", "iptables"]
    )
    assert isinstance(result.exception, PolicyError)
