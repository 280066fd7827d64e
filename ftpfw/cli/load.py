"""``ftpfw load``: rules, helper and inspector, all of it or nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click

from ftpfw.cli.host import POLICY_FILE, open_policy, require_interfaces, require_root
from ftpfw.cli.interrupts import interrupts_deferred, interrupts_unwind
from ftpfw.cli.unload import retire_helper, stop_helper
from ftpfw.errors import HostError
from ftpfw.helper.backends import INSPECTED, resolve_backend
from ftpfw.helper.notify import listening
from ftpfw.helper.state import Loaded, State
from ftpfw.ruleset.apply import apply, choose_firewall, restore
from ftpfw.ruleset.compile import compile_policy, families
from ftpfw.ruleset.policy import Backend, Policy

READY_WITHIN = 30.0
"""Seconds for the helper to start; a cold interpreter on a slow machine takes several."""

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


@click.command()
@click.argument("policy", type=POLICY_FILE)
def load(policy: Path) -> None:
    """Load POLICY: rules, helper, and the inspector in the background.

    Returns when it is ready. If any part fails, nothing stays behind. A helper that has
    died since the last load is started again.
    """
    wanted = open_policy(policy)
    require_root("load a gateway")
    require_interfaces(wanted)
    state = State.here()
    digest = hashlib.sha256(policy.read_bytes()).hexdigest()
    loaded = state.loaded()
    with interrupts_unwind():
        if loaded is None:
            _load(policy, digest, wanted, state)
        else:
            _keep(loaded, policy, digest, wanted, state)


def _load(policy: Path, digest: str, wanted: Policy, state: State) -> None:
    backend = resolve_backend(wanted)
    firewall = choose_firewall()
    rulesets = [compile_policy(wanted, backend, family) for family in families(wanted)]
    with ExitStack() as undo:
        state.create()
        undo.callback(state.remove)
        if backend in INSPECTED:
            if backend is Backend.CTHELPER:
                undo.callback(retire_helper)
            undo.callback(stop_helper, state)
            _start_helper(policy, state)
        with interrupts_deferred():
            undo.callback(restore, apply(rulesets, firewall), firewall)
            state.set_loaded(_record(policy, digest, wanted, backend, firewall))
            undo.pop_all()
    _report(backend, firewall, state)


def _keep(loaded: Loaded, policy: Path, digest: str, wanted: Policy, state: State) -> None:
    """Leave what is loaded as it is, but for a helper or rules that have gone since."""
    if loaded.digest != digest:
        raise HostError(
            f"another policy is loaded already: {loaded.policy}, or an earlier text of it",
            mend="ftpfw unload first, or set FTPFW_STATE_DIR for another network namespace",
        )
    if loaded.backend in INSPECTED and state.helper_pid() is None:
        _start_helper(policy, state)
        click.echo(f"the helper was gone and runs again: pid {state.helper_pid()}")
    rulesets = [compile_policy(wanted, loaded.backend, family) for family in families(wanted)]
    with interrupts_deferred():
        apply(rulesets, loaded.firewall)
    click.echo(f"{loaded.policy} is loaded already")


def _start_helper(policy: Path, state: State) -> None:
    """Start the inspector in a session of its own and wait until it is ready."""
    argv = [sys.executable, "-m", "ftpfw", "helper", str(policy.resolve()), "--log", str(state.log)]
    environment = {**os.environ, "NOTIFY_SOCKET": str(state.ready_socket)}
    with listening(state.ready_socket) as ready, state.log.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if ready(process.pid, READY_WITHIN):
                return
        except BaseException:
            process.kill()
            raise
    process.kill()
    process.wait()
    said = state.log.read_bytes()[start:].decode(errors="replace").strip()
    reason = said.removeprefix("ftpfw: ") or "it gave no reason"
    raise HostError(f"the helper did not start: {reason}")


def _record(policy: Path, digest: str, wanted: Policy, backend: Backend, firewall: str) -> Loaded:
    return Loaded(
        policy=str(policy.resolve()),
        digest=digest,
        backend=backend.value,
        firewall=firewall,
        ports=list(wanted.helper.ports),
        since=time.time(),
    )


def _report(backend: Backend, firewall: str, state: State) -> None:
    inspector = f"helper pid {state.helper_pid()}" if backend in INSPECTED else "no inspector"
    click.echo(f"loaded: backend {backend}, {inspector}, rules on {firewall}")
    if FORWARDING.read_text().strip() == "0":
        click.echo("note: this host does not forward: sysctl -w net.ipv4.ip_forward=1", err=True)
