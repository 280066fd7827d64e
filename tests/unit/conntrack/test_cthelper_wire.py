"""Helper registrations on the wire."""

from __future__ import annotations

import contextlib
from socket import AF_INET, AF_INET6

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.cthelper_wire import (
    NFCTH_NAME,
    NFCTH_PRIV_DATA_LEN,
    NFCTH_TUPLE,
    CthelperMessage,
    Registration,
    pack_delete_helper,
    pack_list_helpers,
    pack_new_helper,
    unpack_helper,
)
from ftpfw.conntrack.nla import WireError, unpack_attributes
from ftpfw.conntrack.nlmsg import Flag, attributes_of, split_messages

from .strategies import names, u16, u32

registrations = st.builds(
    Registration,
    name=names,
    family=st.sampled_from([AF_INET, AF_INET6]),
    queue=u16,
    policy=names,
    max_expected=st.integers(0, 255),
    timeout=u32,
    enabled=st.booleans(),
    protocol=st.sampled_from([6, 17]),
    private_data=u32,
)
OURS = Registration("ftpfw", AF_INET6, 3, "ftpfw", 1, 300)


@given(registrations, st.booleans())
def test_registration_comes_back(registration: Registration, update: bool) -> None:
    (message,) = split_messages(pack_new_helper(registration, 1, update=update))
    assert unpack_helper(message.payload) == registration


@pytest.mark.parametrize(("update", "exclusive"), [(False, True), (True, False)])
def test_only_an_update_may_meet_an_existing_helper(update: bool, exclusive: bool) -> None:
    (message,) = split_messages(pack_new_helper(OURS, 1, update=update))
    assert (Flag.EXCL in Flag(message.flags)) is exclusive


def test_private_data_length_is_always_told() -> None:
    (message,) = split_messages(pack_new_helper(OURS, 1, update=False))
    assert unpack_attributes(attributes_of(message.payload))[NFCTH_PRIV_DATA_LEN] == bytes(4)


def test_delete_names_one_helper() -> None:
    (message,) = split_messages(pack_delete_helper(OURS, 1))
    assert message.type == CthelperMessage.DEL
    assert set(unpack_attributes(attributes_of(message.payload))) == {NFCTH_NAME, NFCTH_TUPLE}


def test_list_request_as_bytes() -> None:
    assert pack_list_helpers(5) == bytes.fromhex("14000000 0109 0103 05000000 00000000 00000000")


@given(st.data())
def test_cut_or_changed_bytes_raise_nothing_but_wire_error(data: st.DataObject) -> None:
    (message,) = split_messages(pack_new_helper(OURS, 1, update=False))
    changed = bytearray(message.payload)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        unpack_helper(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
