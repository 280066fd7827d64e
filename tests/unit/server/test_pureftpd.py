import re
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import ConfigError
from ftpfw.server.options import Form, Option, Place, Reading, Standing, unexpressed
from ftpfw.server.pureftpd.meaning import ALWAYS, BY_ITSELF
from ftpfw.server.pureftpd.reader import read_args, read_conf, read_debian
from ftpfw.server.pureftpd.table import (
    COLON_PAIR,
    FLAGS,
    LOGINS,
    NUMBER,
    PAIR,
    RATE,
    ROWS,
    TABLE,
    UMASK,
    YES_NO,
)
from ftpfw.server.pureftpd.writer import AUTH, CONF, in_few_words, write
from ftpfw.server.settings import (
    Audience,
    DotFiles,
    Family,
    Origin,
    Path,
    Settings,
    TlsLevel,
    changed,
    differences,
    paths,
)
from tests.unit.server.facts import errors_of_configuration, facts, require
from tests.unit.table import table


def args(text: str) -> Settings:
    return read_args(text, "args").settings


def conf(text: str) -> Settings:
    return read_conf(text, "pure-ftpd.conf").settings


# The table


def test_every_flag_and_keyword_has_its_row() -> None:
    for row in facts("pureftpd_options.tsv"):
        keywords = re.findall(r"\b[A-Z][A-Za-z0-9]+(?= |,|$|/)", row["config_keyword_upstream"])
        for keyword in keywords:
            assert keyword in {*TABLE, "CertFileAndKey", "Include"}, row
        for short, long in zip(row["short"].split("/"), row["long"].split("/"), strict=True):
            flag = (short.removeprefix("-"), long.removeprefix("--"))
            known = {(one.short, one.long) for one in FLAGS.values()}
            assert flag in known | {("l", "login"), ("", "")}, row


def test_every_setting_is_said_by_an_option_or_fixed() -> None:
    said = {path for row in ROWS for path in row.paths}
    assert said | {*ALWAYS} == {*paths()}
    assert not said & {*ALWAYS}


VALUES = {
    YES_NO: ["no", "yes"],
    NUMBER: ["3", "2"],
    PAIR: ["2000:3000", "2000:60000"],
    COLON_PAIR: ["3:4", "5:6"],
    UMASK: ["133:022", "177:077"],
    RATE: ["8", "8:9"],
    "text": ["a", "b"],
}
TEXTS = {
    "Bind": ["127.0.0.1,", "127.0.0.2,22"],
    "AltLog": ["clf:/a", "w3c:/b"],
    "CertFile": ["/a", "/b,/c"],
    "TLSCipherSuite": ["HIGH", "-C:LOW"],
}


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_an_option_changes_nothing_but_its_settings(row: Option) -> None:
    others = [
        other.name
        for other in ROWS
        if {*other.paths} & {*row.paths} and other.kind == YES_NO and other is not row
    ]
    setups = [(), *((name,) for name in others)]
    found = {path for setup in setups for path in changed_by(row, setup)}
    assert found <= {*row.paths}
    assert bool(found) == bool(row.paths)


def changed_by(row: Option, setup: tuple[str, ...]) -> set[Path]:
    texts = {name: "yes" for name in setup if (name, row.name) != ("IPV4Only", "IPV6Only")}
    if row.name == "IPV4Only":
        texts.pop("IPV6Only", None)
    debian = [
        read_conf_of({**texts, row.name: value}).settings
        for value in TEXTS.get(row.name, VALUES[row.kind])
    ]
    first, *rest = debian
    return {path for other in rest for path in differences(first, other)}


def read_conf_of(texts: dict[str, str]) -> Reading:
    """By flags, which have every option."""
    names = {keyword: name for name, keyword in LOGINS.items()}
    words = []
    for name, text in texts.items():
        if name in names:
            words += ["-l", names[name] if text == "yes" else f"{names[name]}:{text}"] * (
                text != "no"
            )
        elif TABLE[name].kind != YES_NO:
            words += [f"--{FLAGS[name].long}={text}"]
        elif text == "yes":
            words += [f"-{FLAGS[name].short}"]
    return read_args(" ".join(words), "args")


# Meaning

MEANT = [
    ("uploads by default", "", "anonymous.rights.upload", True),
    ("no uploads", "-i", "anonymous.rights.upload", False),
    ("never overwritten", "-M", "anonymous.rights.overwrite", False),
    ("but with NoTruncate", "-0", "anonymous.rights.overwrite", True),
    ("uploads can be fetched", "", "anonymous.drop_box.readable", True),
    ("but for warez", "-s", "anonymous.drop_box.readable", False),
    ("any name", "-e", "anonymous.any_name", True),
    ("no accounts", "-e", "users.enabled", False),
    ("joined flags", "-4eH", "listen.family", Family.IPV4),
    ("argument at once", "-c7", "limits.clients", 7),
    ("long", "--maxclientsnumber 7", "limits.clients", 7),
    ("long with =", "--maxclientsnumber=7", "limits.clients", 7),
    ("shortened", "--maxclientsn=7", "limits.clients", 7),
    ("half as many sessions as ports", "-p 5000:5009 -c 50", "limits.clients", 5),
    ("any port", "-p 1024:65535", "passive.ports", None),
    ("a bare value is a port", "-S 2121", "listen.port", 2121),
    ("an address", "-S 192.0.2.1,", "listen.addresses", (ip_address("192.0.2.1"),)),
    ("its port", "-S ftp.test,2121", "listen.port", 2121),
    ("a name", "-S ftp.test,2121", "listen.addresses", ("ftp.test",)),
    ("FXP", "-w", "passive.foreign", Audience.USERS),
    ("more of it", "-W", "active.foreign", Audience.EVERYBODY),
    ("dot files", "-x", "users.dot_files", DotFiles.READ_ONLY),
    ("anonymous ones", "-x", "anonymous.dot_files", DotFiles.HIDDEN),
    ("anonymous ones after all", "-x -z", "anonymous.dot_files", DotFiles.READ_ONLY),
    ("fetched whatever users may", "-X -z", "anonymous.dot_files", DotFiles.READ_ONLY),
    ("never stored by them", "-z", "anonymous.dot_files", DotFiles.READ_ONLY),
    ("minutes", "-I 2", "timeouts.idle", 120),
    ("one rate for both", "-t 8", "limits.anonymous_upload_rate", 8192),
    ("two", "-t 8:9", "limits.anonymous_download_rate", 9216),
    ("one direction", "-t :9", "limits.anonymous_upload_rate", None),
    ("everybody's", "-T 9", "limits.anonymous_upload_rate", 9216),
    ("quota", "-n 10:2", "limits.quota_bytes", 2 << 20),
    ("umask", "-U 177:077", "anonymous.file_umask", 0o177),
    ("logins", "-l puredb:/a -l unix", "users.sources", ("puredb:/a", "unix")),
    ("PAM by itself", "", "users.sources", ("pam",)),
    ("TLS", "-Y 2", "tls.users", TlsLevel.CONTROL),
    ("ciphers", "-J HIGH", "tls.ciphers", "HIGH"),
    ("certificates of clients", "-J -C:HIGH", "tls.client_certificate", True),
    ("who vouches for them", "-2 /a -J -C:HIGH", "tls.authorities", "/a"),
    ("nobody has to", "-2 /a -J HIGH", "tls.authorities", None),
    ("no log", "-f none", "logs.syslog", None),
    ("transfers", "-O clf:/a", "logs.transfer_format", "clf"),
    ("no limit", "-L -1:-1", "listing.entries", None),
    ("as good as none", "-L 1000000000:1000000000", "listing.depth", None),
    ("the program's name", "/usr/sbin/pure-ftpd -B", "limits.clients", 50),
    ("quotes", "-F '/a b'", "messages.banner_file", "/a b"),
    ("last wins", "-c 3 -c 4", "limits.clients", 4),
    ("lines and comments", "# x\n-c 3\n  -H", "logs.resolve", False),
    ("DELE alone", "-K", "users.rights.delete", False),
    ("KeepAllFiles lets overwrite", "-K", "users.rights.overwrite", True),
]


@pytest.mark.parametrize(("text", "path", "value"), **table(MEANT))
def test_flags(text: str, path: Path, value: object) -> None:
    assert args(text).get(path) == value


KEYWORDS = [
    ("capitals do not matter", "noanonymous YES", "anonymous.enabled", False),
    ("=", "MaxClientsNumber=10", "limits.clients", 10),
    ("blanks", "  MaxClientsNumber\t10  \r", "limits.clients", 10),
    ("a blank between", "PassivePortRange 5000 5099", "passive.ports", range(5000, 5100)),
    ("a colon between", "Umask 177:077", "users.directory_umask", 0o077),
    ("one of two", "AnonymousBandwidth 8", "limits.anonymous_download_rate", 8192),
    ("two files", 'CertFileAndKey "/a" "/b"', "tls.key", "/b"),
    ("order of logins", "PureDB /a\nPAMAuthentication yes", "users.sources", ("puredb:/a", "pam")),
    ("no login", "PAMAuthentication no", "users.sources", BY_ITSELF),
]


@pytest.mark.parametrize(("text", "path", "value"), **table(KEYWORDS))
def test_upstream_file(text: str, path: Path, value: object) -> None:
    assert conf(text).get(path) == value


def test_debian_directory() -> None:
    texts = {
        "NoAnonymous": "# Debian's\n\nyes\nno\n",
        "Umask": "177 077",
        "PureDB": "/etc/pure-ftpd/pureftpd.pdb\n",
        "UnixAuthentication": "no",
        "PAMAuthentication": "yes",
    }
    auth = ("UnixAuthentication", "PureDB")
    reading = read_debian(texts, auth, "conf")
    assert not reading.settings.anonymous.enabled
    assert reading.settings.users.sources == ("puredb:/etc/pure-ftpd/pureftpd.pdb",)
    assert reading.settings.users.file_umask == 0o177
    assert reading.settings.process.pid_file == "/var/run/pure-ftpd/pure-ftpd.pid"
    assert reading.settings.origin("anonymous.enabled") == Origin(
        "conf/NoAnonymous", 3, "NoAnonymous"
    )


def test_included_files_stand_where_they_are_named() -> None:
    def include(name: str, place: Place) -> str:
        assert (name, place.line) == ("/etc/more.conf", 2)
        return "MaxClientsNumber 3\nMaxIdleTime 1\n"

    text = "MaxIdleTime 5\nInclude /etc/more.conf\nMaxClientsNumber 4\n"
    reading = read_conf(text, "pure-ftpd.conf", include)
    assert reading.settings.limits.clients == 4
    assert reading.settings.origin("timeouts.idle") == Origin("/etc/more.conf", 2, "MaxIdleTime")


def test_files_that_include_each_other() -> None:
    with pytest.raises(ConfigError, match="include each other"):
        read_conf("Include a", "a", lambda _, __: "Include a")


def test_files_that_include_others_without_end() -> None:
    files = {str(depth): f"Include {depth + 1}\n" * 9 for depth in range(7)} | {"7": ""}
    with pytest.raises(ConfigError, match="too many files"):
        read_conf(files["0"], "0", lambda name, _: files[name])


def test_an_error_commands_no_terminal() -> None:
    with pytest.raises(ConfigError) as caught:
        read_args("--\x1b[2J", "args")
    assert "--\\x1b[2J is no flag" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_flags_in_few_words() -> None:
    said = "pure-ftpd -4 -p 61000:61199 -e -L -1:-1 -H -l unix -l puredb:/etc/p\n"
    joined = in_few_words(said)
    assert joined == "pure-ftpd -4eH -p61000:61199 -L-1:-1 -lunix -lpuredb:/etc/p"
    assert read_args(joined, "args").settings == read_args(said, "args").settings


def test_traps() -> None:
    traps = {trap.id: trap.origin.line for trap in read_args("-K\n-r", "args").traps}
    assert traps == {"keep-all-files": 1, "auto-rename-append": 2}
    assert read_args("-r -i", "args").traps == ()


STANDINGS = [
    ("obeyed", "-E", Standing.OBEYED),
    ("ignored", "-B", Standing.IGNORED),
    ("refused", "-o", Standing.REFUSED),
    ("refused text", "-V 192.0.2.1", Standing.REFUSED),
]


@pytest.mark.parametrize(("text", "standing"), **table(STANDINGS))
def test_standing(text: str, standing: Standing) -> None:
    (one,) = read_args(text, "args").given
    assert one.standing is standing


# What Pure-FTPd does not start with

REFUSED_ARGS = [
    ("unknown", "-4 -?", 1, "-? is no flag", "server show", "-?"),
    ("unknown long", "--anonymusonly", 1, "is no flag", "anonymousonly?", "--anonymusonly"),
    ("ambiguous", "--maxcl=3", 1, "ambiguous", "--maxclientsperip", "--maxcl=3"),
    ("no cipher", "-Y 1 -J -C:", 1, "with no cipher", "-C:DEFAULT", "-C:"),
    ("no level", "-L 5:0", 1, "an entry and a level", "LimitRecursion 10 20", "5:0"),
    ("no flag", "yes", 1, "'yes' is no flag", "-SYMBOL", "yes"),
    ("no argument", "-B\n-c", 2, "-c has no argument", "give it one", "-c"),
    ("too much argument", "--daemonize=1", 1, "takes no argument", "--daemonize", "--daemonize=1"),
    ("no number", "-c ten", 1, "'ten' is no number", "MaxClientsNumber 10", "ten"),
    ("no sessions", "-c 0", 1, "1 to", "MaxClientsNumber 10", "0"),
    ("ports backwards", "-p 6000:5000", 1, "no passive ports", "lower port first", "6000:5000"),
    ("low ports", "-p 80:90", 1, "no passive ports", "below 1024", "80:90"),
    ("one port", "-p 6000", 1, "two are wanted", "PassivePortRange", "6000"),
    ("no octal", "-U 188:077", 1, "no octal", "133:022", "188:077"),
    ("address for a port", "-S 127.0.0.1", 1, "names no port", "Bind", "127.0.0.1"),
    ("no rate", "-t 0", 1, "no rate", "AnonymousBandwidth 100 200", "0"),
    ("TLS", "-Y 4", 1, "0 to 3", "TLS", "4"),
    ("two families", "-4 -6", 1, "exclude", "leave out one", "-6"),
    ("log", "-O /var/log/x", 1, "no format and file", "clf:/", "/var/log/x"),
    ("login", "-l shadow", 1, "no source of accounts", "puredb:FILE", "shadow"),
    ("login without a file", "-l puredb", 1, "no source", "puredb:FILE", "puredb"),
    ("open quote", "-c 3 -F 'a b", 1, "not closed", "close it", " 'a b"),
]


@pytest.mark.parametrize(("text", "line", "what", "mend", "marked"), **table(REFUSED_ARGS))
def test_refused_flags(text: str, line: int, what: str, mend: str, marked: str) -> None:
    with pytest.raises(ConfigError) as caught:
        args(text)
    check(caught.value, line, what, mend, marked)


REFUSED_CONF = [
    ("unknown", "# x\nNoAnonymus yes", 2, "no option", "NoAnonymous?", "NoAnonymus"),
    ("no argument", "NoAnonymous", 1, "no argument", "NoAnonymous yes", ""),
    ("neither", "NoAnonymous maybe", 1, "neither yes nor no", "yes, or no", "maybe"),
    ("comment behind", "MaxLoad 4 # x", 1, "takes a number", "MaxLoad 10", "4 # x"),
    ("colon", "PassivePortRange 1:2", 1, "a blank between", "PassivePortRange 10 20", "1:2"),
    ("blank", "Umask 133 022", 1, "a colon between", "Umask 133:022", "133 022"),
    ("no file to include", "Include /a", 1, "to include here", "put its lines", "/a"),
    ("a flag", "-c 3", 1, "this is no option", "a keyword", "-c 3"),
    ("one file", "CertFileAndKey /a", 1, "two files", "CertFileAndKey", "/a"),
]


@pytest.mark.parametrize(("text", "line", "what", "mend", "marked"), **table(REFUSED_CONF))
def test_refused_lines(text: str, line: int, what: str, mend: str, marked: str) -> None:
    with pytest.raises(ConfigError) as caught:
        conf(text)
    check(caught.value, line, what, mend, marked)


REFUSED_FILES = [
    ("unknown", "NoAnonymus", "yes", 1, "no option", "NoAnonymous?", "yes"),
    ("not in the wrapper", "PIDFile", "/a", 1, "does not know PIDFile", "remove", "/a"),
    ("colon", "Umask", "\n133:022", 2, "does not take", "133 022", "133:022"),
    ("neither", "MaxLoad", "a b", 1, "does not take", "as in 10", "a b"),
]


@pytest.mark.parametrize(("name", "text", "line", "what", "mend", "marked"), **table(REFUSED_FILES))
def test_refused_files(
    *, name: str, text: str, line: int, what: str, mend: str, marked: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_debian({name: text}, (), "conf")
    check(caught.value, line, what, mend, marked)
    assert caught.value.file == f"conf/{name}"


def check(error: ConfigError, line: int, what: str, mend: str, marked: str) -> None:
    assert error.line == line
    assert what in error.what
    assert mend in (error.mend or "")
    assert error.text[slice(*error.span)] == marked


@given(st.text())
def test_any_text_is_at_worst_an_error_with_its_line(text: str) -> None:
    for read in (args, conf):
        with errors_of_configuration() as caught:
            read(text)
        assert all(error.line and error.mend for error in caught)


# Writing

COUNT = st.integers(1, 40000)
ARGUMENTS = {
    "Bind": st.sampled_from(["2121", "192.0.2.1,", "ftp.test,21", "::1,990"]),
    "PassivePortRange": st.tuples(COUNT, COUNT).map(
        lambda two: f"{1024 + min(two)}:{1024 + max(two)}"
    ),
    "AltLog": st.sampled_from(["clf:/a", "w3c:/b", "xferlog:/c", "stats:/d"]),
    "CertFile": st.sampled_from(["/a", "/b,/c"]),
    "TLSCipherSuite": st.sampled_from(["HIGH", "-C:HIGH"]),
    "TLS": st.integers(0, 3).map(str),
    "MaxDiskUsage": st.integers(1, 100).map(str),
    "LimitRecursion": st.sampled_from(["-1:-1", "2:3", "1:-1"]),
}
KINDS = {
    NUMBER: COUNT.map(str),
    PAIR: st.tuples(COUNT, COUNT).map(lambda two: f"{two[0]}:{two[1]}"),
    COLON_PAIR: st.tuples(COUNT, COUNT).map(lambda two: f"{two[0]}:{two[1]}"),
    UMASK: st.sampled_from(["133:022", "177:077", "000:000"]),
    RATE: st.tuples(COUNT, COUNT).map(lambda two: f"{two[0]}:{two[1]}")
    | st.sampled_from([":3", "3"]),
    "text": st.from_regex(r"/[a-z.'$]{1,6}", fullmatch=True),
}
SOURCES = st.sampled_from(["unix", "pam", "puredb:/a", "extauth:/b"])


def words(row: Option) -> st.SearchStrategy[str]:
    if row.name in LOGINS.values():
        return SOURCES.map("-l {}".format)
    if row.kind == YES_NO:
        return st.just(f"-{FLAGS[row.name].short}")
    argument = ARGUMENTS.get(row.name, KINDS[row.kind])
    return argument.map(lambda text: f'--{FLAGS[row.name].long}="{text}"')


RATES = {path for path in paths() if path.endswith("_rate")}
COMMAND_LINES = st.lists(
    st.one_of([words(row) for row in ROWS if row.paths and row.name != "IPV6Only"]), max_size=30
).map("\n".join)


@given(COMMAND_LINES)
def test_what_is_written_says_what_was_read(text: str) -> None:
    before = args(text.replace("$", ""))
    written = write(before, Form.PURE_ARGS)
    assert written.unexpressed == ()
    assert unexpressed(before, args(written.text)) == ()


@given(COMMAND_LINES)
def test_the_other_syntaxes_say_the_same_or_tell(text: str) -> None:
    before = args(text.replace("$", ""))
    written = write(before, Form.PURE_CONF)
    missing = {one.path for one in written.unexpressed}
    assert missing <= {"listing.entries", "listing.depth", *RATES}
    assert unexpressed(before, conf(written.text)) == written.unexpressed
    written = write(before, Form.PURE_DEBIAN)
    missing = {one.path for one in written.unexpressed}
    assert missing <= {"process.pid_file", "tls.certificate", "tls.key", "tls.authorities"}


def test_hardened() -> None:
    before = args(require("hardened/pure-ftpd.args").read_text())
    for form, read in ((Form.PURE_ARGS, args), (Form.PURE_CONF, conf)):
        assert read(write(before, form).text) == before


def test_the_directory_is_written_as_commands() -> None:
    text = write(args("-l puredb:/a -l unix -U 177:077 -E"), Form.PURE_DEBIAN).text
    lines = text.splitlines()
    assert lines[0] == f"cd {CONF}"
    assert "echo '177 077' > Umask" in lines
    assert f"ln -sf {CONF}/PureDB {AUTH}/10puredb" in lines
    assert f"ln -sf {CONF}/UnixAuthentication {AUTH}/20unix" in lines


WAITING = ("idle", "stalled", "accept", "connect")
UNEXPRESSED = [
    ("few ports", {"passive.ports": range(5000, 5010)}, "limits.clients", 5),
    ("root", {"anonymous.root": "/srv/ftp"}, "anonymous.root", None),
    (
        "minutes and a half",
        {f"timeouts.{name}": 90 if name == "idle" else 60 for name in WAITING},
        "timeouts.idle",
        60,
    ),
    ("seconds", {"timeouts.accept": 60}, "timeouts.accept", 900),
    ("no end of waiting", {"timeouts.idle": None}, "timeouts.idle", 900),
    ("blanks in a path", {"messages.banner_file": "/a b"}, "messages.banner_file", None),
]


@pytest.mark.parametrize(("changes", "path", "instead"), **table(UNEXPRESSED))
def test_what_pure_ftpd_cannot_say_is_listed(
    changes: dict[Path, object], path: Path, instead: object
) -> None:
    written = write(changed(args(""), changes), Form.PURE_CONF)
    assert {one.path: one.instead for one in written.unexpressed} == {path: instead}


def test_what_has_no_effect_is_not_missed() -> None:
    off = args("-e")
    changed_ = replace(off, users=replace(off.users, lowest_uid=5, root="/x"))
    assert write(changed_, Form.PURE_ARGS).unexpressed == ()
