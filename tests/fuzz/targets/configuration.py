"""Configurations of FTP servers: any bytes give a Reading, or a ConfigError that points at a line.

Each syntax is fed as a text, and as lines made of its own options and of values that mean
something to some of them. Several files, of which one may include another, are one input.

- An error names a file that was read, a line of it, a piece of that line, and the mend.
- Of what was read each option and trap has its line; it can be shown and judged.
- It can be converted to every daemon, whose own reader takes that for the same settings but for
  those that the writer told apart; the daemon has words for all of what it then does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ftpfw.cli.server import _option, _place, _plain, _where, _words
from ftpfw.errors import ConfigError
from ftpfw.server.audit import audit
from ftpfw.server.forms import DAEMON_OF, TABLES, WRITERS, guess_form, read_text
from ftpfw.server.options import Form, Option, Place, Reading
from ftpfw.server.proftpd import grammar as proftpd_grammar
from ftpfw.server.proftpd import table as proftpd
from ftpfw.server.pureftpd import table as pureftpd
from ftpfw.server.pureftpd.reader import read_debian
from ftpfw.server.pureftpd.table import FLAGS, LOGIN_FLAG, LOGINS
from ftpfw.server.sarif import render_sarif
from ftpfw.server.settings import Origin, paths, settled
from ftpfw.server.vsftpd import table as vsftpd
from ftpfw.server.wuftpd.reader import KNOWN
from tests.fuzz.script import Script

FORMS = tuple(Form)
WU_FTPD_WORDS = tuple(KNOWN)
NAMES = ("main", "a", "b", "c", "d")
"""What files are called; the first is the one that is read."""

APART = b"\x1e"
VALUES = (
    *("", "yes", "no", "on", "off", "none", "0", "1", "7", "21", "022", "0177", "4294967296"),
    *("50000", "50100", "50000 50100", "50000:50100", "50000-50100", "10.0.0.1", "::1", "~", "*"),
    *("ftp.test", "/srv/ftp", "/srv/ftp/incoming/*", "a b", '"a b"', '"', "\\", "#", "{.*}"),
    *("all", "from all", "from 10.0.0.0/8,!10.0.0.1", "deny,allow", "ftp", "anonymous ftp", "root"),
    *("ctrl", "all -TLSv1", "5m", "500 Mb", "RETR,STOR 1.5:100", '"-la" maxdepth 3', "clf:/log"),
    *("real,guest,anonymous *", "yes anonymous", "ports 0.0.0.0/0 50000 50100", "text a b"),
)
CONTEXTS = (
    *("Global", "Anonymous ~ftp", "Anonymous /srv/ftp", "VirtualHost 10.0.0.1", "Class x"),
    *("Directory /srv/ftp/incoming", "Directory *", "Directory incoming/*", "Limit LOGIN"),
    *("Limit ALL", "Limit WRITE", "Limit STOR STOU", "Limit RETR", "Limit PASV EPSV", "Limit CWD"),
    *("IfModule mod_tls.c", "IfModule !mod_tls.c", "IfDefine X"),
)


POSSIBLE = {
    kind: tuple(row for row in proftpd.ROWS if letter in row.kind and not row.name.startswith("<"))
    for kind, letter in (*proftpd_grammar.LETTERS.items(), ("IfModule", "s"), ("IfDefine", "s"))
}
"""Context → the directives of ProFTPD that may stand in it."""

_NUMBERS = ("0", "1", "7", "21", "50000", "0177", "022", "1000")
_PAIRS = ("1:2", "1 2", "50000:50100", "50000 50100", "133:022", "177 077")
OF_KIND = {
    vsftpd.YES_NO: ("YES", "NO"),
    vsftpd.NUMBER: _NUMBERS,
    pureftpd.YES_NO: ("yes", "no"),
    **dict.fromkeys((pureftpd.PAIR, pureftpd.COLON_PAIR, pureftpd.UMASK, pureftpd.RATE), _PAIRS),
}
"""What an option takes by its kind; ProFTPD's have none."""


def fuzz(data: bytes) -> None:
    script = Script(data)
    form = script.pick(FORMS)
    deed = script.pick(DEEDS)
    texts = script.pick(WAYS)(script, form)
    guess_form("", texts["main"])
    try:
        reading = _read(texts, form)
    except ConfigError as error:
        _require_helpful(error, texts)
        return
    _require_origins(reading, texts)
    deed(reading)


def _written(script: Script, form: Form) -> Mapping[str, str]:
    """The files as they are."""
    names: Sequence[str] = NAMES
    if form is Form.PURE_DEBIAN:
        names = [row.name for row in _debian_rows(script)]
    parts = script.rest().split(APART)
    return {"main": "", **dict(zip(names, map(_decoded, parts), strict=False))}


def _decoded(raw: bytes) -> str:
    """As the command line does."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _made(script: Script, form: Form) -> Mapping[str, str]:
    """Files of lines that there are."""
    if form is Form.PURE_DEBIAN:
        return {"main": "", **{row.name: _value(script, row) for row in _debian_rows(script)}}
    lines: list[list[str]] = [[]]
    around: list[str] = []
    while script.goes_on:
        kind = script.number() % 16
        if kind == 0:
            lines.append([])
        elif kind == 1:
            lines[-1].append(f"Include {script.pick(NAMES)}")
        elif kind in {2, 3, 4} and form is Form.PROFTPD:
            context = script.pick(CONTEXTS)
            around.append(context.split()[0])
            lines[-1].append(f"<{context}>")
        elif kind in {5, 6} and around:
            lines[-1].append(f"</{around.pop()}>")
        else:
            lines[-1].append(_line(script, form, around[-1] if around else ""))
    lines[-1] += [f"</{context}>" for context in reversed(around)]
    return dict(zip(NAMES, map("\n".join, lines), strict=False))


def _line(script: Script, form: Form, context: str) -> str:
    if form is Form.WU_FTPD:
        return f"{script.pick(WU_FTPD_WORDS)} {_value(script)} {_value(script)} {_value(script)}"
    rows = TABLES[DAEMON_OF[form]]
    if form is Form.PROFTPD:
        rows = POSSIBLE[context]
    row = script.pick(rows)
    value = _value(script, row)
    if form is Form.PURE_ARGS:
        flag = FLAGS.get(row.name, LOGIN_FLAG)
        argument = "" if row.kind == pureftpd.YES_NO else value
        return f"{script.pick((f'-{flag.short}', f'--{flag.long}'))} {argument}"
    return f"{row.name}{'=' if form is Form.VSFTPD else ' '}{value}"


def _value(script: Script, row: Option | None = None) -> str:
    """One that its kind takes, one of `VALUES`, or anything."""
    choice = script.number()
    if choice < len(VALUES):
        return VALUES[choice]
    if choice % 4:
        return script.pick(OF_KIND.get(row.kind if row else "", VALUES))
    return _decoded(script.take(choice % 16))


def _debian_rows(script: Script) -> list[Option]:
    return [script.pick(pureftpd.ROWS) for _ in range(script.number() % 8)]


WAYS: tuple[Callable[[Script, Form], Mapping[str, str]], ...] = (_written, _made)


def _read(texts: Mapping[str, str], form: Form) -> Reading:
    if form is Form.PURE_DEBIAN:
        files = {name: text for name, text in texts.items() if name != "main"}
        auth = tuple(name for name in LOGINS.values() if name in files)
        return read_debian(files, auth, "main")
    if form is Form.PURE_CONF:
        return read_text(texts["main"], "main", form, lambda name, _: texts.get(name, ""))

    def include(name: str, place: Place) -> list[tuple[str, str]]:
        assert place.file in texts
        return [(one, texts[one]) for one in texts if name in {one, "*"}]

    return read_text(texts["main"], "main", form, include)


def _text_of(file: str, texts: Mapping[str, str]) -> list[str]:
    return texts[file.removeprefix("main/")].split("\n")


def _require_helpful(error: ConfigError, texts: Mapping[str, str]) -> None:
    assert error.what
    assert error.mend
    assert error.line is not None
    line = _text_of(error.file, texts)[error.line - 1]
    assert error.text.rstrip("\r") == line.rstrip("\r")
    start, end = error.span
    assert 0 <= start <= end <= len(error.text)
    assert not set(str(error)) & {"\x1b", "\0", "\x7f", "\x9b"}


def _require_origins(reading: Reading, texts: Mapping[str, str]) -> None:
    for origin in (
        *(one.origin for one in reading.given),
        *(one.origin for one in reading.traps),
        *reading.settings.origins.values(),
    ):
        assert _is_there(origin, texts), origin
    for one in reading.given:
        assert one.origin.line
        assert one.option.what


def _is_there(origin: Origin, texts: Mapping[str, str]) -> bool:
    return origin.line is None or 1 <= origin.line <= len(_text_of(origin.file, texts))


def _show(reading: Reading) -> None:
    assert settled(reading.settings) == reading.settings
    for path in paths():
        value = reading.settings.get(path)
        json.dumps([_plain(value), _where(reading, path), _words(value, path)])
        assert _words(value, path)
        assert _place(reading, reading.settings.origin(path))
    json.dumps([_option(one) for one in reading.given])


def _judge(reading: Reading) -> None:
    json.dumps(render_sarif(audit(reading)))


def _convert(form: Form, reading: Reading) -> None:
    write = WRITERS[form]
    written = write(reading.settings)
    if form is Form.PURE_DEBIAN:
        return  # commands that make files, which the writer has read itself
    again = read_text(written.text, form, form)
    assert not again.refused(), again.refused()
    left = write(again.settings).unexpressed
    assert not left, left


DEEDS: tuple[Callable[[Reading], None], ...] = (
    _show,
    _judge,
    *(partial(_convert, form) for form in WRITERS),
)
"""What is done with a reading: one thing an input, since each takes milliseconds."""
