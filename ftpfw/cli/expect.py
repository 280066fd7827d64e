"""``ftpfw expect``: the data connections that the kernel expects."""

from __future__ import annotations

from typing import Any

import click

from ftpfw.cli.host import require_root
from ftpfw.cli.output import JSON_OPTION, echo_json, echo_table
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Expectation, format_endpoint


@click.group()
def expect() -> None:
    """Show the data connections that the kernel expects."""


@expect.command("list")
@JSON_OPTION
def list_(as_json: bool) -> None:
    """List every TCP expectation of this network namespace."""
    require_root("list expectations")
    with Ctnetlink() as kernel:
        found = [_describe(expectation) for expectation in kernel.list_expectations()]
    if as_json:
        echo_json({"expectations": found})
    elif not found:
        click.echo("no connection is expected")
    else:
        columns = ["from", "to", "translated to", "control connection", "helper", "left"]
        rows = [
            [
                entry["source"],
                entry["destination"],
                entry["translated_to"] or "–",
                entry["master"],
                entry["helper"] or "–",
                f"{entry['seconds_left']} s",
            ]
            for entry in found
        ]
        echo_table("expected data connections", columns, rows)


def _describe(expectation: Expectation) -> dict[str, Any]:
    wanted, nat = expectation.tuple, expectation.nat
    any_port = expectation.mask.sport == 0
    source = format_endpoint(wanted.src, wanted.sport)
    return {
        "source": source.rpartition(":")[0] + ":any" if any_port else source,
        "destination": format_endpoint(wanted.dst, wanted.dport),
        "translated_to": format_endpoint(nat.tuple.src, nat.tuple.sport) if nat else None,
        "master": str(expectation.master),
        "helper": expectation.helper,
        "seconds_left": expectation.timeout,
    }
