"""``ftpfw doctor``: what this host offers, what is missing, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap

import click

from ftpfw.cli.output import JSON_OPTION, console, echo_json, shown
from ftpfw.helper.backends import INSPECTED
from ftpfw.helper.doctor.examination import examine
from ftpfw.helper.doctor.finding import Finding

LONGEST = 100
"""Columns beyond which prose is not read well."""


@click.command()
@JSON_OPTION
def doctor(as_json: bool) -> None:
    """Show what this kernel and host offer, and which backend `auto` takes.

    First what keeps `ftpfw load` from working (fault), then what may trouble it (note), each
    with the command that mends it, then what is fine. Nothing is changed, and no module is
    loaded. Exit 1 if there is a fault.
    """
    findings, offers = examine()
    auto = next((o.backend.value for o in offers if o.usable and o.backend in INSPECTED), None)
    if as_json:
        echo_json({"auto": auto, "findings": [asdict(finding) for finding in findings]})
    else:
        width = min(console().width, LONGEST)
        for line in _lines(findings, width):
            click.echo(line)
        click.echo(f'\nbackend = "auto" takes: {auto or "nothing, see above"}')
    if any(finding.needed and not finding.ok for finding in findings):
        sys.exit(1)


def _lines(findings: Sequence[Finding], width: int) -> Iterator[str]:
    """What is wrong, a paragraph each, and what is fine, a line each.

    Commands are not folded: they are there to be copied.
    """
    for mark, colour, some in (
        ("fault", "red", [f for f in findings if f.needed and not f.ok]),
        ("note", "yellow", [f for f in findings if not f.needed and not f.ok]),
    ):
        for finding in some:
            first, *rest = wrap(shown(f"{finding.subject}: {finding.found}"), width - 7)
            yield f"{click.style(f'{mark:5}', colour)}  {first}"
            yield from (f"       {line}" for line in rest)
            for word, command in (("mend", finding.mend), ("or", finding.alternative)):
                if command:
                    yield f"{word:>11}: {click.style(shown(command), bold=True)}"
            yield ""
    fine = [finding for finding in findings if finding.ok]
    longest = max((len(finding.subject) for finding in fine), default=0)
    for finding in fine:
        first, *rest = wrap(shown(finding.found), width - longest - 9)
        yield f"{click.style('ok   ', 'green')}  {finding.subject:{longest}}  {first}"
        yield from (f"{'':{longest + 9}}{line}" for line in rest)
