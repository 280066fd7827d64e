"""``ftpfw unload``: undo what load did, whatever has happened since."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_deferred
from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import HostError, KernelError
from ftpfw.helper.processes import end_process
from ftpfw.helper.state import Loaded, State
from ftpfw.ruleset.apply import firewalls_with_ours, remove, rules_attach_helpers
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend

CTHELPER_MODULE = Path("/sys/module/nfnetlink_cthelper")
"""Not there: nothing is registered, and asking would load the module."""

STOPS_WITHIN = 5.0
"""Seconds that a helper gets to end after SIGTERM, before it is killed."""


@click.command()
def unload() -> None:
    """Remove rules, helper and inspector; leave no trace.

    Sessions that are open go on where other rules let them. It also removes what a load
    left that was killed, a helper that runs without one, and rules that were applied alone.
    """
    require_root("unload a gateway")
    state = State.here()
    with interrupts_deferred(), state.changing():
        loaded, pid, homes = state.loaded(), state.helper_pid(), firewalls_with_ours()
        if loaded is None and pid is None and not homes:
            state.remove()  # of a load that was killed early there may be files
            raise HostError(f"nothing is loaded here (no state in {state.directory}, no rules)")
        _unload(state, loaded, homes)
        click.echo(f"unloaded: {_what(loaded, pid, homes)}")


def _what(loaded: Loaded | None, pid: int | None, homes: list[str]) -> str:
    if loaded is not None:
        return loaded.policy
    found = [f"helper {pid}"] if pid is not None else []
    return ", ".join(found + [f"rules on {home}" for home in homes])


def _unload(state: State, loaded: Loaded | None, homes: list[str]) -> None:
    """Undo a load. Rules go first, so that no connection gets a helper that nobody serves."""
    for firewall in homes:
        remove(firewall)
    stop_helper(state)
    if loaded is not None:
        _withdraw_expectations(loaded)
    if loaded.backend == Backend.CTHELPER if loaded else CTHELPER_MODULE.exists():
        retire_helper()
    state.remove()


def stop_helper(state: State) -> None:
    """End the helper, if it runs, and wait until it is gone."""
    pid = state.helper_pid()
    if pid is not None:
        end_process(pid, STOPS_WITHIN)


def _withdraw_expectations(loaded: Loaded) -> None:
    """Close what was still open for data connections that never came."""
    helper = HELPER_NAME.get(Backend(loaded.backend))
    if helper is None:
        return
    with Ctnetlink() as kernel:
        for expectation in kernel.list_expectations():
            if expectation.helper == helper and expectation.master.dport in loaded.ports:
                with suppress(KernelError):  # it may time out between list and delete
                    kernel.delete_expectation(replace(expectation, zone=loaded.zone))


def retire_helper() -> None:
    """Unregister our helper, unless that would break other rules that attach one.

    Unregistering any helper makes every ``-j CT --helper`` rule of the host attach
    nothing (see ``cthelper``); so where another such rule is in sight, the helper stays,
    suspended.
    """
    if all(one.name != cthelper.HELPER_NAME for one in cthelper.registered()):
        return
    if rules_attach_helpers():
        click.echo("note: the helper stays registered: other rules here attach helpers", err=True)
        return
    try:
        cthelper.unregister()
    except KernelError as error:
        if error.errno != errno.EBUSY:
            raise
        click.echo("note: the helper stays registered: another rule uses it", err=True)
