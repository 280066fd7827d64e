"""`ftpfw serve` without one of its precautions: what an attack on it has to notice.

    python -c 'from tests.kernel.careless import main; main("…")' -m ftpfw serve …

Where more than one thing stands in an attack's way, all of them are taken away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ftpfw.cli import main as ftpfw
from ftpfw.ftp import xferlog
from ftpfw.server.embedded import jail, master, session, site, upload
from ftpfw.server.embedded.site import prepare
from ftpfw.server.settings import DotFiles, changed

Change = Callable[[], None]
EMBEDDED = "ftpfw.server.embedded."


def put(place: Any, name: str, thing: Any) -> None:
    setattr(place, name, thing)


def everywhere(name: str, thing: Any) -> None:
    """In every module of the server's that has it by that name."""
    modules = [one for path, one in sys.modules.items() if path.startswith(EMBEDDED)]
    places = [one for one in modules if hasattr(one, name)]
    assert places, name
    for place in places:
        put(place, name, thing)


def always(answer: Any) -> Callable[..., Any]:
    return lambda *_, **__: answer


def settings(**changes: Any) -> Change:
    """Settings, their dots written as two underscores."""
    wanted = {path.replace("__", "."): value for path, value in changes.items()}

    def change() -> None:
        put(master, "prepare", lambda given, seats: prepare(changed(given, wanted), seats))

    return change


def everything_may_be_done() -> None:
    """Nothing is judged, and permissions are root's."""
    everywhere("judge", always(None))
    settings(anonymous__user="root")()


def uploads_replace() -> None:
    everywhere("may_overwrite", always(True))
    settings(anonymous__user="root")()


def uploads_go_on() -> None:
    everywhere("may_resume", always(True))
    everything_may_be_done()


def links_lead_out() -> None:
    put(jail.Jail, "open", lambda one, path, *how: os.open(f"{one.directory}{path}", *how))
    put(jail.Jail, "real", always("/"))
    everything_may_be_done()


def files_have_no_bound() -> None:
    everywhere("refuse_upload", always(None))


def sessions_have_no_bound() -> None:
    everywhere("refuse_session", always(None))


def any_address_is_the_clients() -> None:
    put(session.Session, "_aim", lambda one, verb, _: one.respond(f"200 {verb}"))


def data_is_anybodys() -> None:
    everywhere("plain", always("127.0.0.1"))


def addresses_are_shown() -> None:
    put(session.Session, "ftp_SYST", lambda one, _: one.respond("215 UNIX of root"))


def broken_transfers_are_forgotten() -> None:
    careful = session.Session.log_transfer

    def log_transfer(one: Any, *given: Any, **named: Any) -> None:
        if named.get("completed", given[3] if len(given) > 3 else True):
            careful(one, *given, **named)

    put(session.Session, "log_transfer", log_transfer)


def nothing_is_logged() -> None:
    put(session.Session, "log_transfer", always(None))


def fields_may_have_blanks() -> None:
    put(xferlog, "_one_word", str)


def what_broke_off_stays() -> None:
    put(upload.Upload, "_abandon", always(False))
    put(site.Site, "clean", always(None))


def any_name_will_do() -> None:
    everywhere("is_odd", always(False))
    everywhere("is_clean", always(True))


WITHOUT: Mapping[str, Change] = {
    "nothing_can_be_fetched": settings(anonymous__drop_box__readable=True),
    "nothing_is_listed": settings(anonymous__drop_box__listed=True),
    "nothing_is_replaced": uploads_replace,
    "nothing_goes_on": uploads_go_on,
    "nothing_is_changed": everything_may_be_done,
    "nothing_is_stored_elsewhere": everything_may_be_done,
    "an_upload_is_given_away": settings(
        anonymous__drop_box__owner=None, anonymous__drop_box__owner_mode=None
    ),
    "no_dot_files": settings(anonymous__dot_files=DotFiles.FREE),
    "no_odd_names": any_name_will_do,
    "no_link_leads_out": links_lead_out,
    "no_file_is_too_big": files_have_no_bound,
    "all_uploads_have_a_bound": settings(anonymous__drop_box__quota_bytes=None),
    "files_without_content_have_a_bound": settings(anonymous__drop_box__quota_files=None),
    "an_upload_does_not_take_the_line": settings(limits__anonymous_upload_rate=None),
    "no_uploads_to_a_full_disk": settings(limits__full_disk=None),
    "sessions_are_limited": sessions_have_no_bound,
    "sessions_of_an_address_are_limited": sessions_have_no_bound,
    "failed_logins_are_slow": settings(login__failure_delay=0),
    "failed_logins_are_slow_however_they_are_sent": settings(login__failure_delay=0),
    "no_bounce": any_address_is_the_clients,
    "nobody_else_delivers": data_is_anybodys,
    "nobody_else_is_served": data_is_anybodys,
    "accounts_are_refused": settings(anonymous__any_name=True),
    "nothing_is_told_of_the_server": addresses_are_shown,
    "what_is_there_is_not_told": settings(anonymous__drop_box__readable=True),
    "transfers_are_written_down": nothing_is_logged,
    "broken_transfers_are_written_down": broken_transfers_are_forgotten,
    "transfers_that_never_began_are_written_down": broken_transfers_are_forgotten,
    "no_line_of_the_log_is_forged": fields_may_have_blanks,
    "an_upload_that_is_aborted_is_removed": what_broke_off_stays,
    "what_broke_off_is_removed": what_broke_off_stays,
}


def main(attack: str) -> None:
    WITHOUT[attack]()
    sys.argv = ["ftpfw", *sys.argv[3:]]
    ftpfw()
