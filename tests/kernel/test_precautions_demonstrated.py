"""What protects a drop box, on the daemons themselves.

The table of precautions names lines for each daemon: without them the harm is done, with them it
is not. And every harm is tried on the drop boxes that ``server generate`` makes.
``make server-proof`` does it; ``make test`` sees that no line of the table is without a row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ftpfw.server.embedded.precautions import PRECAUTIONS
from ftpfw.server.options import Form
from ftpfw.server.recipes import Place, Purpose, Recipe, make

from . import audit_harms as harms
from . import drop_box_harms as drop_box
from .audit_harms import Harm, Server, anonymous, obeys
from .conftest import made_namespaces
from .ftp_servers import PASSWORD, serving

V, A, P = Form.VSFTPD, Form.PURE_ARGS, Form.PROFTPD
PROOF = bool(os.environ.get("FTPFW_SERVER_PROOF"))
RATE = 256 << 10

ROOM = f"""
id ftp >/dev/null 2>&1 || useradd --system --user-group --no-create-home ftp
usermod --home /srv/ftp ftp
id ftpsecure >/dev/null 2>&1 || useradd --system --user-group --no-create-home ftpsecure
install -d -m 0755 /srv/ftp /srv/ftp/pub
install -d -m 0755 -o ftp -g ftp /srv/ftp/incoming /srv/ftp/second /srv/ftp/incoming/empty
printf content > /srv/ftp/pub/file
useradd --home-dir /srv/ftp/alice --create-home --shell /bin/sh alice
echo alice:{PASSWORD} | chpasswd
"""

HARMS: dict[str, tuple[tuple[str, Harm], ...]] = {
    "write-only": (("fetches", anonymous(harms.fetches_what_it_stored)),),
    "unlisted": (("lists", anonymous(harms.lists_what_is_stored)),),
    "no-overwrite": (
        ("stores over", harms.changes_what_others_stored("STOR")),
        ("stores at the same time", drop_box.replaced_meanwhile),
    ),
    "no-append": (
        ("appends", harms.changes_what_others_stored("APPE")),
        ("goes on in the middle", drop_box.goes_on_in_the_middle),
    ),
    "no-change": (
        ("deletes", anonymous(harms.deletes_what_is_stored)),
        ("renames", anonymous(harms.renames("incoming/x", "incoming/y"))),
        ("makes a directory", obeys("MKD incoming/made")),
        ("removes a directory", anonymous(drop_box.removes("incoming/empty"))),
        ("changes a mode", anonymous(harms.changes_modes)),
        ("changes a time", anonymous(drop_box.changes_times)),
    ),
    "outside-shut": (
        ("stores in the root", harms.may_store("elsewhere")),
        ("stores beside the drop box", harms.may_store("second/new")),
    ),
    "given-away": (("keeps it", harms.stays_with("ftp")),),
    "dot-files": (("stores a dot file", harms.may_store("incoming/.rhosts")),),
    "odd-names": (("stores an odd name", harms.may_store("incoming/a;b`c")),),
    "links": (
        ("fetches through a link", drop_box.is_let_out),
        ("stores through a link", drop_box.stores_through_a_link),
    ),
    "size": (("stores what is too big", drop_box.stores_bytes(3 << 20)),),
    "disk": (("fills the disk", harms.fills_the_disk),),
    "rate": (("takes the line", drop_box.stores_faster(RATE, 3.0)),),
    "clients": (("holds every session", harms.sessions_at_a_time(4)),),
    "clients-per-address": (("holds many sessions", harms.sessions_at_a_time(4)),),
    "login-delay": (("guesses", harms.guesses(4)),),
    "no-bounce": (
        ("has another host called", harms.connects(harms.ELSEWHERE, 0)),
        ("has a privileged port called", harms.connects(harms.HERE, 25)),
    ),
    "no-theft": (("steals", harms.is_stolen),),
    "anonymous-only": (("guesses a password", harms.password_counts),),
    "quiet": (
        ("is told owners", anonymous(drop_box.lists_owners)),
        ("is told of vsftpd", harms.greets_with("vsftpd")),
        ("is told of Pure-FTPd", harms.greets_with("pure-ftpd")),
        ("is told of ProFTPD", harms.greets_with("proftpd")),
    ),
    "existence": (("is told what is there", drop_box.tells_what_is_there("SIZE", "RETR", "MDTM")),),
    "log": (
        ("is not logged", harms.unlogged),
        ("is not logged when broken off", drop_box.unlogged_when_broken_off),
    ),
    "partial": (
        ("stays when broken off", drop_box.stays_when_broken_off),
        ("has its name too soon", drop_box.has_its_name_too_soon),
    ),
}
"""What a drop box is attacked by, under the precaution that is to withstand it."""

BY_NAME = {name: harm for several in HARMS.values() for name, harm in several}

VSFTPD = "listen=YES\nsecure_chroot_dir=/run/vsftpd/empty\nanon_root=/srv/ftp\n"
UPLOAD = VSFTPD + "anonymous_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\n"
OTHER = UPLOAD + "anon_other_write_enable=YES\nanon_mkdir_write_enable=YES\n"
LOCAL = UPLOAD + "local_enable=YES\npam_service_name=vsftpd\n"

PURE = "-S 127.0.0.1,21 -4 -H -e"

PROFTPD = "UseIPv6 off\nUser nobody\nGroup nogroup\nUseReverseDNS off\nWtmpLog off\n"
SITE = """\
<Anonymous /srv/ftp>
User ftp
Group ftp
UserAlias anonymous ftp
RequireValidShell off
Umask 022
AllowOverwrite on
AllowStoreRestart on
</Anonymous>
"""
BAD = {V: OTHER, A: PURE, P: PROFTPD + SITE}
"""A server to which the harm is done, unless a row says which."""


@dataclass(frozen=True, slots=True)
class Row:
    """A cell of the table: its lines, and the harms that are done without them.

    ``added`` goes where the configuration of ``bad`` ends; ProFTPD's into its ``<Anonymous>``,
    ``server`` ahead of that. ``without`` goes, where of two lines the first counts. ``scaled``
    makes what takes long small.
    """

    precaution: str
    form: Form
    harms: tuple[str, ...]
    added: str
    server: str = ""
    bad: str = ""
    without: str = ""
    scaled: tuple[str, str] = ("", "")
    commands: str = ""

    @property
    def lines(self) -> str:
        return " ".join(f"{self.server} {self.added}".split())


SMALL_DISK = "mount -t tmpfs -o size=1m,mode=0777 tmpfs /srv/ftp/incoming\n"
SHUT = "<Directory /srv/ftp/incoming>\n<Limit ALL>\nDenyAll\n</Limit>\n{}</Directory>\n"
STORES = "<Limit STOR>\nAllowAll\n</Limit>\n"
NO_USERS = "<Limit LOGIN>\nDenyAll\n</Limit>\n"
ALLOWED = "<Limit LOGIN>\nAllowAll\n</Limit>\n"

DOT_FILES = r'PathDenyFilter "(^|/)\\.[^/]*$"' + "\n"

ROWS = [
    Row(
        "write-only",
        V,
        ("fetches",),
        "chown_uploads=YES\nanon_world_readable_only=YES\nanon_umask=077\n",
        bad=UPLOAD + "anon_umask=022\n",
    ),
    Row("write-only", A, ("fetches",), "-s"),
    Row("write-only", P, ("fetches",), SHUT.format(STORES)),
    Row("unlisted", P, ("lists",), SHUT.format(STORES)),
    Row("no-overwrite", V, ("stores over",), "anon_other_write_enable=NO\n"),
    Row("no-overwrite", A, ("stores at the same time",), "-r"),
    Row("no-overwrite", P, ("stores over",), "AllowOverwrite off\n", without="AllowOverwrite on\n"),
    Row("no-append", V, ("appends",), "anon_other_write_enable=NO\n"),
    Row(
        "no-append",
        P,
        ("appends", "goes on in the middle"),
        "AllowStoreRestart off\n<Limit APPE>\nDenyAll\n</Limit>\n",
        without="AllowStoreRestart on\n",
    ),
    Row(
        "no-change",
        V,
        ("deletes", "renames", "makes a directory", "removes a directory"),
        "anon_other_write_enable=NO\nanon_mkdir_write_enable=NO\n",
    ),
    Row(
        "no-change",
        P,
        (
            "deletes",
            "renames",
            "makes a directory",
            "removes a directory",
            "changes a mode",
            "changes a time",
        ),
        "<Limit WRITE SITE_CHMOD MFMT MFF RNFR>\nDenyAll\n</Limit>\n",
    ),
    Row(
        "outside-shut",
        P,
        ("stores beside the drop box",),
        f"<Limit WRITE>\nDenyAll\n</Limit>\n<Directory /srv/ftp/incoming>\n{STORES}</Directory>\n",
    ),
    Row(
        "given-away",
        V,
        ("keeps it",),
        "chown_uploads=YES\nchown_username=ftpsecure\nchown_upload_mode=0600\n",
    ),
    Row("given-away", P, ("keeps it",), "UserOwner ftpsecure\n", server="PersistentPasswd on\n"),
    Row("dot-files", V, ("stores a dot file",), "deny_file={.*}\n"),
    Row("dot-files", P, ("stores a dot file",), DOT_FILES),
    Row("odd-names", V, ("stores an odd name",), "deny_file={*;*,*|*,*$*,*`*}\n"),
    Row("odd-names", P, ("stores an odd name",), 'PathAllowFilter "^[a-zA-Z0-9_.,/-]+$"\n'),
    Row(
        "size",
        P,
        ("stores what is too big",),
        "MaxStoreFileSize 1 Gb\n",
        scaled=("1 Gb", "2 Mb"),
    ),
    Row("disk", A, ("fills the disk",), "-k 90", commands=SMALL_DISK),
    Row(
        "rate",
        V,
        ("takes the line",),
        "anon_max_rate=16777216\n",
        scaled=("16777216", str(RATE)),
    ),
    Row("rate", A, ("takes the line",), "-t 16384:", scaled=("16384", str(RATE >> 10))),
    Row(
        "rate",
        P,
        ("takes the line",),
        "TransferRate STOR,STOU 16384\n",
        scaled=("16384", str(RATE >> 10)),
    ),
    Row("clients", V, ("holds every session",), "max_clients=50\n", scaled=("=50", "=3")),
    Row("clients", A, ("holds every session",), "-c 50", scaled=("50", "3")),
    Row("clients", P, ("holds every session",), "MaxClients 50\n", scaled=("50", "3")),
    Row("clients-per-address", V, ("holds many sessions",), "max_per_ip=5\n", scaled=("=5", "=3")),
    Row("clients-per-address", A, ("holds many sessions",), "-C 5", scaled=("C 5", "C 3")),
    Row(
        "clients-per-address",
        P,
        ("holds many sessions",),
        "",
        server="MaxConnectionsPerHost 5\n",
        scaled=("Host 5", "Host 3"),
    ),
    Row(
        "login-delay",
        V,
        ("guesses",),
        "delay_failed_login=1\nmax_login_fails=3\n",
        bad=LOCAL + "max_login_fails=50\n",
    ),
    Row(
        "login-delay",
        P,
        ("guesses",),
        "",
        server="MaxLoginAttempts 3\n",
        bad="MaxLoginAttempts 50\n" + PROFTPD + SITE,
        without="MaxLoginAttempts 50\n",
    ),
    Row(
        "no-bounce",
        V,
        ("has another host called",),
        "port_promiscuous=NO\n",
        bad=VSFTPD + "port_promiscuous=YES\n",
    ),
    Row(
        "no-bounce",
        P,
        ("has another host called",),
        "",
        server="AllowForeignAddress off\n",
        bad="AllowForeignAddress on\n" + PROFTPD + SITE,
        without="AllowForeignAddress on\n",
    ),
    Row(
        "no-theft",
        V,
        ("steals",),
        "pasv_promiscuous=NO\n",
        bad=VSFTPD + "pasv_promiscuous=YES\n",
    ),
    Row("no-theft", P, ("steals",), "", server="AllowForeignAddress off\n"),
    Row("anonymous-only", V, ("guesses a password",), "local_enable=NO\n", bad=LOCAL),
    Row("anonymous-only", A, ("guesses a password",), "-e", bad=PURE.removesuffix(" -e")),
    Row("anonymous-only", P, ("guesses a password",), ALLOWED, server=NO_USERS),
    Row(
        "quiet",
        V,
        ("is told owners", "is told of vsftpd"),
        "ftpd_banner=Welcome.\nhide_ids=YES\n",
    ),
    Row("quiet", A, ("is told of Pure-FTPd",), "-F /etc/hostname"),
    Row(
        "quiet",
        P,
        ("is told owners", "is told of ProFTPD"),
        "DirFakeUser on\nDirFakeGroup on\n",
        server='ServerIdent on "Welcome."\n',
    ),
    Row("existence", P, ("is told what is there",), SHUT.format(STORES)),
    Row("log", V, ("is not logged",), "xferlog_enable=YES\nxferlog_std_format=YES\n"),
    Row("log", A, ("is not logged",), "-O stats:/var/log/ftp.stats"),
    Row(
        "log",
        P,
        ("is not logged",),
        "",
        server="TransferLog /var/log/xferlog\n",
        bad="TransferLog none\nSystemLog none\n" + PROFTPD + SITE,
        without="TransferLog none\n",
    ),
    Row("partial", V, ("stays when broken off",), "delete_failed_uploads=YES\n"),
    Row(
        "partial",
        P,
        ("stays when broken off", "has its name too soon"),
        "HiddenStores on\nDeleteAbortedStores on\n",
    ),
]
proves = pytest.mark.skipif(not PROOF, reason="for make server-proof")

ALWAYS = "always"
"""In a cell: the daemon does so by itself, whatever its configuration."""

UNSHOWN = {
    "quota": "no daemon has a bound on anonymous uploads that takes a line alone",
}
"""Precaution → why no daemon shows it."""

CELLS = [
    (one.id, form, cell)
    for one in PRECAUTIONS
    for form, cell in ((V, one.vsftpd), (A, one.pure_ftpd), (P, one.proftpd))
]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with made_namespaces() as made:
        yield made.create("precautions")


def mended(row: Row, bad: str) -> str:
    if row.form is A:
        return f"{bad} {row.added}"
    if row.form is V:
        return bad + row.added
    bad = bad.replace(row.without, "", 1) if row.without else bad
    return row.server + bad.replace("</Anonymous>", f"{row.added}</Anonymous>")


def harmed(
    row: Row, text: str, names: tuple[str, ...], namespace: str, directory: Path
) -> list[str]:
    """Which of the harms are done."""
    directory.mkdir()
    configuration = f"pure-ftpd {text}" if row.form is A else text
    recipe = Recipe(configuration, (), ROOM + row.commands, "")
    with serving(namespace, row.form, recipe, directory):
        server = Server(namespace, directory)
        return [name for name in names if BY_NAME[name](server)]


@proves
@pytest.mark.parametrize("row", ROWS, ids=[f"{row.precaution}-{row.form}" for row in ROWS])
def test_a_line_does_what_the_table_says(row: Row, namespace: str, tmp_path: Path) -> None:
    bad = row.bad or BAD[row.form]
    better = mended(row, bad).replace(*row.scaled)
    assert harmed(row, bad, row.harms, namespace, tmp_path / "bad") == list(row.harms)
    assert not harmed(row, better, row.harms, namespace, tmp_path / "better")


@proves
@pytest.mark.parametrize("form", [V, A, P])
def test_without_lines_it_is_as_the_table_says(form: Form, namespace: str, tmp_path: Path) -> None:
    """Where a cell has none: either the daemon does so always, or the harm is done."""
    cells = {id_: cell for id_, one, cell in CELLS if one is form and id_ not in UNSHOWN}
    names = tuple(name for id_, cell in cells.items() if "`" not in cell for name, _ in HARMS[id_])
    done = harmed(Row("", form, (), ""), BAD[form], names, namespace, tmp_path / "bad")
    for id_, cell in cells.items():
        if "`" not in cell:
            is_done = any(name in done for name, _ in HARMS[id_])
            assert is_done is (ALWAYS not in cell), (id_, cell, done)


def test_every_line_of_the_table_is_shown() -> None:
    assert set(HARMS) | set(UNSHOWN) == {one.id for one in PRECAUTIONS}
    shown = {(row.precaution, row.form): row.lines for row in ROWS}
    for id_, form, cell in CELLS:
        spans = [] if id_ in UNSHOWN else re.findall(r"`([^`]+)`", cell)
        lines = shown.pop((id_, form), "")
        for span in spans:
            assert re.search(re.escape(span).replace("…", ".*"), lines), (id_, form, span, lines)
    assert not shown


PLACE = Place(address=ip_address(harms.HERE), passive_ports=range(61000, 61020))
FURNISHED = f"""
printf content > /srv/ftp/pub/file
install -d -m 0755 -o ftp -g ftp /srv/ftp/incoming/empty
useradd --home-dir /srv/ftp/alice --create-home --shell /bin/sh alice
echo alice:{PASSWORD} | chpasswd
"""
IN_FULL: dict[str, Harm] = {**BY_NAME, "takes the line": drop_box.stores_faster(16 << 20, 3.0)}
"""The harms, with the numbers that generated configurations have."""

UNMADE = {
    "holds every session": "all come from one address here, of which fewer may",
    "holds many sessions": "on a server of its own",
    "fills the disk": "the disk is this machine's",
    "stores what is too big": "a GiB takes long",
    "stores beside the drop box": "there is nothing beside it",
}
"""Harm → why it is not tried on generated drop boxes."""

NOT_ITS_OWN = "it is given away already, and the directory is sticky"
STANDING = {
    (V, "stores an odd name"): "its patterns would keep such names from being fetched, too",
    (V, "has its name too soon"): "it has no other name for what is not whole",
    (V, "stays when broken off"): NOT_ITS_OWN,
    (V, "is told what is there"): "SIZE and MDTM tell it",
    (P, "has its name too soon"): NOT_ITS_OWN,
    (P, "stays when broken off"): NOT_ITS_OWN,
    (A, "stores an odd name"): "it has no rule for names",
    (A, "stores at the same time"): "with -r, which prevents it, APPE goes over others' files",
    (A, "goes on in the middle"): "REST before STOR deletes the file, and is refused then",
    (A, "has its name too soon"): "it has no other name for what is not whole",
    (A, "stays when broken off"): "what has arrived is kept, for REST",
    (A, "keeps it"): "it gives nothing away: -s and modes keep others from it",
    (A, "is told what is there"): "SIZE and MDTM tell it, and no option shuts them",
    (A, "is told owners"): "it has no option for that",
    (A, "is told of Pure-FTPd"): "its greeting goes by a file of fortunes alone",
}
"""What a generated drop box does not keep from, and why."""


@proves
@pytest.mark.parametrize("form", [V, A, P])
def test_a_generated_drop_box_withstands_the_rest(
    form: Form, namespace: str, tmp_path: Path
) -> None:
    done = set()
    with generated(form, namespace, tmp_path) as server:
        for name, harm in IN_FULL.items():
            if name not in UNMADE and harm(server):
                done.add(name)
            for file in server.incoming.iterdir():
                if not file.is_dir():
                    file.unlink()
    assert done == {name for one, name in STANDING if one is form}


@proves
@pytest.mark.parametrize(("count", "possible"), [(5, True), (6, False)])
@pytest.mark.parametrize("form", [V, A, P])
def test_a_generated_drop_box_has_few_sessions(
    form: Form, count: int, possible: bool, namespace: str, tmp_path: Path
) -> None:
    with generated(form, namespace, tmp_path) as server:
        assert harms.sessions_at_a_time(count)(server) is possible


@contextmanager
def generated(form: Form, namespace: str, directory: Path) -> Iterator[Server]:
    recipe = make(Purpose.DROP_BOX, form, PLACE)
    furnished = replace(recipe, commands=recipe.commands + FURNISHED)
    with serving(namespace, form, furnished, directory):
        yield Server(namespace, directory)
