"""Each finding of the audit on the daemon itself: the harm is there, and is mended by its line.

Of each, a configuration that is as short as can be is found fault with and run, and the harm is
done; then the lines that the finding proposes are added, the finding is gone and so is the harm.
``make server-proof`` does all of it, ``make test`` a choice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftpfw.server.audit import Finding, audit
from ftpfw.server.forms import read_text
from ftpfw.server.options import Form
from ftpfw.server.recipes import Recipe

from . import audit_harms as harms
from .audit_harms import Harm, Server, anonymous, as_user, obeys
from .conftest import made_namespaces
from .ftp_servers import PASSWORD, serving

V, A, P = Form.VSFTPD, Form.PURE_ARGS, Form.PROFTPD

ROOM = f"""
id ftp >/dev/null 2>&1 || useradd --system --user-group --no-create-home ftp
usermod --home /srv/ftp ftp
install -d -m 0755 /srv/ftp /srv/ftp/pub /srv/ftp/pub/deep/deepest /srv/ftp/alice
install -d -m 0755 -o ftp -g ftp /srv/ftp/incoming /srv/ftp/second
printf content > /srv/ftp/pub/file
for user in alice bob; do
    useradd --home-dir /srv/ftp/$user --no-create-home --shell /bin/sh $user
    echo $user:{PASSWORD} | chpasswd
done
echo root:{PASSWORD} | chpasswd
install -d -m 0755 -o alice /srv/ftp/alice/files
install -d -m 0755 -o bob /srv/ftp/bob
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server \\
    -keyout /etc/server.pem -out /etc/server.pem
"""
SMALL_DISK = """
mount -t tmpfs -o size=1m,mode=0777 tmpfs /srv/ftp/incoming
"""
CLOSED = "chown root:ftp /srv/ftp/incoming /srv/ftp/second; chmod 1730 /srv/ftp/incoming\n"
"""What the audit says where it is permissions that help."""


@dataclass(frozen=True, slots=True)
class Row:
    """A demonstration. ``mended``: what is done by hand where the mend is no line to be added.

    ``stays``: why the finding is still there then. ``commands``: more to make room;
    ``mending``: commands that mend.
    """

    id: str
    form: Form
    bad: str
    harm: Harm
    mended: str | None = None
    commands: str = ""
    mending: str = ""
    stays: str = ""
    scaled: tuple[str, str] = ("", "")


VSFTPD = "listen=YES\nsecure_chroot_dir=/run/vsftpd/empty\nanon_root=/srv/ftp\n"
UPLOAD = VSFTPD + "anonymous_enable=YES\nwrite_enable=YES\nanon_upload_enable=YES\n"
OTHER = UPLOAD + "anon_other_write_enable=YES\n"
LOCAL = VSFTPD + "anonymous_enable=NO\nlocal_enable=YES\npam_service_name=vsftpd\n"
LOCAL += "rsa_cert_file=/etc/server.pem\n"
TLS = LOCAL + "ssl_enable=YES\nssl_ciphers=ALL:@SECLEVEL=0\n"
PROFTPD = "UseIPv6 off\nUser nobody\nGroup nogroup\nUseReverseDNS off\nUmask 022\n"
SITE = "<Anonymous /srv/ftp>\nUser ftp\nGroup ftp\nUserAlias anonymous ftp\n"
SITE += "RequireValidShell off\n</Anonymous>\n"
OVER = "<Directory /srv/ftp/incoming>\nAllowOverwrite on\n</Directory>\n"
OWNED = SITE.replace("</", "UserOwner bob\n</")
NARROW = "pasv_min_port=50000\npasv_max_port=50001\n"

ROWS = [
    Row("anonymous-overwrite", V, OTHER, harms.changes_what_others_stored("STOR")),
    Row("anonymous-append", V, OTHER, harms.changes_what_others_stored("APPE")),
    Row(
        "anonymous-delete",
        V,
        OTHER,
        anonymous(harms.deletes_what_is_stored),
    ),
    Row(
        "anonymous-rename",
        V,
        OTHER,
        anonymous(harms.renames("incoming/x", "second/y")),
    ),
    Row(
        "anonymous-chmod",
        P,
        PROFTPD + SITE,
        anonymous(harms.changes_modes),
    ),
    Row(
        "anonymous-directories",
        V,
        UPLOAD + "anon_mkdir_write_enable=YES\n",
        obeys("MKD incoming/deep"),
    ),
    Row(
        "drop-box-readable",
        V,
        UPLOAD + "anon_umask=022\n",
        anonymous(harms.fetches_what_it_stored),
    ),
    Row(
        "drop-box-anywhere",
        V,
        UPLOAD,
        harms.may_store("second/new"),
        mending=CLOSED,
        stays="no line of vsftpd's names a directory for uploads",
    ),
    Row(
        "drop-box-listed",
        V,
        UPLOAD,
        anonymous(harms.lists_what_is_stored),
        mending=CLOSED,
        stays="it is permissions that keep from it",
    ),
    Row(
        "upload-modes",
        V,
        UPLOAD + "anon_umask=055\n",
        harms.stored_mode(0o022, "incoming/new"),
    ),
    Row("dot-files", V, UPLOAD, harms.may_store("incoming/.rhosts")),
    Row("upload-without-bound", A, "-e", harms.fills_the_disk, commands=SMALL_DISK),
    Row("upload-without-log", V, UPLOAD, harms.unlogged),
    Row(
        "any-name",
        A,
        "-e",
        harms.may_log_in("carol"),
        mended="",
    ),
    Row(
        "bounce",
        V,
        VSFTPD + "port_promiscuous=YES\n",
        harms.connects(harms.ELSEWHERE, 0),
    ),
    Row("passive-theft", P, PROFTPD + SITE, harms.is_stolen),
    Row("passive-unpinned", V, VSFTPD, harms.passive_outside(range(61000, 61200))),
    Row("passive-ephemeral", V, VSFTPD + NARROW, harms.taken_by_others(range(50000, 50002))),
    Row("active-from-20", V, VSFTPD + "connect_from_port_20=YES\n", harms.data_from(20)),
    Row(
        "clients-without-limit",
        V,
        VSFTPD + "max_clients=0\nmax_per_ip=0\n",
        harms.sessions_at_a_time(51),
    ),
    Row(
        "clients-per-address-without-limit",
        V,
        VSFTPD + "max_per_ip=0\n",
        harms.sessions_at_a_time(6),
    ),
    Row(
        "idle-without-limit",
        V,
        VSFTPD + "idle_session_timeout=0\n",
        harms.stays_idle(3.0),
        scaled=("idle_session_timeout=300", "idle_session_timeout=1"),
    ),
    Row(
        "failures-without-limit",
        P,
        PROFTPD + "MaxLoginAttempts none\n",
        harms.guesses(4),
    ),
    Row("root-login", P, PROFTPD + "RootLogin on\nUseFtpUsers off\n", harms.may_log_in("root")),
    Row("users-not-jailed", V, LOCAL, harms.may_fetch("/etc/passwd", "alice")),
    Row(
        "writable-root",
        V,
        LOCAL + "write_enable=YES\nchroot_local_user=YES\nallow_writeable_chroot=YES\n",
        as_user(lambda ftp: ftp.mkd("/etc") != "", "bob"),
    ),
    Row(
        "users-executable",
        V,
        LOCAL + "write_enable=YES\nlocal_umask=0\n",
        harms.stored_mode(0o002, "files/new", "alice"),
    ),
    Row("password-in-clear", V, LOCAL, harms.may_log_in("alice")),
    Row("tls-optional", V, TLS + "force_local_logins_ssl=NO\n", harms.may_log_in("alice")),
    Row(
        "tls-session-reuse",
        V,
        TLS + "require_ssl_reuse=NO\n",
        harms.another_tls_session_gets_it,
    ),
    Row(
        "tls-obsolete",
        P,
        PROFTPD + "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\n"
        "TLSRSACertificateFile /etc/server.pem\nTLSProtocol TLSv1 TLSv1.1 TLSv1.2\n"
        "TLSCipherSuite ALL:@SECLEVEL=0\n",
        harms.speaks_tls_1,
    ),
    Row("banner-tells", V, VSFTPD, harms.greets_with("vsftpd")),
    Row("recursion", V, VSFTPD + "ls_recurse_enable=YES\n", anonymous(harms.lists_deep)),
    # not among the checks
    Row("auto-rename-append", A, "-e -r", harms.append_after_a_rename, mended="-e"),
    Row(
        "keep-all-files",
        A,
        "-E -K",
        as_user(harms.renames("files/a", "files/b", over=True)),
        mended="-E -K -G -r",
        stays="KeepAllFiles still promises more than it does, though others now keep it",
    ),
    Row("rest-deletes", A, "-e", harms.rest_deletes),
    Row(
        "order-lets-in",
        P,
        PROFTPD + SITE + "<Limit ALL>\nAllow from 10.0.0.0/8\n</Limit>\n",
        harms.may_fetch("/etc/passwd", "alice"),
        mended=PROFTPD + SITE + "<Limit ALL>\nAllow from 10.0.0.0/8\nDeny from all\n</Limit>\n",
    ),
    Row(
        "address-not-bound",
        P,
        PROFTPD + "DefaultAddress 127.0.0.1\n",
        harms.reaches(harms.ELSEWHERE),
    ),
    Row(
        "user-owner-without-passwd",
        P,
        PROFTPD + OWNED,
        harms.stays_with("ftp"),
        mended=PROFTPD + "PersistentPasswd on\n" + OWNED,
    ),
    Row(
        "directory-overwrite",
        P,
        PROFTPD + SITE.replace("</", f"{OVER}</"),
        harms.changes_what_others_stored("STOR"),
    ),
    Row(
        "copy-engine",
        P,
        PROFTPD
        + SITE.replace("</", "<Limit STOR>\nDenyAll\n</Limit>\n</")
        + "LoadModule mod_copy.c\n",
        obeys("SITE CPFR pub/file", "SITE CPTO incoming/copy"),
    ),
    Row(
        "undocumented-default",
        V,
        VSFTPD,
        harms.may_log_in(),
        mended=VSFTPD + "anonymous_enable=NO\nlocal_enable=YES\n",
        stays="of other options the manual is wrong too",
    ),
    Row(
        "not-judged",
        V,
        VSFTPD + "tcp_wrappers=YES\n",
        harms.turned_away,
        mended=VSFTPD + "tcp_wrappers=NO\n",
        commands="echo 'vsftpd: 127.0.0.2' >> /etc/hosts.deny\n",
    ),
    Row("passive-narrow", V, VSFTPD + NARROW, harms.fails_passive(3)),
]

NOT_DEMONSTRATED = {
    "wu-ftpd": "no distribution of today has the daemon",
}
"""Finding → why no daemon shows it here."""

CHOSEN = {
    "anonymous-overwrite",
    "passive-theft",
    "rest-deletes",
    "bounce",
    "user-owner-without-passwd",
    "tls-session-reuse",
}
"""One of each kind of mend, on each of the daemons."""

RUN = ROWS if os.environ.get("FTPFW_SERVER_PROOF") else [row for row in ROWS if row.id in CHOSEN]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with made_namespaces() as made:
        yield made.create("audit")


def found(row: Row, text: str) -> dict[str, Finding]:
    reading = read_text(text.replace(" -", "\n-"), "configuration", row.form)
    return {one.id: one for one in audit(reading)}


def mended(row: Row, finding: Finding) -> str:
    """The configuration with what the finding proposes."""
    if row.mended is not None:
        return row.mended
    text = row.bad
    if row.mending:
        return text
    lines = finding.mend.removeprefix("add: ").split("; ")
    gone = {line.removeprefix("without ") for line in lines if line.startswith("without ")}
    if row.form is P:
        named = {line.partition(" ")[0] for line in gone}
        gone = {line for line in text.splitlines() if line.partition(" ")[0] in named}
    added = [line.partition(", or ")[0] for line in lines if not line.startswith("without ")]
    if row.form is A:
        return " ".join([*(flag for flag in text.split() if flag not in gone), *added])
    kept = [line for line in text.splitlines() if line not in gone]
    for line in added:
        kept = _within(kept, line)
    return "\n".join([*kept, ""])


def _within(text: list[str], line: str) -> list[str]:
    """A ProFTPD line goes into the contexts that stand before it: there, or made for it."""
    around: list[str] = []
    while line.startswith("<"):
        context, _, line = line.partition("> ")
        around.append(f"{context}>")
    if around and around[0] in text:
        end = text.index("</Anonymous>")
        return [*text[:end], *_nested(around[1:], line), *text[end:]]
    name = line.partition(" ")[0]
    if not around:  # of two lines the first counts, so it takes the other's place
        text = [one for one in text if one.partition(" ")[0] != name]
    return [*text, *_nested(around, line)]


def _nested(around: list[str], line: str) -> list[str]:
    ends = [f"</{one.strip('<>').partition(' ')[0]}>" for one in reversed(around)]
    return [*around, line, *ends]


def is_harmed(row: Row, text: str, namespace: str, directory: Path, mending: str = "") -> bool:
    directory.mkdir()
    text = text.replace(*row.scaled)
    configuration = f"pure-ftpd {text}" if row.form is A else text
    recipe = Recipe(configuration, (), ROOM + row.commands + mending, "")
    with serving(namespace, row.form, recipe, directory):
        return row.harm(Server(namespace, directory))


@pytest.mark.parametrize("row", RUN, ids=[f"{row.id}-{row.form}" for row in RUN])
def test_finding(row: Row, namespace: str, tmp_path: Path) -> None:
    finding = found(row, row.bad)[row.id]
    better = mended(row, finding)
    assert (row.id in found(row, better)) is bool(row.stays), finding.mend
    assert is_harmed(row, row.bad, namespace, tmp_path / "bad")
    assert not is_harmed(row, better, namespace, tmp_path / "mended", row.mending), finding.mend
