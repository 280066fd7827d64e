"""A TOML file's text, its values, and errors about its shape in TOML's own terms.

Spec: TOML 1.0. UTF-8 with either line end; a byte order mark, which editors on Windows write,
says nothing and is skipped.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ftpfw.errors import PolicyError
from ftpfw.ruleset.toml_lines import KeyPath, Source, locate_keys

BYTE_ORDER_MARK = "\ufeff"


def decode_toml(raw: bytes, file: str) -> str:
    """The text of a TOML file; raises PolicyError with the line of what is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8 text: {error.reason}"
        raise PolicyError(what, file=file, line=line, mend="save it in UTF-8") from None


def read_toml(text: str, file: str) -> tuple[dict[str, Any], Source]:
    """The values in ``text``, and where they stand; ``file`` is only its name, for errors.

    Raises PolicyError with the line of what is not TOML.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a limit of Python's
        what, line = _split_toml_error(str(error), text)
        raise PolicyError(
            f"not valid TOML: {what}",
            file=file,
            line=line,
            mend='text stands in "quotes", a yes is true; https://toml.io/en/v1.0.0',
        ) from None
    return document, Source(file, locate_keys(text), text)


def _split_toml_error(message: str, text: str) -> tuple[str, int]:
    """What tomllib said without its place, and the line (3.14 has it as an attribute too)."""
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    last = text.rstrip("\n").count("\n") + 1
    if not place:
        return message, last
    return message[: place.start()], int(place[1]) if place[1] else last


def parse_place(place: str) -> KeyPath:
    """The path msgspec writes as ```$.clients.allow[1]```; an unnamed key ``[...]`` is left out."""
    parts = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    return tuple(name or int(index) for name, index in parts)


def plain_words(what: str) -> str:
    """Type names of msgspec in TOML's terms."""
    words = {"str": "string", "int": "integer", "bool": "true or false"}
    words |= {"array": "list", "object": "table", "float": "float", "null": "nothing"}
    named = re.sub(r"`(\w+)`", lambda match: words.get(match[1], match[1]), what)
    named = re.sub(r"`([^`]+)`", lambda match: match[1].replace(" | null", ""), named)
    return named.replace("Expected ", "expected ")
