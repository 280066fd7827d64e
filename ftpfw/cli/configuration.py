"""Reading configurations of FTP servers, with what they include."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

import click

from ftpfw.cli.output import shown
from ftpfw.errors import ConfigError
from ftpfw.server.forms import guess_form, read_text
from ftpfw.server.options import Form, Place, Reading
from ftpfw.server.pureftpd.reader import read_debian


def open_configuration(path: Path, form: str | None) -> Reading:
    """Read a configuration, with the files that it includes."""
    if path.is_dir():
        return _open_directory(path)
    text = _text(path)
    syntax = Form(form) if form else guess_form(path.name, text)
    if syntax is None or syntax is Form.PURE_DEBIAN:
        what = "a directory is read so, not a file" if syntax else "it looks like no configuration"
        raise ConfigError(what, file=str(path), mend="say what it is for by --daemon")
    include = {Form.PROFTPD: _include_all, Form.PURE_CONF: _include_one}.get(syntax)
    return read_text(text, str(path), syntax, include)


def _open_directory(path: Path) -> Reading:
    """Debian's conf/, with the sources of accounts that ../auth names, in its order."""
    names = [
        one.name for one in sorted(path.iterdir()) if re.fullmatch("[A-Za-z][A-Za-z0-9]+", one.name)
    ]
    auth = path.parent / "auth"
    links = [one for one in sorted(auth.iterdir()) if one.is_symlink()] if auth.is_dir() else []
    logins = tuple(name for link in links if (name := link.readlink().name) in names)
    return read_debian({name: _text(path / name) for name in names}, logins, str(path))


def _text(path: Path) -> str:
    """A file's text. The daemons know no encoding: bytes that are no UTF-8 stay what they are."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        mend = "give the path of a configuration"
        raise ConfigError(error.strerror or str(error), file=str(path), mend=mend) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _include_one(name: str, place: Place) -> str:
    """What pure-ftpd.conf includes; the daemon passes over a file that is not there."""
    if not Path(name).exists():
        note(f"{place.file}:{place.line}: there is no {name}")
        return ""
    return _text(Path(name))


def _include_all(name: str, place: Place) -> Sequence[tuple[str, str]]:
    """What proftpd.conf includes: a file, a directory's, or those of a pattern, in order."""
    pattern = f"{name}/*" if Path(name).is_dir() else name
    found = [one for one in sorted(glob.glob(pattern)) if Path(one).is_file()]
    if not found and not glob.has_magic(pattern):
        note(f"{place.file}:{place.line}: there is no {name}")
    return [(one, _text(Path(one))) for one in found]


def note(text: str) -> None:
    """Tell what is worth knowing, though nothing is wrong."""
    click.echo(f"note: {shown(text)}", err=True)
