from collections.abc import Mapping
from ipaddress import ip_address, ip_network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import PolicyError
from ftpfw.ftp.checks import COMPAT, STRICT, Check
from ftpfw.ftp.checks import Action as ActionOfCheck
from ftpfw.ruleset.policy import Backend, Clients, Gateway, Helper, OnCrash, Policy, Server
from ftpfw.ruleset.policy_file import _EXAMPLES, SECTIONS, read_policy
from ftpfw.ruleset.toml_document import decode_toml
from tests.unit.ruleset.samples import MINIMAL
from tests.unit.table import table

WHOLE = """\
[gateway]
inside  = ["eth1", "br-lan.7"]
outside = "eth0"
snat_to = "203.0.113.1"

[helper]
backend = "borrowed"
ports   = [21, 2121]
queue   = "0-3"
on_crash = "closed"
checks  = "compat"

[clients]
allow = ["10.0.1.0/24", "192.0.2.7", "2001:db8:1::/64"]

[[server]]
address = "10.0.2.10"
public  = "203.0.113.1"
port    = 21
passive_ports = "50000-50100"

[[server]]
address = "10.0.2.11"
public  = "203.0.113.1"
port    = 2121
"""


def test_a_whole_policy() -> None:
    policy = read_policy(WHOLE, "gateway.toml")
    assert policy.gateway == Gateway(
        ("eth1", "br-lan.7"), "eth0", snat_to=ip_address("203.0.113.1")
    )
    assert policy.helper == Helper(
        Backend.BORROWED,
        (21, 2121),
        range(4),
        OnCrash.CLOSED,
    )
    assert policy.clients == Clients(
        (ip_network("10.0.1.0/24"), ip_network("192.0.2.7"), ip_network("2001:db8:1::/64"))
    )
    assert policy.servers == (
        Server(ip_address("10.0.2.10"), ip_address("203.0.113.1"), 21, range(50000, 50101)),
        Server(ip_address("10.0.2.11"), ip_address("203.0.113.1"), 2121),
    )


def test_defaults() -> None:
    policy = read_policy('[gateway]\ninside = ["eth1"]\noutside = "eth0"', "gateway.toml")
    assert policy.helper == Helper(Backend.AUTO, (21,), range(1), OnCrash.OPEN)
    assert (policy.clients, policy.servers) == (Clients(()), ())
    assert not policy.gateway.masquerade


def test_the_keys_of_the_complete_helper() -> None:
    text = """\
        [gateway]
        inside = []
        outside = "eth0"
        zone = 7
        [helper]
        denied_verbs = ["site", "DELE"]
        pending = 2
        expectations_per_client = 3
        mark = 0x100
        transfer_log = "/log/transfers"
        xferlog = "/log/xferlog"
        metrics = "127.0.0.1:9921"
        [clients]
        this_host = true
        [[server]]
        address = "192.0.2.10"
    """
    policy = read_policy(text, "gateway.toml")
    assert policy.gateway == Gateway((), "eth0", zone=7)
    assert policy.helper == Helper(
        denied_verbs=("SITE", "DELE"),
        pending=2,
        expectations_per_client=3,
        mark=0x100,
        transfer_log="/log/transfers",
        xferlog="/log/xferlog",
        metrics="127.0.0.1:9921",
    )
    assert policy.clients == Clients((), this_host=True)
    address = ip_address("192.0.2.10")
    assert policy.servers == (Server(address, public=address),)


CHECKS: list[tuple[str, str, Mapping[Check, ActionOfCheck]]] = [
    ("nothing said", "", COMPAT),
    ("compat", 'checks = "compat"', COMPAT),
    ("strict", 'checks = "strict"', STRICT),
    ("compat with one", "checks = { nul = 'reset' }", {**COMPAT, Check.NUL: ActionOfCheck.RESET}),
    (
        "strict without one",
        "checks = { base = 'strict', nul = 'off' }",
        {**STRICT, Check.NUL: ActionOfCheck.OFF},
    ),
]


@pytest.mark.parametrize(("line", "checks"), **table(CHECKS))
def test_checks(line: str, checks: Mapping[Check, ActionOfCheck]) -> None:
    assert read_policy(with_("helper", line), "gateway.toml").helper.checks == checks


def with_(section: str, line: str) -> str:
    """The minimal policy with one more line, 3, in a section."""
    text = f"[{section}]\n\n{line}\n"
    if section == "gateway":
        return text + 'inside = ["eth1"]\noutside = "eth0"\n'
    return text + '[gateway]\ninside = ["eth1"]\noutside = "eth0"\n'


def server(lines: str, other: str = "") -> str:
    return f'{MINIMAL}[[server]]\naddress = "10.0.2.1"\npublic = "203.0.113.1"\n{lines}\n{other}'


ANOTHER = '[[server]]\naddress = "10.0.2.2"\npublic = "203.0.113.1"\n'

REFUSED = [
    # id                   text                                    line  what          mend
    ("syntax", "[gateway]\ninside = [\n", 2, "not valid TOML", "toml.io"),
    ("syntax, earlier line", "[gateway]\ninside = x\na = 1\n", 2, "not valid TOML", "toml.io"),
    ("no gateway", "[helper]\n", 1, "[gateway] is missing", "add a [gateway] table"),
    ("no outside", '[gateway]\ninside = ["a"]', 1, "outside is missing", "add outside = "),
    ("unknown table", MINIMAL + "[client]\n", 8, "client: unknown key", "did you mean clients?"),
    (
        "unknown key",
        with_("helper", 'on-crash = "open"'),
        3,
        "helper.on-crash: unknown",
        "on_crash?",
    ),
    ("nothing near", with_("clients", "zzz = 1"), 3, "clients.zzz", "known here: allow"),
    ("key of two lines", MINIMAL + '["a\\nb"]\n', 8, "unknown key", "known here: gateway"),
    ("empty key", MINIMAL + '[""]\n', 8, "unknown key", "known here: gateway"),
    ("key like a place", MINIMAL + '["` - at `$.a"]\n', 8, "unknown key", "known here: gateway"),
    ("key of a server", server("pasive_ports = 1"), 11, "unknown", "passive_ports?"),
    (
        "wrong type",
        with_("helper", 'ports = ["21"]'),
        3,
        "ports[0]: expected integer",
        "ports = [21]",
    ),
    ("not a list", with_("clients", 'allow = "10.0.0.0/8"'), 3, "expected list", "allow = ["),
    ("not a table", "gateway = 1", 1, "gateway: expected table", "[gateway]"),
    ("masquerade", with_("gateway", "masquerade = 1"), 3, "expected true or false", "= true"),
    ("backend", with_("helper", 'backend = "ours"'), 3, "no such value 'ours'", "auto, cthelper"),
    ("on_crash", with_("helper", 'on_crash = "off"'), 3, "no such value 'off'", "open, closed"),
    ("checks", with_("helper", 'checks = "lax"'), 3, "no such value 'lax'", "compat, strict"),
    ("checks' type", with_("helper", "checks = 1"), 3, "expected", 'checks = "strict"'),
    ("check", with_("helper", "checks = { nil = 'log' }"), 3, "checks.nil: no such check", "nul?"),
    ("no near check", with_("helper", "checks = { x = 'log' }"), 3, "no such check", "one of "),
    (
        "action",
        with_("helper", "checks = { nul = 'deny' }"),
        3,
        "checks.nul: no such action 'deny'",
        "log, drop, reset",
    ),
    ("base", with_("helper", "checks = { base = 'lax' }"), 3, "checks.base", "compat or strict"),
    (
        "type of an action",
        with_("helper", "checks = { nul = 1 }"),
        3,
        "expected string",
        'checks = "strict"',
    ),
    ("denied verb", with_("helper", "denied_verbs = ['SITE EXEC']"), 3, "no verb", '"SITE"'),
    ("pending", with_("helper", "pending = 0"), 3, "helper.pending: 0", "1 to 64"),
    (
        "expectations",
        with_("helper", "expectations_per_client = -1"),
        3,
        "expectations_per_client: -1",
        "1 to 65535",
    ),
    ("no mark", with_("helper", "mark = 0"), 3, "0x0 is not one bit", "mark = 0x"),
    ("two marks", with_("helper", "mark = 3"), 3, "0x3 is not one bit", "mark = 0x"),
    ("wide mark", with_("helper", "mark = 0x100000000"), 3, "is not one bit", "mark = 0x"),
    ("log", with_("helper", "transfer_log = 'log'"), 3, "no absolute path", "transfer_log = "),
    ("xferlog", with_("helper", "xferlog = './x'"), 3, "no absolute path", "xferlog = "),
    ("metrics", with_("helper", "metrics = '0.0.0.0:9921'"), 3, "neither a loopback", "127.0.0.1"),
    ("no port of metrics", with_("helper", "metrics = '::1'"), 3, "neither a loopback", "127."),
    ("metrics' port", with_("helper", "metrics = '[::1]:0'"), 3, "neither a loopback", "127."),
    ("zone", with_("gateway", "zone = 65536"), 3, "no conntrack zone", "0 to 65535"),
    ("this_host", with_("clients", "this_host = 1"), 3, "expected true or false", "this_host ="),
    (
        "interface too long",
        '[gateway]\ninside = ["sixteen-bytes-xx"]\noutside = "e"',
        2,
        "longer than 15 bytes",
        "ip link",
    ),
    ("slash", '[gateway]\ninside = ["e"]\noutside = "a/b"', 3, "no interface name", "letters"),
    (
        "blank",
        '[gateway]\ninside = ["e",\n"a b"]\noutside = "a"',
        3,
        "no interface name",
        "letters",
    ),
    ("wildcard", '[gateway]\ninside = ["ppp+"]\noutside = "a"', 2, "no interface name", "each"),
    ("option", '[gateway]\ninside = ["-j"]\noutside = "a"', 2, "no interface name", "letters"),
    ("empty name", '[gateway]\ninside = [""]\noutside = "a"', 2, "is empty", "ip link"),
    ("dot dot", '[gateway]\ninside = [".."]\noutside = "a"', 2, "no interface name", "letters"),
    ("inside twice", '[gateway]\ninside = ["e",\n"e"]\noutside = "a"', 3, "named twice", "once"),
    ("both sides", '[gateway]\ninside = ["e"]\noutside = "e"', 3, "named twice", "once"),
    (
        "inside and DMZ",
        '[gateway]\ninside = ["e"]\ndmz = ["f",\n"e"]\noutside = "a"',
        4,
        "e is named twice",
        "inside, dmz or outside",
    ),
    (
        "masquerade and SNAT",
        '[gateway]\ninside = ["e"]\noutside = "a"\nmasquerade = true\nsnat_to = "192.0.2.1"',
        5,
        "excludes masquerade",
        "fixed",
    ),
    ("snat_to", with_("gateway", 'snat_to = "203.0.113"'), 3, "no IP address", "203.0.113.1"),
    ("scope", with_("gateway", 'snat_to = "fe80::1%eth0"'), 3, "has a scope", "without %"),
    (
        "host bits",
        with_("clients", 'allow = ["10.0.1.5/24"]'),
        3,
        "has host bits set",
        '"10.0.1.0/24" for the network, "10.0.1.5" for the one host',
    ),
    ("IPv6 host bits", with_("clients", 'allow = ["fd00::1/64"]'), 3, "host bits", '"fd00::/64"'),
    ("no network", with_("clients", 'allow = ["lan"]'), 3, "no network", "10.0.1.0/24"),
    ("prefix", with_("clients", 'allow = ["10.0.0.0/33"]'), 3, "no network", "/24"),
    (
        "overlap",
        with_("clients", 'allow = ["10.0.0.0/8", "fd00::/8",\n "10.0.1.0/24"]'),
        4,
        "allow[2]: 10.0.1.0/24 overlaps 10.0.0.0/8",
        "smaller",
    ),
    (
        "same twice",
        with_("clients", 'allow = ["10.0.0.0/8", "10.0.0.0/8"]'),
        3,
        "overlaps",
        "leave out",
    ),
    ("port 0", with_("helper", "ports = [0]"), 3, "no TCP port", "1 to 65535"),
    (
        "port 65536",
        with_("helper", "ports = [21,\n 65536]"),
        4,
        "65536 is no TCP port",
        "1 to 65535",
    ),
    ("port twice", with_("helper", "ports = [21,\n 21]"), 4, "port 21 is named twice", "once"),
    ("no port", with_("helper", "ports = []"), 3, "names no port", "[21]"),
    ("queue", with_("helper", 'queue = "a"'), 3, "'a' is no range", '"5-9"'),
    ("queue backwards", with_("helper", 'queue = "3-0"'), 3, "runs backwards", '"0-3"'),
    ("queue too high", with_("helper", 'queue = "65536"'), 3, "out of range", "0 to 65535"),
    (
        "cthelper closed",
        with_("helper", 'on_crash = "closed"\nbackend = "cthelper"'),
        3,
        "established connections go on, unread and unadjusted",
        '"borrowed"',
    ),
    (
        "cthelper, several queues",
        with_("helper", 'queue = "0-3"\nbackend = "cthelper"'),
        3,
        "feeds one queue",
        'queue = "0"',
    ),
    ("server's port", server("port = 0"), 11, "server[0].port: 0 is no TCP port", "1 to"),
    ("passive backwards", server('passive_ports = "9-5"'), 11, "runs backwards", '"5-9"'),
    ("passive port 0", server('passive_ports = "0-5"'), 11, "out of range", "1024 to 65535"),
    ("privileged passive", server('passive_ports = "990"'), 11, "out of range", "1024 to 65535"),
    (
        "control port in range",
        server('passive_ports = "2100-2200"\nport = 2121'),
        11,
        "the control port 2121",
        "without it",
    ),
    (
        "published twice",
        server("port = 21", ANOTHER + "port = 21"),
        15,
        "published twice",
        "another port",
    ),
    (
        "passive overlap",
        server('passive_ports = "5000-5010"', ANOTHER + 'port = 22\npassive_ports = "5010-5020"'),
        16,
        "overlaps another",
        "no port in common",
    ),
    (
        "two IP versions",
        MINIMAL + '[[server]]\naddress = "10.0.2.1"\npublic = "2001:db8::1"',
        10,
        "different IP versions",
        "an IPv4 address",
    ),
]


@pytest.mark.parametrize(("text", "line", "what", "mend"), **table(REFUSED))
def test_refused(text: str, line: int, what: str, mend: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "gateway.toml")
    assert caught.value.line == line
    assert what in caught.value.what
    assert mend
    assert mend in (caught.value.mend or "")
    assert caught.value.file == "gateway.toml"


KEYS = [
    (section, field.name, _EXAMPLES[field.name])
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
]


@pytest.mark.parametrize(
    ("section", "key", "example"), KEYS, ids=[f"{section}.{key}" for section, key, _ in KEYS]
)
def test_a_value_of_the_wrong_type_is_mended_by_the_example(
    section: str, key: str, example: str
) -> None:
    with pytest.raises(PolicyError, match="expected") as caught:
        read_policy(whole_but(section, key, f"{key} = 1.5"), "gateway.toml")
    assert caught.value.mend == example
    for alternative in example.split(", or "):
        line = alternative.removeprefix(f"{key} = ")
        read_policy(whole_but(section, key, f"{key} = {line}"), "gateway.toml")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_of_the_wrong_type_has_an_example_too(section: str) -> None:
    with pytest.raises(PolicyError, match="expected") as caught:
        read_policy(f"{section} = 1.5\n", "gateway.toml")
    assert f"[{section}]" in (caught.value.mend or "")


def whole_but(section: str, key: str, line: str) -> str:
    """A policy with all that a section needs, in which ``key`` is on ``line``."""
    needed = {
        "gateway": {"inside": 'inside = ["eth1"]', "outside": 'outside = "eth0"'},
        "server": {"address": 'address = "10.0.2.1"', "public": 'public = "203.0.113.1"'},
    }
    sections = {"gateway": dict(needed["gateway"]), section: dict(needed.get(section, {}))}
    sections[section][key] = line
    header = {name: f"[[{name}]]" if name == "server" else f"[{name}]" for name in sections}
    return "\n".join("\n".join((header[n], *sections[n].values())) for n in sections)


ACCEPTED = [
    ("host without prefix", with_("clients", 'allow = ["10.0.1.5"]')),
    ("networks side by side", with_("clients", 'allow = ["10.0.0.0/24", "10.0.1.0/24"]')),
    ("interface of 15 bytes", '[gateway]\ninside = ["fifteen-bytes-x"]\noutside = "e"'),
    ("VLAN and dots", '[gateway]\ninside = ["eth0.100", "wg_0"]\noutside = "veth@0"'),
    ("passive ranges touch", server('passive_ports = "5000-5009"', ANOTHER + "port = 22")),
    ("compat", with_("helper", 'checks = "compat"')),
    ("no interface inside", '[gateway]\ninside = []\noutside = "e"'),
    ("metrics on IPv6", with_("helper", "metrics = '[::1]:9921'")),
    ("metrics by a socket file", with_("helper", "metrics = '/run/ftpfw/metrics.sock'")),
    ("highest mark", with_("helper", "mark = 0x80000000")),
    ("borrowed closed", with_("helper", 'backend = "borrowed"\non_crash = "closed"')),
]


@pytest.mark.parametrize("text", **table(ACCEPTED))
def test_accepted(text: str) -> None:
    read_policy(text, "gateway.toml")


def read_bytes(raw: bytes) -> Policy:
    return read_policy(decode_toml(raw, "gateway.toml"), "gateway.toml")


ENCODED = [
    ("CRLF", WHOLE.replace("\n", "\r\n").encode()),
    ("byte order mark", WHOLE.encode("utf-8-sig")),
    ("both", WHOLE.replace("\n", "\r\n").encode("utf-8-sig")),
    ("UTF-8 in a comment", (WHOLE + "# Büro").encode()),
]


@pytest.mark.parametrize("raw", **table(ENCODED))
def test_line_ends_and_marks_of_other_editors_say_nothing(raw: bytes) -> None:
    policy, plain = read_bytes(raw), read_policy(WHOLE, "gateway.toml")
    assert policy == plain
    assert policy.source.lines == plain.source.lines


NOT_UTF8 = [
    ("Latin-1", (MINIMAL + "# Büro\n").encode("latin-1"), 8),
    ("Latin-1, CRLF", (MINIMAL + "# Büro\n").replace("\n", "\r\n").encode("latin-1"), 8),
    ("UTF-16", MINIMAL.encode("utf-16"), 1),
    ("cut", (MINIMAL + "# Bü").encode()[:-1], 8),
]


@pytest.mark.parametrize(("raw", "line"), **table(NOT_UTF8))
def test_other_encodings_are_refused(raw: bytes, line: int) -> None:
    with pytest.raises(PolicyError, match="not UTF-8 text") as caught:
        read_bytes(raw)
    assert caught.value.line == line
    assert caught.value.mend == "save it in UTF-8"


@pytest.mark.parametrize("raw", **table([("CR alone", b"a = 1\rb = 2"), ("NUL", b"a = 1 # \0")]))
def test_control_characters_are_no_toml(raw: bytes) -> None:
    with pytest.raises(PolicyError, match="not valid TOML"):
        read_bytes(raw)


@given(st.binary())
def test_any_bytes_are_at_worst_a_policy_error(raw: bytes) -> None:
    with pytest.raises(PolicyError) as caught:  # no random bytes have a gateway
        read_bytes(raw)
    assert caught.value.mend
    assert caught.value.line


@pytest.mark.parametrize(
    "text", **table([("digits", f"a = {'9' * 5000}"), ("depth", f"a = {'[' * 5000}{']' * 5000}")])
)
def test_what_is_too_much_for_python_is_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError, match="not valid TOML"):
        read_policy(text, "gateway.toml")


@given(st.text())
def test_any_text_is_at_worst_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError) as caught:  # no random text has a gateway
        read_policy(text, "gateway.toml")
    assert caught.value.mend
    assert caught.value.line


@given(st.text(max_size=20))
def test_any_interface_name_that_passes_is_safe_in_a_rule(name: str) -> None:
    escaped = "".join(f"\\U{ord(char):08x}" for char in name if not 0xD800 <= ord(char) < 0xE000)
    text = f'[gateway]\ninside = ["{escaped}"]\noutside = "outside0"'
    try:
        passed = read_policy(text, "gateway.toml").gateway.inside[0]
    except PolicyError:
        return
    assert 0 < len(passed.encode()) < 16
    assert not set(passed) & set("/:!+\"'\\# \t\n")
    assert passed[0] != "-"
