"""What the tests of readers share: facts about real daemons, and errors."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftpfw.errors import ConfigError

SERVERS = Path(__file__).parents[4] / "shared" / "servers"


def facts(name: str) -> list[dict[str, str]]:
    """The rows of a .tsv of ../shared/servers; skips where they are not."""
    path = require(name)
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def require(name: str) -> Path:
    path = SERVERS / name
    if not path.exists():
        pytest.skip(f"needs ../shared/servers/{name}")
    return path


@contextmanager
def errors_of_configuration() -> Iterator[list[ConfigError]]:
    """Collects the ConfigError that is raised inside, if one is."""
    caught: list[ConfigError] = []
    try:
        yield caught
    except ConfigError as error:
        caught.append(error)
