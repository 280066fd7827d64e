"""``ftpfw unload``: undo what load did, whatever has happened since."""

from __future__ import annotations

import errno
import os
import selectors
import signal
from contextlib import suppress

import click

from ftpfw.cli.host import require_root
from ftpfw.cli.interrupts import interrupts_deferred
from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import HostError, KernelError
from ftpfw.helper.state import Loaded, State
from ftpfw.ruleset.apply import remove, rules_attach_helpers
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend

STOPS_WITHIN = 5.0
"""Seconds that a helper gets to end after SIGTERM, before it is killed."""


@click.command()
def unload() -> None:
    """Remove rules, helper and inspector; leave no trace.

    Sessions that are open go on where other rules let them.
    """
    require_root("unload a gateway")
    state = State.here()
    loaded = state.loaded()
    if loaded is None:
        raise HostError(
            f"nothing is loaded here (no state in {state.directory})",
            mend="ftpfw rules remove POLICY, if rules alone were applied",
        )
    with interrupts_deferred():
        _unload(state, loaded)
    click.echo(f"unloaded: {loaded.policy}")


def _unload(state: State, loaded: Loaded) -> None:
    """Undo a load. Rules go first, so that no connection gets a helper that nobody serves."""
    remove(loaded.firewall)
    stop_helper(state)
    _withdraw_expectations(loaded)
    if loaded.backend == Backend.CTHELPER:
        retire_helper()
    state.remove()


def stop_helper(state: State) -> None:
    """End the helper, if it runs, and wait until it is gone."""
    pid = state.helper_pid()
    if pid is None:
        return
    descriptor = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not selector.select(STOPS_WITHIN):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                selector.select(STOPS_WITHIN)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def _withdraw_expectations(loaded: Loaded) -> None:
    """Close what was still open for data connections that never came."""
    helper = HELPER_NAME.get(Backend(loaded.backend))
    with Ctnetlink() as kernel:
        for expectation in kernel.list_expectations():
            if expectation.helper == helper and expectation.master.dport in loaded.ports:
                with suppress(KernelError):  # it may time out between list and delete
                    kernel.delete_expectation(expectation)


def retire_helper() -> None:
    """Unregister our helper, unless that would break other rules that attach one.

    Unregistering any helper makes every ``-j CT --helper`` rule of the host attach
    nothing (see ``cthelper``); so where another such rule is in sight, the helper stays,
    suspended.
    """
    if rules_attach_helpers():
        click.echo("note: the helper stays registered: other rules here attach helpers", err=True)
        return
    try:
        cthelper.unregister()
    except KernelError as error:
        if error.errno != errno.EBUSY:
            raise
        click.echo("note: the helper stays registered: another rule uses it", err=True)
