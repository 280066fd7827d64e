import json
from typing import Any

import pytest

from ftpfw.ruleset.policy import Policy
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.server.audit import OTHERS, Finding, audit
from ftpfw.server.checks import CHECKS, Severity
from ftpfw.server.forms import WRITERS, guess_form, read_text
from ftpfw.server.options import Form, Reading
from ftpfw.server.sarif import render_sarif
from ftpfw.server.settings import Settings
from tests.unit.server.facts import require
from tests.unit.table import table

V, A, C, P = Form.VSFTPD, Form.PURE_ARGS, Form.PURE_CONF, Form.PROFTPD
FILES = {
    V: "vsftpd.conf",
    A: "args",
    C: "pure-ftpd.conf",
    P: "proftpd.conf",
    Form.WU_FTPD: "ftpaccess",
}


def reading(text: str, form: Form) -> Reading:
    return read_text(text, FILES[form], form)


def found(text: str, form: Form, policy: Policy | None = None) -> dict[str, Finding]:
    return {one.id: one for one in audit(reading(text, form), policy)}


UPLOAD = "write_enable=YES\nanon_upload_enable=YES\n"
OTHER = UPLOAD + "anon_other_write_enable=YES\n"
LOCAL = "anonymous_enable=NO\nlocal_enable=YES\n"
TLS = LOCAL + "ssl_enable=YES\n"
STANDALONE = "listen=YES\n"
SITE = "AllowForeignAddress off\n<Anonymous /srv/ftp>\nUserAlias anonymous ftp\n</Anonymous>\n"

ROWS = [
    # id, form, text that has it, line, text that has it not
    ("anonymous-overwrite", V, OTHER, 3, UPLOAD),
    ("anonymous-append", V, OTHER, 3, UPLOAD),
    ("anonymous-delete", V, OTHER, 3, UPLOAD),
    ("anonymous-rename", V, OTHER, 3, UPLOAD),
    ("anonymous-chmod", P, SITE, None, ""),
    ("anonymous-directories", V, UPLOAD + "anon_mkdir_write_enable=YES", 3, UPLOAD),
    ("drop-box-readable", V, UPLOAD + "anon_umask=022", 3, UPLOAD),
    ("drop-box-anywhere", V, UPLOAD, 2, ""),
    ("drop-box-listed", V, UPLOAD, 2, ""),
    ("upload-modes", V, UPLOAD + "anon_umask=055", 3, UPLOAD),
    ("dot-files", V, UPLOAD, None, UPLOAD + "deny_file={.*}"),
    ("upload-without-bound", A, "-e", None, "-e -k 90"),
    ("upload-without-log", V, UPLOAD, None, UPLOAD + "xferlog_enable=YES"),
    ("any-name", A, "-B\n-e", 2, ""),
    ("bounce", V, "port_promiscuous=YES", 1, "port_promiscuous=NO"),
    ("passive-theft", P, "", None, "AllowForeignAddress off"),
    ("passive-unpinned", V, "", None, "pasv_min_port=61000\npasv_max_port=61099"),
    ("ftps-unpinned", V, TLS, 3, LOCAL),
    ("passive-ephemeral", V, "pasv_min_port=50000\npasv_max_port=50100", 2, ""),
    ("active-from-20", V, "connect_from_port_20=YES", 1, ""),
    ("clients-without-limit", V, STANDALONE + "max_clients=0", 2, STANDALONE),
    ("clients-per-address-without-limit", V, STANDALONE + "max_per_ip=0", 2, STANDALONE),
    ("idle-without-limit", V, "idle_session_timeout=0", 1, ""),
    ("failures-without-limit", P, "MaxLoginAttempts none", 1, ""),
    ("root-login", P, "RootLogin on", 1, ""),
    ("users-not-jailed", V, LOCAL, None, LOCAL + "chroot_local_user=YES"),
    (
        "writable-root",
        V,
        LOCAL + "chroot_local_user=YES\nallow_writeable_chroot=YES",
        4,
        LOCAL + "chroot_local_user=YES",
    ),
    ("users-executable", V, LOCAL + "write_enable=YES\nlocal_umask=0", 4, LOCAL),
    ("password-in-clear", V, LOCAL, 2, TLS),
    ("tls-optional", V, TLS + "force_local_logins_ssl=NO", 4, TLS),
    ("tls-session-reuse", V, TLS + "require_ssl_reuse=NO", 4, TLS),
    ("tls-obsolete", V, TLS, 3, TLS + "ssl_tlsv1=NO"),
    ("banner-tells", V, "", None, "ftpd_banner=Hello"),
    ("recursion", V, "ls_recurse_enable=YES", 1, ""),
    # not among the checks
    ("wu-ftpd", Form.WU_FTPD, "", None, None),
    ("auto-rename-append", A, "-r", 1, "-i -r"),
    ("keep-all-files", A, "-K", 1, "-e -K"),
    ("rest-deletes", A, "-e", None, "-e -i"),
    ("order-lets-in", P, "<Limit ALL>\nAllow from 10.0.0.0/8\n</Limit>", 1, ""),
    ("address-not-bound", P, "DefaultAddress 192.0.2.1", 1, ""),
    ("user-owner-without-passwd", P, "<Anonymous ~ftp>\nUserOwner root\n</Anonymous>", 2, ""),
    (
        "directory-overwrite",
        P,
        "<Anonymous ~ftp>\n<Directory pub>\nAllowOverwrite on\n</Directory>\n</Anonymous>",
        3,
        "<Anonymous ~ftp>\n<Directory pub>\n</Directory>\n</Anonymous>",
    ),
    ("copy-engine", P, "LoadModule mod_copy.c", 1, ""),
    ("undocumented-default", V, "", None, None),
    ("not-judged", V, "tcp_wrappers=YES", 1, "tcp_wrappers=NO"),
    (
        "passive-narrow",
        V,
        STANDALONE + "pasv_min_port=61000\npasv_max_port=61001",
        3,
        STANDALONE + "pasv_min_port=61000\npasv_max_port=61001\nmax_clients=2",
    ),
    ("passive-narrow", A, "-p 61000:61001", 1, "-p 61000:61003 -c 2"),
]


@pytest.mark.parametrize(("id_", "form", "bad", "line", "good"), ROWS, ids=[row[0] for row in ROWS])
def test_found_where_it_is_and_not_where_not(
    id_: str, form: Form, bad: str, line: int | None, good: str | None
) -> None:
    finding = found(bad, form)[id_]
    assert (finding.origin.file, finding.origin.line) == (FILES[form], line)
    assert finding.mend
    assert finding.why
    if good is not None:
        assert id_ not in found(good, form)


def test_every_finding_has_a_row() -> None:
    ids = {row[0] for row in ROWS} | {row[0] for row in FIREWALL}
    assert ids == {check.id for check in CHECKS} | {*OTHERS}


def appended(text: str, finding: Finding, form: Form) -> str:
    lines = finding.mend.split("; ")
    if form is V:
        return "\n".join([text, *lines])
    kept = [line for line in text.splitlines() if f"without {line}" not in lines]
    return "\n".join([*kept, *(line for line in lines if not line.startswith("without "))])


MENDED = [
    (row[0], row[1], row[2])
    for row in ROWS
    if row[1] in {V, A} and row[0] in {check.id for check in CHECKS}
]
BY_HAND = {"drop-box-anywhere", "drop-box-listed", "any-name"}
"""What no line of these daemons mends: permissions do, or nothing."""


@pytest.mark.parametrize(
    ("id_", "form", "text"), MENDED, ids=[f"{row[0]} {row[1]}" for row in MENDED]
)
def test_the_lines_that_mend_it_mend_it(id_: str, form: Form, text: str) -> None:
    if id_ not in BY_HAND:
        assert id_ not in found(appended(text, found(text, form)[id_], form), form)


PROFTPD_MENDS = [
    ("passive-theft", "", "AllowForeignAddress off"),
    ("root-login", "RootLogin on", "RootLogin off"),
    ("anonymous-chmod", SITE, "<Anonymous /srv/ftp> <Limit SITE_CHMOD SITE_CHGRP> DenyAll"),
    (
        "anonymous-overwrite",
        "AllowOverwrite on\n" + SITE,
        "<Anonymous /srv/ftp> AllowOverwrite off",
    ),
]


@pytest.mark.parametrize(("id_", "text", "mend"), PROFTPD_MENDS, ids=[r[0] for r in PROFTPD_MENDS])
def test_mends_of_proftpd_name_their_context(id_: str, text: str, mend: str) -> None:
    assert found(text, P)[id_].mend == mend


@pytest.mark.parametrize("form", WRITERS)
def test_the_safe_defaults_have_no_error(form: Form) -> None:
    text = WRITERS[form](Settings()).text
    if form is not Form.PURE_DEBIAN:
        assert not [one for one in audit(reading(text, form)) if one.severity is Severity.ERROR]


@pytest.mark.parametrize("name", ["vsftpd.conf", "proftpd.conf"])
def test_hardened_configurations_have_no_error(name: str) -> None:
    text = require(f"hardened/{name}").read_text()
    form = guess_form(name, text)
    assert form
    assert {one.severity for one in audit(reading(text, form))} <= {Severity.NOTE, Severity.WARNING}


def test_the_worst_comes_first() -> None:
    severities = [one.severity for one in audit(reading(OTHER, V))]
    order = [Severity.ERROR, Severity.WARNING, Severity.NOTE]
    assert severities == sorted(severities, key=order.index)


# Against the firewall

GATEWAY = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\n'
SERVER = GATEWAY + '[[server]]\naddress = "10.0.2.10"\npublic = "203.0.113.1"\n'
RANGE = "pasv_min_port=61000\npasv_max_port=61099\n"
HERE = STANDALONE + "listen_address=10.0.2.10\n"
NONE = '[helper]\nbackend = "none"\n' + SERVER

FIREWALL = [
    # id, configuration, policy, place, configuration and policy that fit
    ("firewall-unpublished", HERE, GATEWAY, "gateway.toml:1", HERE, SERVER),
    (
        "firewall-port",
        HERE + "listen_port=2121",
        SERVER + "port = 2122\n",
        "gateway.toml:7",
        HERE + "listen_port=2121",
        SERVER + "port = 2121\n",
    ),
    (
        "firewall-ports-closed",
        HERE + RANGE,
        SERVER + 'passive_ports = "61050-61099"\n',
        "gateway.toml:7",
        HERE + RANGE,
        SERVER + 'passive_ports = "61000-61099"\n',
    ),
    ("firewall-ports-missing", HERE + RANGE, NONE, "gateway.toml:6", HERE + RANGE, SERVER),
    (
        "firewall-ports-wide",
        HERE + RANGE,
        SERVER + 'passive_ports = "60000-61099"\n',
        "gateway.toml:7",
        HERE + RANGE,
        SERVER,
    ),
    (
        "announced-address",
        HERE + "pasv_address=192.0.2.9",
        SERVER,
        "vsftpd.conf:3",
        HERE + "pasv_address=203.0.113.1",
        SERVER,
    ),
    (
        "announced-private",
        HERE + TLS,
        SERVER,
        "vsftpd.conf (default)",
        HERE + TLS + "pasv_address=203.0.113.1",
        SERVER,
    ),
]


@pytest.mark.parametrize("row", FIREWALL, ids=[row[0] for row in FIREWALL])
def test_against_the_firewall(row: tuple[str, ...]) -> None:
    id_, bad, policy, place, good, fitting = row
    finding = found(bad, V, read_policy(policy, "gateway.toml"))[id_]
    assert str(finding.origin) == place
    assert finding.mend
    assert id_ not in found(good, V, read_policy(fitting, "gateway.toml"))


def test_ftps_through_a_firewall_needs_its_ports_there() -> None:
    policy = read_policy(SERVER, "gateway.toml")
    assert "firewall-ports-missing" in found(HERE + TLS + RANGE, V, policy)
    assert "firewall-ports-missing" not in found(HERE + RANGE, V, policy)


def test_the_mend_of_the_policy_is_the_range() -> None:
    finding = found(HERE + RANGE, V, read_policy(NONE, "gateway.toml"))["firewall-ports-missing"]
    assert finding.mend == 'passive_ports = "61000-61099"'


# SARIF


def test_sarif_is_of_the_shape_that_2_1_0_demands() -> None:
    log: dict[str, Any] = json.loads(json.dumps(render_sarif(audit(reading(OTHER, V)))))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"note", "warning", "error"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        where = location["physicalLocation"]
        assert where["artifactLocation"]["uri"] == "vsftpd.conf"
        assert "region" not in where or where["region"]["startLine"] >= 1


FORMS = [
    ("by name", "/etc/vsftpd.conf", "", Form.VSFTPD),
    ("by its assignments", "a", "# x\nlisten=YES\n", Form.VSFTPD),
    ("by its flags", "a", "-S 21 -e", Form.PURE_ARGS),
    ("by its program", "a", "/usr/sbin/pure-ftpd -e", Form.PURE_ARGS),
    ("by its contexts", "a", "<Global>\n</Global>", Form.PROFTPD),
    ("by its directives", "a", "ServerType inetd", Form.PROFTPD),
    ("by its keywords", "a", "NoAnonymous yes", Form.PURE_CONF),
    ("by its classes", "a", "class all real *", Form.WU_FTPD),
    ("not", "a", "hello", None),
]


@pytest.mark.parametrize(("name", "text", "form"), **table(FORMS))
def test_guess(name: str, text: str, form: Form | None) -> None:
    assert guess_form(name, text) is form
