"""``ftpfw doctor``: what this host offers, what is missing, and how to mend it."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click
from rich.text import Text

from ftpfw.cli.output import JSON_OPTION, Row, echo_json, echo_table
from ftpfw.helper.backends import INSPECTED
from ftpfw.helper.doctor import Finding, examine


@click.command()
@JSON_OPTION
def doctor(as_json: bool) -> None:
    """Show what this kernel and host offer, and which backend `auto` takes.

    Exit 1 if something is missing that `ftpfw load` needs.
    """
    findings, offers = examine()
    auto = next((o.backend.value for o in offers if o.usable and o.backend in INSPECTED), None)
    if as_json:
        echo_json({"auto": auto, "findings": [asdict(finding) for finding in findings]})
    else:
        echo_table("host", ["", "what", "found", "mend"], [_row(f) for f in findings])
        click.echo(f'\nbackend = "auto" takes: {auto or "nothing, see above"}')
    if any(finding.needed and not finding.ok for finding in findings):
        sys.exit(1)


def _row(finding: Finding) -> Row:
    if finding.ok:
        return [Text("ok", "green"), finding.subject, finding.found, ""]
    mark = Text("missing", "red") if finding.needed else Text("note", "yellow")
    return [mark, finding.subject, finding.found, finding.mend]
