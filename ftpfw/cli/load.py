"""``ftpfw load``: rules, helper and inspector, all of it or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

import click

from ftpfw.cli.host import (
    POLICY_FILE,
    open_policy,
    require_interfaces,
    require_root,
)
from ftpfw.cli.interrupts import interrupts_deferred, interrupts_unwind
from ftpfw.cli.unload import retire_helper, stop_helper
from ftpfw.errors import HostError, PolicyError
from ftpfw.helper.backends import INSPECTED, resolve_backend
from ftpfw.helper.control import ask
from ftpfw.helper.doctor.facts import counts_bytes
from ftpfw.helper.doctor.sysctls import COUNT_BYTES
from ftpfw.helper.notify import listening
from ftpfw.helper.standing import control_ports, require_takeable
from ftpfw.helper.state import Loaded, State, network_namespace
from ftpfw.ruleset.apply import apply, check, choose_firewall, require_one_home
from ftpfw.ruleset.compile import compile_families, families
from ftpfw.ruleset.model import Family
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy

READY_WITHIN = 90.0
"""Seconds for the helper to start, as service managers have it; a machine may be slow and busy."""

RELOADS_WITHIN = 10.0

FORWARDING = {
    Family.IPV4: ("IPv4", "net/ipv4/ip_forward"),
    Family.IPV6: ("IPv6", "net/ipv6/conf/all/forwarding"),
}


@click.command()
@click.argument("policy", type=POLICY_FILE)
def load(policy: Path) -> None:
    """Load POLICY: rules, helper, and the inspector in the background.

    Returns when it is ready. If any part fails, nothing stays behind. Where POLICY is
    loaded already, a helper that has died is started again, and rules that have gone
    or changed are put back; if its text has changed since, rules and helper change over
    to it, and sessions go on. Another file wants `ftpfw unload` first.
    """
    wanted = open_policy(policy)
    require_root("load a gateway")
    require_interfaces(wanted)
    state = State.here()
    with interrupts_unwind(), ExitStack() as stack:
        with interrupts_deferred():
            stack.enter_context(state.changing())
        loaded = state.loaded()
        if loaded is None:
            _load(policy, wanted, state)
        elif read_policy(loaded.text, loaded.policy) == wanted:
            _keep(loaded, policy, wanted, state)
        else:
            _require_changeable(loaded, policy, wanted)
            _change(loaded, policy, wanted, state)


def _load(policy: Path, wanted: Policy, state: State) -> None:
    _require_nothing_else(state)
    backend = resolve_backend(wanted)
    rulesets = compile_families(wanted, backend)
    firewall = choose_firewall(rulesets)
    with ExitStack() as undo:
        undo.callback(state.remove)
        if backend in INSPECTED:
            if backend is Backend.CTHELPER:
                undo.callback(retire_helper)
            undo.callback(stop_helper, state)
            _start_helper(policy, backend, state)
        with interrupts_deferred():
            undo.callback(apply(rulesets, firewall))
            state.set_loaded(_record(policy, wanted, backend, firewall))
        # A signal that was held back arrives here, and has all of it undone.
        undo.pop_all()
    _report(wanted, backend, firewall, state)


def _require_nothing_else(state: State) -> None:
    """A helper that was started by itself is another's work: neither used nor ended."""
    pid = state.helper_pid()
    if pid is not None:
        raise HostError(
            f"a helper runs here already (pid {pid}) that `ftpfw load` has not started",
            mend="`ftpfw rules apply` gives it its rules; `ftpfw unload` ends it",
        )


def _require_changeable(loaded: Loaded, policy: Path, wanted: Policy) -> None:
    """Raise HostError for another file, or for what cannot change without a new start."""
    mend = "ftpfw unload first, or set FTPFW_STATE_DIR for another network namespace"
    if str(policy.resolve()) != loaded.policy:
        raise HostError(f"another policy is loaded already: {loaded.policy}", mend=mend)
    try:
        before = read_policy(loaded.text, loaded.policy)
        require_takeable(wanted, before, Backend(loaded.backend))
    except PolicyError as error:
        where = f"{error.file}:{error.line}"
        raise HostError(
            f"an earlier text of this policy is loaded already, and {where}: {error.what}",
            mend="ftpfw unload first",
        ) from error


def _keep(loaded: Loaded, policy: Path, wanted: Policy, state: State) -> None:
    """Leave what is loaded as it is, but mend what has gone since."""
    require_one_home(loaded.firewall)
    mended = []
    backend = Backend(loaded.backend)
    if backend in INSPECTED and state.helper_pid() is None:
        _start_helper(policy, backend, state)
        mended.append(f"the helper had ended and runs again, pid {state.helper_pid()}")
    elif backend in INSPECTED and not _goes_by(wanted, state):
        _renew_helper(wanted, state)
        mended.append("the helper has read it anew")
    rulesets = compile_families(wanted, backend)
    drift = check(rulesets, loaded.firewall)
    if drift:
        with interrupts_deferred():
            apply(rulesets, loaded.firewall)
        mended.append(f"{len(drift)} differences from its rules are mended")
    click.echo(f"{loaded.policy} is loaded already{''.join('; ' + text for text in mended)}")


def _goes_by(wanted: Policy, state: State) -> bool:
    """Whether the helper has ``wanted`` in force and has refused no other text since."""
    standing = ask(state.control_socket)["policy"]
    read = read_policy(standing["text"], standing["file"])
    return read == wanted and not standing["refused"]


def _change(loaded: Loaded, policy: Path, wanted: Policy, state: State) -> None:
    """Change over to another text of the policy: rules first, because they can be set back."""
    require_one_home(loaded.firewall)
    backend = Backend(loaded.backend)
    with ExitStack() as undo:
        if backend in INSPECTED and state.helper_pid() is None:
            undo.callback(stop_helper, state)
            _start_helper(policy, backend, state)
        with interrupts_deferred():
            undo.callback(apply(compile_families(wanted, backend), loaded.firewall))
            if backend in INSPECTED:
                _renew_helper(wanted, state)
            state.set_loaded(_successor(loaded, wanted))
            undo.pop_all()
    click.echo(f"changed over to what {loaded.policy} says now; sessions go on")


def _renew_helper(wanted: Policy, state: State) -> None:
    """Have the helper read its policy again; HostError, with its reason, where it refuses."""
    pid = state.helper_pid()
    if pid is None:
        raise HostError("the helper has ended meanwhile", mend=f"see {state.log}; load again")
    with listening(state.ready_socket) as ready:
        os.kill(pid, signal.SIGHUP)
        answered = ready(pid, RELOADS_WITHIN)
    if not answered:
        raise HostError("the helper did not take the policy in time", mend=f"see {state.log}")
    standing = ask(state.control_socket)["policy"]
    if standing["text"] != wanted.source.text:
        raise HostError(f"the helper refused the policy: {standing['refused']}")


def _start_helper(policy: Path, backend: Backend, state: State) -> None:
    """Start the inspector in a session of its own and wait until it is ready."""
    command = ["helper", str(policy.resolve()), "--backend", backend, "--log", str(state.log)]
    environment = {**os.environ, "NOTIFY_SOCKET": str(state.ready_socket)}
    with listening(state.ready_socket) as ready, TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "ftpfw", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            if ready(process.pid, READY_WITHIN):
                return
        except BaseException:
            process.kill()
            raise
        silent = "it gave no reason" if process.poll() is not None else "it was not ready in time"
        process.kill()
        process.wait()
        said.seek(0)
        reason = said.read().decode(errors="replace").strip().removeprefix("ftpfw: ")
    raise HostError(f"the helper did not start: {reason or silent}")


def _record(policy: Path, wanted: Policy, backend: Backend, firewall: str) -> Loaded:
    return Loaded(
        policy=str(policy.resolve()),
        text=wanted.source.text,
        backend=backend.value,
        firewall=firewall,
        ports=sorted(control_ports(wanted)),
        netns=network_namespace(),
        since=time.time(),
        zone=wanted.gateway.zone,
    )


def _successor(loaded: Loaded, wanted: Policy) -> Loaded:
    """The record of a change; what the texts before may have left open is unload's too."""
    ports = sorted({*loaded.ports, *control_ports(wanted)})
    return replace(loaded, text=wanted.source.text, ports=ports)


def _report(wanted: Policy, backend: Backend, firewall: str, state: State) -> None:
    inspector = f"helper pid {state.helper_pid()}" if backend in INSPECTED else "no inspector"
    click.echo(f"loaded: backend {backend}, {inspector}, rules on {firewall}")
    click.echo(
        "between inside and outside, what neither this policy nor a rule of yours accepts "
        "is dropped now"
    )
    for family in families(wanted):
        name, path = FORWARDING[family]
        if Path("/proc/sys", path).read_text().strip() == "0":
            setting = path.replace("/", ".")
            click.echo(f"note: this host does not forward {name}: sysctl -w {setting}=1", err=True)
    if (wanted.helper.transfer_log or wanted.helper.xferlog) and counts_bytes() is False:
        click.echo(f"note: conntrack counts no bytes for the transfer log: {COUNT_BYTES}", err=True)
