"""A plugin of pytest that has pyftpdlib's own tests talk to our handler.

They start a server in a thread of their own process, for each test. Here that is a worker of
`ftpfw serve`, with every right on the directory that they run in; what they set on pyftpdlib's
classes becomes a setting of ours, or ends the test.

NOT_OURS names those that cannot hold of our handler: a class, a test, or a test of a class. Each
has to fail; a test that is named nowhere has to pass.
"""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler

from ftpfw.server.embedded import bounds
from ftpfw.server.embedded import worker as workers
from ftpfw.server.embedded.bounds import Census
from ftpfw.server.embedded.own import base
from ftpfw.server.embedded.seats import Seats
from ftpfw.server.embedded.session import Session
from ftpfw.server.embedded.site import Site, prepare
from ftpfw.server.settings import ALL_RIGHTS, Limits, Path, TlsLevel, changed

USER = "user"
"""Who logs in in those tests; here one more name for everybody."""

SOON, PATIENCE = 0.3, 10.0
"""Seconds that clients wait."""

Changes = dict[Path, Any]

SETTINGS: Mapping[str, Callable[[Any], Changes]] = {
    "banner": lambda text: {"messages.banner": text},
    "max_login_attempts": lambda number: {"login.failures": number},
    "masquerade_address": lambda address: {"passive.announced": address},
    "passive_ports": lambda ports: {"passive.ports": ports},
    "use_gmt_times": lambda gmt: {"listing.local_time": not gmt},
    "timeout": lambda seconds: {"timeouts.idle": seconds or None},
    "dtp_handler.timeout": lambda seconds: {"timeouts.stalled": seconds or None},
    "passive_dtp.timeout": lambda seconds: {"timeouts.accept": seconds or None},
    "active_dtp.timeout": lambda seconds: {"timeouts.connect": seconds or None},
    "max_cons": lambda number: {"limits.clients": number},
    "max_cons_per_ip": lambda number: {"limits.clients_per_address": number},
    "tls_control_required": lambda on: {"tls.anonymous": TlsLevel.CONTROL} if on else {},
    "tls_data_required": lambda on: {"tls.anonymous": TlsLevel.DATA} if on else {},
    "ssl_protocol": lambda _: {},
    "auth_failed_timeout": lambda seconds: {"login.failure_delay": seconds},
}
"""What can be set on pyftpdlib's classes, and what it is called here."""

PARTS = {"dtp_handler", "passive_dtp", "active_dtp"}


ANY_PASSWORD = "sessions are anonymous: any password will do"
ONE_AT_A_TIME = "USER and REIN wait for the transfer that runs, as most commands do"
AT_THE_TRANSFER = "an active connection is opened when a transfer begins, as by the three daemons"
FIRST_A_WAY = "a transfer without PORT or PASV before it is answered 425, as by vsftpd"
NO_STRAY_REPLY = "a data connection that fails before a command is told of by no reply to none"
INSIDE = "looks into pyftpdlib's process, or puts code of its own there"
NO_SUCH_OPTION = "an option that there is not: "

NOT_OURS: Mapping[str, str] = {
    "TestCallbacks": INSIDE,
    "TestFtpStoreDataNoSendfile": f"{NO_SUCH_OPTION}sendfile is used wherever it can be",
    "TestFtpRetrieveDataNoSendfile": f"{NO_SUCH_OPTION}sendfile is used wherever it can be",
    "TestThrottleBandwidth": f"{NO_SUCH_OPTION}a handler for rates is set; ours are settings",
    "test_active_conn_error": AT_THE_TRANSFER,
    "test_anon_auth": ANY_PASSWORD,
    "test_auth_failed": ANY_PASSWORD,
    "test_max_auth": ANY_PASSWORD,
    "TestTimeouts::test_data_timeout": NO_STRAY_REPLY,
    "test_encoding": f"{NO_SUCH_OPTION}names are bytes, UTF-8 or not",
    "test_eprt": AT_THE_TRANSFER,
    "TestIPv6MixedEnvironment::test_eprt_v4": AT_THE_TRANSFER,
    "test_eprt_v6": "::foo is no address, which is said before that it is another's",
    "test_error_on_callback": INSIDE,
    "TestFTPS::test_feat": "AUTH SSL is understood, but not told of",
    "test_idle_data_timeout1": NO_STRAY_REPLY,
    "test_ioloop_fileno": INSIDE,
    "test_masquerade_address": "an address that is none is refused at the start, not announced",
    "test_masquerade_address_map": f"{NO_SUCH_OPTION}one address is announced",
    "test_max_connections": "sessions are counted, not descriptors",
    "test_mlsd_all_facts": "no fact tells of inodes, owners or modes",
    "test_no_auth_cmds": "STAT takes a login, as in the daemons",
    "test_opts_feat": "facts are in another order, which has no meaning (RFC 3659 7.8)",
    "test_pasv_timeout": NO_STRAY_REPLY,
    "test_passive_ports_busy": "no passive port is outside of the range: 425",
    "test_permit_foreign_address_false": INSIDE,
    "test_permit_foreign_address_true": f"{NO_SUCH_OPTION}PORT to others is always refused",
    "test_permit_privileged_ports": f"{NO_SUCH_OPTION}privileged ports are always refused",
    "test_port_race_condition": AT_THE_TRANSFER,
    "test_rein_during_transfer": ONE_AT_A_TIME,
    "test_rest_on_stor": FIRST_A_WAY,
    "test_stou": FIRST_A_WAY,
    "test_stou_max_tries": INSIDE,
    "test_stou_orphaned_file": FIRST_A_WAY,
    "test_stou_rest": FIRST_A_WAY,
    "test_tls_control_required": "USER in clear text is answered 530, as by vsftpd",
    "test_tls_data_required": "data in clear text is answered 521 (RFC 4217 9)",
    "test_user_during_transfer": ONE_AT_A_TIME,
    "TestFtpStoreDataTLSMixin::test_quit_during_transfer": "an upload is whole only if the client"
    " ends TLS in order",
}

WORDS: Mapping[str, str] = {
    "200 PBSZ=0": "200 PBSZ=0 successful.",
    "421 Too many connections from your address.": (
        "421 Too many connections from the same IP address."
    ),
    "501 EPRT not understood.": "501 Invalid EPRT format.",
    "501 EPRT to another address refused.": "501 Rejected data connection to foreign address",
    "501 PORT not understood.": "501 Invalid PORT format.",
    "501 PORT to another address refused.": "501 Rejected data connection to foreign address",
    "503 AUTH TLS and PBSZ first.": (
        "503 PROT not allowed on insecure control connection."
        " 503 You must issue the PBSZ command prior to PROT."
    ),
    "503 AUTH TLS first.": "503 PBSZ not allowed on insecure control connection.",
    "503 TLS is on already.": "503 Already using TLS.",
    "503 Send USER first.": "503 Login with USER first. 503 User already authenticated.",
    "550 No such file or directory, or not permitted.": (
        "550 No such file. File exists. Not a directory. Is not retrievable."
        " Can't rename home directory."
    ),
    "550 Not permitted on this server.": "550 No such file.",
}
"""Replies of ours, and those of theirs that say the same: it is the codes that have to agree.

Where theirs tell what is there, ours have one answer for everything.
"""


class NotOurs(Exception):  # noqa: N818 -- it is no error
    """A test asks for what only pyftpdlib has."""


class Options:
    """Stands for a class of pyftpdlib: what is set on it is kept for the start."""

    def __init__(self, kind: Any, given: Changes, prefix: str = "") -> None:
        vars(self).update(_kind=kind, _given=given, _prefix=prefix)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._kind, name)
        return Options(value, self._given, f"{name}.") if name in PARTS else value

    def __setattr__(self, name: str, value: Any) -> None:
        setting = SETTINGS.get(f"{self._prefix}{name}")
        if setting is not None:
            self._given.update(setting(value))
        elif getattr(self._kind, name) != value:
            raise NotOurs(f"pyftpdlib's {self._prefix}{name}")


def spoken_to(site: Site) -> type[Session]:
    """The handler, whose words are pyftpdlib's where its tests look at them; codes are its own."""
    kind = workers.handler_for(site)

    def respond(self: Session, resp: str, logfun: Any = None) -> None:
        kind.respond(self, WORDS.get(resp, resp), logfun)

    return type(kind.__name__, (kind,), {"respond": respond})


class OurServer:
    """In place of FtpdThreadWrapper."""

    handler: Any = FTPHandler

    def __init__(self, addr: tuple[str, int] | None = None) -> None:
        self._given: Changes = {}
        self._tls = self.handler is TLS_FTPHandler
        self.handler = Options(self.handler, self._given)
        self.server = Options(SimpleNamespace(max_cons=0, max_cons_per_ip=0), self._given)
        self.lock = threading.Lock()
        host = "127.0.0.1" if addr is None else addr[0] or "::"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        both = host == "::"
        self._listener = socket.create_server((host, 0), family=family, dualstack_ipv6=both)
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()[:2]
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        settings = changed(base(privileged=False), {**self._wanted(), **self._given})
        self._site = prepare(settings, Seats())
        self._orders, orders = socket.socketpair()
        self._favours, favours = socket.socketpair()
        worker = workers.Worker(self._site, spoken_to(self._site), orders, favours)
        worker.listen([self._listener])
        self._thread = threading.Thread(target=worker.run, name="test-ftpd", daemon=True)
        self._thread.start()
        self._ours = (orders, favours)

    def _wanted(self) -> Changes:
        changes: Changes = {f"anonymous.rights.{one}": True for one in ALL_RIGHTS.__slots__}
        changes |= {
            "anonymous.root": os.getcwd(),
            "anonymous.names": ("anonymous", "ftp", USER),
            "anonymous.file_umask": 0o022,
            "anonymous.directory_umask": 0o022,
            "files.hidden_until_complete": False,
            "limits.clients_per_address": None,
            "limits.full_disk": None,
            "login.failure_delay": 0,
            "passive.ports": None,
        }
        if self._tls:
            tests = importlib.import_module("tests")
            changes |= {
                "tls.anonymous": TlsLevel.OPTIONAL,
                "tls.certificate": tests.CERTFILE,
                "tls.session_reuse": False,
            }
        return changes

    def stop(self) -> None:
        if self._thread is None:
            self._listener.close()
            return
        self._orders.send(workers.STOP)
        self._thread.join(5)
        assert not self._thread.is_alive(), "the server goes on"
        self._site.close()
        for one in (self._orders, self._favours, *self._ours):
            one.close()


def refuse_session(limits: Limits, census: Census) -> str | None:
    """Ours, in pyftpdlib's words."""
    refusal = bounds.refuse_session(limits, census)
    return None if refusal is None else WORDS.get(refusal, refusal)


def pytest_configure() -> None:
    """Before their modules are imported."""
    workers.GRACE = 0.05
    vars(workers)["refuse_session"] = refuse_session
    sys.path.insert(0, os.getcwd())
    tests = importlib.import_module("tests")
    tests.FtpdThreadWrapper = OurServer  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """What does not apply has to fail; a name that is no test's is an error.

    A module that inherits classes of another one has these as well; they are left out.
    """
    items[:] = [item for item in items if item.cls.__module__ == item.module.__name__]
    unknown = set(NOT_OURS)
    for item in items:
        whole = item.nodeid.partition("::")[2]
        kind, _, name = whole.partition("::")
        listed = next((one for one in (whole, name, kind) if one in NOT_OURS), None)
        if listed is not None:
            unknown.discard(listed)
            item.add_marker(pytest.mark.xfail(reason=NOT_OURS[listed], strict=True))
    if unknown:
        raise pytest.UsageError(f"no tests of pyftpdlib: {', '.join(unknown)}")


@pytest.fixture(autouse=True)
def no_fault(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No exception that nobody has thought of, whatever the client has seen of it."""
    yield
    if request.node.get_closest_marker("xfail") is None:
        assert not [one for one in caplog.get_records("call") if one.levelno >= logging.ERROR]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Who has to fail need not wait for it; who has to pass has time."""
    functional = importlib.import_module("tests.test_functional")
    listed = item.get_closest_marker("xfail") is not None
    functional.GLOBAL_TIMEOUT = SOON if listed else PATIENCE  # type: ignore[attr-defined]
