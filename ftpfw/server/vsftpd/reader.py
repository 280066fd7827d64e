"""Reading vsftpd.conf as vsftpd 3.0.3 does.

    file  = *( line LF )
    line  = "#" text / blanks / *blank name "=" value

``#`` begins a comment in the first column only; blanks may stand before a name, but not
around ``=`` nor after a value; YES, TRUE and 1 are one, NO, FALSE and 0 the other, in either
case; a number with a leading zero is octal; the last line of an option counts. An unknown
name and an empty value of what is no text end vsftpd before it has begun.

Refused beyond that: numbers that are none, which vsftpd reads as some other, lists of verbs that
deny or allow others than they seem to, and NUL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ftpfw.errors import ConfigError
from ftpfw.server.options import Form, Given, Option, Place, Reading, origins_of, unknown
from ftpfw.server.settings import Daemon, Origin, Settings, changed, settled
from ftpfw.server.vsftpd.meaning import settings_of
from ftpfw.server.vsftpd.table import NUMBER, TABLE, YES_NO

_BLANKS = " \t\r\f\v"
_BITS = {
    "anon_umask": 0o777,
    "local_umask": 0o777,
    "file_open_mode": 0o7777,
    "chown_upload_mode": 0o7777,
}
"""What the kernel looks at of some numbers."""
_LISTS = {"cmds_allowed", "cmds_denied"}
_VERBS = re.compile(r"([A-Z]+(,[A-Z]+)*)?")
"""vsftpd compares as it is written, and what follows an empty one counts no more (measured)."""
LARGEST = 2**32 - 1
_TRUE = {"YES", "TRUE", "1"}
_FALSE = {"NO", "FALSE", "0"}


@dataclass(frozen=True, slots=True)
class _Line:
    option: Option
    text: str
    value: Any
    place: Place


def read(text: str, file: str) -> Reading:
    """The settings of a vsftpd.conf. ConfigError for what vsftpd would not start with."""
    lines = [_line(*numbered, file) for numbered in _meant(text)]
    last = {line.option.name: line for line in lines}
    values = {option.name: value_of(option, option.default) for option in TABLE.values()}
    values |= {name: line.value for name, line in last.items()}
    _check_together(last, values)
    origins = {name: line.place.origin(name) for name, line in last.items()}
    nobody = Origin(file)
    everything = changed(Settings(origins=origins_of(TABLE, origins, nobody)), settings_of(values))
    given = tuple(Given(line.option, line.text, origins[name]) for name, line in last.items())
    return Reading(Daemon.VSFTPD, Form.VSFTPD, file, settled(everything), given)


def value_of(option: Option, text: str) -> Any:
    """What the text of an option means; ValueError says what is wrong with it."""
    if option.kind == YES_NO:
        word = text.upper()
        if word not in _TRUE | _FALSE:
            raise ValueError(f"{text!r} is neither YES nor NO")
        return word in _TRUE
    if option.kind == NUMBER:
        if not re.fullmatch(r"0[0-7]*|[1-9][0-9]{0,9}", text, re.ASCII):
            what = "with a leading 0 it is octal" if text.startswith("0") else "digits alone"
            raise ValueError(f"{text!r} is no number: {what}")
        number = int(text, 8 if text.startswith("0") else 10)
        if number > LARGEST:
            raise ValueError(f"{text!r} is too large a number, and taken for some other")
        if option.name == "listen_port" and not 1 <= number <= 65535:
            raise ValueError(f"{text!r} is no port from 1 to 65535")
        return number & _BITS.get(option.name, number)
    if option.name in _LISTS and not _VERBS.fullmatch(text):
        raise ValueError(f"{text!r} is no list of verbs: capitals, with nothing but commas between")
    return text


def _meant(text: str) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    numbered = enumerate(text.split("\n"), 1)
    return [(n, line) for n, line in numbered if line.strip(_BLANKS) and line[0] != "#"]


def _line(number: int, text: str, file: str) -> _Line:
    start = len(text) - len(text.lstrip(_BLANKS))
    name, equals, value = text[start:].partition("=")
    end = start + len(name)
    named = Place(file, number, text, start, end)
    if "\0" in text:
        what, mend = "there is a NUL in this line", "save the file as plain text"
        raise Place(file, number, text, 0, len(text)).error(what, mend=mend)
    option = _option(name, named)
    if not equals:
        raise named.error(f"{name} has no value", mend=f"{name}={option.default or 'VALUE'}")
    valued = Place(file, number, text, end + 1, len(text))
    return _Line(option, value, _value(option, value, valued), valued)


def _option(name: str, place: Place) -> Option:
    if name in TABLE:
        return TABLE[name]
    if name.startswith("#"):
        what, mend = "a comment begins in the first column", "take the blanks before # away"
    elif name.strip(_BLANKS) in TABLE:
        what = "no blank may stand before ="
        mend = place.text.replace(name, name.strip(_BLANKS), 1).strip()
    else:
        what, mend = f"there is no option {name!r}", unknown(name, TABLE)
    raise place.error(what, mend=mend)


def _value(option: Option, text: str, place: Place) -> Any:
    try:
        return value_of(option, text)
    except ValueError as error:
        stripped = text.strip(_BLANKS)
        if text.endswith("\r"):
            mend = "save the file with LF alone at the ends of lines"
        elif stripped != text:
            mend = f"no blanks around the value: {option.name}={stripped}"
        elif option.name in _LISTS:
            verbs = re.findall("[A-Z]+", text.upper())
            mend = f"{option.name}={','.join(verbs)}" if verbs else "leave it out"
        else:
            mend = f"as in {option.name}={option.default or 'VALUE'}"
        raise place.error(str(error), mend=mend) from None


def _check_together(last: dict[str, _Line], values: dict[str, Any]) -> None:
    """What each line may say, and no two of them."""
    if values["listen"] and values["listen_ipv6"]:
        what = "listen and listen_ipv6 exclude each other"
        mend = "listen_ipv6=YES alone takes IPv4 clients too; listen=NO"
        raise _later(last, "listen", "listen_ipv6").error(what, mend=mend)
    if not values["nopriv_user"]:
        what = "without a user for what needs no privilege every session ends at once"
        raise last["nopriv_user"].place.error(what, mend="nopriv_user=nobody")
    try:
        ports = settings_of(values)["passive.ports"]
    except ValueError as error:
        raise _no_address(last, values, str(error)) from None
    if ports is not None and not ports:
        what = f"the passive ports run backwards, from {ports.start} to {ports.stop - 1}"
        mend = f"pasv_min_port={ports.stop - 1} and pasv_max_port={ports.start}"
        raise _later(last, "pasv_min_port", "pasv_max_port").error(what, mend=mend)


def _later(last: dict[str, _Line], *names: str) -> Place:
    return max((last[name].place for name in names if name in last), key=lambda one: one.line)


def _no_address(last: dict[str, _Line], values: dict[str, Any], why: str) -> ConfigError:
    """The option whose address is wrong; the rest of settings_of() takes any value."""
    for name in ("listen_address", "listen_address6", "pasv_address"):
        if name in last and repr(values[name]) in why:
            mend = "write the address in numbers"
            if name == "pasv_address":
                mend += ", or add pasv_addr_resolve=YES"
            return last[name].place.error(f"{values[name]!r} is no IP address", mend=mend)
    raise AssertionError(why)
