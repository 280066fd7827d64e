"""Who may do what: a command and a path against the settings, before any file is touched.

One answer for everything that is not to be had, whether it is there or not, so that nobody
learns what is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftpfw.server.embedded.paths import is_hidden, is_odd, is_within, split
from ftpfw.server.embedded.patterns import matcher
from ftpfw.server.settings import DotFiles, Settings

NOT_TO_BE_HAD = "550 No such file or directory, or not permitted."
DENIED = "550 Not permitted on this server."

RIGHT_OF: Mapping[str, str] = {
    **dict.fromkeys(("LIST", "NLST", "MLSD", "MLST", "STAT", "SIZE", "MDTM"), "list"),
    "RETR": "download",
    "STOR": "upload",
    "STOU": "upload",
    "APPE": "append",
    "DELE": "delete",
    "RNFR": "rename",
    "RNTO": "rename",
    "MKD": "make_directory",
    "XMKD": "make_directory",
    "RMD": "remove_directory",
    "XRMD": "remove_directory",
    "SITE CHMOD": "chmod",
    "MFMT": "touch",
}
"""Verb → the right that it takes; a verb that is not here takes none."""

STORING = frozenset({"STOR", "STOU", "APPE"})
MAKING = frozenset({*STORING, "MKD", "XMKD", "RNTO"})
"""What gives a name to something."""

CHANGING = frozenset({*MAKING, "DELE", "RNFR", "RMD", "XRMD", "SITE CHMOD", "MFMT"})
LISTING = frozenset({"LIST", "NLST", "MLSD", "STAT"})
TELLING = frozenset({"RETR", "SIZE", "MDTM", "MLST"})
"""What tells of one file whether it is there, or more."""

ENTERING = frozenset({"CWD", "XCWD", "CDUP", "XCUP"})
JUDGED = frozenset(RIGHT_OF) | ENTERING
"""Verbs that name a path."""


@dataclass(frozen=True, slots=True)
class Law:
    """The settings, and the directories for uploads as clients name them."""

    settings: Settings
    boxes: tuple[str, ...] = ()

    def in_box(self, path: str) -> bool:
        """Whether a path is a directory for uploads, or in one."""
        return any(is_within(path, box) for box in self.boxes)


def verb_refused(settings: Settings, verb: str) -> bool:
    """Whether a verb is refused whatever it is about."""
    allowed = settings.commands.allowed
    if allowed is None and not settings.commands.denied:
        return False
    plain = verb.partition(" ")[0]
    if plain in settings.commands.denied or verb.replace(" ", "_") in settings.commands.denied:
        return True
    return allowed is not None and plain not in {*allowed, "USER", "PASS", "QUIT"}


def judge(law: Law, verb: str, path: str) -> str | None:
    """The reply that refuses a verb on a path; None where it may be done.

    ``path`` is in its one form. It is asked again with what the path has turned out to be, links
    followed.
    """
    rights = law.settings.anonymous.rights
    right = RIGHT_OF.get(verb)
    if right is not None and not getattr(rights, right):
        return DENIED
    if _named_wrong(law.settings, verb, path) or _in_wrong_place(law, verb, path):
        return NOT_TO_BE_HAD
    return None


def may_resume(law: Law, path: str) -> bool:
    """Whether a client may write into the middle of a file: REST before STOR."""
    return law.settings.anonymous.rights.resume and not law.in_box(path)


def may_overwrite(law: Law, path: str) -> bool:
    """Whether STOR may replace a file."""
    return law.settings.anonymous.rights.overwrite and not law.in_box(path)


def _named_wrong(settings: Settings, verb: str, path: str) -> bool:
    files = settings.files
    name = split(path)[1]
    if is_hidden(path):
        dots = settings.anonymous.dot_files
        if dots is DotFiles.HIDDEN or (dots is DotFiles.READ_ONLY and verb in CHANGING):
            return True
    if verb in MAKING and is_odd(name.lstrip(".")):
        return True
    if files.denied and matcher(files.denied)(path):
        return True
    if verb in MAKING:
        return bool(
            (files.denied_uploads and matcher(files.denied_uploads)(path))
            or (files.allowed_uploads and not matcher(files.allowed_uploads)(path))
        )
    return bool(
        verb == "RETR" and files.allowed_downloads and not matcher(files.allowed_downloads)(path)
    )


def _in_wrong_place(law: Law, verb: str, path: str) -> bool:
    box = law.settings.anonymous.drop_box
    inside = law.in_box(path)
    if path in law.boxes:
        return verb in CHANGING or (verb in LISTING and not box.listed)
    if not inside:
        return verb in STORING and bool(law.boxes)
    if verb in LISTING:
        return not box.listed
    if verb in TELLING:
        return not box.readable
    return verb in CHANGING and verb not in {"STOR", "STOU"}
