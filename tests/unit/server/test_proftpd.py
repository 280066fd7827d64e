import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import ConfigError
from ftpfw.server.options import Option, Place, Standing, unexpressed
from ftpfw.server.proftpd.files import DOT_FILES
from ftpfw.server.proftpd.limits import GROUPS
from ftpfw.server.proftpd.meaning import ALWAYS
from ftpfw.server.proftpd.reader import read
from ftpfw.server.proftpd.table import ROWS, TABLE
from ftpfw.server.proftpd.writer import write
from ftpfw.server.settings import (
    Audience,
    DotFiles,
    Family,
    Names,
    Path,
    Settings,
    Start,
    Syntax,
    TlsLevel,
    changed,
    paths,
)
from tests.unit.server.facts import errors_of_configuration, facts, require
from tests.unit.table import table


def settings(text: str) -> Settings:
    return read(text, "proftpd.conf").settings


# The table

GROUPED = {
    "Allow/Deny": ["Allow", "Deny"],
    "AllowAll/DenyAll": ["AllowAll", "DenyAll"],
    "BanEngine/BanOnEvent": ["BanEngine", "BanOnEvent"],
    "TLSRSACertificateFile/KeyFile": ["TLSRSACertificateFile", "TLSRSACertificateKeyFile"],
}


def test_every_directive_has_its_row() -> None:
    known: set[str] = set()
    for row in facts("proftpd_directives.tsv"):
        name = re.sub(r"^<Limit .*>", "<Limit>", row["directive"])
        known |= {*GROUPED.get(name, re.sub(r"(?<!<)/", " ", name).split())}
    assert known <= {*TABLE}


OTHERWISE = {"unlimited": "none", "compiled path": "/var/log/xferlog", "compiled": "", "none": "0"}
"""Defaults that the table of facts has in other words."""


def test_the_defaults_are_those_measured() -> None:
    for row in facts("proftpd_directives.tsv"):
        option = TABLE.get(row["directive"])
        if option and option.default and not option.name.startswith("<"):
            known = row["default"].replace('"', "").split(" (")[0]
            told = option.documented or option.default
            assert told in {known.split()[0], OTHERWISE.get(known)}, row


STATED = [row for row in ROWS if row.default and row.paths and "s" in row.kind]


@pytest.mark.parametrize("row", STATED, ids=[row.name for row in STATED])
def test_a_default_that_is_written_out_changes_nothing(row: Option) -> None:
    assert settings(f"{row.name} {row.default}") == settings("")


def test_every_setting_is_said_by_a_directive_or_fixed() -> None:
    said = {path for row in ROWS for path in row.paths}
    assert said | {*ALWAYS} == {*paths()}
    assert not said & {*ALWAYS}


# Grammar

SITE = "<Anonymous /srv/ftp>\n{}\n</Anonymous>\n"

MEANT = [
    ("name in any case", "port 2121", "listen.port", 2121),
    ("comment behind", "Port 2121 # x", "listen.port", 2121),
    ("quotes", 'Port "2121"', "listen.port", 2121),
    ("a line continued", "Port 21\\\n21", "listen.port", 2121),
    ("quote in quotes", r'ServerIdent on "a \"b\" c#"', "messages.banner", 'a "b" c#'),
    ("CRLF", "Port 2121\r\n", "listen.port", 2121),
    ("first wins", "Port 1\nPort 2", "listen.port", 1),
    ("module that is there", "<IfModule mod_core.c>\nPort 3\n</IfModule>", "listen.port", 3),
    ("module that is not", "<IfModule mod_tls.c>\nPort 3\n</IfModule>", "listen.port", 21),
    ("not", "<IfModule !mod_tls.c>\nPort 3\n</IfModule>", "listen.port", 3),
    (
        "module that is loaded",
        "LoadModule mod_tls.c\n<IfModule mod_tls.c>\nPort 3\n</IfModule>",
        "listen.port",
        3,
    ),
    ("not defined", "<IfDefine X>\nNosuch 3\n</IfDefine>", "listen.port", 21),
    (
        "nested and left out",
        "<IfModule mod_x.c>\n<Limit ALL>\nDenyAll\n</Limit>\n</IfModule>",
        "users.enabled",
        True,
    ),
    ("global", "<Global>\nPort 3\n</Global>", "listen.port", 3),
    ("the server before all", "<Global>\nPort 3\n</Global>\nPort 4", "listen.port", 4),
    ("another server", "<VirtualHost 192.0.2.1>\nPort 3\n</VirtualHost>", "listen.port", 21),
    # values
    ("minutes", "TimeoutIdle 5m", "timeouts.idle", 300),
    ("no time", "TimeoutIdle 0", "timeouts.idle", None),
    ("size", "MaxStoreFileSize 500 Mb", "limits.upload_bytes", 500 << 20),
    ("no size", "MaxStoreFileSize *", "limits.upload_bytes", None),
    ("rate", "TransferRate RETR 1.5", "limits.user_download_rate", 1536),
    ("rate of another", "TransferRate RETR 1.5", "limits.user_upload_rate", None),
    ("bits of a umask", "Umask 7022", "users.file_umask", 0o022),
    ("one umask", "Umask 077", "users.directory_umask", 0o077),
    ("two", "Umask 0177 0077", "users.file_umask", 0o177),
    ("inetd", "ServerType inetd", "listen.start", Start.INETD),
    ("IPv4", "UseIPv6 off", "listen.family", Family.IPV4),
    ("bound", "DefaultAddress ::1\nSocketBindTight on", "listen.addresses", (ip_address("::1"),)),
    ("not bound", "DefaultAddress 127.0.0.1", "listen.addresses", ()),
    ("no greeting", "ServerIdent off", "messages.banner", ""),
    ("by default passive data is not checked", "", "passive.foreign", Audience.EVERYBODY),
    ("active data is", "", "active.foreign", Audience.NOBODY),
    ("written out", "AllowForeignAddress off", "passive.foreign", Audience.NOBODY),
    (
        "foreign for users alone",
        "AllowForeignAddress on\n" + SITE.format("AllowForeignAddress off"),
        "active.foreign",
        Audience.USERS,
    ),
    ("the fewer of two", "MaxInstances 30\nMaxClients 50", "limits.clients", 30),
    ("counted at once", "MaxInstances 30", "limits.clients_from_login", False),
    ("counted later", "MaxClients 30", "limits.clients_from_login", True),
    ("both", "MaxInstances 30\nMaxClients 20", "limits.clients_from_login", False),
    ("of an address", "MaxClientsPerHost 3", "limits.clients_per_address_from_login", True),
    (
        "of anybody, if nobody else logs in",
        f"{SITE.format('MaxClientsPerHost 3')}<Limit LOGIN>\nDenyAll\n</Limit>",
        "limits.clients_per_address",
        3,
    ),
    ("not of users", SITE.format("MaxClientsPerHost 3"), "limits.clients_per_address", None),
    ("asked", "TLSVerifyClient optional", "tls.client_certificate", False),
    ("and checked", "TLSVerifyClient optional", "tls.certificate_checked", True),
    ("hidden", SITE.format("HideNoAccess on"), "listing.hide_unreachable", True),
    ("jail", "DefaultRoot ~", "users.jailed", True),
    ("its exceptions", "DefaultRoot ~ !staff", "users.jail_exceptions", "groups !staff"),
    ("log switched off", "SystemLog none", "logs.syslog", None),
    ("TLS", "TLSEngine on\nTLSRequired ctrl", "tls.users", TlsLevel.CONTROL),
    ("sources", "AuthOrder mod_auth_pam.c mod_auth_unix.c", "users.sources", ("pam", "unix")),
    ("PAM decides", "AuthOrder mod_auth_pam.c* mod_auth_unix.c", "users.sources", ("pam",)),
    ("own file", "AuthUserFile /a", "users.sources", ("file:/a", "pam", "unix")),
    # anonymous sessions
    ("no section", "", "anonymous.enabled", False),
    ("a section", SITE.format(""), "anonymous.enabled", True),
    ("its root", SITE.format(""), "anonymous.root", "/srv/ftp"),
    ("home of its user", "<Anonymous ~ftp>\n</Anonymous>", "anonymous.root", None),
    (
        "alias",
        SITE.format("User ftp\nUserAlias anonymous ftp"),
        "anonymous.names",
        ("anonymous", "ftp"),
    ),
    (
        "alias alone",
        SITE.format("UserAlias guest ftp\nAuthAliasOnly on"),
        "anonymous.names",
        ("guest",),
    ),
    ("inherited", "AllowOverwrite on\n" + SITE.format(""), "anonymous.rights.overwrite", True),
    ("dot files", f'PathDenyFilter "{DOT_FILES}"', "anonymous.dot_files", DotFiles.FREE),
    (
        "nothing is added to what is hidden",
        SITE.format("AllowOverwrite on\nHiddenStores on"),
        "anonymous.rights.append",
        False,
    ),
    (
        "nor resumed",
        SITE.format("AllowOverwrite on\nHiddenStores on"),
        "anonymous.rights.resume",
        False,
    ),
    (
        "STOR without STOU",
        "<Limit LOGIN>\nDenyAll\n</Limit>\n"
        + SITE.format(
            "<Limit LOGIN>\nAllowAll\n</Limit>\n<Limit WRITE>\nDenyAll\n</Limit>\n"
            "<Directory /srv/ftp/in>\n<Limit STOR>\nAllowAll\n</Limit>\n</Directory>"
        ),
        "commands.denied",
        ("STOU",),
    ),
    (
        "a section is held to the server's TLS",
        "TLSEngine on\nTLSRequired on\n" + SITE.format("TLSRequired off"),
        "tls.anonymous",
        TlsLevel.DATA,
    ),
    ("data in clear", "TLSEngine on\nTLSRequired auth+!data", "tls.users", TlsLevel.CONTROL),
    ("a limit that is not obeyed", "<Limit SYST SITE>\nDenyAll\n</Limit>", "commands.denied", ()),
    ("a limit that is", "<Limit FEAT>\nDenyAll\n</Limit>", "commands.denied", ("FEAT",)),
    (
        "verbs of a group",
        "<Limit DIRS>\nDenyAll\n</Limit>",
        "commands.denied",
        ("CDUP", "CWD", "PWD", "XCUP", "XCWD", "XPWD"),
    ),
    ("anonymous clients are one user", "MaxClientsPerUser 3", "limits.anonymous_clients", 3),
    ("dot files by -A", 'ListOptions "-A"', "listing.dot_files", True),
    (
        "owner without passwd",
        SITE.format("UserOwner root"),
        "anonymous.drop_box.owner",
        None,
    ),
    (
        "owner",
        "PersistentPasswd on\n" + SITE.format("UserOwner root"),
        "anonymous.drop_box.owner",
        "root",
    ),
]


@pytest.mark.parametrize(("text", "path", "value"), **table(MEANT))
def test_meaning(text: str, path: Path, value: object) -> None:
    assert settings(text).get(path) == value


def test_a_dot_pattern_in_the_file_is_escaped() -> None:
    text = 'PathDenyFilter "(^|/)\\\\.[^/]*$"'
    assert settings(text).users.dot_files is DotFiles.READ_ONLY


# Limits

LIMITS = [
    # id, what stands in the limit, whether files can be stored
    ("nothing", "", True),
    ("DenyAll", "DenyAll", False),
    ("AllowAll", "AllowAll", True),
    ("order lets in", "Order allow,deny\nAllow from 10.0.0.0/8", True),
    ("order keeps out", "Order deny,allow", False),
    ("keeps out by itself", "Order deny,allow\nDeny from all", False),
    ("denied all", "Deny from all", False),
    ("allowed all goes first", "Allow from all\nDeny from all", True),
    ("denied all goes first", "Order deny,allow\nAllow from all\nDeny from all", False),
    ("some", "Allow from 10.0.0.0/8\nDeny from all", True),
    ("blank in the order", "Order deny, allow", False),
]


@pytest.mark.parametrize(("rules", "stored"), **table(LIMITS))
def test_order(rules: str, stored: bool) -> None:
    text = f"<Limit WRITE>\n{rules}\n</Limit>"
    assert settings(text).users.rights.upload is stored


PRECEDENCE = [
    (
        "verb before group",
        "<Limit WRITE>\nDenyAll\n</Limit>\n<Limit STOR>\nAllowAll\n</Limit>",
        True,
    ),
    ("group before all", "<Limit ALL>\nDenyAll\n</Limit>\n<Limit WRITE>\nAllowAll\n</Limit>", True),
    ("several verbs", "<Limit STOR DELE>\nDenyAll\n</Limit>", False),
    ("another verb", "<Limit DELE>\nDenyAll\n</Limit>", True),
    ("all", "<Limit ALL>\nDenyAll\n</Limit>", False),
]


@pytest.mark.parametrize(("text", "stored"), **table(PRECEDENCE))
def test_precedence(text: str, stored: bool) -> None:
    assert settings(text).users.rights.upload is stored


def test_login_is_in_no_group() -> None:
    assert settings("<Limit ALL>\nDenyAll\n</Limit>").users.enabled
    assert not settings("<Limit LOGIN>\nDenyAll\n</Limit>").users.enabled


BOX = SITE.format(
    "<Limit WRITE>\nDenyAll\n</Limit>\n<Directory incoming/*>\nAllowOverwrite off\n"
    "<Limit READ DIRS>\nDenyAll\n</Limit>\n<Limit STOR>\nAllowAll\n</Limit>\n</Directory>"
)


def test_a_drop_box() -> None:
    anonymous = settings("AllowOverwrite on\n" + BOX).anonymous
    assert anonymous.drop_box.directories == ("/srv/ftp/incoming",)
    assert anonymous.rights.upload
    assert anonymous.rights.download
    assert not anonymous.rights.overwrite
    assert not anonymous.rights.delete
    assert not anonymous.drop_box.readable
    assert not anonymous.drop_box.listed
    assert not anonymous.drop_box.shown


def test_the_verb_that_a_group_denies_in_the_server_is_denied_in_the_section_too() -> None:
    text = "<Limit WRITE>\nDenyAll\n</Limit>\n" + SITE.format("")
    assert not settings(text).anonymous.rights.upload


def test_the_groups_hold_no_verb_twice() -> None:
    verbs = [verb for group in GROUPS.values() for verb in group]
    assert len(verbs) == len({*verbs})


def test_a_value_knows_its_line() -> None:
    where = settings("AllowOverwrite on\n" + BOX)
    assert where.origin("users.rights.overwrite").line == 1
    assert where.origin("anonymous.rights.overwrite").line == 7
    assert where.origin("anonymous.rights.delete").line == 3
    assert where.origin("anonymous.rights.upload").line == 11
    assert where.origin("passive.ports").line is None


# What cannot be obeyed

DIRECTORY = "<Directory /srv/x>\n"
STANDINGS = [
    ("obeyed", "AllowOverwrite on", Standing.OBEYED),
    ("ignored", "UseSendfile off", Standing.IGNORED),
    ("refused", "AllowFilter ^[a-z]*$", Standing.REFUSED),
    ("Debian's filter", "DenyFilter \\*.*/", Standing.IGNORED),
    ("unknown", "SQLEngine on", Standing.REFUSED),
    ("another server", "<VirtualHost 192.0.2.1>\n</VirtualHost>", Standing.REFUSED),
    ("for some", "TransferRate RETR 10 user bob", Standing.REFUSED),
    ("of a directory", f"{DIRECTORY}MaxStoreFileSize 1 Kb\n</Directory>", Standing.REFUSED),
    ("its names", f"{DIRECTORY}PathDenyFilter x\n</Directory>", Standing.REFUSED),
    ("what may be lost", f"{DIRECTORY}AllowOverwrite on\n</Directory>", Standing.IGNORED),
    ("what may not", f"{DIRECTORY}DenyAll\n</Directory>", Standing.REFUSED),
    ("what is so anyway", f"{DIRECTORY}Umask 022\n</Directory>", Standing.IGNORED),
    ("what is not hidden", f"{DIRECTORY}HideNoAccess on\n</Directory>", Standing.REFUSED),
    ("not among Debian's", "MaxStoreFileSize 5 Mb group staff", Standing.REFUSED),
]


@pytest.mark.parametrize(("text", "standing"), **table(STANDINGS))
def test_standing(text: str, standing: Standing) -> None:
    *_, one = read(text, "proftpd.conf").given
    assert one.standing is standing


CONDITIONS = [
    ("users", "<Limit LOGIN>\nAllowUser bob\nDenyAll\n</Limit>", "<Limit>"),
    ("addresses", "<Limit STOR>\nAllow from 10.0.0.0/8\nDeny from all\n</Limit>", "<Limit>"),
    ("second section", SITE.format("") + "<Anonymous ~guest>\n</Anonymous>", "<Anonymous>"),
    ("of a part", SITE.format("<Directory a>\nUmask 0\n</Directory>"), "Umask"),
    ("directory", "<Directory /a>\n<Limit WRITE>\nDenyAll\n</Limit>\n</Directory>", "<Directory>"),
]


OVER = "<Directory {}>\nAllowOverwrite on\n</Directory>"
EVERYWHERE = [  # all measured on 1.3.8
    ("all of the server", OVER.format("/"), {"users"}),
    ("by a pattern", OVER.format("/*"), {"users"}),
    ("which is no session's", OVER.format("/*") + "\n" + SITE.format(""), {"users"}),
    ("all of a session", SITE.format(OVER.format("*")), {"anonymous"}),
    ("from its root", SITE.format(OVER.format("/*")), {"anonymous"}),
    ("by its name", SITE.format(OVER.format("/srv/ftp/*")), {"anonymous"}),
    ("a part", SITE.format(OVER.format("pub/*")), set()),
    (
        "the last section for a user",
        SITE.format("AllowOverwrite off") + SITE.format("AllowOverwrite on"),
        {"anonymous"},
    ),
    (
        "the server's section",
        SITE.format("AllowOverwrite on")
        + f"<Global>\n{SITE.format('AllowOverwrite off')}</Global>",
        {"anonymous"},
    ),
]


@pytest.mark.parametrize(("text", "who"), **table(EVERYWHERE))
def test_where_a_setting_holds(text: str, who: set[str]) -> None:
    got = settings(text)
    assert who == {one for one in ("anonymous", "users") if got.get(f"{one}.rights.overwrite")} - (
        {"anonymous"} if got.anonymous.enabled is False else set()
    )


@pytest.mark.parametrize(("text", "name"), **table(CONDITIONS))
def test_conditions_are_refused(text: str, name: str) -> None:
    assert name in {one.option.name for one in read(text, "proftpd.conf").refused()}


DEBIAN = r"""
UseIPv6 on
<IfModule mod_ident.c>
IdentLookups off
</IfModule>
ServerName "Debian"
ServerType standalone
DeferWelcome off
DefaultServer on
ShowSymlinks on
TimeoutIdle 1200
DisplayLogin welcome.msg
DisplayChdir .message true
ListOptions "-l"
DenyFilter \*.*/
Port 21
MaxInstances 30
User proftpd
Group nogroup
Umask 022 022
AllowOverwrite on
TransferLog /var/log/proftpd/xferlog
<IfModule mod_quotatab.c>
QuotaEngine off
</IfModule>
<IfModule mod_ctrls.c>
ControlsEngine off
ControlsSocket /var/run/proftpd/proftpd.sock
</IfModule>
"""


def test_debians_own_file_can_be_obeyed() -> None:
    assert read(DEBIAN, "proftpd.conf").refused() == ()


TRAPS = [
    ("order", "<Limit LOGIN>\nAllow from 10.0.0.0/8\n</Limit>", "order-lets-in", 1),
    ("address", "\nDefaultAddress 192.0.2.1", "address-not-bound", 2),
    ("owner", SITE.format("UserOwner root"), "user-owner-without-passwd", 2),
    ("a part", SITE.format(OVER.format("pub")), "directory-overwrite", 3),
    ("mod_copy", "LoadModule mod_copy.c", "copy-engine", 1),
]


@pytest.mark.parametrize(("text", "trap", "line"), **table(TRAPS))
def test_traps(text: str, trap: str, line: int) -> None:
    (one,) = read(text, "proftpd.conf").traps
    assert (one.id, one.origin.line) == (trap, line)


def test_traps_that_were_mended() -> None:
    assert not read("LoadModule mod_copy.c\nCopyEngine off", "proftpd.conf").traps
    shut = "<Limit STOR>\nDenyAll\n</Limit>\n" + OVER.format("pub")
    assert not read(SITE.format(shut), "proftpd.conf").traps
    assert not read(SITE.format(OVER.format("*")), "proftpd.conf").traps
    assert not read("DefaultAddress ::1\nSocketBindTight on", "proftpd.conf").traps
    denied = "<Limit LOGIN>\nAllow from 10.0.0.0/8\nDeny from all\n</Limit>"
    assert not read(denied, "proftpd.conf").traps


# Include


def test_include() -> None:
    def include(name: str, place: Place) -> list[tuple[str, str]]:
        assert (name, place.line) == ("/etc/proftpd/conf.d/*.conf", 2)
        return [("a.conf", "Port 3\nTimeoutIdle 5"), ("b.conf", "\nPort 4")]

    text = "TimeoutLogin 9\nInclude /etc/proftpd/conf.d/*.conf\nPort 2\nTimeoutIdle 7"
    there = read(text, "proftpd.conf", include).settings
    assert there.listen.port == 3
    assert str(there.origin("listen.port")) == "a.conf:1"
    assert there.timeouts.idle == 5


def test_a_backslash_that_ends_an_argument_does_not_join_lines() -> None:
    wanted = changed(settings(""), {"messages.banner_file": "a\\"})
    assert settings(write(wanted).text).messages.banner_file == "a\\"


def test_files_that_include_others_without_end() -> None:
    files = {str(depth): f"Include {depth + 1}\n" * 9 for depth in range(7)} | {"7": ""}
    with pytest.raises(ConfigError, match="too many files"):
        read(files["0"], "0", lambda name, _: [(name, files[name])])


def test_files_that_include_each_other() -> None:
    with pytest.raises(ConfigError, match="include each other"):
        read("Include a", "a", lambda _, __: [("a", "Include a")])


# What ProFTPD does not start with

REFUSED = [
    (
        "open context",
        "Port 3\n<Limit LOGIN>\nDenyAll",
        2,
        "not closed",
        "</Limit>",
        "<Limit LOGIN>",
    ),
    ("open condition", "<IfModule a>\n", 1, "not closed", "</IfModule>", "<IfModule a>"),
    ("nothing to close", "</Limit>", 1, "closes nothing", "leave it out", "</Limit>"),
    ("wrong close", "<Limit A>\n</Global>", 2, "closes nothing", "</Limit>", "</Global>"),
    ("limit of nothing", "<Limit>\n</Limit>", 1, "<Limit> of what?", "<Limit WRITE>", "<Limit>"),
    ("in a limit", "<Limit A>\n<Limit B>", 2, "in <Limit>", "Anonymous", "<Limit B>"),
    ("not in the server", "DenyAll", 1, "outside", "put it into Anonymous", "DenyAll"),
    ("relative", "<Directory a>", 1, "relative", "/srv/ftp", "<Directory a>"),
    ("some sessions", "<IfUser a>", 1, "for some sessions", "take it out", "<IfUser a>"),
    ("unknown context", "<Limits A>", 1, "no context <Limits>", "<Limit>?", "<Limits A>"),
    ("neither", "UseIPv6 maybe", 1, "neither on nor off", "UseIPv6 on", "UseIPv6 maybe"),
    ("no umask", "Umask 999", 1, "no umask", "0177 0077", "Umask 999"),
    ("one port", "PassivePorts 5000", 1, "two ports", "50000 50100", "PassivePorts 5000"),
    ("backwards", "PassivePorts 6000 5000", 1, "no range", "50000", "PassivePorts 6000 5000"),
    ("low ports", "PassivePorts 80 90", 1, "no range", "50000", "PassivePorts 80 90"),
    ("port", " Port 70000", 1, "0 to 65535", "Port 10", "Port 70000"),
    ("clients", "MaxClients 0", 1, "from 1 to", "MaxClients 10", "MaxClients 0"),
    ("time", "TimeoutIdle soon", 1, "no time", "300", "TimeoutIdle soon"),
    ("size", "MaxStoreFileSize 5", 1, "a unit", "500 Mb", "MaxStoreFileSize 5"),
    ("rate", "TransferRate RETR x", 1, "no rate", "RETR 100", "TransferRate RETR x"),
    ("type", "ServerType x", 1, "no type", "standalone", "ServerType x"),
    ("open quote", 'ServerIdent on "a', 1, "not closed", "close it", 'ServerIdent on "a'),
    ("no file", "Include /a", 1, "to include here", "its place", "Include /a"),
    ("no rate at all", "TransferRate", 1, "no argument", "VALUE", "TransferRate"),
    ("no path", "PidFile none", 1, "no absolute path", "PidFile /run", "PidFile none"),
    ("other servers alone", "Port 0", 1, "other servers", "Port 21", "Port 0"),
    ("no port", "Port none", 1, "other servers", "Port 21", "Port none"),
    ("no argument", "PidFile", 1, "no argument", "PidFile VALUE", "PidFile"),
]


@pytest.mark.parametrize(("text", "line", "what", "mend", "marked"), **table(REFUSED))
def test_refused(text: str, line: int, what: str, mend: str, marked: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    error = caught.value
    assert error.line == line
    assert what in error.what
    assert mend in (error.mend or "")
    assert error.text[slice(*error.span)] == marked


@given(st.text())
def test_any_text_is_at_worst_an_error_with_its_line(text: str) -> None:
    with errors_of_configuration() as caught:
        settings(text)
    assert all(error.line and error.mend for error in caught)


# Writing

ON_OFF = st.sampled_from(["on", "off"])
COUNT = st.integers(1, 4000).map(str)
TEXT = st.from_regex(r'"/[a-z #\'.]{1,6}"', fullmatch=True)
VALUES = {
    "ServerType": st.sampled_from(["standalone", "inetd"]),
    "ServerIdent": st.just("off") | TEXT.map("on {}".format),
    "PassivePorts": st.integers(1024, 9999).map(lambda port: f"{port} {port + 10}"),
    "MasqueradeAddress": st.sampled_from(["192.0.2.1", "ftp.test"]),
    "DefaultAddress": st.sampled_from(["192.0.2.1", "192.0.2.1 ::1"]),
    "DefaultRoot": st.sampled_from(["~", "~ !staff", "/srv staff"]),
    "AuthOrder": st.sampled_from(
        ["mod_auth_pam.c", "mod_auth_file.c mod_auth_unix.c", "mod_sql.c"]
    ),
    "Umask": st.sampled_from(["022", "0177 0077"]),
    "TransferRate": st.sampled_from(["STOR,APPE,STOU 3", "RETR 5", "RETR 1.5"]),
    "MaxStoreFileSize": st.sampled_from(["5 Mb", "*", "1 B"]),
    "TLSRequired": st.sampled_from(["on", "off", "ctrl"]),
    "TLSOptions": st.sampled_from(["NoSessionReuseRequired", "UseImplicitSSL", "StdEnvVars"]),
    "TLSVerifyClient": ON_OFF,
    "TLSProtocol": st.sampled_from(["TLSv1 TLSv1.2 TLSv1.3", "TLSv1.3"]),
    "ListOptions": st.sampled_from(['"-la"', '"-l" maxdepth 3', '"-l" maxfiles 10 maxdepth 2']),
    "SyslogFacility": st.just("FTP"),
    "UserAlias": st.sampled_from(["anonymous ftp", "guest ftp"]),
    "User": st.sampled_from(["ftp", "nobody"]),
}
SWITCHES = {row.name for row in ROWS if row.default in {"on", "off"}} - {
    "ServerIdent",
    "TLSRequired",
}
NUMBERS = re.compile("Max|Timeout|Port$")


def values(name: str) -> st.SearchStrategy[str]:
    if name in VALUES:
        return VALUES[name]
    if name in SWITCHES:
        return ON_OFF
    return COUNT if NUMBERS.match(name) else TEXT


def lines(letter: str) -> st.SearchStrategy[str]:
    rows = [row for row in ROWS if letter in row.kind and row.paths and row.name[0] != "<"]
    plain = [row for row in rows if row.name not in {"AllowAll", "DenyAll", "AllowForeignAddress"}]
    return st.one_of([values(row.name).map(f"{row.name} {{}}".format) for row in plain])


RULES = st.builds(
    "<Limit {}>\n{}\n</Limit>".format,
    st.sampled_from(["LOGIN", "WRITE", "READ", "ALL", "STOR", "DELE RNFR", "PASV EPSV", "NOOP"]),
    st.sampled_from(["AllowAll", "DenyAll"]),
)
SERVER = st.lists(lines("s") | RULES.map(lambda text: text), max_size=12).map("\n".join)
SECTION = st.lists(lines("a") | RULES, max_size=8).map("\n".join)


NOBODY = "User nobody\nGroup nogroup\n"


@given(SERVER, st.none() | SECTION)
def test_what_is_written_says_what_was_read(server: str, section: str | None) -> None:
    section = SITE.format(section) if section is not None else ""
    before = settings(f"{NOBODY}{server}\n{section}")
    written = write(before)
    after = settings(written.text)
    assert unexpressed(before, after) == written.unexpressed
    assert {one.path for one in written.unexpressed} <= ENTANGLED
    assert write(after).text == written.text or written.unexpressed


ENTANGLED = {
    *(f"users.rights.{name}" for name in ("append", "resume")),
    *(f"anonymous.rights.{name}" for name in ("append", "resume")),
    "files.denied_uploads",
    "files.allowed_uploads",
    "files.keep_partial",
    "tls.users",
    "tls.anonymous",
    "messages.login_file",
    "logs.wtmp",
    "limits.anonymous_upload_rate",
    "limits.anonymous_download_rate",
    "tls.obsolete",
}
"""What can be one thing for the server and another in the section, hangs on another right, or, as
versions of TLS, is written without a gap."""


def test_hardened() -> None:
    before = settings(require("hardened/proftpd.conf").read_text())
    written = write(before)
    assert written.unexpressed == ()
    assert unexpressed(before, settings(written.text)) == ()


UNEXPRESSED = [
    ("accept", {"timeouts.accept": 60}, "timeouts.accept", None),
    ("fast and loose", {"active.source_port": 20}, "active.source_port", None),
    (
        "vsftpd's patterns",
        {"files.denied_uploads": Names("*.exe", Syntax.VSFTPD)},
        "files.denied_uploads",
        None,
    ),
    ("lines", {"messages.banner": "a\nPort 5"}, "messages.banner", None),
]


@pytest.mark.parametrize(("changes", "path", "instead"), **table(UNEXPRESSED))
def test_what_proftpd_cannot_say_is_listed(
    changes: dict[Path, object], path: Path, instead: object
) -> None:
    written = write(changed(settings(f"{NOBODY}AllowForeignAddress off"), changes))
    assert {one.path: one.instead for one in written.unexpressed} == {path: instead}


SAID = [
    # settings, and a line that they make
    ("no gap in TLS", {"tls.users": TlsLevel.DATA, "tls.obsolete": ("TLSv1",)},
     "TLSProtocol TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"),
    ("nothing obsolete", {"tls.users": TlsLevel.DATA, "tls.obsolete": ()},
     "TLSProtocol TLSv1.2 TLSv1.3"),
    ("PAM takes accounts from", {"users.sources": ("pam",)},
     "AuthOrder mod_auth_pam.c* mod_auth_unix.c"),
    ("nobody is root", {"process.user": None}, "User nobody"),
    ("nor in its group", {"process.group": None}, "Group nogroup"),
    ("two ports", {"passive.ports": range(50000, 50001)}, "PassivePorts 50000 50001"),
    ("the last two", {"passive.ports": range(65535, 65536)}, "PassivePorts 65534 65535"),
    ("a number that it takes", {"limits.clients": 2**32 - 1}, "MaxClients 2147483647"),
    ("modes", {"files.base_mode": 0o640, "users.file_umask": 0}, "Umask 0137 0077"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), **table(SAID))
def test_what_is_written(changes: dict[Path, object], line: str) -> None:
    wanted = changed(Settings(), {"users.enabled": True, "users.rights.upload": True, **changes})
    assert line in write(wanted).text.splitlines()


LEFT_OUT = [
    # what is not obeyed as it stands, and how it is named
    ("a directory's", SITE.format("<Directory pub>\nUmask 0777\n</Directory>"), "one directory"),
    ("a section's, with accounts", SITE.format("PathAllowFilter ^a"), "for accounts too"),
    ("accounts' own", "PathAllowFilter ^a\n" + SITE.format("PathAllowFilter ^b"), "for accounts"),
    ("demands of certificates", "TLSOptions CommonNameRequired", "have to name them"),
    ("another root", "DefaultRoot ~\nDefaultRoot /srv staff", "another root"),
    ("aliases alone", "AuthAliasOnly on", "by an alias alone"),
    ("some of a file", "AuthUserFile /a id 1000-1999", "for some alone"),
    ("guests' verbs", SITE.format("<Limit FEAT>\nDenyAll\n</Limit>"), "anonymous sessions"),
]


@pytest.mark.parametrize(("text", "why"), **table(LEFT_OUT))
def test_what_holds_for_some_alone_is_refused(text: str, why: str) -> None:
    assert any(why in one.option.what for one in read(text, "proftpd.conf").refused())


def test_boxes_that_differ_are_named() -> None:
    box = "<Directory {}>\n<Limit STOR>\nAllowAll\n</Limit>\n{}</Directory>\n"
    shut = "<Limit READ>\nDenyAll\n</Limit>\n"
    text = "<Limit WRITE>\nDenyAll\n</Limit>\n" + box.format("a", shut) + box.format("b", "")
    (one,) = [g for g in read(SITE.format(text), "f").refused() if g.option.name == "<Directory>"]
    assert (one.text, "other drop boxes" in one.option.what) == ("a", True)


def test_verbs_that_guests_alone_lack_are_named() -> None:
    box = "<Directory a>\n<Limit STOR>\nAllowAll\n</Limit>\n</Directory>\n"
    given_ = read(SITE.format("<Limit WRITE>\nDenyAll\n</Limit>\n" + box), "f").given
    left = [one.option.what for one in given_ if one.standing is Standing.IGNORED]
    assert left == ["STOU refused to anonymous sessions alone"]


def test_a_section_is_indented() -> None:
    text = write(settings("AllowForeignAddress off\n" + BOX)).text
    assert "\n<Anonymous /srv/ftp>\n" in text
    assert "\n  <Directory /srv/ftp/incoming>\n    # " in text
