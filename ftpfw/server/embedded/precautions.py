"""What protects a server that takes uploads of anybody: one row each, on with ``--upload``.

docs/serving.md has the same table, beside it the lines that do it in each of the daemons; where
one has none, permissions of files have to (a dash). A test holds them equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NONE = "–"


@dataclass(frozen=True, slots=True)
class Precaution:
    """One of them: its name, what it is, and what is written in the daemons' files for it."""

    id: str
    what: str
    vsftpd: str = NONE
    pure_ftpd: str = NONE
    proftpd: str = NONE


PRECAUTIONS: Sequence[Precaution] = (
    Precaution(
        "write-only",
        "the drop box is written to; nothing in it can be fetched",
        "`chown_uploads=YES` `anon_world_readable_only=YES` `anon_umask=077`",
        "`-s`",
        "`<Directory …/incoming> <Limit ALL> DenyAll` `<Limit STOR> AllowAll`",
    ),
    Precaution(
        "unlisted",
        "the drop box cannot be listed",
        NONE,
        NONE,
        "`<Limit ALL> DenyAll` in it",
    ),
    Precaution(
        "no-overwrite",
        "an upload never replaces a file: a name that is taken gets an ending",
        "`anon_other_write_enable=NO`",
        "always; of two at a time by `-r`",
        "`AllowOverwrite off`",
    ),
    Precaution(
        "no-append",
        "nothing is appended to, and no upload goes on in the middle (APPE, REST)",
        "`anon_other_write_enable=NO`",
        NONE,
        "`AllowStoreRestart off` `<Limit APPE> DenyAll`",
    ),
    Precaution(
        "no-change",
        "nothing is deleted, renamed, made a directory, or given other permissions or times",
        "`anon_other_write_enable=NO` `anon_mkdir_write_enable=NO`",
        "always",
        "`<Limit WRITE SITE_CHMOD MFMT MFF RNFR> DenyAll`",
    ),
    Precaution(
        "outside-shut",
        "outside of the drop box nothing can be stored",
        NONE,
        NONE,
        "`<Limit WRITE> DenyAll` for the rest",
    ),
    Precaution(
        "given-away",
        "a whole upload belongs to another user, mode 0600, until it is moved",
        "`chown_uploads=YES` `chown_username=ftpsecure` `chown_upload_mode=0600`",
        NONE,
        "`UserOwner ftpsecure` `PersistentPasswd on`",
    ),
    Precaution(
        "dot-files",
        "no name begins with a dot",
        "`deny_file={.*}`",
        "always",
        r'`PathDenyFilter "(^|/)\\.[^/]*$"`',
    ),
    Precaution(
        "odd-names",
        "no name means anything to a shell, a terminal or an option parser",
        "`deny_file={*;*,*|*,*$*…}`",
        NONE,
        '`PathAllowFilter "^[a-zA-Z0-9_.,/-]+$"`',
    ),
    Precaution(
        "links",
        "no link leads out of what is served, and none is written through",
        "chroot, always",
        "chroot, always",
        "chroot, always",
    ),
    Precaution(
        "size",
        "an upload is no bigger than 1 GiB (552)",
        NONE,
        NONE,
        "`MaxStoreFileSize 1 Gb`",
    ),
    Precaution(
        "quota",
        "all uploads together have a bound in files and bytes, `--quota` (552)",
        NONE,
        "`-n`, of accounts alone",
        "mod_quotatab",
    ),
    Precaution(
        "disk",
        "no uploads once the file system is 90 % full (452)",
        NONE,
        "`-k 90`",
        NONE,
    ),
    Precaution(
        "rate",
        "an upload takes no more than 16 MiB a second, `--upload-rate`",
        "`anon_max_rate=16777216`",
        "`-t 16384:`",
        "`TransferRate STOR,STOU 16384`",
    ),
    Precaution(
        "clients",
        "sessions are limited, in all (421)",
        "`max_clients=50`",
        "`-c 50`",
        "`MaxClients 50`",
    ),
    Precaution(
        "clients-per-address",
        "sessions are limited, of one address (421)",
        "`max_per_ip=5`",
        "`-C 5`",
        "`MaxConnectionsPerHost 5`",
    ),
    Precaution(
        "login-delay",
        "a failed login is answered late, and the third is the last",
        "`delay_failed_login=1` `max_login_fails=3`",
        "always",
        "`MaxLoginAttempts 3`",
    ),
    Precaution(
        "no-bounce",
        "PORT and EPRT to other addresses are refused, and to ports below 1024",
        "`port_promiscuous=NO`",
        "always",
        "`AllowForeignAddress off`",
    ),
    Precaution(
        "no-theft",
        "data is taken from, and given to, the client's own address",
        "`pasv_promiscuous=NO`",
        "always",
        "`AllowForeignAddress off`, written out",
    ),
    Precaution(
        "anonymous-only",
        "nobody logs in with a password that is worth something",
        "`local_enable=NO`",
        "`-e`, any name then",
        "`<Limit LOGIN> DenyAll` ahead of the anonymous one",
    ),
    Precaution(
        "quiet",
        "greeting, status and listings tell of no software, owner, link or address",
        "`ftpd_banner=…` `hide_ids=YES`",
        "`-F …`",
        "`ServerIdent on …` `DirFakeUser on` `DirFakeGroup on`",
    ),
    Precaution(
        "existence",
        "what is there and what is not get the same answers",
        NONE,
        NONE,
        "`<Limit ALL> DenyAll` in the drop box",
    ),
    Precaution(
        "log",
        "with `--xferlog`, every transfer is written down, the broken ones too",
        "`xferlog_enable=YES` `xferlog_std_format=YES`",
        "`-O stats:…`",
        "`TransferLog …`",
    ),
    Precaution(
        "partial",
        "an upload has no name before it is whole, and is removed if it never is",
        "`delete_failed_uploads=YES`",
        NONE,
        "`HiddenStores on` `DeleteAbortedStores on`",
    ),
)


def rows() -> Iterator[str]:
    """The table as Markdown."""
    yield "| precaution | what | vsftpd | Pure-FTPd | ProFTPD |"
    yield "|---|---|---|---|---|"
    for one in PRECAUTIONS:
        cells = (f"`{one.id}`", one.what, one.vsftpd, one.pure_ftpd, one.proftpd)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
