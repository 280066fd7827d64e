from __future__ import annotations

import pytest

from ftpfw.errors import PolicyError
from ftpfw.lab.exercise import Command, Exercise, Talk, Transfer, read_exercise
from ftpfw.lab.results import Verdict

TEXT = """\
order = 1
title = "One"
aim = "to see"
links = [["client:eth0", "server:eth0"]]

[columns.a]
title = "first"
daemon = "vsftpd"

[columns.b]
daemon = "proftpd"

[hosts.client]
interfaces = { eth0 = ["192.0.2.20/24"] }

[hosts.server]
interfaces = { eth0 = ["192.0.2.10/24"] }
setup = ["echo {daemon}"]

[[services]]
host = "server"
daemon = "{daemon}"
address = "192.0.2.10"

[[steps]]
title = "fetch"
transfer = { server = "192.0.2.10" }

[[steps]]
title = "talk"
expected = { a = "fail" }
talk = { server = "192.0.2.10", mode = "PORT", lines = ["< 220"] }

[[steps]]
title = "look"
command = { host = "server", run = "true" }
"""
FILE = "/labs/one/exercise.toml"


def read(text: str) -> Exercise:
    return read_exercise(text, FILE)


def test_the_folder_names_it() -> None:
    one = read(TEXT)
    assert (one.name, one.folder, one.title) == ("one", "/labs/one", "One")


def test_columns_and_their_values() -> None:
    one = read(TEXT)
    assert [(column.name, column.title) for column in one.columns] == [("a", "first"), ("b", "b")]
    assert one.column("b").fill("{daemon} {other}") == "proftpd {other}"
    with pytest.raises(ValueError, match="it has a, b"):
        one.column("c")


def test_without_columns_there_is_one() -> None:
    head, _, tail = TEXT.partition("[columns.a]")
    text = (head + tail[tail.index("[hosts.client]") :]).replace('{ a = "fail" }', '"fail"')
    assert [column.name for column in read(text).columns] == ["result"]


def test_steps() -> None:
    fetch, talk, look = read(TEXT).steps
    assert isinstance(fetch.action, Transfer)
    assert isinstance(talk.action, Talk)
    assert isinstance(look.action, Command)
    assert fetch.expected == {"a": Verdict.PASS, "b": Verdict.PASS}
    assert talk.expected == {"a": Verdict.FAIL}
    assert [(one.client, one.mode) for one in (fetch, talk, look)] == [
        ("curl", "PASV"),
        ("raw", "PORT"),
        ("server", ""),
    ]


WRONG = [
    pytest.param('title = "One"', "title = One", 2, "not valid TOML", id="no TOML"),
    pytest.param("order = 1", "ordre = 1", 1, "ordre", id="unknown key"),
    pytest.param('aim = "to see"', "aim = 5", 3, "aim: expected", id="a wrong type"),
    pytest.param(":eth0", ":eth1", 4, "no interface eth1", id="a link to nowhere"),
    pytest.param("192.0.2.20/24", "192.0.3.20/24", 4, "share no network", id="two networks"),
    pytest.param("192.0.2.20/24", "192.0.2.300/24", 13, "192.0.2.300", id="no address"),
    pytest.param("[hosts.client]", "[hosts.Client]", 13, "no name for a host", id="a bad name"),
    pytest.param('host = "server"\ndaemon', 'host = "web"\ndaemon', 21, "no host web", id="host"),
    pytest.param('{ a = "fail" }', '{ c = "fail" }', 31, "no column c", id="a column"),
    pytest.param('"< 220"', '"220"', 32, "does not begin with", id="a line of a talk"),
    pytest.param('run = "true"', 'run = "true", shows = "("', 36, "unterminated", id="a pattern"),
    pytest.param(
        'transfer = { server = "192.0.2.10" }', "", 25, "has 0 actions", id="nothing to do"
    ),
    pytest.param(
        'title = "look"\n',
        'title = "look"\ntransfer = { server = "192.0.2.10" }\n',
        34,
        "has 2 actions",
        id="two things to do",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "line", "why"), WRONG)
def test_what_is_wrong_has_its_line(right: str, wrong: str, line: int, why: str) -> None:
    assert right in TEXT
    with pytest.raises(PolicyError, match=why) as refused:
        read(TEXT.replace(right, wrong))
    assert (refused.value.file, refused.value.line) == (FILE, line)
    assert refused.value.mend
