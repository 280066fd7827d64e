"""What a policy cannot mean, and what netfilter cannot do: refused, naming key and mend."""

from __future__ import annotations

from ftpfw.ruleset.policy import Backend, Policy, require_cthelper_can
from ftpfw.ruleset.queueing import MAX_SHARES


def require_expressible(policy: Policy, backend: Backend) -> None:
    """Raise PolicyError for the first thing that rules cannot say."""
    _require_somebody(policy)
    _require_inside(policy)
    _require_one_version(policy)
    _require_queues(policy)
    if backend is Backend.NONE:
        _require_passive_ports(policy)
    if backend is Backend.CTHELPER:
        require_cthelper_can(policy.helper, policy.source)


def _require_somebody(policy: Policy) -> None:
    if policy.clients.allow or policy.clients.this_host or policy.servers:
        return
    mend = (
        'add [clients] with allow = ["10.0.1.0/24"], or whatever network is inside,'
        " or this_host = true; or a [[server]]"
    )
    raise policy.source.error(("clients",), "there is neither client nor server", mend=mend)


def _require_inside(policy: Policy) -> None:
    """Without interfaces inside this host is client or server itself."""
    if policy.clients.allow and not policy.gateway.inside:
        what = "names networks, but gateway.inside names no interface that they are on"
        mend = "name it; or this_host = true, for this host alone"
        raise policy.source.error(("clients", "allow"), what, mend=mend)
    for index, server in enumerate(policy.servers):
        if server.public != server.address and not policy.gateway.behind:
            what = f"{server.address} is published, but gateway.inside names no interface to it"
            mend = "name it; or leave public out, for a server on this host"
            raise policy.source.error(("server", index, "address"), what, mend=mend)


def _require_one_version(policy: Policy) -> None:
    to = policy.gateway.snat_to
    for index, network in enumerate(policy.clients.allow):
        if to is not None and network.version != to.version:
            what = f"{network} cannot be translated to snat_to = {to}, of another IP version"
            mend = "masquerade = true translates both versions"
            raise policy.source.error(("clients", "allow", index), what, mend=mend)


def _require_queues(policy: Policy) -> None:
    count = len(policy.helper.queue)
    if count > MAX_SHARES:
        what = f"{count} queues are more than the {MAX_SHARES} that can share"
        mend = f'queue = "0-{MAX_SHARES - 1}"'
        raise policy.source.error(("helper", "queue"), what, mend=mend)


def _require_passive_ports(policy: Policy) -> None:
    for index, server in enumerate(policy.servers):
        if server.passive_ports is None:
            what = f'no passive_ports, and with backend "none" {server.public} has no others'
            mend = 'passive_ports = "50000-50100", as the server has it, or another backend'
            raise policy.source.error(("server", index), what, mend=mend)
