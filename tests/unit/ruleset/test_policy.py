from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.errors import PolicyError
from ftpfw.ruleset.policy import (
    Backend,
    Clients,
    Gateway,
    Helper,
    OnCrash,
    Server,
    interfaces,
    read_policy,
)
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
checks  = { foreign-address = "drop", privileged-port = "log" }

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
        {"foreign-address": "drop", "privileged-port": "log"},
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
    assert policy.helper == Helper(Backend.AUTO, (21,), range(1), OnCrash.OPEN, "compat")
    assert (policy.clients, policy.servers) == (Clients(()), ())
    assert not policy.gateway.masquerade


def test_interfaces_come_with_their_lines() -> None:
    policy = read_policy(WHOLE, "gateway.toml")
    named = [(name, policy.source.line(path)) for name, path in interfaces(policy)]
    assert named == [("eth1", 2), ("br-lan.7", 2), ("eth0", 3)]


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
    ("no gateway", "[helper]\n", None, "[gateway] is missing", "add a [gateway] table"),
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
    ("key of a server", server("pasive_ports = 1"), 11, "unknown", "passive_ports?"),
    ("wrong type", with_("helper", 'ports = ["21"]'), 3, "ports[0]: expected integer", ""),
    ("not a list", with_("clients", 'allow = "10.0.0.0/8"'), 3, "expected list", ""),
    ("not a table", "gateway = 1", 1, "gateway: expected table", ""),
    ("masquerade", with_("gateway", "masquerade = 1"), 3, "expected true or false", ""),
    ("backend", with_("helper", 'backend = "ours"'), 3, "no such value 'ours'", "auto, cthelper"),
    ("on_crash", with_("helper", 'on_crash = "off"'), 3, "no such value 'off'", "open, closed"),
    ("checks", with_("helper", 'checks = "lax"'), 3, "no such value 'lax'", '"compat", "strict"'),
    ("checks' action", with_("helper", 'checks = { a = "eat" }'), 3, "no such value 'eat'", "drop"),
    ("no inside", "[gateway]\n\ninside = []\noutside = 'e'", 3, "names no interface", "inside ="),
    (
        "interface too long",
        '[gateway]\ninside = ["sixteen-bytes-xx"]\noutside = "e"',
        2,
        "longer than 15 bytes",
        "ip link",
    ),
    ("slash", '[gateway]\ninside = ["e"]\noutside = "a/b"', 3, "no interface name", "letters"),
    ("blank", '[gateway]\ninside = ["e",\n"a b"]\noutside = "a"', 3, "no interface name", ""),
    ("wildcard", '[gateway]\ninside = ["ppp+"]\noutside = "a"', 2, "no interface name", "each"),
    ("option", '[gateway]\ninside = ["-j"]\noutside = "a"', 2, "no interface name", ""),
    ("empty name", '[gateway]\ninside = [""]\noutside = "a"', 2, "is empty", ""),
    ("dot dot", '[gateway]\ninside = [".."]\noutside = "a"', 2, "no interface name", ""),
    ("inside twice", '[gateway]\ninside = ["e",\n"e"]\noutside = "a"', 3, "named twice", ""),
    ("both sides", '[gateway]\ninside = ["e"]\noutside = "e"', 3, "inside interface too", ""),
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
    ("prefix", with_("clients", 'allow = ["10.0.0.0/33"]'), 3, "no network", ""),
    (
        "overlap",
        with_("clients", 'allow = ["10.0.0.0/8", "fd00::/8",\n "10.0.1.0/24"]'),
        4,
        "allow[2]: 10.0.1.0/24 overlaps 10.0.0.0/8",
        "smaller",
    ),
    ("same twice", with_("clients", 'allow = ["10.0.0.0/8", "10.0.0.0/8"]'), 3, "overlaps", ""),
    ("port 0", with_("helper", "ports = [0]"), 3, "no TCP port", "1 to 65535"),
    ("port 65536", with_("helper", "ports = [21,\n 65536]"), 4, "65536 is no TCP port", ""),
    ("port twice", with_("helper", "ports = [21,\n 21]"), 4, "port 21 is named twice", ""),
    ("no port", with_("helper", "ports = []"), 3, "names no port", "[21]"),
    ("queue", with_("helper", 'queue = "a"'), 3, "'a' is no range", '"5-9"'),
    ("queue backwards", with_("helper", 'queue = "3-0"'), 3, "runs backwards", '"0-3"'),
    ("queue too high", with_("helper", 'queue = "65536"'), 3, "out of range", "0 to 65535"),
    (
        "cthelper closed",
        with_("helper", 'on_crash = "closed"\nbackend = "cthelper"'),
        3,
        "helper hook lets packets pass",
        '"borrowed"',
    ),
    (
        "cthelper, several queues",
        with_("helper", 'queue = "0-3"\nbackend = "cthelper"'),
        3,
        "feeds one queue",
        'queue = "0"',
    ),
    ("server's port", server("port = 0"), 11, "server[0].port: 0 is no TCP port", ""),
    ("passive backwards", server('passive_ports = "9-5"'), 11, "runs backwards", '"5-9"'),
    ("passive port 0", server('passive_ports = "0-5"'), 11, "out of range", "1 to 65535"),
    ("control port in range", server('passive_ports = "20-30"'), 11, "the control port 21", ""),
    ("published twice", server("port = 21", ANOTHER + "port = 21"), 15, "published twice", ""),
    (
        "passive overlap",
        server('passive_ports = "5000-5010"', ANOTHER + 'port = 22\npassive_ports = "5010-5020"'),
        16,
        "overlaps another",
        "",
    ),
    (
        "two IP versions",
        MINIMAL + '[[server]]\naddress = "10.0.2.1"\npublic = "2001:db8::1"',
        10,
        "different IP versions",
        "",
    ),
]


@pytest.mark.parametrize(("text", "line", "what", "mend"), **table(REFUSED))
def test_refused(text: str, line: int | None, what: str, mend: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, "gateway.toml")
    assert caught.value.line == line
    assert what in caught.value.what
    assert mend in (caught.value.mend or "")
    assert caught.value.file == "gateway.toml"


ACCEPTED = [
    ("host without prefix", with_("clients", 'allow = ["10.0.1.5"]')),
    ("networks side by side", with_("clients", 'allow = ["10.0.0.0/24", "10.0.1.0/24"]')),
    ("interface of 15 bytes", '[gateway]\ninside = ["fifteen-bytes-x"]\noutside = "e"'),
    ("VLAN and dots", '[gateway]\ninside = ["eth0.100", "wg_0"]\noutside = "veth@0"'),
    ("passive ranges touch", server('passive_ports = "5000-5009"', ANOTHER + "port = 22")),
    ("strict", with_("helper", 'checks = "strict"')),
    ("borrowed closed", with_("helper", 'backend = "borrowed"\non_crash = "closed"')),
]


@pytest.mark.parametrize("text", **table(ACCEPTED))
def test_accepted(text: str) -> None:
    read_policy(text, "gateway.toml")


@given(st.text())
def test_any_text_is_at_worst_a_policy_error(text: str) -> None:
    with pytest.raises(PolicyError) as caught:  # no random text has a gateway
        read_policy(text, "gateway.toml")
    assert caught.value.mend or caught.value.line


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
