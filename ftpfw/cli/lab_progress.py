"""How a long run of the lab tells where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ftpfw.cli.output import console


@contextmanager
def progress(total: int) -> Iterator[Callable[[str, str], None]]:
    """Report steps: a bar on a terminal, else a line each; on stderr, as stdout is the report's."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield lambda what, outcome: click.echo(f"{what}: {outcome}", err=True)
        return
    columns = (TextColumn("{task.description:44}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True) as progress:
        task = progress.add_task("raising the hosts", total=total)
        yield lambda what, _: progress.update(task, advance=1, description=what)
