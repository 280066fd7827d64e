from __future__ import annotations

from typing import Any

import pytest

from ftpfw.server.embedded.judge import (
    DENIED,
    JUDGED,
    NOT_TO_BE_HAD,
    Law,
    judge,
    may_overwrite,
    may_resume,
    verb_refused,
)
from ftpfw.server.embedded.own import base, drop_box
from ftpfw.server.embedded.patterns import matcher
from ftpfw.server.settings import ALL_RIGHTS, DotFiles, Names, Settings, Syntax, changed

DOWNLOAD = base(privileged=False)
UPLOAD = changed(DOWNLOAD, drop_box("/srv", None, None))
EVERYTHING = changed(UPLOAD, {f"anonymous.rights.{right}": True for right in ALL_RIGHTS.__slots__})
NO, LATER, YES = DENIED, NOT_TO_BE_HAD, None

VERDICTS = [
    # settings, verb, path, reply
    (DOWNLOAD, "RETR", "/a", YES),
    (DOWNLOAD, "LIST", "/", YES),
    (DOWNLOAD, "CWD", "/a", YES),
    (DOWNLOAD, "RETR", "/.a", LATER),
    (DOWNLOAD, "CWD", "/.a/b", LATER),
    (DOWNLOAD, "STOR", "/a", NO),
    (DOWNLOAD, "APPE", "/a", NO),
    (DOWNLOAD, "DELE", "/a", NO),
    (DOWNLOAD, "SITE CHMOD", "/a", NO),
    (UPLOAD, "STOR", "/incoming/a", YES),
    (UPLOAD, "STOU", "/incoming/a", YES),
    (UPLOAD, "STOR", "/incoming", LATER),
    (UPLOAD, "STOR", "/a", LATER),
    (UPLOAD, "STOR", "/incominga", LATER),
    (UPLOAD, "STOR", "/incoming/.a", LATER),
    (UPLOAD, "STOR", "/incoming/-a", LATER),
    (UPLOAD, "APPE", "/incoming/a", NO),
    (UPLOAD, "RETR", "/incoming/a", LATER),
    (UPLOAD, "SIZE", "/incoming/a", LATER),
    (UPLOAD, "MDTM", "/incoming/a", LATER),
    (UPLOAD, "MLST", "/incoming/a", LATER),
    (UPLOAD, "MLST", "/incoming", YES),
    (UPLOAD, "LIST", "/incoming", LATER),
    (UPLOAD, "LIST", "/incoming/a", LATER),
    (UPLOAD, "STAT", "/incoming", LATER),
    (UPLOAD, "CWD", "/incoming", YES),
    (UPLOAD, "RETR", "/a", YES),
    # whatever the rights: in a drop box files come in, and that is all
    (EVERYTHING, "APPE", "/incoming/a", LATER),
    (EVERYTHING, "DELE", "/incoming/a", LATER),
    (EVERYTHING, "RNFR", "/incoming/a", LATER),
    (EVERYTHING, "RNTO", "/incoming/a", LATER),
    (EVERYTHING, "MKD", "/incoming/a", LATER),
    (EVERYTHING, "RMD", "/incoming", LATER),
    (EVERYTHING, "SITE CHMOD", "/incoming/a", LATER),
    (EVERYTHING, "DELE", "/a", YES),
    (EVERYTHING, "MKD", "/a", YES),
]


@pytest.mark.parametrize(
    ("settings", "verb", "path", "reply"), VERDICTS, ids=[f"{v[1]} {v[2]}" for v in VERDICTS]
)
def test_verdicts(settings: Settings, verb: str, path: str, reply: str | None) -> None:
    boxes = ("/incoming",) if settings.anonymous.rights.upload else ()
    assert judge(Law(settings, boxes), verb, path) == reply


@pytest.mark.parametrize("right", ALL_RIGHTS.__slots__)
def test_every_right_is_asked_for(right: str) -> None:
    """Without a right, something is refused that is obeyed with it."""
    less = changed(EVERYTHING, {f"anonymous.rights.{right}": False})

    def can(settings: Settings) -> set[str]:
        law = Law(settings)
        found = {verb for verb in JUDGED if judge(law, verb, "/a") is None}
        found |= {"REST"} if may_resume(law, "/a") else set()
        return found | ({"over"} if may_overwrite(law, "/a") else set())

    assert can(less) < can(EVERYTHING)


DOTS = [
    (DotFiles.HIDDEN, "RETR", False),
    (DotFiles.HIDDEN, "STOR", False),
    (DotFiles.READ_ONLY, "RETR", True),
    (DotFiles.READ_ONLY, "STOR", False),
    (DotFiles.FREE, "STOR", True),
]


@pytest.mark.parametrize(("dots", "verb", "may"), DOTS)
def test_dot_files(dots: DotFiles, verb: str, may: bool) -> None:
    settings = changed(EVERYTHING, {"anonymous.dot_files": dots})
    assert (judge(Law(settings), verb, "/.a") is None) is may


PATTERNS = [
    ("denied", "{*.exe,*.sh}", "RETR", "/a.sh", False),
    ("denied", "{*.exe,*.sh}", "STOR", "/a.exe", False),
    ("denied", "{*.exe,*.sh}", "RETR", "/a.txt", True),
    ("denied", "/pub/?", "CWD", "/pub/x", False),
    ("denied_uploads", "*.sh", "STOR", "/a.sh", False),
    ("denied_uploads", "*.sh", "RETR", "/a.sh", True),
    ("allowed_uploads", "*.txt", "STOR", "/a.sh", False),
    ("allowed_uploads", "*.txt", "STOR", "/a.txt", True),
    ("allowed_downloads", "*.txt", "RETR", "/a.sh", False),
    ("allowed_downloads", "*.txt", "RETR", "/a.txt", True),
]


@pytest.mark.parametrize(("setting", "pattern", "verb", "path", "may"), PATTERNS)
def test_patterns(setting: str, pattern: str, verb: str, path: str, may: bool) -> None:
    settings = changed(EVERYTHING, {f"files.{setting}": Names(pattern, Syntax.VSFTPD)})
    assert (judge(Law(settings), verb, path) is None) is may


MATCHES = [
    (Syntax.REGEX, r"(^|/)\.[^/]*$", "/a/.b", True),
    (Syntax.REGEX, r"(^|/)\.[^/]*$", "/a/b", False),
    (Syntax.REGEX, "^/[[:alnum:]/]+$", "/a/b1", True),
    (Syntax.REGEX, "^/[[:alnum:]/]+$", "/a/b-1", False),
    (Syntax.VSFTPD, "{.*}", "/a/.b", True),
    (Syntax.VSFTPD, "a.b", "/axb", False),
    (Syntax.VSFTPD, "{a,b}{c,d}", "/bd", True),
]


@pytest.mark.parametrize(("syntax", "pattern", "path", "found"), MATCHES)
def test_matching(syntax: Syntax, pattern: str, path: str, found: bool) -> None:
    assert matcher(Names(pattern, syntax))(path) is found


def test_what_is_no_pattern_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match=r"\(a"):
        matcher(Names("(a", Syntax.REGEX))


COMMANDS: list[tuple[dict[str, Any], str, bool]] = [
    ({"denied": ("PASV",)}, "PASV", True),
    ({"denied": ("PASV",)}, "PORT", False),
    ({"denied": ("SITE",)}, "SITE CHMOD", True),
    ({"denied": ("SITE_CHMOD",)}, "SITE CHMOD", True),
    ({"allowed": ("RETR",)}, "RETR", False),
    ({"allowed": ("RETR",)}, "LIST", True),
    ({"allowed": ("RETR",)}, "USER", False),
]


@pytest.mark.parametrize(("commands", "verb", "refused"), COMMANDS)
def test_commands(commands: dict[str, Any], verb: str, refused: bool) -> None:
    settings = changed(DOWNLOAD, {f"commands.{name}": value for name, value in commands.items()})
    assert verb_refused(settings, verb) is refused
