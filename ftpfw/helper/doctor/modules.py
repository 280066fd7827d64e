"""What of the kernel is there, could be loaded, or is missing.

Sources, the first that knows decides: /proc/modules, modules.builtin and modules.dep of
/lib/modules/RELEASE (depmod(8)), the kernel's own configuration (/proc/config.gz or
/boot/config-RELEASE). /proc/net/ip_tables_matches and _targets name the extensions that
are registered; one that is not named there may merely not be loaded yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.helper.doctor.packages import Distribution, modules_package
from ftpfw.ruleset.policy import Backend

CONFIG = {
    "ip_tables": "IP_NF_IPTABLES",
    "iptable_raw": "IP_NF_RAW",
    "iptable_mangle": "IP_NF_MANGLE",
    "nf_conntrack_ftp": "NF_CONNTRACK_FTP",
    "nf_conntrack_netlink": "NF_CT_NETLINK",
    "nf_conntrack_sane": "NF_CONNTRACK_SANE",
    "nf_tables": "NF_TABLES",
    "nfnetlink_cthelper": "NF_CT_NETLINK_HELPER",
    "nfnetlink_queue": "NETFILTER_NETLINK_QUEUE",
    "nft_compat": "NFT_COMPAT",
    "nft_queue": "NFT_QUEUE",
    "xt_CT": "NETFILTER_XT_TARGET_CT",
    "xt_MASQUERADE": "NETFILTER_XT_TARGET_MASQUERADE",
    "xt_NFQUEUE": "NETFILTER_XT_TARGET_NFQUEUE",
    "xt_bpf": "NETFILTER_XT_MATCH_BPF",
    "xt_cluster": "NETFILTER_XT_MATCH_CLUSTER",
    "xt_connmark": "NETFILTER_XT_CONNMARK",
    "xt_conntrack": "NETFILTER_XT_MATCH_CONNTRACK",
    "xt_helper": "NETFILTER_XT_MATCH_HELPER",
    "xt_nat": "NETFILTER_XT_NAT",
}
"""The modules that are looked for, each with the option of the kernel's that makes it."""


class Presence(Enum):
    """How much of a module there is."""

    THERE = "loaded or built in"
    IDLE = "not loaded yet"
    MISSING = "missing"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Modules:
    """What the kernel's modules are known to be.

    ``loaded`` is None for a kernel without loadable modules, ``loadable`` where there is no
    modules.dep for it, as in most containers. ``config`` has ``y``, ``m`` or, not set, ``n``.
    """

    loaded: frozenset[str] | None
    built_in: frozenset[str] = frozenset()
    loadable: frozenset[str] | None = None
    config: Mapping[str, str] = field(default_factory=dict)

    def presence(self, name: str) -> Presence:
        """What is known of module ``name``."""
        if name in self.built_in or name in (self.loaded or ()):
            return Presence.THERE
        if self.loaded is not None and self.loadable is not None:
            return Presence.IDLE if name in self.loadable else Presence.MISSING
        match self.config.get(CONFIG[name], "" if not self.config else "n"):
            case "y":
                return Presence.THERE
            case "n":
                return Presence.MISSING
        return Presence.UNKNOWN

    def may_be_asked(self, name: str) -> bool:
        """Whether a question to ``name`` cannot have the kernel load it."""
        present = self.presence(name)
        return present is Presence.THERE or (present is Presence.UNKNOWN and self.loaded is None)

    @property
    def idle(self) -> frozenset[str]:
        """Those that a question would load."""
        return frozenset(name for name in CONFIG if self.presence(name) is Presence.IDLE)


@dataclass(frozen=True, slots=True)
class Extension:
    """A match or target of xtables that rules of ours use; ``without`` says what it is for.

    ``backends`` are those whose rules all have it; empty: only some policies have.
    """

    name: str
    module: str
    without: str
    backends: frozenset[Backend] = frozenset()


_INSPECTED = frozenset({Backend.CTHELPER, Backend.BORROWED})
_QUEUED = frozenset({Backend.BORROWED})

EXTENSIONS = (
    Extension("CT", "xt_CT", "no rule can attach a helper", _INSPECTED),
    Extension("conntrack", "xt_conntrack", "no rule knows a connection's state", _INSPECTED),
    Extension("helper", "xt_helper", "no rule knows an expected connection", _INSPECTED),
    Extension("NFQUEUE", "xt_NFQUEUE", "no rule can queue", _QUEUED),
    Extension("bpf", "xt_bpf", "no rule knows a segment with data", _QUEUED),
    Extension("connmark", "xt_connmark", "no rule knows a connection under TLS", _QUEUED),
    Extension("cluster", "xt_cluster", "one queue only, as `queue` names by default"),
    Extension("MASQUERADE", "xt_MASQUERADE", "`masquerade` is impossible"),
    Extension("SNAT", "xt_nat", "`snat_to` is impossible"),
    Extension("DNAT", "xt_nat", "no server can be published behind another address"),
)


@dataclass(frozen=True, slots=True)
class Extensions:
    """``listed``: registered, as /proc says; ``tried``: the outcome of a trial, where one was."""

    listed: frozenset[str]
    tried: Mapping[str, bool] = field(default_factory=dict)

    def presence(self, extension: Extension, modules: Modules) -> Presence:
        """What is known of an extension."""
        if extension.name in self.listed or self.tried.get(extension.name):
            return Presence.THERE
        known = modules.presence(extension.module)
        return Presence.MISSING if self.tried.get(extension.name) is False else known


def parse_modules(text: str) -> frozenset[str]:
    """The names in /proc/modules."""
    return frozenset(line.partition(" ")[0] for line in text.splitlines())


def parse_module_files(text: str) -> frozenset[str]:
    """The names of the files that modules.builtin lists, or modules.dep before its colons."""
    paths = (line.partition(":")[0] for line in text.splitlines())
    return frozenset(
        path.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for path in paths
    )


def parse_config(text: str) -> dict[str, str]:
    """The options of the kernel's configuration, without ``CONFIG_``."""
    found = {}
    for line in text.splitlines():
        if line.startswith("CONFIG_"):
            name, _, value = line.removeprefix("CONFIG_").partition("=")
            found[name] = value
    return found


_WANTED = {
    *(extension.module for extension in EXTENSIONS),
    "nf_conntrack_netlink",
    "nf_conntrack_sane",
    "nfnetlink_queue",
}
"""What the rules and the inspector of ``borrowed`` use, whichever kind of iptables has them."""


def judge_modules(modules: Modules, extensions: Extensions) -> Iterator[Finding]:
    """Those that are only not loaded, in one finding with one command."""
    there = {e.module for e in EXTENSIONS if extensions.presence(e, modules) is Presence.THERE}
    idle = sorted((modules.idle & _WANTED) - there, key=str.lower)
    if idle:
        yield note(
            "modules",
            False,
            f"{len(idle)} are not loaded yet; `load` has the kernel load them, where it may",
            f"modprobe -a {' '.join(idle)}",
        )


def judge_extensions(
    modules: Modules, extensions: Extensions, auto: Backend | None, source: Distribution
) -> Iterator[Finding]:
    """The matches and targets of our rules that this kernel has not got."""
    known = {e: extensions.presence(e, modules) for e in EXTENSIONS}
    missing = [e for e, presence in known.items() if presence is Presence.MISSING]
    unknown = [e.name for e, presence in known.items() if presence is Presence.UNKNOWN]
    for extension in missing:
        yield Finding(
            f"xt {extension.name}",
            False,
            f"not in this kernel: {extension.without}",
            mend_missing(extension.module, modules, source),
            needed=auto in extension.backends,
        )
    if unknown:
        yield note("xt extensions", True, f"not known before they are used: {', '.join(unknown)}")
    elif not missing:
        yield note("xt extensions", True, "there" if not _idle(known) else "there when loaded")


def _idle(known: Mapping[Extension, Presence]) -> bool:
    return Presence.IDLE in known.values()


def judge_nft_queue(
    modules: Modules, tried: bool | None, source: Distribution
) -> Iterator[Finding]:
    """The ``queue`` statement of nf_tables, which rules of iptables do without."""
    presence = modules.presence("nft_queue")
    if presence is Presence.THERE or tried:
        yield note("nft queue statement", True, "there")
    elif presence is Presence.IDLE:
        yield note("nft queue statement", True, "there when loaded")
    elif presence is Presence.MISSING or tried is False:
        yield note(
            "nft queue statement",
            False,
            "not in this kernel: rules of iptables can queue, those of nft cannot",
            mend_missing("nft_queue", modules, source),
        )


def mend_missing(name: str, modules: Modules, source: Distribution) -> str:
    """Where module ``name`` comes from, if this kernel has not got it at all."""
    option = CONFIG[name]
    built_without = modules.config.get(option, "n") == "n" if modules.config else False
    package = None if built_without else modules_package(source)
    return package or f"boot a kernel with CONFIG_{option}"


def parse_extensions(*texts: str) -> frozenset[str]:
    """The names in /proc/net/ip_tables_matches or _targets."""
    return frozenset(chain.from_iterable(text.split() for text in texts))
