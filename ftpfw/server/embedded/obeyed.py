"""Which settings the embedded server keeps, and what becomes of the others.

A setting that it cannot keep is refused where doing without it would let through what it
forbids, or would not do what the server is for; else it is a notice. Settings that are in no
row are kept (a test holds the tables and the model equal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ftpfw.errors import ConfigError
from ftpfw.server.embedded.patterns import matcher
from ftpfw.server.options import Given, Standing
from ftpfw.server.settings import Audience, Path, Settings


@dataclass(frozen=True, slots=True)
class Row:
    """A setting that is not kept where ``holds``; ``mend`` makes it an error, else a notice."""

    path: Path
    holds: Callable[[Settings], bool]
    what: str
    mend: str = ""


def _foreign(path: Path) -> Callable[[Settings], bool]:
    return lambda all_: all_.get(path) is not Audience.NOBODY


def _is_set(path: Path) -> Callable[[Settings], bool]:
    return lambda all_: all_.get(path) is not None


ROWS = (
    Row(
        "anonymous.enabled",
        lambda all_: not all_.anonymous.enabled,
        "anybody may not log in, and nobody else can here",
        "switch anonymous sessions on",
    ),
    Row(
        "users.enabled",
        lambda all_: all_.users.enabled,
        "accounts may log in, but this server is for anonymous clients alone",
        "switch accounts off, or leave them to the daemon",
    ),
    Row(
        "passive.foreign",
        _foreign("passive.foreign"),
        "data connections from other addresses stay refused",
    ),
    Row("active.foreign", _foreign("active.foreign"), "PORT to other addresses stays refused"),
    Row(
        "active.source_port",
        lambda all_: all_.active.source_port is not None,
        "active data leaves from any port: a privileged one takes root",
    ),
    Row(
        "listing.depth",
        lambda all_: all_.listing.depth != 0,
        "listings are of one directory: LIST -R goes no deeper",
    ),
    Row(
        "tls.certificate_checked",
        lambda all_: all_.tls.client_certificate and not all_.tls.certificate_checked,
        "a client's certificate has to be vouched for: anybody can make one",
    ),
    Row(
        "logs.transfer_format",
        lambda all_: (
            all_.logs.transfers is not None and all_.logs.transfer_format not in {"xferlog"}
        ),
        "transfers are logged as xferlog",
    ),
    *(
        Row(
            path,
            _is_set(path),
            "no process runs as it: sessions run as the user of anonymous clients",
        )
        for path in ("process.user", "process.group")
    ),
    Row("logs.syslog", lambda all_: all_.logs.syslog is not None, "the log goes to standard error"),
    Row("logs.daemon", lambda all_: all_.logs.daemon is not None, "the log goes to standard error"),
    Row("logs.wtmp", lambda all_: all_.logs.wtmp, "logins are not written to wtmp"),
    Row("logs.resolve", lambda all_: all_.logs.resolve, "addresses are not resolved to names"),
)

IDLE_PREFIXES = ("users.", "limits.user_", "limits.quota_", "tls.users")
"""Settings of accounts, which nobody logs in to."""

PATTERNS = ("denied", "denied_uploads", "allowed_uploads", "allowed_downloads", "unlisted")


def notices(settings: Settings) -> Iterator[str]:
    """What is done otherwise than it is set, though nothing gets less safe by it."""
    for row in ROWS:
        if not row.mend and settings.origin(row.path).line and row.holds(settings):
            yield f"{settings.origin(row.path)}: {row.what}"


def require_kept(settings: Settings) -> None:
    """Raise ConfigError for the first setting that the server would have to keep and cannot."""
    for row in ROWS:
        if row.mend and row.holds(settings):
            raise error_at(settings, row.path, row.what, row.mend)
    for name in PATTERNS:
        names = getattr(settings.files, name)
        try:
            if names is not None:
                matcher(names)
        except ValueError as error:
            raise error_at(
                settings, f"files.{name}", f"not a pattern: {error}", "write it so that it is one"
            ) from error


def error_at(settings: Settings, path: Path, what: str, mend: str) -> ConfigError:
    """An error that points at what has set a setting."""
    origin = settings.origin(path)
    return ConfigError(what, file=origin.file, line=origin.line, mend=mend)


def sort_given(given: Sequence[Given]) -> Iterator[str]:
    """The notices for options that are no settings; ConfigError for the first refused one."""
    for one in given:
        if one.standing is Standing.REFUSED:
            raise ConfigError(
                f"{one.option.name} {one.text}: {one.option.what}: only its own daemon can do that",
                file=one.origin.file,
                line=one.origin.line,
                mend="leave the option out, or run the daemon",
            )
    for one in given:
        if one.standing is Standing.IGNORED:
            yield f"{one.origin}: {one.option.name} is ignored: {one.option.what}"
