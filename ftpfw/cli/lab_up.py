"""``ftpfw lab up``, ``shell`` and ``down``: an exercise that stays, to look around in."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.cli.output import JSON_OPTION, console, echo_json, echo_table
from ftpfw.errors import HostError
from ftpfw.lab import standing
from ftpfw.lab.exercise import Column, Exercise
from ftpfw.lab.library import find
from ftpfw.lab.programs import require_programs


@click.command("up")
@click.argument("name", metavar="EXERCISE")
@click.option("--column", help="Which of its columns; the last one without it.")
@JSON_OPTION
def up(name: str, column: str | None, as_json: bool) -> None:
    """Raise EXERCISE's hosts, servers and gateways, and leave them up."""
    require_root("make the lab's network namespaces")
    require_programs()
    exercise = find(name)
    chosen = _column(exercise, column)
    if not as_json:
        click.echo(f"raising {exercise.name}, column {chosen.name} …", err=True)
    with interrupts_unwind():
        one = standing.up(exercise, name, chosen)
    if as_json:
        echo_json(asdict(one))
        return
    rows = [
        [
            host.name,
            ", ".join(
                f"{interface.name} {address.ip}"
                for interface in host.interfaces
                for address in interface.addresses
            ),
            f"ftpfw lab shell {host.name}",
        ]
        for host in exercise.topology.hosts
    ]
    echo_table(f"{exercise.name} is up", ["host", "addresses", "to enter it"], rows)
    console().print(f"files: {one.directory}\nto end: ftpfw lab down", style="dim", highlight=False)


def _column(exercise: Exercise, name: str | None) -> Column:
    if name is None:
        return exercise.columns[-1]
    try:
        return exercise.column(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--column") from None


@click.command("keep", hidden=True)
@click.argument("name")
@click.argument("column")
def keep(name: str, column: str) -> None:
    """What ``up`` leaves behind, until SIGTERM."""
    exercise = find(name)
    with interrupts_unwind(), standing.kept(exercise, exercise.column(column)):
        click.echo(standing.READY, nl=False)
        while True:
            signal.pause()


@click.command("shell", context_settings={"ignore_unknown_options": True})
@click.option("--exercise", help="Which one, where several that are up have such a host.")
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(exercise: str | None, host: str, command: tuple[str, ...]) -> None:
    """Enter HOST of an exercise that is up, or run COMMAND there."""
    require_root("enter a network namespace")
    one, namespace = standing.entry(host, exercise)
    program = shutil.which("ip")
    if program is None:
        raise HostError("there is no ip(8) on this host", mend="apt-get install iproute2")
    here = Path(sys.executable).parent
    environment = {
        **os.environ,
        **one.environments[host],
        "PS1": f"{one.exercise}/{host}# ",
        "PATH": f"{here}:{os.environ.get('PATH', '')}",
    }
    inside = command or ("bash", "--norc", "-i")
    os.execve(  # noqa: S606 -- this process becomes the shell
        program, ["ip", "netns", "exec", namespace, *inside], environment
    )


@click.command("down")
@click.argument("names", metavar="[EXERCISE]...", nargs=-1)
@JSON_OPTION
def down(names: tuple[str, ...], as_json: bool) -> None:
    """Take down every EXERCISE that is up, or all that are."""
    require_root("remove network namespaces")
    gone = standing.down(names)
    if as_json:
        echo_json({"down": [one.exercise for one in gone]})
    elif gone:
        rows = [[one.exercise, ", ".join(one.namespaces)] for one in gone]
        echo_table("taken down", ["exercise", "hosts"], rows)
    else:
        click.echo("nothing was up")
