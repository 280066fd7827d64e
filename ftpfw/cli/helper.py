"""``ftpfw helper``: the inspector in the foreground."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import click

from ftpfw.cli.host import POLICY_FILE, open_policy, require_root
from ftpfw.errors import HostError
from ftpfw.helper.backends import INSPECTED, resolve_backend
from ftpfw.helper.daemon import serve
from ftpfw.helper.state import State
from ftpfw.ruleset.policy import Backend

LOG_BYTES = 1 << 20


@click.command()
@click.argument("policy", type=POLICY_FILE)
@click.option(
    "--backend",
    type=click.Choice(sorted(backend.value for backend in INSPECTED)),
    help="Take this backend, whatever the policy says.",
)
@click.option("--log", "log_file", type=POLICY_FILE, help="Log to this file, kept under 2 MiB.")
@click.option("-v", "--verbose", is_flag=True, help="Log held and skipped packets too.")
def helper(policy: Path, backend: str | None, log_file: Path | None, verbose: bool) -> None:
    """Run the inspector for POLICY in the foreground.

    It tells $NOTIFY_SOCKET when it is ready (systemd's Type=notify) and ends on
    SIGTERM or SIGINT. It applies no rules: see `ftpfw rules apply`, or let
    `ftpfw load` do both.
    """
    wanted = open_policy(policy)
    require_root("inspect packets")
    taken = Backend(backend) if backend else resolve_backend(wanted)
    if taken not in INSPECTED:
        raise HostError(
            f'backend = "{taken}" has no inspector to run',
            mend="ftpfw rules apply is all that this policy needs",
        )
    _log_to(log_file, verbose)
    serve(wanted, taken, State.here())


def _log_to(file: Path | None, verbose: bool) -> None:
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[handler],
    )
