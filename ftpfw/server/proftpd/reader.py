"""Reading proftpd.conf: its tree's settings, what cannot be obeyed elsewhere, and its traps.

The main server is read, with ``<Global>`` and its last ``<Anonymous>``. Refused by name, since a
server that left them out would let too much through: other servers and anonymous sections,
and what ``left_out`` names: limits for some users, groups or addresses alone, of directories that
are no drop box, directives that are not in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftpfw.server.options import Form, Given, Reading, Trap
from ftpfw.server.proftpd.arguments import boolean
from ftpfw.server.proftpd.grammar import Context, Include, parse
from ftpfw.server.proftpd.left_out import ignored, of_context, option_of, rest_of
from ftpfw.server.proftpd.limits import GROUPS, Outcome, judge, lets_in_by_order, names
from ftpfw.server.proftpd.meaning import settings_of
from ftpfw.server.proftpd.rights import VERB_OF, denied_to_guests
from ftpfw.server.proftpd.site import Site, find, upload_directories
from ftpfw.server.proftpd.table import ROWS, TABLE
from ftpfw.server.settings import Daemon, Origin, Path, Settings, changed, settled

_BY_VERB: Mapping[Path, str] = {
    **{
        f"{who}.rights.{right}": verb
        for who in ("anonymous", "users")
        for right, verb in VERB_OF.items()
    },
    "anonymous.enabled": "LOGIN",
    "users.enabled": "LOGIN",
    "passive.enabled": "PASV",
    "active.enabled": "PORT",
    "anonymous.drop_box.directories": "STOR",
    "anonymous.drop_box.readable": "RETR",
    "anonymous.drop_box.listed": "LIST",
    "anonymous.drop_box.shown": "LIST",
}
"""Path → the verb by whose limits it is decided."""


def read(
    text: str,
    file: str,
    include: Include | None = None,
    defined: frozenset[str] = frozenset(),
) -> Reading:
    """The settings of a proftpd.conf; ``defined`` are the names given by -D."""
    tree = parse(text, file, include, defined)
    site = Site.of(tree)
    values = settings_of(site)
    settings = settled(changed(Settings(origins=_origins(site, file)), values))
    given = tuple(_given(tree, site, settings))
    traps = tuple(_traps(tree, site))
    return Reading(Daemon.PROFTPD, Form.PROFTPD, file, settings, given, traps)


def _origins(site: Site, file: str) -> dict[Path, Origin]:
    """For each path the innermost line that has a say in it, and of those the last."""
    found = {path: Origin(file, None, row.name) for row in reversed(ROWS) for path in row.paths}
    for context in reversed(site.users):
        theirs = context not in site.server
        found |= {p: o for p, o in _say(context).items() if not theirs or p.startswith("users.")}
    if site.anonymous is not None:
        below = [site.anonymous, *site.anonymous.inner("Directory")]
        for context in below:
            found |= {
                p: o
                for p, o in _say(context).items()
                if not p.startswith(("users.", "limits.user"))
            }
        found["anonymous.enabled"] = site.anonymous.place.origin("<Anonymous>")
        found["anonymous.root"] = found["anonymous.enabled"]
    return found


def _say(context: Context) -> dict[Path, Origin]:
    """The paths that a context's own lines and limits have a say in."""
    found = {
        path: line.place.origin(line.name)
        for line in reversed(context.directives)  # of several the first counts
        if line.known
        for path in TABLE[line.name].paths
    }
    for limit in context.inner("Limit"):
        about = names(limit)
        found |= {
            path: limit.place.origin("<Limit>")
            for path, verb in _BY_VERB.items()
            if _covers(about, verb)
        }
    return found


def _covers(about: set[str], verb: str) -> bool:
    groups = {name for name, verbs in GROUPS.items() if verb in verbs}
    everything = {"ALL"} if verb != "LOGIN" else set()
    return bool(about & {verb, *groups, *everything})


def _given(tree: Context, site: Site, settings: Settings) -> Iterator[Given]:
    """Every line and context, with an option of its own where it cannot be obeyed."""
    for context in _reachable(tree):
        for line in context.directives:
            for option in (option_of(line, context, site, settings), *rest_of(line, settings)):
                origin = line.place.origin(line.name)
                yield Given(option, " ".join(line.arguments), origin)
        for inner in context.contexts:
            option = of_context(inner, context, site, settings)
            yield Given(option, " ".join(inner.arguments), inner.place.origin(option.name))
    if verbs := denied_to_guests(site):
        assert site.anonymous is not None
        why = f"{' '.join(verbs)} refused to anonymous sessions alone"
        origin = site.anonymous.place.origin("<Anonymous>")
        yield Given(ignored("<Anonymous>", why), " ".join(site.anonymous.arguments), origin)


def _reachable(context: Context) -> Iterator[Context]:
    """A context and those in it, but not other servers."""
    yield context
    for inner in context.contexts:
        if inner.kind != "VirtualHost":
            yield from _reachable(inner)


def _traps(tree: Context, site: Site) -> Iterator[Trap]:
    """Lines that do not do what they seem to."""
    yield from _traps_of_server(site)
    for context in _reachable(tree):
        for limit in context.inner("Limit"):
            if lets_in_by_order(limit):
                yield Trap(
                    "order-lets-in",
                    limit.place.origin("<Limit>"),
                    "Order allow,deny lets in who is in neither list, so this limit stops nobody",
                    "add: Deny from all",
                )


def _traps_of_server(site: Site) -> Iterator[Trap]:
    address = find("DefaultAddress", site.server)
    if address and not boolean(find("SocketBindTight", site.server), False):
        yield Trap(
            "address-not-bound",
            address.place.origin("DefaultAddress"),
            "without SocketBindTight it listens on every address all the same",
            "add: SocketBindTight on",
        )
    owner = find("UserOwner", (*upload_directories(site), *site.guests))
    if owner and not boolean(find("PersistentPasswd", site.server), False):
        yield Trap(
            "user-owner-without-passwd",
            owner.place.origin("UserOwner"),
            "after chroot UserOwner has no effect without PersistentPasswd (measured on 1.3.8)",
            "add, outside of <Anonymous>: PersistentPasswd on",
        )
    yield from _overwriting(site)
    yield from _copy_engine(site)


def _overwriting(site: Site) -> Iterator[Trap]:
    """A directory that is no drop box has no setting of its own, and may let more through."""
    sections = site.anonymous.inner("Directory") if site.anonymous else []
    known = (*upload_directories(site), *site.everywhere)
    for one in (one for one in sections if one not in known):
        line = one.first("AllowOverwrite")
        stores = judge("STOR", (one, *site.guests)) is not Outcome.NONE
        if line and stores and boolean(line, False):
            yield Trap(
                "directory-overwrite",
                line.place.origin("AllowOverwrite"),
                f"anonymous clients can replace files in {one.arguments[0]}",
                "without AllowOverwrite on",
            )


def _copy_engine(site: Site) -> Iterator[Trap]:
    """mod_copy's SITE CPFR and CPTO, once before login (CVE-2015-3306, CVE-2019-12815)."""
    for context in site.server:
        for line in context.directives:
            loaded = line.name == "LoadModule" and line.arguments[:1] == ("mod_copy.c",)
            if loaded and boolean(find("CopyEngine", site.server), True):
                yield Trap(
                    "copy-engine",
                    line.place.origin("LoadModule"),
                    "mod_copy copies files by SITE CPFR and CPTO, and has let anybody do so"
                    " (CVE-2015-3306, CVE-2019-12815)",
                    "add: CopyEngine off",
                )
