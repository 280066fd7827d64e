from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.server.embedded.paths import is_clean, is_hidden, is_odd, is_within, join, shown, split

JOINED = [
    ("relative", "/a", "b", "/a/b"),
    ("absolute", "/a", "/b", "/b"),
    ("nothing", "/a", "", "/a"),
    ("parent", "/a/b", "..", "/a"),
    ("above the root", "/a", "../../../etc", "/etc"),
    ("dots and slashes", "/", "./a//./b/", "/a/b"),
    ("up and down", "/a", "b/../c", "/a/c"),
    ("UNC", "/", "//server/share", "/server/share"),
]


@pytest.mark.parametrize(
    ("current", "argument", "path"), [r[1:] for r in JOINED], ids=[r[0] for r in JOINED]
)
def test_join(current: str, argument: str, path: str) -> None:
    assert join(current, argument) == path


@given(st.text("ab./", max_size=20), st.text("ab./", max_size=20))
def test_joined_paths_are_in_their_one_form(current: str, argument: str) -> None:
    path = join(join("/", current), argument)
    assert path.startswith("/")
    assert join("/", path) == path
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("path", "parts"), [("/", ("/", "")), ("/a", ("/", "a")), ("/a/b", ("/a", "b"))]
)
def test_split(path: str, parts: tuple[str, str]) -> None:
    assert split(path) == parts


@pytest.mark.parametrize(
    ("path", "hidden"), [("/a/.b", True), ("/.a/b", True), ("/a.b/c.d", False), ("/", False)]
)
def test_hidden(path: str, hidden: bool) -> None:
    assert is_hidden(path) is hidden


@pytest.mark.parametrize(
    ("path", "directory", "within"),
    [("/in", "/in", True), ("/in/x", "/in", True), ("/input", "/in", False), ("/x", "/", True)],
)
def test_within(path: str, directory: str, within: bool) -> None:
    assert is_within(path, directory) is within


@pytest.mark.parametrize(
    "name", ["a", "a b.txt", "ä", "v1.0-2_x.tar.gz", "a,b", "x" * 200, "a+b=c@d"]
)
def test_usual_names(name: str) -> None:
    assert not is_odd(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-a",
        "~a",
        ".a",
        " a",
        "a ",
        "a.",
        "a\nb",
        "a\x1bb",
        "a\x85b",
        "a\\b",
        "a*",
        "a;b",
        "a|b",
        "$a",
        "`a`",
        "x" * 201,
        "ä" * 101,
        "a\udcff",
    ],
)
def test_odd_names(name: str) -> None:
    assert is_odd(name)


@given(st.text())
def test_what_is_shown_breaks_no_line(name: str) -> None:
    assert is_clean(shown(name))
    assert len(shown(name)) == len(name)
