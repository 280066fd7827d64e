"""The script for firewalld as text: the golden files, and what cannot be expressed."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import suppress
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ftpfw.errors import PolicyError
from ftpfw.ruleset.firewalld import render_script
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.samples import MINIMAL, NAMES, RULES, backends, sample
from tests.unit.table import table


def expressible(name: str) -> list[Backend]:
    possible = []
    for backend in backends(sample(name)):
        with suppress(PolicyError):
            render_script(sample(name), backend)
            possible.append(backend)
    return possible


CASES = [
    (f"{name}.{backend}.firewalld", name, backend)
    for name in NAMES
    for backend in expressible(name)
]


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_golden(name: str, backend: Backend, update_golden: bool) -> None:
    golden = RULES / f"{name}.{backend}.firewalld"
    text = render_script(sample(name), backend)
    if update_golden:
        golden.write_text(text)
    assert golden.read_text() == text


def test_every_golden_file_is_tested() -> None:
    assert {path.name for path in RULES.glob("*.firewalld")} == {case[0] for case in CASES}


def test_every_sample_can_be_expressed_but_what_is_refused_below() -> None:
    assert {*NAMES} - {name for _, name, _ in CASES} == {"dmz", "ftps"}


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_it_is_a_shell_script(name: str, backend: Backend) -> None:
    text = render_script(sample(name), backend)
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_each_direct_rule_follows_its_sentence(name: str, backend: Backend) -> None:
    lines = direct_lines(render_script(sample(name), backend))
    own = [pair for pair in pairwise(lines) if "<rule" in pair[1] and '"ftpfw_' in pair[1]]
    assert all(before.startswith("  <!-- ftpfw: ") for before, _ in own)


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_direct_rules_are_xml_whose_every_line_is_known_as_ours(
    name: str, backend: Backend
) -> None:
    lines = direct_lines(render_script(sample(name), backend))
    for element in ElementTree.fromstring(f"<direct>{''.join(lines)}</direct>"):
        ours = element.get("chain", "").startswith("ftpfw_")
        assert ours or (element.text or "").startswith("-j ftpfw_")


@pytest.mark.parametrize(("name", "backend"), **table(CASES))
def test_firewalld_would_write_each_direct_rule_as_it_is(name: str, backend: Backend) -> None:
    """It quotes arguments by shlex, and the script finds its lines again by their text."""
    lines = direct_lines(render_script(sample(name), backend))
    for rule in ElementTree.fromstring(f"<direct>{''.join(lines)}</direct>").iter("rule"):
        assert rule.text == shlex.join(shlex.split(rule.text or ""))


def direct_lines(text: str) -> list[str]:
    """The lines that the script puts into direct.xml."""
    body = text.partition("\ndirect_lines() {\n")[2].partition("\n}\n")[0]
    return [line for line in body.splitlines() if line.startswith("  <")]


BORROWED, KERNEL = Backend.BORROWED, Backend.KERNEL
ROUTED = MINIMAL + '[[server]]\naddress = "10.0.1.10"\n'

REFUSED = [
    # id                policy                                       backend           line, what
    (
        "cthelper",
        MINIMAL,
        Backend.CTHELPER,
        'helper.backend: "cthelper" is impossible with firewalld',
    ),
    (
        "closed",
        MINIMAL + '[helper]\non_crash = "closed"\n',
        BORROWED,
        'p.toml:9: helper.on_crash: "closed" is impossible with firewalld',
    ),
    (
        "zone",
        MINIMAL.replace("masquerade = true", "zone = 1"),
        KERNEL,
        "p.toml:4: gateway.zone: firewalld knows no conntrack zones",
    ),
    (
        "DMZ",
        MINIMAL.replace("masquerade = true", 'dmz = ["eth2"]'),
        KERNEL,
        "p.toml:4: gateway.dmz: what may pass between two networks",
    ),
    (
        "routed server in a translated network",
        ROUTED,
        KERNEL,
        "p.toml:9: server[0].address: 10.0.1.10 keeps its address",
    ),
    (
        "what no rules can say",
        ROUTED,
        Backend.NONE,
        'p.toml:8: server[0]: no passive_ports, and with backend "none"',
    ),
]


@pytest.mark.parametrize(("text", "backend", "why"), **table(REFUSED))
def test_refused(text: str, backend: Backend, why: str) -> None:
    with pytest.raises(PolicyError) as refused:
        render_script(read_policy(text, "p.toml"), backend)
    assert why in str(refused.value)
    assert refused.value.mend


EXPRESSED = [
    # id                     policy, and what stands in the script
    ("closed without queue", '[helper]\non_crash = "closed"\n', KERNEL, "-j CT --helper"),
    ("ports", "[helper]\nports = [21, 2121]\n", KERNEL, '<service name="ftpfw-2121"/>'),
    ("one queue", '[helper]\nqueue = "3"\n', BORROWED, "--queue-num 3 --queue-bypass"),
    ("queues", '[helper]\nqueue = "3-4"\n', BORROWED, "--cluster-total-nodes 2"),
    ("mark", "[helper]\nmark = 2\n", BORROWED, "--mark 0x2/0x2"),
]


@pytest.mark.parametrize(("more", "backend", "wanted"), **table(EXPRESSED))
def test_expressed(more: str, backend: Backend, wanted: str) -> None:
    this_host = MINIMAL + "this_host = true\n"
    assert wanted in render_script(read_policy(this_host + more, "p.toml"), backend)


def test_ftps_asks_the_inspector_about_passive_ports() -> None:
    text = MINIMAL + '[[server]]\naddress = "10.0.1.10"\npublic = "192.0.2.1"\n'
    text += 'passive_ports = "50000-50100"\n'
    policy = read_policy(text, "p.toml")
    wanted = "-d 192.0.2.1/32 -i eth0 -p tcp -m tcp --dport 50000:50100 --tcp-flags"
    assert wanted in render_script(policy, BORROWED)
    assert "50000" not in render_script(policy, KERNEL)
