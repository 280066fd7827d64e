"""What firewalld cannot express: refused, naming key and mend."""

from __future__ import annotations

from ftpfw.ruleset.expressible import require_expressible
from ftpfw.ruleset.policy import Backend, OnCrash, Policy


def require_firewalld_can(policy: Policy, backend: Backend) -> None:
    """Raise PolicyError for the first thing that firewalld has no means for."""
    if backend is Backend.CTHELPER:
        raise policy.source.error(
            ("helper", "backend"),
            '"cthelper" is impossible with firewalld: its helper is registered only while ftpfw'
            " runs, and a rule that names a helper which is not registered fails firewalld's"
            " whole rule set, at boot and at every reload",
            mend='backend = "borrowed", or "kernel"',
        )
    require_expressible(policy, backend)
    if backend is Backend.BORROWED and policy.helper.on_crash is OnCrash.CLOSED:
        raise policy.source.error(
            ("helper", "on_crash"),
            '"closed" is impossible with firewalld: each `firewall-cmd --reload` takes the rules'
            " that queue away for a moment, and control connections go on unread meanwhile",
            mend='on_crash = "open"',
        )
    if policy.gateway.dmz:
        raise policy.source.error(
            ("gateway", "dmz"),
            "what may pass between two networks behind firewalld is its zones' own matter",
            mend="name the interface in inside, and let its zone drop what no policy accepts",
        )
    if policy.gateway.zone:
        raise policy.source.error(
            ("gateway", "zone"),
            "firewalld knows no conntrack zones",
            mend="leave zone out; or ftpfw rules apply, on a host without firewalld",
        )
    if backend is not Backend.NONE:
        _require_apart(policy)


def _require_apart(policy: Policy) -> None:
    """Firewalld would translate the data connections that a routed server opens."""
    if not (policy.gateway.masquerade or policy.gateway.snat_to):
        return
    for index, server in enumerate(policy.servers):
        for network in policy.clients.allow:
            if server.public == server.address and server.address in network:
                raise policy.source.error(
                    ("server", index, "address"),
                    f"{server.address} keeps its address, and {network} around it is translated:"
                    " firewalld has no exception for the data connections that it opens",
                    mend="a public address for the server, or clients.allow without it",
                )
