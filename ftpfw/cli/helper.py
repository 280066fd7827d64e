"""``ftpfw helper``: the inspector in the foreground."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import click

from ftpfw.cli.host import POLICY_FILE, open_policy, require_net_admin
from ftpfw.cli.output import echo_table
from ftpfw.errors import HostError
from ftpfw.ftp.checks import TABLE
from ftpfw.helper.backends import INSPECTED, resolve_backend
from ftpfw.helper.daemon import serve
from ftpfw.helper.landlock import confine_writing
from ftpfw.helper.logfile import SharedLog
from ftpfw.helper.notify import require_listener
from ftpfw.helper.privileges import drop_privileges
from ftpfw.helper.state import State
from ftpfw.ruleset.policy import Backend, Policy

log = logging.getLogger(__name__)


def _print_checks(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the table of strict checks and end, as --help does."""
    if not wanted:
        return
    rows = [[check.value, row.strict.value, row.what] for check, row in TABLE.items()]
    echo_table("strict checks", ["check", "strict", "what it is about"], rows)
    context.exit()


@click.command()
@click.argument("policy", type=POLICY_FILE)
@click.option(
    "--backend",
    type=click.Choice(sorted(backend.value for backend in INSPECTED)),
    help="Take this backend, whatever the policy says.",
)
@click.option("--log", "log_file", type=POLICY_FILE, help="Log to this file, kept under 2 MiB.")
@click.option(
    "--checks",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_checks,
    help="Show the strict checks, and what `strict` does about each.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log held and skipped packets too.")
def helper(policy: Path, backend: str | None, log_file: Path | None, verbose: bool) -> None:
    """Run the inspector for POLICY in the foreground.

    It tells $NOTIFY_SOCKET when it is ready (systemd's Type=notify), reads POLICY
    again on SIGHUP and ends on SIGTERM or SIGINT. Of root's privileges it keeps
    CAP_NET_ADMIN; another user who has that may start it too. It applies no rules:
    see `ftpfw rules apply`, or let `ftpfw load` do both.
    """
    policy = policy.absolute()
    wanted = open_policy(policy)
    require_net_admin("inspect packets")
    taken = Backend(backend) if backend else resolve_backend(wanted)
    if taken not in INSPECTED:
        raise HostError(
            f'backend = "{taken}" has no inspector to run',
            mend="ftpfw rules apply is all that this policy needs",
        )
    require_listener()
    state = State.here()
    state.create()
    drop_privileges()
    confined = confine_writing({state.directory, *_written(wanted, log_file)})
    _log_to(log_file, verbose)
    if not confined:
        log.info("this kernel has no Landlock: the helper could write what its user owns")
    serve(wanted, taken, state, lambda: open_policy(policy))


def _written(policy: Policy, log_file: Path | None) -> Iterator[Path]:
    """The directories of the files that the helper is to write, beside its state."""
    helper = policy.helper
    files = [helper.transfer_log, helper.xferlog, log_file and str(log_file)]
    if helper.metrics and helper.metrics.startswith("/"):
        files.append(helper.metrics)
    yield from (Path(file).absolute().parent for file in files if file)


def _log_to(file: Path | None, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler() if file is None else SharedLog(file)],
    )
