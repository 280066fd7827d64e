"""A run as JUnit XML, which CI systems read: a test case a cell.

The shape is that of Jenkins' schema: testsuites, testsuite, testcase, with failure or skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from ftpfw.lab.matrix import MatrixReport
from ftpfw.lab.results import Cell, Report, Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """One cell. ``suite`` is the scenario's name."""

    suite: str
    name: str
    cell: Cell


def cases(report: Report | MatrixReport) -> list[Case]:
    """The cells of a run."""
    if isinstance(report, MatrixReport):
        return [Case("matrix", str(one.trial), one.cell) for one in report.outcomes]
    return [
        Case(report.scenario, f"{row.name}, {column}", cell)
        for row in report.rows
        for column, cell in row.cells.items()
    ]


def junit(suites: Iterable[Report | MatrixReport]) -> str:
    """The document."""
    root = ElementTree.Element("testsuites", name="ftpfw lab")
    for report in suites:
        found = cases(report)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"ftpfw lab {found[0].suite}" if found else "ftpfw lab",
            tests=str(len(found)),
            failures=str(sum(not one.cell.as_expected for one in found)),
            errors="0",
            skipped=str(sum(one.cell.expected is Verdict.NOT_APPLICABLE for one in found)),
            time=f"{report.seconds:.3f}",
            timestamp=report.started,
        )
        for one in found:
            _case(suite, one)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, one: Case) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"lab.{one.suite}",
        name=one.name,
        time=f"{one.cell.seconds:.3f}",
    )
    reason = "".join(c for c in one.cell.reason or "" if c.isprintable() or c in "\n\t")
    if one.cell.expected is Verdict.NOT_APPLICABLE and one.cell.as_expected:
        ElementTree.SubElement(case, "skipped", message=reason)
    elif not one.cell.as_expected:
        message = f"expected {one.cell.expected}, seen {one.cell.seen}"
        ElementTree.SubElement(case, "failure", message=message).text = reason
