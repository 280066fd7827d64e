"""What several subcommands ask of the host before they act."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import click

from ftpfw.errors import HostError, PolicyError
from ftpfw.helper.control import ask
from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability
from ftpfw.helper.standing import require_takeable
from ftpfw.helper.state import State
from ftpfw.ruleset.policy import Backend, Policy, interfaces
from ftpfw.ruleset.policy_file import read_policy
from ftpfw.ruleset.toml_document import decode_toml

POLICY_FILE = click.Path(dir_okay=False, path_type=Path)


def open_policy(path: Path) -> Policy:
    """Read a policy file; every fault in it is a PolicyError with its line."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        mend = "give the path of a policy file; rules/nat-gateway.toml is one"
        raise PolicyError(error.strerror or str(error), file=str(path), mend=mend) from error
    return read_policy(decode_toml(raw, str(path)), str(path))


def require_root(to: str) -> None:
    """Raise HostError unless this process may change the network."""
    if os.geteuid() != 0:
        raise HostError(f"only root may {to}", mend="run it with sudo")


def require_net_admin(to: str) -> None:
    """Raise HostError unless this process may administer its network."""
    if not has_capability(CAP_NET_ADMIN):
        raise HostError(
            f"CAP_NET_ADMIN is missing, which it takes to {to}",
            mend="run it with sudo, or give the service AmbientCapabilities=CAP_NET_ADMIN",
        )


def require_interfaces(policy: Policy) -> None:
    """Raise PolicyError, with its line, for an interface that is not here."""
    here = sorted(name for _, name in socket.if_nameindex())
    for name, path in interfaces(policy):
        if name not in here:
            mend = f"one of {', '.join(here)}"
            raise policy.source.error(path, f"there is no interface {name!r}", mend=mend)


def require_served(policy: Policy, backend: Backend, state: State) -> None:
    """Raise FtpfwError where a helper runs that could not serve the policy's rules."""
    if state.helper_pid() is None:
        return
    report = ask(state.control_socket)
    standing, served = report["policy"], Backend(report["backend"])
    require_takeable(policy, read_policy(standing["text"], standing["file"]), served)
    if backend is not served:
        raise HostError(
            f"the policy means the backend {backend}, but a helper runs for {served}",
            mend="end that helper first",
        )
