"""The three syntaxes of Pure-FTPd's configuration, each to the same list of options.

flags: what stands on a command line. Short ones may be joined (``-4e``) and an argument may
follow its flag at once; long ones may be shortened as far as they stay unambiguous. ``#`` at the
beginning of a line is our comment.

    args  = *( flag / long )

pure-ftpd.conf, upstream's file: a keyword in either case, blanks or ``=``, an argument; two
numbers have a blank or a colon between them, each option its own.

    line  = [ keyword ( blanks / "=" ) argument ] / "#" text / "Include" file

Debian's ``conf/`` directory: a file for each keyword, whose first line that is neither empty nor
a comment is the argument; two numbers always have a blank between them.

Whatever the syntax, an argument is kept as the flag has it. yes, true, on and 1 are one, no,
false, off and 0 the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ftpfw.errors import ConfigError
from ftpfw.server.options import Files, Option, Place, unknown
from ftpfw.server.pureftpd.table import (
    COLON_PAIR,
    FLAGS,
    LOGIN_FLAG,
    LOGINS,
    NOT_DEBIAN,
    NUMBER,
    PAIR,
    RATE,
    TABLE,
    TEXT,
    UMASK,
    YES_NO,
)

Include = Callable[[str, Place], str]
"""Gives the text of a file that another includes; the place is where, for its errors."""

_WORD = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"(?:\\.|[^"\\])*")+""")
_KEYWORDS = {keyword.lower(): keyword for keyword in TABLE}
_SHORT = {flag.short: keyword for keyword, flag in FLAGS.items()} | {LOGIN_FLAG.short: ""}
_LONG = {flag.long: keyword for keyword, flag in FLAGS.items()} | {LOGIN_FLAG.long: ""}


@dataclass(frozen=True, slots=True)
class Assignment:
    """One option, its argument as a flag's, and where that is."""

    option: Option
    text: str
    place: Place


# Command lines


def parse_args(text: str, file: str) -> list[Assignment]:
    """The flags of a command line, which may go over several lines of a file."""
    words = [
        word
        for number, line in enumerate(text.split("\n"), 1)
        for word in _words(line, number, file)
    ]
    if words and words[0].text_of.rpartition("/")[2] == "pure-ftpd":
        del words[0]
    return list(_flags(words))


@dataclass(frozen=True, slots=True)
class _Word:
    text_of: str
    place: Place


def _words(line: str, number: int, file: str) -> Iterator[_Word]:
    if line.lstrip().startswith("#"):
        return
    at = 0
    for match in _WORD.finditer(line):
        if line[at : match.start()].strip():
            break
        at = match.end()
        yield _Word(_unquoted(match.group()), Place(file, number, line, *match.span()))
    if line[at:].strip(" \t\r\\"):
        place = Place(file, number, line, at, len(line.rstrip()))
        raise place.error("a quote is not closed", mend="close it in this line")


def _unquoted(word: str) -> str:
    parts = re.findall(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+)""", word)
    return "".join(a or re.sub(r"\\(.)", r"\1", b) or c or d for a, b, c, d in parts)


def _flags(words: list[_Word]) -> Iterator[Assignment]:
    rest = iter(words)
    for word in rest:
        if word.text_of.startswith("--") and len(word.text_of) > 2:
            yield _long_flag(word, rest)
        elif word.text_of.startswith("-") and len(word.text_of) > 1:
            yield from _short_flags(word, rest)
        else:
            what = f"{word.text_of!r} is no flag"
            mend = "-SYMBOL or --NAME; a file of keywords is read without flags"
            raise word.place.error(what, mend=mend)


def _long_flag(word: _Word, rest: Iterator[_Word]) -> Assignment:
    name, equals, argument = word.text_of[2:].partition("=")
    names = [name] if name in _LONG else [long for long in _LONG if long.startswith(name)]
    if len(names) != 1:
        what = f"--{name} is {'ambiguous' if names else 'no flag'}"
        mend = f"one of {', '.join(f'--{one}' for one in names)}" if names else unknown(name, _LONG)
        raise word.place.error(what, mend=mend)
    keyword = _LONG[names[0]]
    if keyword and TABLE[keyword].kind == YES_NO:
        if equals:
            raise word.place.error(f"--{names[0]} takes no argument", mend=f"--{names[0]}")
        return Assignment(TABLE[keyword], "yes", word.place)
    if equals:
        return _argument(keyword, _Word(argument, word.place))
    return _argument(keyword, _next(word, rest))


def _short_flags(word: _Word, rest: Iterator[_Word]) -> Iterator[Assignment]:
    letters = word.text_of[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in _SHORT:
            raise word.place.error(f"-{letter} is no flag", mend="ftpfw server show has them all")
        keyword = _SHORT[letter]
        if keyword and TABLE[keyword].kind == YES_NO:
            yield Assignment(TABLE[keyword], "yes", word.place)
            continue
        yield _argument(keyword, _Word(letters, word.place) if letters else _next(word, rest))
        return


def _next(word: _Word, rest: Iterator[_Word]) -> _Word:
    following = next(rest, None)
    if following is None:
        raise word.place.error(f"{word.text_of} has no argument", mend="give it one")
    return following


def _argument(keyword: str, word: _Word) -> Assignment:
    """An option with its argument; without a keyword it is that of -l."""
    if keyword:
        return Assignment(TABLE[keyword], word.text_of, word.place)
    name, colon, argument = word.text_of.partition(":")
    if name not in LOGINS or bool(colon) == (name in {"unix", "pam"}):
        what = f"{word.text_of!r} is no source of accounts"
        raise word.place.error(what, mend="unix, pam, puredb:FILE or extauth:SOCKET")
    return Assignment(TABLE[LOGINS[name]], argument or "yes", word.place)


# Upstream's file


def parse_conf(text: str, file: str, include: Include | None) -> list[Assignment]:
    """The options of a pure-ftpd.conf, those of files that it includes where they stand."""
    return _parse_conf(text, file, include, Files())


def _parse_conf(text: str, file: str, include: Include | None, files: Files) -> list[Assignment]:
    found: list[Assignment] = []
    for number, line in enumerate(text.split("\n"), 1):
        meant = line.strip()
        if not meant or meant.startswith("#"):
            continue
        start = line.index(meant)
        match = re.fullmatch(r"([A-Za-z0-9]+)(?:[\s=]+(.*))?", meant)
        if not match:
            place = Place(file, number, line, start, start + len(meant))
            raise place.error("this is no option", mend="a keyword and its argument")
        keyword, argument = match[1], match[2] or ""
        at = start + len(meant) - len(argument)
        named = Place(file, number, line, start, start + len(keyword))
        valued = Place(file, number, line, at, at + len(argument))
        if keyword.lower() == "include":
            found += _included(argument, valued, include, files)
        else:
            found.append(_conf_option(keyword, argument, named, valued))
    return found


def _included(name: str, place: Place, include: Include | None, files: Files) -> list[Assignment]:
    if include is None:
        raise place.error("there is no file to include here", mend="put its lines in its place")
    files.enter(place)
    found = _parse_conf(include(name, place), name, include, files)
    files.leave()
    return found


def _conf_option(keyword: str, argument: str, named: Place, valued: Place) -> Assignment:
    if keyword.lower() == "certfileandkey":
        pair = re.fullmatch(r"""(["']?)([^"']+)\1\s+(["']?)([^"']+)\3""", argument)
        if not pair:
            mend = 'CertFileAndKey "/etc/ssl/a.crt" "/etc/ssl/a.key"'
            raise valued.error("a certificate and its key are two files", mend=mend)
        return Assignment(TABLE["CertFile"], f"{pair[2].strip()},{pair[4].strip()}", valued)
    option = _option(keyword, named)
    if option.kind == YES_NO:
        return Assignment(option, _yes_no(option, argument, valued), valued)
    pattern, shape = _CONF_SHAPES.get(option.kind, (r".+", "an argument"))
    if not re.fullmatch(pattern, argument):
        raise valued.error(
            f"{option.name} takes {shape}, not {argument!r}", mend=f"as in {_example(option)}"
        )
    text = argument if option.kind == TEXT else re.sub(r"\s+", ":", argument)
    return Assignment(option, text, valued)


_CONF_SHAPES = {
    NUMBER: (r"\d+", "a number"),
    PAIR: (r"\d+\s+\d+", "two numbers with a blank between them"),
    RATE: (r"\d+(\s+\d+)?", "one number, or two with a blank between them"),
    COLON_PAIR: (r"\d+:\d+", "two numbers with a colon between them"),
    UMASK: (r"\d+:\d+", "two octal numbers with a colon between them"),
}


# Debian's directory


def parse_debian(
    texts: Mapping[str, str], auth: tuple[str, ...], directory: str
) -> list[Assignment]:
    """The options of a conf/ directory; ``auth`` names the sources of accounts, in order."""
    logins = {*LOGINS.values()}
    names = [*auth, *(name for name in sorted(texts) if name not in logins)]
    found = []
    for name in names:
        file = f"{directory}/{name}"
        for number, line in enumerate(texts[name].split("\n"), 1):
            meant = line.strip()
            if meant and not meant.startswith("#"):
                start = line.index(meant)
                place = Place(file, number, line, start, start + len(meant))
                found.append(_debian_option(name, meant, place))
                break
    return found


def _debian_option(keyword: str, argument: str, place: Place) -> Assignment:
    if keyword in NOT_DEBIAN:
        what = f"pure-ftpd-wrapper, which reads this directory, does not know {keyword}"
        raise place.error(what, mend="remove the file")
    if keyword not in TABLE:
        raise place.error(f"there is no option {keyword!r}", mend=unknown(keyword, TABLE))
    option = TABLE[keyword]
    if option.kind == YES_NO:
        return Assignment(option, _yes_no(option, argument, place), place)
    if not re.fullmatch(_DEBIAN_SHAPES.get(option.kind, r"\S+"), argument):
        mend = f"as in {_example(option).partition(' ')[2].replace(':', ' ')}"
        raise place.error(f"{keyword} does not take {argument!r}", mend=mend)
    return Assignment(option, re.sub(r"\s+", ":", argument), place)


_DEBIAN_SHAPES = {
    PAIR: r"-?\d+\s+-?\d+",
    COLON_PAIR: r"\d+\s+\d+",
    UMASK: r"[0-7]{3}\s+[0-7]{3}",
    RATE: r"\d*:?\d*|\d+\s+\d+",
}


def _option(keyword: str, place: Place) -> Option:
    if keyword.lower() not in _KEYWORDS:
        what = f"there is no option {keyword!r}"
        raise place.error(what, mend=unknown(keyword, TABLE))
    return TABLE[_KEYWORDS[keyword.lower()]]


def _yes_no(option: Option, text: str, place: Place) -> str:
    if text.lower() in {"yes", "true", "on", "1"}:
        return "yes"
    if text.lower() in {"no", "false", "off", "0"}:
        return "no"
    what = f"{text!r} is neither yes nor no" if text else f"{option.name} has no argument"
    raise place.error(what, mend=f"{option.name} yes, or no")


def _example(option: Option) -> str:
    shape = {PAIR: "10 20", RATE: "100 200", COLON_PAIR: "10:20", UMASK: "133:022", TEXT: "TEXT"}
    return f"{option.name} {shape.get(option.kind, '10')}"


def no_number(option: Option, place: Place, what: str) -> ConfigError:
    """The error for an argument that does not mean anything."""
    return place.error(what, mend=f"as in {_example(option)}")
