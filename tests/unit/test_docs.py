"""The documents say what the code does: keys of a policy, checks, metrics, notes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ftpfw.ftp.checks import TABLE
from ftpfw.helper.commands import NoteKind
from ftpfw.helper.metrics import FAMILIES
from ftpfw.ruleset.policy_file import SECTIONS, read_policy
from ftpfw.server import checks
from ftpfw.server.audit import OTHERS

DOCS = Path(__file__).parents[2] / "docs"
POLICY = (DOCS / "policy.md").read_text()
CHECKS = (DOCS / "checks.md").read_text()
SERVERS = (DOCS / "servers.md").read_text()
OBSERVING = (DOCS / "observing.md").read_text()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_policy_has_its_row(section: str) -> None:
    text = POLICY.partition(f"## `[{section}]`")[2] or POLICY.partition(f"## `[[{section}]]`")[2]
    rows = text.partition("\n## ")[0]
    documented = [line.split("`")[1] for line in rows.splitlines() if line.startswith("| `")]
    assert documented == [field.name for field in msgspec.structs.fields(SECTIONS[section])]


def test_the_example_is_a_policy() -> None:
    example = POLICY.partition("```toml\n")[2].partition("```")[0]
    assert read_policy(example, "policy.md").helper.transfer_log is not None


def test_the_checks_are_documented_as_they_are(update_golden: bool) -> None:
    rows = "".join(f"| `{check}` | {row.strict} | {row.what} |\n" for check, row in TABLE.items())
    head, _, rest = CHECKS.partition("|---|---|---|\n")
    tail = rest[rest.rfind("|\n") + 2 :]
    wanted = f"{head}|---|---|---|\n{rows}{tail}"
    if update_golden:
        (DOCS / "checks.md").write_text(wanted)
    else:
        assert wanted == CHECKS


def test_the_findings_are_documented_as_they_are(update_golden: bool) -> None:
    rows = [(one.id, one.severity, f"{one.what}: {one.why}") for one in checks.CHECKS]
    rows += [(id_, one.severity, f"{one.what}: {one.why}") for id_, one in OTHERS.items()]
    head, line, _ = SERVERS.partition("|---|---|---|\n")
    wanted = head + line + "".join(f"| `{id_}` | {level} | {text} |\n" for id_, level, text in rows)
    if update_golden:
        (DOCS / "servers.md").write_text(wanted)
    else:
        assert wanted == SERVERS


@pytest.mark.parametrize("name", [*(one.name for one in FAMILIES), "ftpfw_verdict_seconds"])
def test_every_metric_is_documented(name: str) -> None:
    assert f"`{name}`" in OBSERVING


@pytest.mark.parametrize("kind", NoteKind)
def test_everything_that_status_counts_is_documented(kind: NoteKind) -> None:
    assert f"`{kind.value}`" in OBSERVING
