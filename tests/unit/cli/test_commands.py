"""The command line as a whole: help, errors in words, exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ftpfw.cli import SUBCOMMANDS, main
from ftpfw.errors import FtpfwError
from ftpfw.helper.backends import Offer
from ftpfw.helper.doctor.examination import examine
from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.ruleset.policy import Backend

POLICY = '[gateway]\ninside = ["lo"]\noutside = "ftpfw0"\nmasquerade = true\n'


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FTPFW_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def run(*arguments: str | Path) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in SUBCOMMANDS)


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS))
def test_each_subcommand_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert capsys.readouterr().out.startswith(f"Usage: ftpfw {name}")


def test_an_unknown_subcommand_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lod") == 2
    assert "lod" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["load", "unload"])
def test_only_root_may_change_the_host(
    command: str, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    policy = state.parent / "gateway.toml"
    policy.write_text(POLICY)
    assert run(command, *([policy] if command == "load" else [])) == 1
    error = capsys.readouterr().err
    assert "only root may" in error
    assert "sudo" in error
    assert not state.exists()


MISSING = [
    ("no such file", "missing.toml", "No such file"),
    ("a directory", ".", "is a directory"),
]


@pytest.mark.parametrize(
    ("name", "said"), [row[1:] for row in MISSING], ids=[r[0] for r in MISSING]
)
def test_a_policy_that_cannot_be_read(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("load", tmp_path / name) == 2
    assert said in capsys.readouterr().err


def test_a_policy_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "gateway.toml"
    policy.write_bytes(b"\xff\xfe\x00")
    assert run("load", policy) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_status_of_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 1
    assert f"nothing is loaded here (no state in {state})" in capsys.readouterr().out
    assert run("status", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "loaded": False,
        "helper_running": False,
        "drift": 0,
        "helper": None,
        "total": None,
        "expectations": [],
    }


def examined(usable: bool) -> tuple[list[Finding], list[Offer]]:
    offer = Offer(Backend.BORROWED, usable, "why", "mend")
    finding = Finding("backend borrowed", usable, "why", "modprobe nf_conntrack_sane")
    return [
        Finding("kernel", True, "Linux"),
        note("IPv4 rules", False, "in two places \x1b[2J", LONG_COMMAND, "clear them"),
        finding,
    ], [offer]


LONG_COMMAND = f"iptables-legacy -t raw -D PREROUTING {'-p tcp ' * 20}-j CT --helper ftp"


@pytest.mark.parametrize(("usable", "auto", "code"), [(True, "borrowed", 0), (False, None, 1)])
def test_doctor(
    usable: bool,
    auto: str | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ftpfw.cli.doctor.examine", lambda: examined(usable))
    assert run("doctor", "--json") == code
    report = json.loads(capsys.readouterr().out)
    assert report["auto"] == auto
    assert report["findings"][2] == {
        "subject": "backend borrowed",
        "ok": usable,
        "found": "why",
        "mend": "modprobe nf_conntrack_sane",
        "needed": True,
        "alternative": "",
    }
    monkeypatch.setenv("COLUMNS", "80")
    assert run("doctor") == code
    lines = capsys.readouterr().out.splitlines()
    marks = [line.split()[0] for line in lines if line[:1] not in {"", " ", "b"}]
    assert marks == (["note", "ok", "ok"] if usable else ["fault", "note", "ok"])
    assert ("       mend: modprobe nf_conntrack_sane" in lines) is not usable
    assert f"       mend: {LONG_COMMAND}" in lines, "a command in one line, to be copied"
    assert "         or: clear them" in lines
    assert "\x1b" not in "".join(lines)


def test_doctor_looks_at_this_host() -> None:
    findings, _ = examine()
    subjects = {finding.subject for finding in findings}
    assert {"kernel", "NFQUEUE", "ctnetlink", "backend borrowed", "backend cthelper"} <= subjects


def test_every_error_has_its_exit_code() -> None:
    def family(kind: type[FtpfwError]) -> set[type[FtpfwError]]:
        return {kind}.union(*(family(child) for child in kind.__subclasses__()))

    codes = {kind.__name__: kind.exit_code for kind in family(FtpfwError)}
    assert codes.pop("PolicyError") == codes.pop("ConfigError") == 2
    assert set(codes.values()) == {1}
