"""What clients are told: banners, messages of directories, lines of files."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ftpfw.server.embedded.jail import Jail
from ftpfw.server.embedded.obeyed import error_at
from ftpfw.server.embedded.paths import join
from ftpfw.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Texts:
    """What clients are told, line by line."""

    greeting: tuple[str, ...]
    login: tuple[str, ...]
    goodbye: tuple[str, ...]


def read_texts(settings: Settings, jail: Jail) -> Texts:
    """What the settings have clients told; ConfigError where a file cannot be read."""
    messages = settings.messages
    banner = messages.banner or "FTP server ready."
    first = read_lines(settings, "messages.banner_file", None)
    return Texts(
        (*first, *(banner.splitlines() if messages.banner or not first else ())),
        (*read_lines(settings, "messages.login_file", jail), "Anonymous access granted."),
        (*read_lines(settings, "messages.goodbye_file", None), "Goodbye."),
    )


def read_lines(settings: Settings, path: str, jail: Jail | None) -> tuple[str, ...]:
    """A file's lines; one that is named relatively is in the root, and may be missing."""
    name = settings.get(path)
    if name is None:
        return ()
    if jail is not None and not name.startswith("/"):
        with suppress(OSError):
            descriptor = jail.open(f"/{name}", os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return _printable(file.read(1 << 16))
        return ()
    try:
        return _printable(Path(name).read_bytes())
    except OSError as error:
        what = f"{name} cannot be read: {error.strerror}"
        raise error_at(settings, path, what, "make it, or leave the option out") from error


def _printable(raw: bytes) -> tuple[str, ...]:
    text = raw.decode("utf-8", "replace")
    return tuple("".join(c for c in line if c.isprintable()) for line in text.splitlines())


def read_message(jail: Jail, directory: str, name: str) -> tuple[str, ...]:
    """The message of a directory that is entered."""
    with suppress(OSError):
        descriptor = jail.open(join(directory, name), os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return _printable(file.read(1 << 12))
    return ()
