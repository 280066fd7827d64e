from __future__ import annotations

from time import gmtime

import pytest

from ftpfw.server.embedded.listing import Entry, format_facts, format_ls, without_options

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
FILE = Entry("a b", False, 0o640, 1, "ftp", "ftp", 1234, NOW - 60)
OLD = Entry("old", True, 0o1755 & 0o777, 2, "0", "0", 4096, NOW - 400 * 24 * 3600)
FUTURE = Entry("a\r\n-rw", False, 0o644, 1, "ftp", "ftp", 0, NOW + 3600)

LINES = [
    (FILE, "-rw-r-----   1 ftp      ftp          1234 Nov 14 22:12 a b\r\n"),
    (OLD, "drwxr-xr-x   2 0        0            4096 Oct 10  2022 old\r\n"),
    (FUTURE, "-rw-r--r--   1 ftp      ftp             0 Nov 14  2023 a??-rw\r\n"),
]


@pytest.mark.parametrize(("entry", "line"), LINES, ids=["file", "old directory", "from the future"])
def test_ls(entry: Entry, line: str) -> None:
    assert format_ls(entry, NOW, gmtime(entry.modified)) == line


FACTS = [
    (FILE, ("type", "size", "modify", "perm"), "type=file;size=1234;modify=20231114221220;perm=r;"),
    (OLD, ("type",), "type=dir;"),
    (OLD, (), ""),
]


@pytest.mark.parametrize(("entry", "wanted", "facts"), FACTS)
def test_facts(entry: Entry, wanted: tuple[str, ...], facts: str) -> None:
    assert format_facts(entry, wanted, "r") == facts


OPTIONS = [
    pytest.param("", "", id="nothing"),
    pytest.param("-1", "", id="one name a line"),
    pytest.param("-la pub", "pub", id="before a path"),
    pytest.param("-l -a  pub/a b", "pub/a b", id="several"),
    pytest.param("pub -l", "pub -l", id="not behind a path"),
    pytest.param("-", "-", id="a file of that name"),
    pytest.param("--help", "--help", id="no such option"),
]


@pytest.mark.parametrize(("argument", "path"), OPTIONS)
def test_options_of_ls_are_passed_over(argument: str, path: str) -> None:
    assert without_options(argument) == path
