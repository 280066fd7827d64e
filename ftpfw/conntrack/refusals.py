"""Why the kernel refuses a conntrack request, by what was asked and the errno that came.

Source of the errnos: net/netfilter/nfnetlink.c (EPERM; EINVAL where no subsystem answers),
nf_conntrack_netlink.c (ctnetlink_new_expect), nf_conntrack_expect.c (__nf_ct_expect_check)
and nfnetlink_cthelper.c. An errno without a row here still becomes a KernelError that
names what was attempted; it only has no cause to tell. Where the kernel says itself what
is wrong (extended acknowledgement), that replaces the guess.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import Enum

from ftpfw.errors import KernelError


class Operation(Enum):
    """What is asked of the kernel; the value completes "could not …"."""

    OPEN = "open a netfilter netlink socket"
    JOIN = "listen to the events of conntrack"
    GET_CONNTRACK = "look up the conntrack of {}"
    LIST_CONNTRACKS = "list the conntracks"
    SET_MARK = "set the mark of {}"
    SET_TIMEOUT = "set the time to live of {}"
    SET_SEQADJ = "adjust the sequence numbers of {}"
    ADD_EXPECTATION = "expect {}"
    DELETE_EXPECTATION = "delete the expectation of {}"
    LIST_EXPECTATIONS = "list the expectations"
    REGISTER_HELPER = "register the conntrack helper {}"
    UNREGISTER_HELPER = "unregister the conntrack helper {}"
    LIST_HELPERS = "list the conntrack helpers of userspace"


@dataclass(frozen=True, slots=True)
class Why:
    """The likely cause of a refusal, and what to do about it."""

    cause: str | None
    mend: str | None = None


_NO_SUBSYSTEM = Why(
    "no conntrack netlink interface answers in this kernel",
    "modprobe nf_conntrack_netlink, or a kernel with CONFIG_NF_CT_NETLINK",
)
_NOT_TRACKED = Why("the connection has ended or was never tracked")
_NO_CTHELPER = Why(
    "this kernel has no nfnetlink_cthelper",
    "modprobe nfnetlink_cthelper, or choose the backend 'borrowed'",
)
_NOT_INITIAL = Why(
    "helpers are registered for the whole host: that takes CAP_NET_ADMIN in the initial"
    " user namespace",
    "run as root outside a container, or choose the backend 'borrowed'",
)
_IN_USE = Why(
    "a rule in some network namespace still names it, or did when another helper was"
    " unregistered (the kernel then keeps it until reboot)",
    "remove the rules that name it and repeat; left registered and suspended it does no harm",
)

ANY_OPERATION = {
    errno.EPERM: Why(
        "CAP_NET_ADMIN is missing in the user namespace that owns this network namespace",
        "run as root, or give the service CAP_NET_ADMIN",
    ),
    errno.EACCES: Why("a security module forbids it", "allow netlink to the ftpfw service"),
    errno.ENOMEM: Why("the kernel has no memory for it"),
    errno.ENOBUFS: Why("an answer was lost, so it is unknown whether it was done", "repeat it"),
    errno.ETIMEDOUT: Why("the kernel did not answer in time, so it is unknown whether it was done"),
}

REFUSALS = {
    (Operation.OPEN, errno.EAFNOSUPPORT): Why(
        "a sandbox forbids netlink sockets", "allow AF_NETLINK (RestrictAddressFamilies=)"
    ),
    (Operation.OPEN, errno.EPROTONOSUPPORT): Why(
        "this kernel has no nfnetlink", "a kernel with CONFIG_NETFILTER_NETLINK"
    ),
    (Operation.GET_CONNTRACK, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.LIST_CONNTRACKS, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.LIST_CONNTRACKS, errno.EINTR): Why(
        "the table changed during every attempt to read it", "repeat it"
    ),
    (Operation.SET_MARK, errno.ENOENT): _NOT_TRACKED,
    (Operation.SET_MARK, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.SET_TIMEOUT, errno.ENOENT): _NOT_TRACKED,
    (Operation.SET_TIMEOUT, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.SET_TIMEOUT, errno.ETIME): _NOT_TRACKED,
    (Operation.SET_SEQADJ, errno.ENOENT): _NOT_TRACKED,
    (Operation.SET_SEQADJ, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.SET_SEQADJ, errno.EOPNOTSUPP): Why(
        "the connection has no sequence adjustment: it is not translated, or its helper was"
        " attached after its NAT was set up",
        "attach the helper in the raw table, and let the client reconnect",
    ),
    (Operation.ADD_EXPECTATION, errno.EOPNOTSUPP): Why(
        "the control connection has no helper attached: it began before the rules were"
        " loaded, or the raw rule does not match",
        "check the CT rule in the raw table, and let the client reconnect",
    ),
    (Operation.ADD_EXPECTATION, errno.ESHUTDOWN): Why(
        "the helper was detached from the control connection", "let the client reconnect"
    ),
    (Operation.ADD_EXPECTATION, errno.ENOENT): Why(
        "the control connection has ended or was never tracked in this zone"
    ),
    (Operation.ADD_EXPECTATION, errno.EEXIST): Why(
        "an existing expectation covers it, of this control connection or another's"
    ),
    (Operation.ADD_EXPECTATION, errno.EBUSY): Why(
        "another expectation clashes: some connection would match both"
    ),
    (Operation.ADD_EXPECTATION, errno.EALREADY): Why(
        "another control connection expects the very same"
    ),
    (Operation.ADD_EXPECTATION, errno.EMFILE): Why(
        "the expectation table is full", "raise net.netfilter.nf_conntrack_expect_max"
    ),
    (Operation.ADD_EXPECTATION, errno.EINVAL): Why(
        "the helper has no such expectation class, or the kernel does not know the expectfn"
        " (nat-follow-master comes with NAT), or has no conntrack netlink interface",
        "modprobe -a nf_nat nf_conntrack_netlink",
    ),
    (Operation.DELETE_EXPECTATION, errno.ENOENT): Why(
        "it is gone: matched, run out, or replaced by a newer one"
    ),
    (Operation.DELETE_EXPECTATION, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.LIST_EXPECTATIONS, errno.EINVAL): _NO_SUBSYSTEM,
    (Operation.LIST_EXPECTATIONS, errno.EINTR): Why(
        "the table changed during every attempt to read it", "repeat it"
    ),
    (Operation.REGISTER_HELPER, errno.EINVAL): _NO_CTHELPER,
    (Operation.REGISTER_HELPER, errno.EOPNOTSUPP): _NO_CTHELPER,
    (Operation.REGISTER_HELPER, errno.EPERM): _NOT_INITIAL,
    (Operation.REGISTER_HELPER, errno.EBUSY): Why(
        "another helper has that name: one of the kernel's, or another program's",
        "unregister the other one ('nfct helper list', 'nfct helper delete'), or unload its module",
    ),
    (Operation.REGISTER_HELPER, errno.EEXIST): Why("another helper has that name and protocol"),
    (Operation.UNREGISTER_HELPER, errno.EBUSY): _IN_USE,
    (Operation.UNREGISTER_HELPER, errno.EINVAL): _NO_CTHELPER,
    (Operation.UNREGISTER_HELPER, errno.EPERM): _NOT_INITIAL,
    (Operation.LIST_HELPERS, errno.EINVAL): _NO_CTHELPER,
    (Operation.LIST_HELPERS, errno.EOPNOTSUPP): _NO_CTHELPER,
    (Operation.LIST_HELPERS, errno.EPERM): _NOT_INITIAL,
    (Operation.LIST_HELPERS, errno.EINTR): Why(
        "the list changed during every attempt to read it", "repeat it"
    ),
}


def refused(
    operation: Operation, error: int, about: object = "", said: str | None = None
) -> KernelError:
    """The error for ``operation`` on ``about``; ``said`` is the extended acknowledgement's text."""
    if said:
        why = Why(f"the kernel says: {said}")
    else:
        why = REFUSALS.get((operation, error)) or ANY_OPERATION.get(error) or Why(None)
    return KernelError(operation.value.format(about), error, cause=why.cause, mend=why.mend)
