import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import ConfigError
from ftpfw.server.options import Option, Standing
from ftpfw.server.settings import (
    Audience,
    DotFiles,
    Family,
    Origin,
    Path,
    Settings,
    Start,
    TlsLevel,
    changed,
    differences,
    paths,
)
from ftpfw.server.vsftpd.meaning import ALWAYS
from ftpfw.server.vsftpd.reader import read
from ftpfw.server.vsftpd.table import NUMBER, ROWS, TABLE, TEXT, YES_NO
from ftpfw.server.vsftpd.writer import write
from tests.unit.server.facts import errors_of_configuration, facts, require
from tests.unit.table import table


def settings(text: str) -> Settings:
    return read(text, "vsftpd.conf").settings


# The table


def test_every_option_has_its_row_and_its_default() -> None:
    known = {row["option"]: row["default"] for row in facts("vsftpd_options.tsv")}
    assert {row.name: row.default or "(none)" for row in ROWS} == known


def test_every_option_has_its_kind() -> None:
    kinds = {"bool": YES_NO, "int": NUMBER, "string": TEXT}
    known = {row["option"]: kinds[row["type"]] for row in facts("vsftpd_options.tsv")}
    assert {row.name: row.kind for row in ROWS} == known


def test_where_the_manual_is_wrong() -> None:
    noted = {
        row["option"]
        for row in facts("vsftpd_options.tsv")
        if (row["note"] or "").startswith("man page says")
    }
    assert {row.name for row in ROWS if row.documented} == noted


def test_every_setting_is_said_by_an_option_or_fixed() -> None:
    said = {path for row in ROWS for path in row.paths}
    assert said | {*ALWAYS} == {*paths()}


def test_every_option_says_what_it_is_about() -> None:
    assert all(row.what for row in ROWS)


VALUES = {
    YES_NO: ["YES", "NO"],
    NUMBER: ["0", "022", "0600", "1", "990", "50000"],
    TEXT: ["", "text", "RETR,DELE", "{.*}", "127.0.0.1"],
}


VALUES_OF = {
    "listen_address6": ["", "::", "::1"],
    "listen_address": ["", "192.0.2.1"],
    "pasv_address": ["", "192.0.2.1"],
    "listen_port": ["21", "990"],
    "nopriv_user": ["nobody", "ftpsecure"],
    "cmds_allowed": ["", "RETR,DELE"],
    "cmds_denied": ["", "RETR,DELE", "STOR,SITE,PUT"],
}


def values(row: Option) -> list[str]:
    """What a row can be set to in a test."""
    return VALUES_OF.get(row.name, VALUES[row.kind])


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_an_option_changes_nothing_but_its_settings(row: Option) -> None:
    others = [other.name for other in ROWS if {*other.paths} & {*row.paths}]
    switches = [name for name in others if TABLE[name].kind == YES_NO and name != row.name]
    found = {path for setup in setups(switches) for path in changed_by(row, setup)}
    assert found <= {*row.paths}
    assert bool(found) == bool(row.paths) or row.name == "pasv_addr_resolve"


def setups(switches: list[str]) -> list[dict[str, str]]:
    """Every switch off, every one on, and in each of them one that is not."""
    flip = {"YES": "NO", "NO": "YES"}
    whole = [dict.fromkeys(switches, word) for word in flip]
    return whole + [{**all_, one: flip[all_[one]]} for all_ in whole for one in switches]


def changed_by(row: Option, setup: dict[str, str]) -> set[Path]:
    """The settings that differ when a row has one value or another."""
    configurations = [{**setup, row.name: value} for value in values(row)]
    texts_ = [
        "".join(f"{name}={value}\n" for name, value in options.items())
        for options in configurations
        if not options.get("listen") == options.get("listen_ipv6") == "YES"
    ]
    first, *others = [settings(text) for text in texts_] or [Settings()]
    return {path for other in others for path in differences(first, other)}


# Meaning

MEANT = [
    ("by default anybody logs in", "", "anonymous.enabled", True),
    ("inetd by default", "", "listen.start", Start.INETD),
    ("IPv4 listener", "listen=YES", "listen.family", Family.IPV4),
    ("IPv6 listener", "listen_ipv6=YES", "listen.family", Family.BOTH),
    (
        "one IPv6 address",
        "listen_ipv6=YES\nlisten_address6=::1",
        "listen.addresses",
        (ip_address("::1"),),
    ),
    ("range by default", "", "passive.ports", range(5001, 65536)),
    ("range", "pasv_min_port=50000\npasv_max_port=50100", "passive.ports", range(50000, 50101)),
    ("low bound ignored", "pasv_min_port=80", "passive.ports", None),
    ("name announced", "pasv_address=x.test\npasv_addr_resolve=YES", "passive.announced", "x.test"),
    (
        "not asked for",
        "ssl_request_cert=NO\nrequire_cert=YES",
        "tls.client_certificate",
        False,
    ),
    ("checked", "validate_cert=YES", "tls.certificate_checked", True),
    ("octal", "anon_umask=022", "anonymous.file_umask", 0o022),
    ("decimal", "anon_umask=22", "anonymous.file_umask", 22),
    ("bits of a umask", "local_umask=0177022", "users.file_umask", 0o022),
    ("bits of a mode", "file_open_mode=0100644", "files.base_mode", 0o644),
    ("last wins", "listen_port=1\nlisten_port=2", "listen.port", 2),
    ("upload needs write_enable", "anon_upload_enable=YES", "anonymous.rights.upload", False),
    ("upload", "anon_upload_enable=YES\nwrite_enable=1", "anonymous.rights.upload", True),
    ("no overwriting", "anon_upload_enable=YES\nwrite_enable=1", "anonymous.rights.append", False),
    ("others", "anon_other_write_enable=YES\nwrite_enable=true", "anonymous.rights.rename", True),
    ("denied verb", "write_enable=YES\ncmds_denied=DELE,PUT", "users.rights.delete", False),
    (
        "what is left of it",
        "write_enable=YES\ncmds_denied=PUT,XRMD",
        "commands.denied",
        ("PUT", "XRMD"),
    ),
    ("allowed verbs", "cmds_allowed=LIST", "anonymous.rights.download", False),
    ("umask hides uploads", "", "anonymous.drop_box.readable", False),
    ("umask shows uploads", "anon_umask=022", "anonymous.drop_box.readable", True),
    ("chowned away", "anon_umask=022\nchown_uploads=YES", "anonymous.drop_box.readable", False),
    ("dot files", "deny_file={.*}", "anonymous.dot_files", DotFiles.HIDDEN),
    ("bounce", "port_promiscuous=YES", "active.foreign", Audience.EVERYBODY),
    ("TLS", "ssl_enable=YES", "tls.users", TlsLevel.DATA),
    ("TLS is not for anonymous", "ssl_enable=YES", "tls.anonymous", TlsLevel.OFF),
    ("no limit", "max_clients=0", "limits.clients", None),
    ("xferlog", "xferlog_enable=YES\nxferlog_std_format=YES", "logs.transfers", "/var/log/xferlog"),
    ("own log", "xferlog_enable=YES", "logs.transfers", "/var/log/vsftpd.log"),
    ("syslog", "xferlog_enable=YES\nsyslog_enable=YES", "logs.syslog", "ftp"),
    ("blank before a name", " \tlisten_port=5", "listen.port", 5),
    ("= in a text", "ftpd_banner=a=b ", "messages.banner", "a=b "),
]


@pytest.mark.parametrize(("text", "path", "value"), **table(MEANT))
def test_meaning(text: str, path: Path, value: object) -> None:
    assert settings(text).get(path) == value


def test_a_value_knows_its_line() -> None:
    both = settings("# first\nwrite_enable=YES\n\nanon_upload_enable=YES\n")
    assert str(both.origin("anonymous.rights.upload")) == "vsftpd.conf:4"
    assert both.origin("users.rights.upload").line == 2
    assert both.origin("limits.clients") == Origin("vsftpd.conf", None, "max_clients")
    assert both.origin("limits.clients").line is None


STANDINGS = [
    ("obeyed", "write_enable=NO", Standing.OBEYED),
    ("ignored", "use_sendfile=NO", Standing.IGNORED),
    ("harmless", "tcp_wrappers=no", Standing.IGNORED),
    ("refused", "tcp_wrappers=YES", Standing.REFUSED),
    ("refused text", "user_config_dir=/etc/users", Standing.REFUSED),
]


@pytest.mark.parametrize(("text", "standing"), **table(STANDINGS))
def test_standing(text: str, standing: Standing) -> None:
    (one,) = read(text, "vsftpd.conf").given
    assert one.standing is standing


# What vsftpd does not start with

REFUSED = [
    ("unknown", "a=1", 1, "no option 'a'", "leave it out", "a"),
    ("mistyped", "anonymus_enable=NO", 1, "no option", "anonymous_enable?", "anonymus_enable"),
    ("capitals", "Write_enable=NO", 1, "no option", "mean write_enable?", "Write_enable"),
    ("blank before =", "# x\nlisten =YES", 2, "no blank", "listen=YES", "listen "),
    ("blank after =", "listen= YES", 1, "neither YES nor NO", "listen=YES", " YES"),
    ("blank at the end", "listen=YES ", 1, "neither YES", "no blanks around", "YES "),
    ("CRLF", "listen=YES\r\n", 1, "neither YES", "LF alone", "YES\r"),
    ("comment behind a value", "listen=YES # x", 1, "neither YES", "as in listen=NO", "YES # x"),
    ("comment not in column 1", "  # x", 1, "first column", "blanks before #", "# x"),
    ("no value", "listen", 1, "has no value", "listen=NO", "listen"),
    ("empty value", "listen=", 1, "neither YES", "listen=NO", ""),
    ("on", "listen=on", 1, "neither YES nor NO", "listen=NO", "on"),
    ("no number", "max_clients=ten", 1, "digits alone", "max_clients=2000", "ten"),
    ("no octal", "anon_umask=088", 1, "it is octal", "anon_umask=077", "088"),
    ("no port", "listen_port=0", 1, "no port from 1", "listen_port=21", "0"),
    ("small verbs", "cmds_denied=dele", 1, "no list of verbs", "cmds_denied=DELE", "dele"),
    ("blank", "cmds_denied=RMD, DELE", 1, "capitals", "cmds_denied=RMD,DELE", "RMD, DELE"),
    ("empty verb", "cmds_allowed=A,,B", 1, "between", "cmds_allowed=A,B", "A,,B"),
    ("no verb", "cmds_allowed=#", 1, "no list of verbs", "leave it out", "#"),
    ("both listeners", "listen=YES\nlisten_ipv6=YES", 2, "exclude", "listen=NO", "YES"),
    ("no address", "listen=YES\nlisten_address=a", 2, "'a' is no IP", "in numbers", "a"),
    ("announced name", "pasv_address=a.test", 1, "no IP", "pasv_addr_resolve=YES", "a.test"),
    ("ports", "pasv_max_port=1024", 1, "run backwards", "pasv_min_port=1024", "1024"),
    ("nobody", "nopriv_user=", 1, "ends at once", "nopriv_user=nobody", ""),
    ("too large", "max_clients=4294967296", 1, "too large", "max_clients=2000", "4294967296"),
    ("NUL", "ftpd_banner=a\0", 1, "NUL", "plain text", "ftpd_banner=a\0"),
]


@pytest.mark.parametrize(("text", "line", "what", "mend", "marked"), **table(REFUSED))
def test_refused(text: str, line: int, what: str, mend: str, marked: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    error = caught.value
    assert (error.file, error.line) == ("vsftpd.conf", line)
    assert what in error.what
    assert mend in (error.mend or "")
    assert error.text[slice(*error.span)] == marked


def test_an_error_shows_its_line() -> None:
    with pytest.raises(ConfigError) as caught:
        settings("listen= YES")
    assert str(caught.value).splitlines() == [
        "vsftpd.conf:1: ' YES' is neither YES nor NO",
        "    listen= YES",
        "           ^^^^",
        "  mend: no blanks around the value: listen=YES",
    ]


@given(st.text())
def test_any_text_is_at_worst_an_error_with_its_line(text: str) -> None:
    with errors_of_configuration() as caught:
        settings(text)
    assert all(error.line and error.mend for error in caught)


# Writing

LINE = st.text(
    st.characters(blacklist_characters="\n\r\0", blacklist_categories=["Cs"]), max_size=8
)
VERBS = st.lists(st.sampled_from(["STOR", "DELE", "RNFR", "SITE", "APPE", "XRMD"]), max_size=3)


BY_NAME = {
    "listen_address6": st.ip_addresses(v=6).map(str),
    "listen_address": st.ip_addresses(v=4).map(str),
    "pasv_address": st.ip_addresses(v=4).map(str),
    "listen_port": st.integers(1, 65535).map(str),
    "cmds_allowed": VERBS.map(",".join),
    "cmds_denied": VERBS.map(",".join),
}


def texts(row: Option) -> st.SearchStrategy[str]:
    match row:
        case Option(name=name) if name in BY_NAME:
            return BY_NAME[name]
        case Option(kind="YES or NO"):
            return st.sampled_from(["YES", "NO"])
        case Option(kind="a number"):
            return st.integers(0, 70000).map(str) | st.integers(0, 0o777).map(lambda n: f"0{n:o}")
        case _:
            return LINE


LINES = st.one_of(*[texts(row).map(f"{row.name}={{}}\n".format) for row in ROWS if row.paths])


@given(st.lists(LINES, max_size=40).map("".join))
def test_what_is_written_says_what_was_read(text: str) -> None:
    with errors_of_configuration() as caught:
        before = settings(text)
    if caught:
        assert re.search("exclude each other|run backwards|ends at once", caught[0].what)
        return
    written = write(before)
    assert written.unexpressed == ()
    assert settings(written.text) == before


def test_hardened() -> None:
    before = settings(require("hardened/vsftpd.conf").read_text())
    assert settings(write(before).text) == before


def test_each_line_stands_under_its_sentence() -> None:
    lines = write(settings("listen=YES\n")).text.splitlines()
    at = lines.index("listen=YES")
    assert lines[at - 1] == f"# {TABLE['listen'].what}"


UNEXPRESSED = [
    ("quota", {"limits.quota_files": 5}, "limits.quota_files", None),
    ("two rates", {"limits.user_upload_rate": 9}, "limits.user_download_rate", 9),
    ("FXP of users alone", {"active.foreign": Audience.USERS}, "active.foreign", Audience.NOBODY),
    ("announced on IPv6", {"passive.announced": ip_address("::1")}, "passive.announced", None),
    (
        "rate",
        {"limits.anonymous_upload_rate": 1 << 40, "limits.anonymous_download_rate": 1 << 40},
        "limits.anonymous_upload_rate",
        (1 << 32) - 1,
    ),
    ("lines in a banner", {"messages.banner": "a\nguest_enable=YES"}, "messages.banner", None),
    (
        "overwriting without the rest",
        {"anonymous.rights.upload": True, "anonymous.rights.overwrite": True},
        "anonymous.rights.overwrite",
        False,
    ),
]


@pytest.mark.parametrize(("changes", "path", "instead"), **table(UNEXPRESSED))
def test_what_vsftpd_cannot_say_is_listed(
    changes: dict[Path, object], path: Path, instead: object
) -> None:
    base = settings("local_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\n")
    written = write(changed(base, changes))
    assert {one.path: one.instead for one in written.unexpressed}[path] == instead
    assert "guest_enable" not in written.text


def test_rights_that_nobody_has_are_denied_by_their_verbs() -> None:
    base = settings("write_enable=YES\n")
    written = write(changed(base, {"users.rights.rename": False}))
    assert written.unexpressed == ()
    assert "\ncmds_denied=RNFR,RNTO\n" in written.text
