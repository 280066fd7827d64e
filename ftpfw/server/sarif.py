"""Findings in SARIF 2.1.0 (OASIS), which code scanners and editors show beside the line.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/: one run, a rule for each kind of finding, a
result for each finding; ``level`` is our severity. A finding that no line is to blame for points
at the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftpfw import __version__
from ftpfw.server.audit import OTHERS, Finding
from ftpfw.server.checks import CHECKS, Severity
from ftpfw.server.settings import Origin

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """The log as an object for JSON."""
    rules = _rules()
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    driver = {"name": "ftpfw", "version": __version__, "rules": rules}
    results = [_result(one, index[one.id]) for one in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rules() -> list[dict[str, Any]]:
    checks = [_rule(check.id, check.severity, check.what, check.why) for check in CHECKS]
    others = [_rule(id_, one.severity, one.what, one.why) for id_, one in OTHERS.items()]
    return [*checks, *others]


def _rule(id_: str, severity: Severity, what: str, why: str) -> dict[str, Any]:
    return {
        "id": id_,
        "shortDescription": {"text": what},
        "fullDescription": {"text": why},
        "defaultConfiguration": {"level": severity.value},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.what}: {finding.why}. Mend: {finding.mend}"
    return {
        "ruleId": finding.id,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(finding.origin)}],
    }


def _location(origin: Origin) -> dict[str, Any]:
    where: dict[str, Any] = {"artifactLocation": {"uri": origin.file}}
    if origin.line is not None:
        where["region"] = {"startLine": origin.line}
    return where
