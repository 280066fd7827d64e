"""What every sample's rules do to packets, friendly and hostile ones, on every firewall.

The tables are for people to read: ``verdicts/NAME.t`` for ``rules/NAME.toml``. All of a table is
played through each rule set of its policy, in a gateway that holds the rules of Docker, ufw
and firewalld too, and has them byte for byte when ours are gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import KernelError
from ftpfw.helper.expecting import expected
from ftpfw.ruleset.apply import apply, remove
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.model import Queue, Rule, RuleSet, Table
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import NAMES, sample

from .conftest import made_namespaces
from .foreign import ForeignRules
from .netns import inside, require_program
from .probes import outcome, parse_probe
from .rules_host import entered, holds, require_helper, rule_sets
from .verdicts import Expect, Row, Scene, Verdicts, read_verdicts
from .wires import Wires


class Stage:
    """The gateway of one table, its interfaces wired up; rules come and go."""

    def __init__(self, table: Verdicts, wires: Wires) -> None:
        self.table, self.wires = table, wires
        self.conntrack = inside(wires.gate, Ctnetlink)

    def close(self) -> None:
        self.conntrack.close()
        self.wires.close()


class Stages:
    """The stage of the table that is played now; rule sets of one policy share it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stage: Stage | None = None

    def of(self, name: str) -> Stage:
        if self._stage and self._stage.table.name == name:
            return self._stage
        self.close()
        namespaces = self._stack.enter_context(made_namespaces())
        table = read_verdicts(name)
        self._stage = Stage(table, Wires(namespaces, table.addresses, sample(name).gateway.outside))
        self._stack.callback(self._stage.close)
        return self._stage

    def close(self) -> None:
        self._stage = None
        self._stack.close()


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    require_program("iptables-legacy", "iptables-nft", "nft")
    stages = Stages()
    yield stages
    stages.close()


@pytest.mark.parametrize(("name", "backend", "firewall"), rule_sets(NAMES))
def test_verdicts(stages: Stages, name: str, backend: Backend, firewall: str) -> None:
    require_helper(backend)
    policy, stage = sample(name), stages.of(name)
    foreign = ForeignRules(stage.wires.gate, firewall)
    with entered(stage.wires.gate):
        rulesets = compile_families(policy, backend)
        if not holds(firewall, backend, rulesets):
            pytest.skip("needs nf_tables' queue statement (nft_queue)")
        foreign.load()
        alone = not policy.gateway.behind
        if alone and firewall != "nftables":
            foreign.shut()
        before = foreign.saved()
        apply(rulesets, firewall)
        try:
            if firewall == "nftables":
                foreign.shut() if alone else foreign.accept_in_ours()
            found = [line for scene in stage.table.scenes for line in play(stage, scene, backend)]
        finally:
            remove(firewall)
        assert foreign.saved() == before
    assert not found, "\n".join(["not as the table says:", *found])


def play(stage: Stage, scene: Scene, backend: Backend) -> Iterator[str]:
    """The rows of a scene whose verdicts are others, each with what was seen."""
    stage.wires.forget()
    waiting: list[Row] = []
    for row in scene:
        if isinstance(row, Row):
            waiting.append(row)
        elif backend is not Backend.NONE:
            yield from _ask(stage, waiting, backend)
            waiting = []
            _agree(stage, row)
    yield from _ask(stage, waiting, backend)


def _ask(stage: Stage, rows: list[Row], backend: Backend) -> Iterator[str]:
    sights = stage.wires.play([row.probe for row in rows])
    for row, seen in zip(rows, sights, strict=True):
        was = outcome(row.probe, seen)
        if was != row.wanted(backend):
            yield f"{stage.table.name}.t:{row.line}: {row.probe} ; {was}"


def _agree(stage: Stage, row: Expect) -> None:
    """What the inspector does for a command or reply."""
    master = stage.conntrack.get(row.control.tracked)
    assert master, f"{stage.table.name}.t:{row.line}: there is no control connection"
    stage.conntrack.add_expectation(expected(master, row.announcer, row.port, row.port))


def test_every_sample_has_its_table() -> None:
    assert [name for name in NAMES if not list(read_verdicts(name).rows())] == []


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_written_as_they_are_read(name: str) -> None:
    for row in read_verdicts(name).rows():
        assert parse_probe(str(row.probe)) == row.probe


MUTATED = [
    ("nat-gateway", Backend.KERNEL),
    ("nat-gateway", Backend.NONE),
    ("ftps", Backend.BORROWED),
]


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        pytest.param(*case, id="-".join(case), marks=pytest.mark.xdist_group(case[0]))
        for case in MUTATED
    ],
)
def test_every_rule_is_missed_where_it_is_missing(
    stages: Stages, name: str, backend: Backend
) -> None:
    """So the tables can fail. Those of samples whose rules overlap cannot, for every rule."""
    require_helper(backend)
    stage = stages.of(name)
    foreign = ForeignRules(stage.wires.gate, "legacy")
    (ruleset,) = compile_families(sample(name), backend)
    with entered(stage.wires.gate):
        foreign.load()
        unmissed = []
        for rule, mutant in mutants(ruleset):
            apply([mutant], "legacy")
            if not fails(stage, backend):
                unmissed.append(rule.why)
        remove("legacy")
    assert unmissed == []


def mutants(ruleset: RuleSet) -> Iterator[tuple[Rule, RuleSet]]:
    """Each rule, and the rules without it; a queue's is what an inspector would miss."""
    for at, chain in enumerate(ruleset.chains):
        for number, rule in enumerate(chain.rules):
            if chain.table is not Table.MANGLE and not isinstance(rule.action, Queue):
                rest = (*chain.rules[:number], *chain.rules[number + 1 :])
                less = (*ruleset.chains[:at], replace(chain, rules=rest), *ruleset.chains[at + 1 :])
                yield rule, replace(ruleset, chains=less)


def fails(stage: Stage, backend: Backend) -> bool:
    """Whether a row does, or what a row needs (without a helper nothing can be expected)."""
    try:
        return any(line for scene in stage.table.scenes for line in play(stage, scene, backend))
    except (KernelError, AssertionError):
        return True
