from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.server.settings import (
    ALL_RIGHTS,
    DEFAULTS,
    NO_RIGHTS,
    Commands,
    Origin,
    Rights,
    Settings,
    alike,
    changed,
    differences,
    file_mode,
    paths,
    settled,
    umask_for,
)
from tests.unit.table import table


def test_nobody_logs_in_and_nothing_is_written_by_default() -> None:
    safe = Settings()
    assert not safe.anonymous.enabled
    assert not safe.users.enabled
    assert safe.anonymous.rights == replace(NO_RIGHTS, list=True, download=True)


@pytest.mark.parametrize("path", paths())
def test_every_setting_has_a_sentence_and_can_be_changed(path: str) -> None:
    mark = object()
    there = changed(Settings(), {path: mark})
    assert there.get(path) is mark
    assert differences(Settings(), there) == (path,)
    assert paths()[path]


def test_a_path_that_there_is_not() -> None:
    with pytest.raises(KeyError, match=r"listen\.prot"):
        changed(Settings(), {"listen.prot": 1})


def test_origins_say_where_a_value_comes_from_and_are_no_part_of_it() -> None:
    given_ = Settings(origins={"listen.port": Origin("vsftpd.conf", 3, "listen_port")})
    assert str(given_.origin("listen.port")) == "vsftpd.conf:3"
    assert given_.origin("listen.family") is DEFAULTS
    assert str(Origin("vsftpd.conf")) == "vsftpd.conf (default)"
    assert given_ == Settings()


SETTLED = [
    ("a denied verb takes its right", Commands(("DELE",)), ALL_RIGHTS, "delete", ()),
    ("the lesser verb does not", Commands(("XMKD",)), ALL_RIGHTS, None, ("XMKD",)),
    ("only some verbs", Commands(allowed=("RETR", "LIST")), Rights(), None, ()),
    ("listing is not among them", Commands(allowed=("RETR",)), Rights(), "list", ()),
    ("a right that nobody has", Commands(("RNFR", "SITE")), Rights(), None, ("SITE",)),
]


@pytest.mark.parametrize(("commands", "rights", "lost", "denied"), **table(SETTLED))
def test_settled(
    commands: Commands, rights: Rights, lost: str | None, denied: tuple[str, ...]
) -> None:
    wanted = replace(rights, **{lost: False}) if lost else rights
    before = changed(settings_with(rights), {"commands.denied": commands.denied})
    after = settled(changed(before, {"commands.allowed": commands.allowed}))
    assert after.users.rights == wanted
    assert after.commands.denied == denied


def settings_with(rights: Rights) -> Settings:
    safe = Settings()
    return replace(safe, users=replace(safe.users, rights=rights))


STORES = {"users.enabled": True, "users.rights.upload": True}
ALIKE = [
    # base and umask of the one, and of the other, and whether files get the same mode
    ("the same", (0o666, 0o022), (0o666, 0o022), True),
    ("a bit that is not there", (0o666, 0o022), (0o666, 0o133), True),
    ("another base", (0o666, 0o022), (0o777, 0o133), True),
    ("executable", (0o666, 0o022), (0o777, 0o022), False),
    ("narrower", (0o666, 0o022), (0o666, 0o066), False),
    ("a base for the umask", (0o640, 0), (0o666, 0o137), True),
]


@pytest.mark.parametrize(("one", "other", "same"), **table(ALIKE))
def test_modes_are_alike(one: tuple[int, int], other: tuple[int, int], same: bool) -> None:
    mine, theirs = (
        changed(Settings(), {**STORES, "files.base_mode": base, "users.file_umask": umask})
        for base, umask in (one, other)
    )
    assert alike(mine, theirs, "users.file_umask") is same
    assert alike(mine, theirs, "files.base_mode") is same
    assert not alike(mine, theirs, "users.directory_umask")
    moved = changed(mine, {"users.file_umask": umask_for(theirs, "users", one[0])})
    assert alike(moved, theirs, "users.file_umask") is (file_mode(theirs, "users") & ~one[0] == 0)


@given(
    rights=st.builds(Rights, *[st.booleans()] * 12),
    denied=st.sets(st.sampled_from(["STOR", "DELE", "RNTO", "SITE", "APPE"])),
)
def test_what_is_settled_stays_so(rights: Rights, denied: set[str]) -> None:
    once = settled(changed(settings_with(rights), {"commands.denied": tuple(denied)}))
    assert settled(once) == once
