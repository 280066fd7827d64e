"""Applier for iptables-legacy: python-iptables, that is libiptc, one commit a table.

libiptc reads a whole table, changes it in memory and writes it back, so two programs at
once would lose each other's rules; iptables takes /run/xtables.lock against that
(xtables_lock() in iptables/xshared.c), python-iptables does not: here it is held from
the first reading to the last commit. Tables are read back with iptables-legacy-save,
whose text is what a policy is compared with.

Each commit happens in a forked child, for two reasons in libxtables: an extension
registers for the one family under which it was first loaded (libxt_NAT's MASQUERADE is
not found for IPv6 after IPv4), and on some errors it calls exit(3), which must not end
ftpfw between two tables.

A table that is used for the first time in a network namespace stays visible in
iptables-legacy-save, empty: the kernel has no way to unload it from one namespace.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import iptc

from ftpfw.errors import HostError
from ftpfw.ruleset.firewall import DOCTOR, save_tables
from ftpfw.ruleset.iptables import Extension, Option, XtRule, parse_rule
from ftpfw.ruleset.live import Part, SavedTable, own_part, placed
from ftpfw.ruleset.model import Family, Table

LOCK_FILE = "/run/xtables.lock"
LOCK_WITHIN = 10.0
"""Seconds to wait for other programs; iptables holds the lock for milliseconds."""

_PREFIX = {Family.IPV4: "iptables-legacy", Family.IPV6: "ip6tables-legacy"}
_TABLE = {Family.IPV4: iptc.Table, Family.IPV6: iptc.Table6}
_RULE = {Family.IPV4: iptc.Rule, Family.IPV6: iptc.Rule6}
_BASICS = {
    "-s": "src",
    "-d": "dst",
    "-i": "in_interface",
    "-o": "out_interface",
    "-p": "protocol",
}
_BYTES = re.compile(r"""\bb(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""")
"""How ``%s`` writes bytes."""
_PROTOCOL = {"ipv6-icmp": "icmpv6"}  # iptables-save's name → python-iptables'


class Legacy:
    """iptables-legacy, through python-iptables."""

    name = "legacy"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the xtables lock; HostError if another program does not let go of it."""
        path = os.environ.get("XTABLES_LOCKFILE") or LOCK_FILE
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"cannot open the lock {path}: {error.strerror}") from error
        try:
            _wait_for_lock(descriptor, path)
            yield
        finally:
            os.close(descriptor)

    def save(self, family: Family) -> dict[str, SavedTable]:
        """The tables that this network namespace has used so far."""
        return save_tables(f"{_PREFIX[family]}-save")

    def replace(self, family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
        """One commit; until then everything happens in memory."""
        refused = _in_child(lambda: _commit(family, table, saved, wanted))
        if refused is not None:
            raise HostError(f"{_PREFIX[family]}, table {table}: {refused}", mend=DOCTOR)


def _wait_for_lock(descriptor: int, path: str) -> None:
    deadline = time.monotonic() + LOCK_WITHIN
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise HostError(
                    f"another program holds {path}", mend=f"fuser {path} names it"
                ) from None
            time.sleep(0.05)
        else:
            return


def _in_child(work: Callable[[], None]) -> str | None:
    """Do ``work`` in a forked child; what it had to say, if it failed.

    Whatever interrupts the parent, the child has ended when this returns or raises.
    """
    sys.stdout.flush()  # or the child, too, would write what is buffered
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(_work_and_tell(work, writable))
    os.close(writable)
    try:
        with os.fdopen(readable, encoding="utf-8", errors="replace") as pipe:
            said = " ".join(pipe.read().split())
    finally:
        _, status = os.waitpid(child, 0)
    return None if status == 0 else said or f"it ended with status {status}"


def _work_and_tell(work: Callable[[], None], writable: int) -> int:
    """The child's side: its exit code. Standard error carries libxtables' messages too."""
    os.dup2(writable, 2)
    try:
        work()
    except BaseException as error:
        os.write(2, _reason(error).encode())
        return 1
    return 0


def _reason(error: BaseException) -> str:
    """What libiptc or an extension said, without the b'' that python-iptables leaves around it."""
    return _BYTES.sub(
        lambda literal: str(literal_eval(literal[0]), "utf-8", "replace"),
        str(error) or type(error).__name__,
    )


def _commit(family: Family, table: Table, saved: SavedTable | None, wanted: Part) -> None:
    opened = _open(family, table)
    _change(opened, _RULE[family], saved, wanted)
    opened.commit()


def _open(family: Family, table: Table) -> iptc.Table:
    """The table as the kernel has it now, for changes that wait for commit()."""
    kind = _TABLE[family]
    # To find jump targets python-iptables opens every table it believes to exist, and
    # that would bring them all into being in this namespace.
    kind.existing_table_names = {name: name == table for name in kind.ALL}
    return kind(str(table), autocommit=False)


def _change(
    table: iptc.Table, rule_type: type[iptc.Rule], saved: SavedTable | None, wanted: Part
) -> None:
    present = own_part(saved)
    for hook in present.hooks:
        iptc.Chain(table, hook.chain).delete_rule(_build(hook.rule, rule_type))
    for chain in present.chains:
        table.flush_entries(chain)
    for chain in wanted.chains:
        if chain not in present.chains:
            table.create_chain(chain)
    for chain, rules in wanted.chains.items():
        for rule in rules:
            iptc.Chain(table, chain).append_rule(_build(rule, rule_type))
    for hook, index in placed(wanted.hooks, saved):
        iptc.Chain(table, hook.chain).insert_rule(_build(hook.rule, rule_type), index)
    for chain in present.chains:
        if chain not in wanted.chains:
            table.delete_chain(chain)


def _build(text: str, rule_type: type[iptc.Rule]) -> iptc.Rule:
    """The rule as python-iptables has it."""
    rule: XtRule = parse_rule(text)
    built = rule_type()
    for option in rule.basics:
        value = _PROTOCOL.get(option.values[0], option.values[0])
        setattr(built, _BASICS[option.name], f"!{value}" if option.inverted else value)
    for match in rule.matches:
        _fill(built.create_match(match.name), match)
    target = rule.target or Extension("")
    _fill(built.create_target(target.name, goto=rule.goto), target)
    return built


def _fill(extension: iptc.Match | iptc.Target, wanted: Extension) -> None:
    for option in wanted.options:
        extension.set_parameter(option.name.removeprefix("--"), _parameter(option))


def _parameter(option: Option) -> list[str]:
    return ["!", *option.values] if option.inverted else list(option.values)
