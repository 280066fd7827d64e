"""Configurations of the three daemons as people have them."""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.server.options import Form

V, A, C, P = Form.VSFTPD, Form.PURE_ARGS, Form.PURE_CONF, Form.PROFTPD


@dataclass(frozen=True, slots=True)
class Configuration:
    """A daemon's configuration."""

    id: str
    form: Form
    text: str


VSFTPD = """\
listen=YES
listen_address=127.0.0.1
anonymous_enable=YES
local_enable=NO
anon_root=/srv/ftp
secure_chroot_dir=/run/vsftpd/empty
"""
VSFTPD_UPLOAD = VSFTPD + "write_enable=YES\nanon_upload_enable=YES\n"
VSFTPD_BOX = (
    VSFTPD_UPLOAD
    + """\
anon_umask=077
chown_uploads=YES
chown_username=keeper
chown_upload_mode=0600
deny_file={.*}
hide_ids=YES
pasv_min_port=61000
pasv_max_port=61100
ftpd_banner=Welcome.
max_clients=50
max_per_ip=5
connect_from_port_20=YES
"""
)

PURE = "pure-ftpd -S 127.0.0.1, -4 -H -f none "

PROFTPD = """\
ServerName "site"
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
User nobody
Group nogroup
DelayEngine off
WtmpLog off
TransferLog none
SystemLog none
AllowForeignAddress off
"""
PROFTPD_NO_USERS = PROFTPD + "<Limit LOGIN>\n  DenyAll\n</Limit>\n"
PROFTPD_SITE = """\
<Anonymous /srv/ftp>
  User ftp
  Group ftp
  UserAlias anonymous ftp
  RequireValidShell off
  <Limit LOGIN>
    AllowAll
  </Limit>
{}</Anonymous>
"""
PROFTPD_BOX = """\
  <Limit WRITE SITE_CHMOD SITE_CHGRP MFMT MFF RNFR>
    DenyAll
  </Limit>
  PathDenyFilter "(^|/)\\\\.[^/]*$"
  MaxStoreFileSize 500 Mb
  <Directory /srv/ftp/incoming>
    AllowOverwrite off
    AllowStoreRestart off
    UserOwner keeper
    HideNoAccess on
    <Limit ALL>
      DenyAll
    </Limit>
    <Limit CWD XCWD CDUP XCUP PWD XPWD>
      AllowAll
    </Limit>
    <Limit STOR>
      AllowAll
    </Limit>
  </Directory>
"""

CONFIGURATIONS = (
    Configuration("vsftpd-downloads", V, VSFTPD),
    Configuration("vsftpd-box", V, VSFTPD_BOX),
    Configuration(
        "vsftpd-writable",
        V,
        VSFTPD_UPLOAD
        + "anon_other_write_enable=YES\nanon_mkdir_write_enable=YES\nanon_umask=022\n",
    ),
    Configuration("pure-ftpd-downloads", A, PURE + "-e -i"),
    Configuration("pure-ftpd-plain", A, PURE + "-e"),
    Configuration("pure-ftpd-box", A, PURE + "-e -s -G -R -U 177:077 -p 61000:61100 -c 50 -C 5"),
    Configuration("pure-ftpd-writable", A, PURE + "-e -M -r -z"),
    Configuration(
        "pure-ftpd-file",
        C,
        "Bind 127.0.0.1,\nIPV4Only yes\nDontResolve yes\nSyslogFacility none\n"
        "AnonymousOnly yes\nAntiWarez yes\nNoRename yes\nNoChmod yes\nUmask 177:077\n",
    ),
    Configuration(
        "proftpd-downloads",
        P,
        PROFTPD_NO_USERS + PROFTPD_SITE.format("  <Limit WRITE>\n    DenyAll\n  </Limit>\n"),
    ),
    Configuration(
        "proftpd-box",
        P,
        "PersistentPasswd on\nUmask 0177 0077\nPassivePorts 61000 61100\n"
        + PROFTPD_NO_USERS
        + PROFTPD_SITE.format(PROFTPD_BOX),
    ),
    Configuration(
        "proftpd-writable",
        P,
        PROFTPD_NO_USERS + PROFTPD_SITE.format("  AllowOverwrite on\n  HiddenStores on\n"),
    ),
)
