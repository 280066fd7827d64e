"""Looks at this host. Nothing is changed, and the kernel is not made to load anything.

Whom the kernel would have to load a module for is not asked: the rules of nf_tables are
read only where nf_tables is there already. iptables-legacy-save reads what
/proc/net/ip_tables_names lists, and that is there only with the module. A trial, of what
/proc does not tell, is a rule in a network namespace that ends with it; only a kernel
without loadable modules is tried.
"""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftpfw.helper.doctor.modules import (
    EXTENSIONS,
    Extensions,
    Modules,
    Presence,
    parse_config,
    parse_extensions,
    parse_module_files,
    parse_modules,
)
from ftpfw.helper.doctor.nftables import Nftables, TableName, parse_rule_texts, parse_ruleset
from ftpfw.helper.doctor.packages import PACKAGES, Distribution, install, parse_os_release
from ftpfw.helper.doctor.rulesets import COMPAT, LEGACY, PROGRAM, Rules, Saved, Unread
from ftpfw.helper.doctor.sysctls import (
    ACCOUNTING,
    AUTOMATIC,
    BRIDGED,
    FORWARDING,
    TABLES,
    Mention,
    Routing,
    Settings,
)
from ftpfw.ruleset.live import parse_save
from ftpfw.ruleset.model import Family

PROC_SYS = Path("/proc/sys")
NAMES = {
    Family.IPV4: Path("/proc/net/ip_tables_names"),
    Family.IPV6: Path("/proc/net/ip6_tables_names"),
}
LISTED = [Path("/proc/net", f"ip_tables_{kind}") for kind in ("matches", "targets")]
IPV6 = "/proc/net/if_inet6"
GLOBAL = "00"
"""A global address's scope there."""

SET_AT_BOOT = ("/etc/sysctl.conf", "/etc/sysctl.d/*.conf", "/etc/modprobe.d/*.conf")
USUAL_RULES = {0, 32766, 32767}
"""The priorities of the routing rules that are there from the start."""

WITHIN = 60.0
"""Seconds for any program."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a program printed, or its complaint where it failed."""

    text: str
    complaint: str | None = None


def ask_program(*argv: str) -> Said:
    """Run a program and hear it out."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=WITHIN)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Said("", str(error))
    complaint = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return Said(done.stdout, complaint if done.returncode else None)


def read_text(path: str | Path) -> str | None:
    """A file's text; None where it is not there or not to be read."""
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def find_distribution() -> Distribution:
    """Who made this system, and which kernel it runs."""
    return parse_os_release(read_text("/etc/os-release") or "", platform.release())


def find_programs() -> frozenset[str]:
    """The programs that are installed, of those that are asked about."""
    return frozenset(name for name in PACKAGES if shutil.which(name))


def find_bindings_fault() -> str | None:
    """Why the Python package netfilterqueue cannot be imported; None: it can."""
    try:
        import netfilterqueue  # noqa: F401, PLC0415
    except ImportError as error:
        return str(error)
    return None


def find_modules() -> Modules:
    """What is known of the running kernel's modules."""
    release = platform.release()
    directory = Path("/lib/modules", release)
    loaded, loadable = read_text("/proc/modules"), read_text(directory / "modules.dep")
    return Modules(
        None if loaded is None else parse_modules(loaded),
        parse_module_files(read_text(directory / "modules.builtin") or ""),
        None if loadable is None else parse_module_files(loadable),
        parse_config(_config(release)),
    )


def _config(release: str) -> str:
    try:
        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    except OSError:
        return read_text(f"/boot/config-{release}") or ""


def find_extensions(modules: Modules, *, may_try: bool) -> Extensions:
    """The matches and targets that are registered, and what a trial of the others said."""
    listed = parse_extensions(*(read_text(path) or "" for path in LISTED))
    found = Extensions(listed)
    tried = {
        extension.name: can_add(extension.name)
        for extension in EXTENSIONS
        if may_try
        and modules.loaded is None
        and found.presence(extension, modules) is Presence.UNKNOWN
    }
    return Extensions(listed, tried)


TRIALS = {
    "CT": "-t raw -A PREROUTING -j CT --zone 1",
    "conntrack": "-t raw -A PREROUTING -m conntrack --ctstate NEW",
    "helper": "-t mangle -A PREROUTING -m helper --helper ftp",
    "NFQUEUE": "-t mangle -A PREROUTING -j NFQUEUE --queue-num 0",
    "bpf": "-t mangle -A PREROUTING -m bpf --bytecode",
    "connmark": "-t mangle -A PREROUTING -m connmark --mark 1",
    "cluster": "-t mangle -A PREROUTING -m cluster --cluster-total-nodes 2"
    " --cluster-local-node 1 --cluster-hash-seed 0",
    "MASQUERADE": "-t nat -A POSTROUTING -j MASQUERADE",
    "SNAT": "-t nat -A POSTROUTING -j SNAT --to-source 192.0.2.1",
    "DNAT": "-t nat -A PREROUTING -j DNAT --to-destination 192.0.2.1",
}
"""A rule for each extension; the program for bpf, return 0, follows as one word."""


def can_add(extension: str) -> bool:
    """Whether a rule with ``extension`` can be made, by trial in a new network namespace."""
    rule = TRIALS[extension].split() + (["1,6 0 0 0"] if extension == "bpf" else [])
    return any(
        ask_program("unshare", "--net", program, *rule).complaint is None
        for program in ("iptables-legacy", "iptables-nft")
        if shutil.which(program)
    )


NFT_TRIAL = (
    "add table ip ftpfw-trial; add chain ip ftpfw-trial c; add rule ip ftpfw-trial c queue num 0"
)


def try_nft_queue(modules: Modules) -> bool | None:
    """Whether nft can queue, by trial; None where it is known, or a trial would load modules."""
    if modules.loaded is not None or modules.presence("nft_queue") is not Presence.UNKNOWN:
        return None
    if not shutil.which("nft"):
        return None
    return ask_program("unshare", "--net", "nft", NFT_TRIAL).complaint is None


def find_kernel_halves(modules: Modules) -> list[str]:
    """The kinds of iptables that the kernel has its half of, or can load it."""
    missing = Presence.MISSING
    legacy = NAMES[Family.IPV4].exists() or (
        modules.loaded is not None and modules.presence("ip_tables") is not missing
    )
    compat = missing not in {modules.presence(name) for name in ("nf_tables", "nft_compat")}
    kinds = {"iptables-legacy": legacy, "iptables-nft": compat}
    return [kind for kind, there in kinds.items() if there]


def find_settings(interfaces: tuple[str, ...]) -> Settings:
    """The settings that are there, of those that are asked about."""
    keys = [ACCOUNTING, AUTOMATIC, *BRIDGED, *(key for _, key in FORWARDING)]
    keys += [key for _, *pair in TABLES for key in pair if key]
    for name in ("all", *interfaces):
        keys += [f"net/ipv4/conf/{name}/{one}" for one in ("rp_filter", "forwarding")]
    read = ((key, _setting(key)) for key in keys)
    return {key: value for key, value in read if value is not None}


def _setting(key: str) -> int | None:
    try:
        return int((PROC_SYS / key).read_text())
    except (OSError, ValueError):
        return None


def counts_bytes() -> bool | None:
    """Whether conntrack counts packets and bytes of new connections; None: not known."""
    value = _setting(ACCOUNTING)
    return None if value is None else value != 0


def find_limits_writable() -> bool:
    """Whether conntrack's limits are to be set from this network namespace."""
    return os.access(PROC_SYS / TABLES[0][2], os.W_OK)


def find_mentions() -> tuple[Mention, ...]:
    """Lines of configuration that ask for automatic helpers; a file with two names counts once."""
    found = (path.resolve() for pattern in SET_AT_BOOT for path in Path("/").glob(pattern[1:]))
    return tuple(
        Mention(str(path), number)
        for path in sorted({*found})
        for number, line in enumerate((read_text(path) or "").splitlines(), 1)
        if re.match(r"[^#;]*\bnf_conntrack_helper\s*=\s*1", line)
    )


def find_routing() -> Routing:
    """Interfaces, bridges, and where this host's routes to everywhere lead."""
    routes = _ip("-4", "route", "show", "table", "all")
    rules = _ip("-4", "rule")
    bridges = _ip("link", "show", "type", "bridge")
    return Routing(
        tuple(sorted(name for _, name in socket.if_nameindex())),
        tuple(sorted(link["ifname"] for link in bridges if "ifname" in link)),
        frozenset(name for route in routes for name in _everywhere(route)),
        any(rule.get("priority") not in USUAL_RULES for rule in rules),
        any(line.split()[3] == GLOBAL for line in (read_text(IPV6) or "").splitlines()),
        known=shutil.which("ip") is not None,
    )


def _everywhere(route: dict[str, Any]) -> Iterator[str]:
    """The interfaces of a default route."""
    if route.get("dst") == "default":
        for hop in route.get("nexthops", [route]):
            if "dev" in hop:
                yield hop["dev"]


def _ip(*argv: str) -> list[dict[str, Any]]:
    """What ``ip -j`` lists; nothing where it is missing, which is a finding of its own."""
    said = ask_program("ip", "-j", *argv)
    return json.loads(said.text) if said.complaint is None and said.text.strip() else []


def find_rules(modules: Modules, source: Distribution) -> Rules:
    """All rules of this network namespace, without waking a module that sleeps."""
    saved: dict[tuple[str, Family], Saved] = {}
    unread = []
    for kind, family in _inhabited(modules):
        program = f"{PROGRAM[family]}-{kind}"
        read = _save(program, install(f"iptables-{kind}", source))
        if isinstance(read, Unread):
            unread.append(read)
        else:
            saved[kind, family] = read
    native = _nftables(modules, source)
    if isinstance(native, Unread):
        return Rules(saved, default=_default_kind(), unread=(*unread, native))
    return Rules(saved, native, dict(_texts(native)), _default_kind(), tuple(unread))


def _inhabited(modules: Modules) -> Iterator[tuple[str, Family]]:
    """The kinds of iptables, by family, that the kernel may have rules of."""
    for family in Family:
        if (read_text(NAMES[family]) or "").strip():
            yield LEGACY, family
        if modules.may_be_asked("nf_tables"):
            yield COMPAT, family


def _save(program: str, mend: str) -> Saved | Unread:
    if not shutil.which(f"{program}-save"):
        return Unread(program, f"{program}-save is not installed", mend)
    said = ask_program(f"{program}-save")
    return parse_save(said.text) if said.complaint is None else Unread(program, said.complaint)


def _nftables(modules: Modules, source: Distribution) -> Nftables | Unread:
    """What nft lists; nothing where nf_tables is known not to be loaded."""
    if not modules.may_be_asked("nf_tables"):
        if modules.presence("nf_tables") is not Presence.UNKNOWN:
            return Nftables()
        why = "whether nf_tables is loaded is not to be seen, and asking might load it"
        return Unread("nft", why, "run it where /lib/modules is that of the kernel")
    if not shutil.which("nft"):
        return Unread("nft", "nft is not installed", install("nft", source))
    said = ask_program("nft", "-j", "list", "ruleset")
    try:
        return parse_ruleset(said.text)
    except ValueError:
        return Unread("nft", said.complaint or "its JSON is not as it was")


def _texts(nftables: Nftables) -> Iterator[tuple[TableName, dict[int, str]]]:
    """The words of the rules of each table in which something is offloaded."""
    offloading = {
        r.table for r in nftables.rules for statement in r.statements if "flow" in statement
    }
    for table in offloading:
        yield table, parse_rule_texts(ask_program("nft", "-a", "list", "table", *table).text)


def _default_kind() -> str:
    """What ``iptables`` stands for, by the program behind the link; asked, it opens netlink."""
    program = shutil.which("iptables")
    return LEGACY if program and "legacy" in os.path.realpath(program) else COMPAT
