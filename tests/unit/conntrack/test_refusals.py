"""What a refusal of the kernel tells the user."""

from __future__ import annotations

import errno

import pytest

from ftpfw.conntrack.refusals import REFUSALS, Operation, Why, refused

ABOUT = "192.0.2.10:0 -> 192.0.2.1:40100"

CAUSES = [
    # operation                     errno               the cause must say
    (Operation.ADD_EXPECTATION, errno.EOPNOTSUPP, "no helper attached"),
    (Operation.ADD_EXPECTATION, errno.ENOENT, "has ended or was never tracked"),
    (Operation.ADD_EXPECTATION, errno.EEXIST, "existing expectation covers it"),
    (Operation.ADD_EXPECTATION, errno.EBUSY, "another expectation clashes"),
    (Operation.ADD_EXPECTATION, errno.EMFILE, "nf_conntrack_expect_max"),
    (Operation.ADD_EXPECTATION, errno.EINVAL, "expectfn"),
    (Operation.ADD_EXPECTATION, errno.EPERM, "CAP_NET_ADMIN is missing"),
    (Operation.ADD_EXPECTATION, errno.ETIMEDOUT, "did not answer in time"),
    (Operation.SET_SEQADJ, errno.EOPNOTSUPP, "no sequence adjustment"),
    (Operation.DELETE_EXPECTATION, errno.ENOENT, "it is gone"),
    (Operation.LIST_EXPECTATIONS, errno.EINTR, "changed during every attempt"),
    (Operation.GET_CONNTRACK, errno.EINVAL, "nf_conntrack_netlink"),
    (Operation.REGISTER_HELPER, errno.EINVAL, "modprobe nfnetlink_cthelper"),
    (Operation.REGISTER_HELPER, errno.EBUSY, "another helper has that name"),
    (Operation.REGISTER_HELPER, errno.EPERM, "initial user namespace"),
    (Operation.UNREGISTER_HELPER, errno.EBUSY, "still names it"),
    (Operation.OPEN, errno.EAFNOSUPPORT, "RestrictAddressFamilies"),
]


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    CAUSES,
    ids=[f"{operation.name} {errno.errorcode[error]}" for operation, error, _ in CAUSES],
)
def test_known_refusal_names_its_cause(operation: Operation, error: int, words: str) -> None:
    refusal = refused(operation, error, ABOUT)
    assert refusal.errno == error
    assert words in str(refusal)


@pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.name)
def test_every_errno_names_what_was_attempted(operation: Operation) -> None:
    attempted = operation.value.format(ABOUT)
    for error in (*errno.errorcode, 4095):
        refusal = refused(operation, error, ABOUT)
        assert str(refusal).startswith(f"could not {attempted}: ")
        assert (refusal.errno, refusal.attempted) == (error, attempted)


def test_unknown_errno_has_no_cause() -> None:
    assert refused(Operation.ADD_EXPECTATION, 4095, ABOUT).cause is None


def test_what_the_kernel_says_replaces_the_guess() -> None:
    refusal = refused(Operation.ADD_EXPECTATION, errno.EINVAL, ABOUT, "Attribute failed")
    assert refusal.cause == "the kernel says: Attribute failed"
    assert refusal.mend is None


ROWS = {
    f"{operation.name} {errno.errorcode[error]}": why
    for (operation, error), why in REFUSALS.items()
}


@pytest.mark.parametrize("why", ROWS.values(), ids=ROWS)
def test_causes_and_mends_are_phrases_not_sentences(why: Why) -> None:
    for phrase in (why.cause, why.mend):
        assert phrase is None or not phrase.endswith(".")
