"""What all writers promise: nothing is dropped, nothing gets through that was not wanted."""

from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.server.forms import WRITERS, read_text
from ftpfw.server.options import Form
from ftpfw.server.settings import (
    ALL_RIGHTS,
    Audience,
    DotFiles,
    Family,
    Names,
    Rights,
    Settings,
    Start,
    Syntax,
    TlsLevel,
    alike,
    changed,
    differences,
    matters,
    paths,
    settled,
)

READABLE = [form for form in WRITERS if form is not Form.PURE_DEBIAN]
RIGHTS = st.builds(Rights, *[st.booleans()] * len(fields(Rights)))


def after(settings: Settings, form: Form) -> Settings:
    return read_text(WRITERS[form](settings).text, "written", form).settings


@settings(max_examples=40)
@given(anonymous=RIGHTS, users=RIGHTS)
@pytest.mark.parametrize("form", [Form.VSFTPD, Form.PROFTPD])
def test_no_right_is_given_that_was_not_wanted(
    form: Form, anonymous: Rights, users: Rights
) -> None:
    wanted = changed(Settings(), {"anonymous.enabled": True, "users.enabled": True})
    wanted = settled(
        replace(
            wanted,
            anonymous=replace(wanted.anonymous, rights=anonymous),
            users=replace(wanted.users, rights=users),
        )
    )
    got = after(wanted, form)
    for who in ("anonymous", "users"):
        for right in ALL_RIGHTS.__slots__:
            path = f"{who}.rights.{right}"
            assert wanted.get(path) or not got.get(path) or path in SHARED[form], path


SHARED = {
    Form.VSFTPD: {
        # One switch for both kinds of sessions, or for all writing of users.
        *(
            f"{who}.rights.{right}"
            for who in ("anonymous", "users")
            for right in ("list", "download")
        ),
        *(f"users.rights.{right}" for right in ALL_RIGHTS.__slots__),
    },
    Form.PROFTPD: set[str](),
}
"""Rights that a daemon cannot take from one kind of sessions alone."""


ANY: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(1, 50000),
    str: st.sampled_from(["/a", "a b", "x\ny", "ü", '"', "#", "none", "off", ""]),
    TlsLevel: st.sampled_from(TlsLevel),
    Audience: st.sampled_from(Audience),
    DotFiles: st.sampled_from(DotFiles),
    Family: st.sampled_from(Family),
    Start: st.sampled_from(Start),
}
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "listen.addresses": st.sampled_from([(), ("ftp.test",), (IPv4Address(1),), (IPv6Address(1),)]),
    "passive.ports": st.none() | st.integers(1024, 60000).map(lambda low: range(low, low + 9)),
    "limits.full_disk": st.none() | st.integers(1, 100),
    "files.base_mode": st.sampled_from([0o666, 0o600]),
    "passive.announced": st.sampled_from([None, "ftp.test", "x y"]),
    "anonymous.names": st.sampled_from([("ftp",), ("guest", "ftp")]),
    "anonymous.drop_box.directories": st.sampled_from([(), ("/srv/in", "/srv/ x")]),
    "users.sources": st.sampled_from([("pam",), ("unix", "file:/a"), ("puredb:/b",)]),
    "commands.denied": st.sampled_from([(), ("ACCT", "STOU")]),
    "commands.allowed": st.sampled_from([None, ("LIST", "RETR")]),
    "tls.obsolete": st.sampled_from([(), ("TLSv1",)]),
    "logs.transfer_format": st.sampled_from(["xferlog", "clf", "vsftpd"]),
    **{
        f"files.{name}": st.sampled_from(
            [None, Names("*.x", Syntax.VSFTPD), Names("a b", Syntax.REGEX)]
        )
        for name in ("denied", "denied_uploads", "allowed_uploads", "allowed_downloads", "unlisted")
    },
}


def values(path: str) -> st.SearchStrategy[Any]:
    if path.endswith(("umask", "owner_mode")):
        return st.integers(0, 0o777)
    if path in SPECIAL:
        return SPECIAL[path]
    default = Settings().get(path)
    strategy = ANY[str if default is None and _is_text(path) else type(default or 0)]
    return strategy if default is not None else st.none() | strategy


def _is_text(path: str) -> bool:
    words = ("file", "root", "user", "owner", "group", "list", "passwords", "daemon", "exceptions")
    texts = ("certificate", "key", "ciphers", "authorities")
    return path.endswith(words + texts) and not path.endswith(("per_user", "_mode"))


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([*paths()]), max_size=15).flatmap(
        lambda chosen: st.fixed_dictionaries({path: values(path) for path in chosen})
    )
)
@pytest.mark.parametrize("form", READABLE)
def test_nothing_is_dropped_in_silence(form: Form, changes: dict[str, Any]) -> None:
    wanted = settled(changed(Settings(), changes))
    listed = {one.path for one in WRITERS[form](wanted).unexpressed}
    got = after(wanted, form)
    for path in differences(wanted, got):
        effect = matters(wanted, path) or matters(got, path)
        assert path in listed or not effect or alike(wanted, got, path)
