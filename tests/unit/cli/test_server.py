import json
import re
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ftpfw.cli.server import server
from ftpfw.errors import ConfigError
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.server.audit import audit
from ftpfw.server.checks import Severity
from ftpfw.server.forms import WRITERS, read_text
from ftpfw.server.options import Form
from ftpfw.server.recipes import Place, Purpose, make
from ftpfw.server.vsftpd.table import TABLE

UPLOAD = "write_enable=YES\nanon_upload_enable=YES\nuse_sendfile=NO\n"
GATEWAY = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\n'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(server, [str(one) for one in arguments])


@pytest.fixture
def vsftpd(tmp_path: Path) -> Path:
    path = tmp_path / "vsftpd.conf"
    path.write_text(UPLOAD)
    return path


def test_show_says_value_and_line(vsftpd: Path) -> None:
    lines = run("show", vsftpd).stdout.splitlines()
    upload = next(line for line in lines if line.startswith("anonymous.rights.upload"))
    assert upload.split()[1:4] == ["yes", "line", "2"]
    clients = next(line for line in lines if line.startswith("limits.clients "))
    assert clients.split()[1:5] == ["2000", "default", "of", "max_clients"]
    assert any(line.startswith("use_sendfile") and "ignored" in line for line in lines)


def test_show_for_machines(vsftpd: Path) -> None:
    report = json.loads(run("show", vsftpd, "--json").stdout)
    assert report["daemon"] == "vsftpd"
    assert report["settings"]["anonymous.rights.upload"]["line"] == 2
    assert report["settings"]["passive.ports"]["value"] == "5001-65535"
    assert report["options"][2]["standing"] == "ignored"


def test_show_has_every_option(vsftpd: Path) -> None:
    lines = run("show", vsftpd, "--options").stdout.splitlines()
    rows = {line.split()[0]: line for line in lines[2:]}
    assert "refused unless no or false or 0" in rows["tcp_wrappers"]
    assert "obeyed" in rows["write_enable"]
    assert len(rows) == len(TABLE)
    report = json.loads(run("show", vsftpd, "--options", "--json").stdout)
    assert [one["option"] for one in report] == [*TABLE]


def test_audit_fails_on_what_it_is_told_to(vsftpd: Path) -> None:
    assert run("audit", vsftpd).exit_code == 0
    assert run("audit", vsftpd, "--fail-on", "warning").exit_code == 1
    assert run("audit", vsftpd, "--fail-on", "never").exit_code == 0
    vsftpd.write_text(UPLOAD + "anon_umask=0\n")
    assert run("audit", vsftpd).exit_code == 1


def test_audit_for_machines(vsftpd: Path) -> None:
    report = json.loads(run("audit", vsftpd, "--json").stdout)
    places = {one["id"]: one["line"] for one in report["findings"]}
    assert places["drop-box-anywhere"] == 2
    log = json.loads(run("audit", vsftpd, "--sarif").stdout)
    assert log["version"] == "2.1.0"
    assert len(log["runs"][0]["results"]) == len(report["findings"])


def test_audit_against_a_policy(vsftpd: Path, tmp_path: Path) -> None:
    policy = tmp_path / "gateway.toml"
    policy.write_text(GATEWAY)
    result = run("audit", vsftpd, "--policy", policy)
    assert result.exit_code == 1
    assert "firewall-unpublished" in result.stdout


def test_convert(vsftpd: Path) -> None:
    result = run("convert", vsftpd, "--to", "pure-ftpd-args")
    assert result.stdout.startswith("pure-ftpd -")
    assert "note: limits.clients_per_address" not in result.stderr
    assert "use_sendfile left out, harmless" in result.stderr
    assert result.exit_code == 1


def test_convert_to_itself_loses_nothing(vsftpd: Path) -> None:
    vsftpd.write_text("write_enable=YES\n")
    result = run("convert", vsftpd, "--to", "vsftpd")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "\nwrite_enable=YES\n" in result.stdout


def test_debians_directory(tmp_path: Path) -> None:
    conf, auth = tmp_path / "conf", tmp_path / "auth"
    conf.mkdir()
    auth.mkdir()
    (conf / "NoAnonymous").write_text("yes\n")
    (conf / "UnixAuthentication").write_text("yes\n")
    (conf / "NoAnonymous.bak").write_text("what the wrapper passes over\n")
    (auth / "65unix").symlink_to("../conf/UnixAuthentication")
    report = json.loads(run("show", conf, "--json").stdout)
    assert report["settings"]["users.sources"]["value"] == ["unix"]
    assert report["settings"]["anonymous.enabled"] == {
        "value": False,
        "file": f"{conf}/NoAnonymous",
        "line": 1,
    }


def test_included_files(tmp_path: Path) -> None:
    main, directory = tmp_path / "proftpd.conf", tmp_path / "conf.d"
    directory.mkdir()
    (directory / "b.conf").write_text("Port 3\n")
    (directory / "a.conf").write_text("Port 2\n")
    main.write_text(f"Include {directory}/\nInclude {tmp_path}/nothing.conf\n")
    result = run("show", main, "--json")
    assert json.loads(result.stdout)["settings"]["listen.port"]["value"] == 2
    assert f"note: {main}:2: there is no {tmp_path}/nothing.conf" in result.stderr


def test_bytes_that_are_no_utf_8(vsftpd: Path) -> None:
    vsftpd.write_bytes("ftpd_banner=Grüße\n".encode("latin-1"))
    report = json.loads(run("show", vsftpd, "--json").stdout)
    assert report["settings"]["messages.banner"]["value"] == "Grüße"


@pytest.mark.parametrize(
    ("text", "what"),
    [("listen=maybe\n", "neither YES nor NO"), (None, "No such file")],
    ids=["wrong", "missing"],
)
def test_what_cannot_be_read(tmp_path: Path, text: str | None, what: str) -> None:
    path = tmp_path / "vsftpd.conf"
    if text:
        path.write_text(text)
    result = run("audit", path)
    assert isinstance(result.exception, ConfigError)
    assert what in str(result.exception)


def test_what_nobody_can_guess(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("hello\n")
    result = run("show", path)
    assert isinstance(result.exception, ConfigError)
    assert "--daemon" in str(result.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "FILE", "--json", "--sarif"],
        ["convert", "FILE", "--to", "wu-ftpd"],
        ["generate", "--daemon", "vsftpd", "--for", "drop-box", "--address", "here"],
        ["generate", "--daemon", "vsftpd", "--for", "drop-box", "--public", "192.0.2.1"],
        [
            *("generate", "--daemon", "vsftpd", "--for", "drop-box"),
            *("--address", "10.0.2.10", "--public", "2001:db8::1"),
        ],
        ["generate", "--daemon", "vsftpd", "--for", "drop-box", "--passive-ports", "5-9"],
        ["generate", "--daemon", "vsftpd", "--for", "drop-box", "--root", "srv"],
        ["generate", "--daemon", "vsftpd", "--for", "warez"],
    ],
    ids=" ".join,
)
def test_usage(vsftpd: Path, arguments: list[str]) -> None:
    result = run(*[str(vsftpd) if one == "FILE" else one for one in arguments])
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_generated_server_is_written(tmp_path: Path) -> None:
    output = tmp_path / "made"
    result = run("generate", "--daemon", "proftpd", "--for", "drop-box", "--output", output)
    assert result.exit_code == 0
    assert {one.name for one in output.iterdir()} == {"proftpd.conf", "setup.sh", "gateway.toml"}


def test_a_generated_server_is_shown() -> None:
    result = run("generate", "--daemon", "vsftpd", "--for", "drop-box", "--inetd")
    assert "\nanon_upload_enable=YES\n" in result.stdout
    assert "install -d -o root -g ftp -m 1730 /srv/ftp/incoming" in result.stdout
    assert "/etc/inetd.conf" in result.stdout


WORDS_OF_INETD = 20
"""openbsd-inetd's MAXARGV: more of a line than that it drops (measured on 0.20221205)."""


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("form", WRITERS)
def test_inetd_takes_every_word_of_its_line(form: Form, purpose: Purpose) -> None:
    place = replace(PUBLISHED, address=ip_address("2001:db8::10"), public=None, inetd=True)
    commands = make(purpose, form, place).commands
    (line,) = re.findall(r"^echo '(.*)' >> /etc/inetd.conf$", commands, re.MULTILINE)
    service, _, _, _, user, _, *words = line.split()
    assert (service, user) == ("[2001:db8::10]:ftp", "root")
    assert len(words) <= WORDS_OF_INETD


PUBLISHED = Place(address=IPv4Address("10.0.2.10"), public=IPv4Address("192.0.2.1"))
EVERY = [(form, purpose) for form in WRITERS if form is not Form.PURE_DEBIAN for purpose in Purpose]


@pytest.mark.parametrize(("form", "purpose"), EVERY, ids=[f"{f} {p}" for f, p in EVERY])
@pytest.mark.parametrize("place", [Place(), PUBLISHED], ids=["here", "published"])
def test_generated_servers_pass_the_audit(form: Form, purpose: Purpose, place: Place) -> None:
    recipe = make(purpose, form, place)
    assert recipe.unexpressed == ()
    policy = read_policy(recipe.policy, "gateway.toml")
    findings = audit(read_text(recipe.configuration, "made", form), policy)
    known = {"rest-deletes"}  # what Pure-FTPd does, whatever its options
    assert not [f for f in findings if f.severity is Severity.ERROR and f.id not in known]
