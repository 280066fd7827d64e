"""Our own conntrack helper in the kernel, registered through nfnetlink_cthelper.

Spec: net/netfilter/nfnetlink_cthelper.c. After ``register`` a rule ``-j CT --helper
ftpfw`` attaches it, and the kernel queues the flow's packets to us by itself.

A registration belongs to the host, not to a network namespace, and outlives the
process: it is found again and reused. So there is one queue number for the host, the one
registered last; the queue of that number is each network namespace's own.
This module loads no kernel module, but the kernel may load nfnetlink_cthelper when asked.

Two properties of the kernel decide when to call what (tried on Linux 6.1):

- Where nobody listens on the queue, a packet skips the hook that confirms its connection
  (nf_confirm; by its source, sequence adjustment too). New connections then stay untracked,
  which fails under NAT or a stateful filter. So ``suspend`` before the queue is closed.
- Unregistering any helper invalidates the conntrack templates of all ``-j CT --helper``
  rules on the host (nf_ct_ext_bump_genid): they attach nothing any more, and removed
  later they do not give their reference back, so that helper is EBUSY until reboot. nft's
  ct helper objects are not affected. So ``unregister`` only after the rules are gone in
  every network namespace, or leave the suspended registration for the next start.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from socket import AF_INET, AF_INET6

from ftpfw.conntrack.cthelper_wire import (
    Registration,
    pack_delete_helper,
    pack_list_helpers,
    pack_new_helper,
    unpack_helper,
)
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nlmsg import Ack
from ftpfw.conntrack.refusals import Operation, refused
from ftpfw.conntrack.wire_tuple import IPPROTO_TCP
from ftpfw.errors import KernelError

HELPER_NAME = "ftpfw"
FAMILIES = (AF_INET, AF_INET6)
POLICY_NAME = "ftpfw"

# One data connection is negotiated at a time, and a newer PORT or PASV replaces the
# older (RFC 959 3.3): with a limit of one the kernel evicts the older by itself. It is the
# policy of nf_conntrack_ftp and of sane, so all backends behave alike, and a hostile
# peer can hold one hole open, not 255 (NF_CT_EXPECT_MAX_CNT).
MAX_EXPECTED = 1
TIMEOUT_SECONDS = 300


def register(queue: int, name: str = HELPER_NAME, *, enabled: bool = True) -> None:
    """Register ``name`` for TCP over IPv4 and IPv6, its packets going to ``queue``.

    A registration of ours that is there already is updated. All or nothing: what was
    made is removed again if the rest fails.
    """
    made: list[Registration] = []
    with closing(NfSocket.open()) as netlink:
        for each in _registrations(queue, name):
            wanted = replace(each, enabled=enabled)
            try:
                if _create_or_update(netlink, wanted):
                    made.append(wanted)
            except KernelError:
                for registration in made:
                    _delete(netlink, registration)
                raise


def make_known(queue: int, name: str = HELPER_NAME) -> bool:
    """Register ``name`` suspended, so that rules can name it; whether that was needed.

    Registrations that are there stay as they are: somebody may be serving them.
    """
    if sum(_is_ours(registration, name) for registration in registered()) == len(FAMILIES):
        return False
    register(queue, name, enabled=False)
    return True


def suspend(name: str = HELPER_NAME) -> None:
    """Have the kernel queue nothing, from now on and until ``register`` is called again.

    Rules stay valid and the helper stays attached. A registration that is not there is as
    good as suspended.
    """
    ours = [registration for registration in registered() if _is_ours(registration, name)]
    with closing(NfSocket.open()) as netlink:
        for registration in ours:
            _update(netlink, replace(registration, enabled=False))


def unregister(name: str = HELPER_NAME) -> None:
    """Remove both registrations of ``name``; those that are not there are as good as removed.

    Live connections lose the helper and their expectations. EBUSY while a rule names it;
    it stops there, because removing the other one would break that rule.
    """
    with closing(NfSocket.open()) as netlink:
        for registration in _registrations(0, name):
            ack = _delete(netlink, registration)
            if ack.errno not in (0, errno.ENOENT):
                raise refused(Operation.UNREGISTER_HELPER, ack.errno, name, ack.said)


def registered() -> list[Registration]:
    """Every helper that userspace registered on this host, whoever did."""
    with closing(NfSocket.open()) as netlink:
        answer = netlink.dump(pack_list_helpers)
    if isinstance(answer, Ack):
        raise refused(Operation.LIST_HELPERS, answer.errno, said=answer.said)
    return [unpack_helper(payload) for payload in answer]


def available() -> bool:
    """Whether helpers can be registered here; ``registered`` raises the reason why not."""
    try:
        registered()
    except KernelError:
        return False
    return True


def _registrations(queue: int, name: str) -> Iterator[Registration]:
    for family in FAMILIES:
        yield Registration(name, family, queue, POLICY_NAME, MAX_EXPECTED, TIMEOUT_SECONDS)


def _is_ours(registration: Registration, name: str) -> bool:
    protocol, policy = registration.protocol, registration.policy
    return (registration.name, protocol, policy) == (name, IPPROTO_TCP, POLICY_NAME)


def _create_or_update(netlink: NfSocket, wanted: Registration) -> bool:
    """Whether it was made anew. EBUSY: a helper of that name is there and is not like ours."""
    ack = netlink.change(lambda seq: pack_new_helper(wanted, seq, update=False))
    if ack.errno == errno.EEXIST:
        _update(netlink, wanted)
        return False
    _require_done(ack, wanted)
    return True


def _update(netlink: NfSocket, wanted: Registration) -> None:
    _require_done(netlink.change(lambda seq: pack_new_helper(wanted, seq, update=True)), wanted)


def _require_done(ack: Ack, wanted: Registration) -> None:
    if ack.errno:
        raise refused(Operation.REGISTER_HELPER, ack.errno, wanted.name, ack.said)


def _delete(netlink: NfSocket, registration: Registration) -> Ack:
    return netlink.change(lambda seq: pack_delete_helper(registration, seq))
