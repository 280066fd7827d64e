"""The command line: one module a subcommand, and the only place that prints.

Exit codes: 0 done, 1 failed or findings, 2 usage or policy.
"""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Any

import click

from ftpfw import __version__
from ftpfw.cli.interrupts import Interrupted
from ftpfw.errors import FtpfwError

SUBCOMMANDS = {
    "doctor": "What this kernel and host offer, what is missing and how to mend it.",
    "expect": "Data connections that the kernel expects.",
    "helper": "Run the inspector in the foreground (what a service manager runs).",
    "inspect": "What the FTP sessions of a capture negotiated.",
    "lab": "See FTP cross a firewall, in network namespaces of its own.",
    "load": "Load a gateway: rules, helper and inspector.",
    "rules": "Generate, apply, check and remove rule sets.",
    "server": "Look at, judge, convert and make configurations of FTP servers.",
    "status": "Show what is loaded and what it does.",
    "unload": "Undo what load did.",
}
"""Subcommand → its line of help: modules are imported when they are run, not before."""


class Subcommands(click.Group):
    """Imports ``ftpfw.cli.NAME`` when NAME is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        del ctx
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object ``NAME`` of module ``NAME``."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        module = importlib.import_module(f"ftpfw.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(SUBCOMMANDS.items()))


@click.command(cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ftpfw")
def commands() -> None:
    """FTP through NAT firewalls, from userspace.

    On a gateway: doctor, then rules generate to read the rules, then load.
    To look on: lab run nat-gateway.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors go to standard error, in words."""
    try:
        return commands.main(args=arguments, prog_name="ftpfw")
    except FtpfwError as error:
        click.echo(f"ftpfw: {error}", err=True)
        sys.exit(error.exit_code)
    except Interrupted:
        click.echo("ftpfw: interrupted; what was begun has been undone", err=True)
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        click.echo(f"ftpfw: {error.filename or 'output'}: {error.strerror}", err=True)
        sys.exit(1)
