"""The locator of TOML keys: of any text that tomllib accepts, it finds the line of every value.

What it finds is in the document, and on a line of the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from ftpfw.ruleset.toml_lines import KeyPath, Source, locate_keys


def fuzz(data: bytes) -> None:
    try:
        text = data.decode()
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    lines = locate_keys(text)
    paths = dict(_paths(document))
    assert lines.keys() <= paths.keys(), lines.keys() - paths.keys()
    leaves = {path for path, value in paths.items() if not isinstance(value, dict)}
    assert leaves <= lines.keys(), leaves - lines.keys()
    last = text.count("\n") + 1
    source = Source("fuzz.toml", lines)
    for path in paths:
        assert 1 <= source.line(path) <= last


def _paths(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))
