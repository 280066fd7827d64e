"""What is known of the kernel's modules, and what doctor makes of it."""

from __future__ import annotations

import pytest

from ftpfw.helper.doctor.finding import Finding
from ftpfw.helper.doctor.modules import (
    CONFIG,
    EXTENSIONS,
    Extension,
    Extensions,
    Modules,
    Presence,
    judge_extensions,
    judge_modules,
    judge_nft_queue,
    mend_missing,
    parse_config,
    parse_extensions,
    parse_module_files,
    parse_modules,
)
from ftpfw.helper.doctor.packages import Distribution
from ftpfw.ruleset.policy import Backend
from tests.unit.table import table

DEBIAN = Distribution("debian", release="6.1.0-50-amd64")
LOADED = parse_modules("xt_CT 16384 1 - Live 0x0\nnf_tables 3 0 - Live 0x0\n")
BUILT_IN = parse_module_files("kernel/net/netfilter/nfnetlink_queue.ko\n")
LOADABLE = parse_module_files(
    "kernel/net/netfilter/xt_bpf.ko.xz: kernel/net/netfilter/x_tables.ko.xz\n"
    "kernel/net/netfilter/nf-conntrack-sane.ko.zst:\n"
)
CONFIGURED = parse_config(
    "CONFIG_NETFILTER_XT_MATCH_BPF=m\nCONFIG_NFT_COMPAT=y\n# CONFIG_NFT_QUEUE is not set\n"
)

PRESENCE = [
    # id, modules, name, presence
    ("loaded", Modules(LOADED), "xt_CT", Presence.THERE),
    ("built in", Modules(LOADED, BUILT_IN, LOADABLE), "nfnetlink_queue", Presence.THERE),
    ("to be loaded", Modules(LOADED, BUILT_IN, LOADABLE), "xt_bpf", Presence.IDLE),
    ("dashes are underscores", Modules(LOADED, BUILT_IN, LOADABLE), "nf_conntrack_sane", "IDLE"),
    ("no such file", Modules(LOADED, BUILT_IN, LOADABLE), "xt_cluster", Presence.MISSING),
    ("container", Modules(LOADED), "xt_bpf", Presence.UNKNOWN),
    ("container, configured", Modules(LOADED, config=CONFIGURED), "xt_bpf", Presence.UNKNOWN),
    ("container, configured in", Modules(LOADED, config=CONFIGURED), "nft_compat", Presence.THERE),
    ("container, configured out", Modules(LOADED, config=CONFIGURED), "nft_queue", "MISSING"),
    ("no modules, configured in", Modules(None, config=CONFIGURED), "nft_compat", Presence.THERE),
    ("no modules, not named", Modules(None, config=CONFIGURED), "xt_CT", Presence.MISSING),
    ("no modules, nothing known", Modules(None), "xt_CT", Presence.UNKNOWN),
]


@pytest.mark.parametrize(("modules", "name", "presence"), **table(PRESENCE))
def test_presence(modules: Modules, name: str, presence: Presence | str) -> None:
    expected = Presence[presence] if isinstance(presence, str) else presence
    assert modules.presence(name) is expected


ASKED = [
    ("loaded", Modules(LOADED), True),
    ("not loaded", Modules(frozenset(), frozenset(), frozenset({"nf_tables"})), False),
    ("not there", Modules(frozenset(), frozenset(), LOADABLE), False),
    ("perhaps not loaded", Modules(frozenset()), False),
    ("no module can be loaded", Modules(None), True),
]


@pytest.mark.parametrize(("modules", "asked"), **table(ASKED))
def test_nothing_is_asked_that_would_be_loaded(modules: Modules, *, asked: bool) -> None:
    assert modules.may_be_asked("nf_tables") is asked


def test_every_extension_has_a_module_that_is_known() -> None:
    assert {extension.module for extension in EXTENSIONS} <= {*CONFIG}


NAMES = frozenset(extension.name for extension in EXTENSIONS)
WHOLE = Modules(None, config=dict.fromkeys(CONFIG.values(), "y"))


def without(*modules: str) -> Modules:
    """A kernel without loadable modules that has all but some built in."""
    return Modules(None, config={**WHOLE.config, **{CONFIG[name]: "n" for name in modules}})


def wrong(findings: list[Finding]) -> list[tuple[str, bool]]:
    return [(finding.subject, finding.needed) for finding in findings if not finding.ok]


LACKING = [
    # id, kernel, backend that auto takes, wrong
    ("nothing", WHOLE, Backend.BORROWED, []),
    ("what queues", without("xt_bpf"), Backend.BORROWED, [("xt bpf", True)]),
    ("what queues, unused", without("xt_bpf"), Backend.CTHELPER, [("xt bpf", False)]),
    ("what attaches", without("xt_CT"), Backend.CTHELPER, [("xt CT", True)]),
    ("what shares", without("xt_cluster"), Backend.BORROWED, [("xt cluster", False)]),
    ("NAT", without("xt_nat"), Backend.BORROWED, [("xt SNAT", False), ("xt DNAT", False)]),
]


@pytest.mark.parametrize(("modules", "auto", "expected"), **table(LACKING))
def test_missing_extensions(
    modules: Modules, auto: Backend, expected: list[tuple[str, bool]]
) -> None:
    extensions = Extensions(frozenset())
    findings = list(judge_extensions(modules, extensions, auto, DEBIAN))
    assert wrong(findings) == expected
    assert all("CONFIG_" in finding.mend for finding in findings if not finding.ok)


def extension(name: str) -> Extension:
    return next(one for one in EXTENSIONS if one.name == name)


def test_what_proc_lists_is_there_whatever_the_files_say() -> None:
    listed = Extensions(parse_extensions("bpf\nbpf\n", "CT\n"))
    assert listed.presence(extension("bpf"), without("xt_bpf")) is Presence.THERE


@pytest.mark.parametrize(("outcome", "presence"), [(True, "THERE"), (False, "MISSING")])
def test_a_trial_decides_what_nothing_else_tells(outcome: bool, presence: str) -> None:
    tried = Extensions(frozenset(), {"bpf": outcome})
    assert tried.presence(extension("bpf"), Modules(None)) is Presence[presence]


def test_what_is_not_known_is_not_called_missing() -> None:
    (finding,) = judge_extensions(Modules(LOADED), Extensions(NAMES - {"bpf"}), None, DEBIAN)
    assert finding.ok
    assert "not known" in finding.found
    assert "bpf" in finding.found


def test_idle_modules_are_one_command() -> None:
    modules = Modules(LOADED, BUILT_IN, LOADABLE)
    (finding,) = judge_modules(modules, Extensions(frozenset()))
    assert (finding.ok, finding.needed) == (False, False)
    assert finding.mend == "modprobe -a nf_conntrack_sane xt_bpf"
    assert not wrong(list(judge_modules(WHOLE, Extensions(frozenset()))))


def test_an_extension_that_is_listed_needs_no_modprobe() -> None:
    modules = Modules(LOADED, BUILT_IN, LOADABLE)
    (finding,) = judge_modules(modules, Extensions(frozenset({"bpf"})))
    assert finding.mend == "modprobe -a nf_conntrack_sane"


QUEUES = [
    # id, modules, outcome of a trial, ok (None: not said)
    ("there", WHOLE, None, True),
    ("not loaded", Modules(LOADED, BUILT_IN, LOADABLE | {"nft_queue"}), None, True),
    ("configured out", without("nft_queue"), None, False),
    ("tried", Modules(None), True, True),
    ("tried in vain", Modules(None), False, False),
    ("not known", Modules(LOADED), None, None),
]


@pytest.mark.parametrize(("modules", "tried", "ok"), **table(QUEUES))
def test_nft_queue(modules: Modules, tried: bool | None, ok: bool | None) -> None:
    findings = list(judge_nft_queue(modules, tried, DEBIAN))
    assert [finding.ok for finding in findings] == ([] if ok is None else [ok])
    assert not any(finding.needed for finding in findings)


FILES = Modules(LOADED, BUILT_IN, LOADABLE)
SOURCES = [
    # id, modules, distribution, mend
    ("Debian", FILES, DEBIAN, "boot a kernel with CONFIG_NFT_QUEUE"),
    (
        "Debian's cloud kernel",
        FILES,
        Distribution("debian", release="6.1.0-50-cloud-amd64"),
        "apt-get install linux-image-amd64 && reboot",
    ),
    (
        "Ubuntu",
        FILES,
        Distribution("debian", ubuntu=True, release="6.8.0-50-generic"),
        "apt-get install linux-modules-extra-6.8.0-50-generic",
    ),
    (
        "Fedora",
        FILES,
        Distribution("fedora", release="6.8.5-301.fc40.x86_64"),
        "dnf install kernel-modules-6.8.5-301.fc40.x86_64",
    ),
    (
        "no package has what is configured out",
        Modules(LOADED, BUILT_IN, LOADABLE, CONFIGURED),
        Distribution("fedora", release="6.8.5-301.fc40.x86_64"),
        "boot a kernel with CONFIG_NFT_QUEUE",
    ),
]


@pytest.mark.parametrize(("modules", "source", "mend"), **table(SOURCES))
def test_where_a_missing_module_comes_from(
    modules: Modules, source: Distribution, mend: str
) -> None:
    assert mend_missing("nft_queue", modules, source) == mend
