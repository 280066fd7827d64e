r"""Reading wu-ftpd's ftpaccess(5), for who moves away from it.

The last release, 2.6.2, is of 2001, and holes found since have no mend: nobody should run it, and
there is no writer. A line is a word and its arguments; ``\`` at its end continues it; what follows
``#`` at its beginning is a comment. Classes are lists of real, guest and anonymous. By default
everybody may chmod, delete, overwrite and rename.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from ftpfw.server.options import Form, Given, Option, Place, Reading, Trap
from ftpfw.server.settings import (
    ALL_RIGHTS,
    Audience,
    Daemon,
    DotFiles,
    Names,
    Origin,
    Path,
    Settings,
    Start,
    Syntax,
    changed,
    settled,
)

Values = Mapping[Path, Any]

KNOWN: Mapping[str, str] = {
    "class": "who may log in",
    "banner": "file shown before login",
    "greeting": "text of the greeting",
    "message": "file shown at login or in a directory",
    "readme": "names a file that has changed",
    "email": "address of who looks after it",
    "loginfails": "failed logins until the session ends",
    "timeout": "how long it waits",
    "limit": "sessions of a class",
    "upload": "where files can be stored",
    "chmod": "who may change permissions",
    "delete": "who may delete",
    "overwrite": "who may overwrite",
    "rename": "who may rename",
    "umask": "who may change the umask",
    "defumask": "umask of files",
    "path-filter": "names that can be stored",
    "passive": "passive ports and the address announced",
    "pasv-allow": "passive data from other addresses",
    "port-allow": "active data to other addresses",
    "anonymous-root": "root of anonymous sessions",
    "log": "what is logged",
    "compress": "packs files on the way",
    "tar": "packs directories on the way",
    "passwd-check": "looks at anonymous passwords",
    "shutdown": "file that ends the service",
    "hostname": "name in messages",
    "stat": "what STAT shows",
    "lslong": "how listings are made",
    "lsshort": "how listings are made",
    "lsplain": "how listings are made",
}

_SAFE = {
    "readme",
    "email",
    "umask",
    "compress",
    "tar",
    "passwd-check",
    "shutdown",
    "hostname",
    "stat",
    "lslong",
    "lsshort",
    "lsplain",
}
"""What need not be obeyed elsewhere; any other line that no setting holds is refused."""


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    arguments: tuple[str, ...]
    place: Place

    @property
    def origin(self) -> Origin:
        return self.place.origin(self.name)


def read(text: str, file: str) -> Reading:
    """The settings of an ftpaccess. ConfigError for arguments that mean nothing."""
    lines = [_line(*meant, file) for meant in _meant(text)]
    values: dict[Path, Any] = dict(_BY_ITSELF)
    origins: dict[Path, Origin] = {path: Origin(file) for path in values}
    given = []
    for line in lines:
        said = _say(line, values)
        values |= said
        origins |= dict.fromkeys(said, line.origin)
        options = (_option(line, said), *_rest(line, said))
        given += [Given(one, " ".join(line.arguments), line.origin) for one in options]
    everything = changed(Settings(origins=origins), values)
    old = Trap(
        "wu-ftpd",
        Origin(file),
        "wu-ftpd's last release is of 2001, and the holes found since stay open",
        "ftpfw server convert to another daemon, and run that",
    )
    return Reading(Daemon.WU_FTPD, Form.WU_FTPD, file, settled(everything), tuple(given), (old,))


_BY_ITSELF: Mapping[Path, Any] = {
    **{
        f"{who}.rights.{right}": True
        for who in ("anonymous", "users")
        for right in ALL_RIGHTS.__slots__
    },
    "listen.start": Start.INETD,
    "anonymous.drop_box.readable": True,
    "anonymous.drop_box.listed": True,
    "anonymous.world_readable_only": False,
    "anonymous.dot_files": DotFiles.FREE,
    "anonymous.file_umask": 0o022,
    "anonymous.directory_umask": 0o022,
    "users.file_umask": 0o022,
    "users.directory_umask": 0o022,
    "users.jailed": False,
    "files.hidden_until_complete": False,
    "messages.banner": None,
    "limits.clients": None,
    "limits.clients_per_address": None,
    "limits.full_disk": None,
    "timeouts.idle": 900,
    "timeouts.stalled": 1200,
    "timeouts.accept": 120,
    "timeouts.connect": 120,
    "timeouts.login": None,
    "login.failures": 5,
    "login.failure_delay": 0,
    "active.source_port": 20,
    "logs.transfers": None,
    "listing.depth": None,
    "listing.entries": None,
    "listing.hide_ids": False,
}


def _meant(text: str) -> Iterator[tuple[int, str, str]]:
    """Lines that say something: the number and text of the first of them, and all of it joined."""
    joined, first, shown = "", 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if not joined:
            first, shown = number, line
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        whole = joined + line
        joined = ""
        if whole.strip() and not whole.lstrip().startswith("#"):
            yield first, shown, whole


def _line(number: int, shown: str, whole: str, file: str) -> _Line:
    words = whole.split()
    start = len(shown) - len(shown.lstrip())
    place = Place(file, number, shown, start, len(shown.rstrip()))
    return _Line(words[0].lower(), tuple(words[1:]), place)


def _option(line: _Line, said: Mapping[Path, Any]) -> Option:
    what = KNOWN.get(line.name, "a line that ftpfw does not know")
    harmless = None if line.name in _SAFE else ()
    return Option(line.name, "", "", tuple(said), what=what, harmless=harmless)


def _rest(line: _Line, said: Mapping[Path, Any]) -> Iterator[Option]:
    """What of a line no setting holds, though the line is obeyed: for whom it is, and where."""
    if not said:
        return
    if any("class=" in word for word in line.arguments):
        yield _left_out(line, "for one class alone")
    rest = {*line.arguments[1:]}
    match line.name:
        case "class" if {*line.arguments[2:]} != {"*"}:
            yield _left_out(line, "from which addresses they may")
        case "defumask" | "anonymous-root" if rest:
            yield _left_out(line, "for one class alone")
        case "passive" if not rest & _ALL_ADDRESSES:
            yield _left_out(line, "for some addresses alone")
        case "message" if len(line.arguments) > 2 or rest - {"login", "cwd=*"}:
            yield _left_out(line, "for one class or directory alone", harmless=True)
        case "log" if not _for_all(line):
            yield _left_out(line, "for some sessions, or one way, alone", harmless=True)
        case "upload" if words := [*_plain(line)[4:5], *_plain(line)[7:]]:
            yield _left_out(line, f"group and modes: {' '.join(words)}", harmless=True)
        case _:
            pass


_ALL_ADDRESSES = {"0.0.0.0/0", "::/0"}


def _for_all(line: _Line) -> bool:
    whose, ways = ({*word.split(",")} for word in (*line.arguments[1:3], "", "")[:2])
    return {"anonymous", "real"} <= whose and (not ways - {""} or {"inbound", "outbound"} <= ways)


def _left_out(line: _Line, why: str, *, harmless: bool = False) -> Option:
    what = f"{KNOWN[line.name]}: {why}"
    return Option(line.name, "", "", what=what, harmless=None if harmless else ())


def _plain(line: _Line) -> list[str]:
    """The words of an upload line, without its options."""
    options = {"absolute", "relative", "-"}
    return [word for word in line.arguments if "=" not in word and word not in options]


def _say(line: _Line, values: Values) -> dict[Path, Any]:
    """What a line says, given what the lines before it said."""
    words = _WORDS.get(line.name)
    return words(line, values) if words and line.arguments else {}


def _class(line: _Line, values: Values) -> dict[Path, Any]:
    kinds = line.arguments[1].split(",") if len(line.arguments) > 1 else []
    return {
        "users.enabled": values.get("users.enabled", False)
        or not {"real", "guest"}.isdisjoint(kinds),
        "anonymous.enabled": values.get("anonymous.enabled", False) or "anonymous" in kinds,
    }


def _right(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    match line.arguments:
        case (("yes" | "no") as word, types, *_):
            return _who(f"rights.{line.name}", word == "yes", types)
        case _:
            mend = f"{line.name} no guest,anonymous"
            raise line.place.error(f"{line.name} takes yes or no, and for whom", mend=mend)


def _message(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    file, when = line.arguments[0], (*line.arguments, "login")[1].lower()
    if when.startswith("cwd="):
        return {"messages.directory_file": file}
    return {"messages.login_file": file} if when == "login" else {}


def _greeting(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    style, *words = line.arguments
    return {"messages.banner": " ".join(words)} if style == "text" else {}


def _timeout(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    which, *time = line.arguments
    if which not in _TIMES or not time:
        return {}
    return {f"timeouts.{_TIMES[which]}": _number(line, time[0])}


_TIMES = {"accept": "accept", "connect": "connect", "data": "stalled", "idle": "idle"}


def _umask(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    if not re.fullmatch("[0-7]{1,4}", line.arguments[0]):
        raise line.place.error(f"{line.arguments[0]!r} is no umask", mend="defumask 0177")
    mask = int(line.arguments[0], 8)
    return {"anonymous.file_umask": mask, "users.file_umask": mask}


def _log(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    logged: dict[str, dict[Path, Any]] = {
        "transfers": {"logs.transfers": "/var/log/xferlog"},
        "commands": {"logs.commands": True},
    }
    return logged.get(line.arguments[0], {})


def _filter(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    types, *patterns = line.arguments
    if "anonymous" not in types.split(",") or len(patterns) != 2:
        return {}
    return {"files.allowed_uploads": Names(patterns[1], Syntax.REGEX)}


def _passive(line: _Line, values: Values) -> dict[Path, Any]:
    del values
    match line.arguments:
        case ("ports", _, low, high) if _number(line, low) <= _number(line, high) < 65536:
            return {"passive.ports": range(int(low), int(high) + 1)}
        case ("address", address, *_) if _is_address(address):
            return {"passive.announced": ip_address(address)}
        case _:
            mend = "passive ports 0.0.0.0/0 50000 50100, or passive address 203.0.113.1 0.0.0.0/0"
            raise line.place.error("these are neither ports nor an address", mend=mend)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _who(path: Path, may: bool, types: str) -> dict[Path, Any]:
    kinds = types.split(",")
    said: dict[Path, Any] = {}
    if "anonymous" in kinds:
        said[f"anonymous.{path}"] = may
    if "real" in kinds:
        said[f"users.{path}"] = may
    return said


def _upload(line: _Line, values: Values) -> dict[Path, Any]:
    """``upload [options] ROOT GLOB yes|no [OWNER GROUP MODE [dirs|nodirs]]``, for anonymous."""
    words = _plain(line)
    if len(words) < 3 or words[2] not in {"yes", "no"}:
        mend = "upload /srv/ftp /incoming yes root nogroup 0600 nodirs"
        raise line.place.error("upload takes a root, a pattern, and yes or no", mend=mend)
    root, pattern, word, *rest = words
    if word == "no":
        everywhere = pattern == "*" and not values.get("anonymous.drop_box.directories")
        return {"anonymous.rights.upload": False} if everywhere else {}
    below = pattern.strip("/").removesuffix("*").rstrip("/")
    box = f"{root.rstrip('/')}/{below}".rstrip("/") or "/"
    known = values.get("anonymous.drop_box.directories", ())
    said: dict[Path, Any] = {
        "anonymous.rights.upload": True,
        "anonymous.drop_box.directories": (*known, box),
        "anonymous.rights.make_directory": "nodirs" not in rest,
    }
    if len(rest) >= 3 and rest[0] != "*" and re.fullmatch("[0-7]{3,4}", rest[2]):
        said["anonymous.drop_box.owner"] = rest[0]
        said["anonymous.drop_box.owner_mode"] = int(rest[2], 8)
        said["anonymous.drop_box.readable"] = bool(int(rest[2], 8) & 0o004)
    return said


def _number(line: _Line, word: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", word, re.ASCII):
        raise line.place.error(f"{word!r} is no number", mend=f"{line.name}: digits alone")
    return int(word)


def _foreign(path: Path, line: _Line) -> dict[Path, Any]:
    """``port-allow CLASS ADDRESS …``: what is for some addresses alone is for nobody elsewhere."""
    return {path: Audience.EVERYBODY} if _ALL_ADDRESSES & {*line.arguments[1:]} else {}


def _one(path: Path) -> Callable[[_Line, Values], dict[Path, Any]]:
    return lambda line, _: {path: line.arguments[0]}


_WORDS: Mapping[str, Callable[[_Line, Values], dict[Path, Any]]] = {
    "class": _class,
    **dict.fromkeys(("chmod", "delete", "overwrite", "rename"), _right),
    "banner": _one("messages.banner_file"),
    "greeting": _greeting,
    "message": _message,
    "loginfails": lambda line, _: {"login.failures": _number(line, line.arguments[0])},
    "timeout": _timeout,
    "anonymous-root": _one("anonymous.root"),
    "defumask": _umask,
    "log": _log,
    "upload": _upload,
    "path-filter": _filter,
    "passive": _passive,
    "pasv-allow": lambda line, _: _foreign("passive.foreign", line),
    "port-allow": lambda line, _: _foreign("active.foreign", line),
}
