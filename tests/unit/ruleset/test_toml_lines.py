import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.ruleset.toml_lines import KeyPath, Source, format_path, locate_keys
from tests.unit.table import table

TEXT = '''\
# a comment with [brackets] and "quotes"
top = 1

[gateway]   # line 4
inside = [
    "eth1", # ] not the end
    # "eth9",
    "eth#2",
]
outside.name = "eth0"
"quoted key".'literal' = """
multi = 7
[not.a.table]
"""
checks = { foreign = "drop", list = [1, [2, 3],
  4] }
literal = \'\'\'
]]\'\'\'

[[server]]
port = 1
[[server]]
port = 2
  [[server.alias]]
  name = "a"
  [server.limits]
  when = 1979-05-27 07:32:00
'''

LINES: list[tuple[str, KeyPath, int]] = [
    ("top level", ("top",), 2),
    ("table", ("gateway",), 4),
    ("list", ("gateway", "inside"), 5),
    ("list element", ("gateway", "inside", 0), 6),
    ("element after a comment", ("gateway", "inside", 1), 8),
    ("dotted key's table", ("gateway", "outside"), 10),
    ("dotted key", ("gateway", "outside", "name"), 10),
    ("quoted key", ("gateway", "quoted key", "literal"), 11),
    ("after a multi-line string", ("gateway", "checks"), 15),
    ("in an inline table", ("gateway", "checks", "list", 1, 0), 15),
    ("inline table's second line", ("gateway", "checks", "list", 2), 16),
    ("after a literal string", ("server", 0), 20),
    ("array of tables", ("server", 0, "port"), 21),
    ("its second element", ("server", 1), 22),
    ("key of the second element", ("server", 1, "port"), 23),
    ("nested array of tables", ("server", 1, "alias", 0, "name"), 25),
    ("table below an element", ("server", 1, "limits", "when"), 27),
]


@pytest.mark.parametrize(("path", "line"), **table(LINES))
def test_line_of_a_path(path: KeyPath, line: int) -> None:
    assert locate_keys(TEXT)[path] == line


def test_every_path_of_the_document_is_located() -> None:
    assert set(paths(tomllib.loads(TEXT))) == set(locate_keys(TEXT))


def test_a_path_without_a_line_has_its_table_s() -> None:
    source = Source("p.toml", locate_keys(TEXT))
    assert source.line(("gateway", "nowhere")) == 4
    assert source.line(("nowhere",)) == 1


def test_an_error_names_file_line_and_key() -> None:
    error = Source("p.toml", locate_keys(TEXT)).error(("server", 1, "port"), "is odd", mend="3")
    assert str(error) == "p.toml:23: server[1].port: is odd\n  mend: 3"


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        items: list[tuple[str | int, Any]] = list(value.items())
    else:
        items = list(enumerate(value)) if isinstance(value, list) else []
    here = [path] if path else []
    return here + [found for key, inner in items for found in paths(inner, (*path, key))]


texts = st.text(st.sampled_from("a \u00e9]#,'\"\\[{}="), max_size=6)
scalars = st.one_of(
    st.integers(),
    st.booleans(),
    texts.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    texts.map(lambda text: '"""\n' + text.replace("\\", "").replace('"', "") + '\n#]"""'),
    texts.map(lambda text: "'" + text.replace("'", "") + "'"),
)
gaps = st.sampled_from(["", " ", "\n", "# ],\n", "\n\n\t"])


@given(st.lists(st.tuples(gaps, scalars, gaps)))
def test_elements_of_any_list(elements: list[tuple[str, Any, str]]) -> None:
    text, lines = "key = [", []
    for before, scalar, after in elements:
        text += before
        lines.append(text.count("\n") + 1)
        text += f"{str(scalar).lower() if isinstance(scalar, bool) else scalar}{after},"
    text += "]\nlast = 0"
    tomllib.loads(text)
    located = locate_keys(text)
    assert [located["key", index] for index in range(len(elements))] == lines
    assert located["last",] == text.count("\n") + 1


def test_paths_are_written_as_toml_writes_them() -> None:
    assert format_path(("clients", "allow", 1)) == "clients.allow[1]"
