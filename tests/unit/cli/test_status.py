"""How status looks, on a terminal of 80 columns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ftpfw.cli.status import _goes_by_it, _total, _view
from ftpfw.conntrack.model import Tuple
from ftpfw.ftp.checks import Action
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import UNCHANGED, Note, NoteKind
from ftpfw.helper.report import Report
from ftpfw.helper.state import State
from ftpfw.helper.tally import Tally

from ..helper.reports import helper_report, worker_report

NOW = 100_000.0
STATE = State(Path("/run/ftpfw"))
FILE = "/etc/ftpfw/gateway.toml"
POLICY = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\nmasquerade = true\n'
STANDING = {"file": FILE, "text": POLICY, "since": NOW - 60, "refused": None}
CONTROL = Tuple(bytes([10, 0, 1, 7]), 51612, bytes([198, 51, 100, 9]), 21)

SESSIONS: list[dict[str, Any]] = [
    {
        "client": "10.0.1.7:51612",
        "server": "198.51.100.9:21",
        "user": "anonymous",
        "phase": "transfer",
        "age": 75.0,
    },
    {
        "client": "[fd00:1::7]:40210",
        "server": "[2001:db8::9]:21",
        "user": "\x1b[2Janna",
        "phase": "logged-in",
        "age": 3600.0,
    },
    {
        "client": "10.0.1.8:40000",
        "server": "198.51.100.9:21",
        "user": None,
        "phase": "tls",
        "age": 5.0,
    },
]

EXPECTATIONS: list[dict[str, Any]] = [
    {
        "source": "198.51.100.9:any",
        "destination": "203.0.113.1:38401",
        "translated_to": "10.0.1.7:38401",
        "client": "10.0.1.7:51612",
        "server": "198.51.100.9:21",
        "seconds_left": 287,
    }
]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "localtime", time.gmtime)


def tally() -> Tally:
    tally = Tally()
    for seconds in (20e-6, 20e-6, 20e-6, 0.002):
        tally.count(UNCHANGED)
        tally.verdicts.observe(seconds)
    line = "PORT 10,0,1,9,4,1"
    tally.note(Note(NoteKind.EXPECTED, "PORT", CONTROL, about=Kind.PORT), 1.0)
    tally.note(Note(NoteKind.REFUSED, "foreign address", CONTROL, line, Kind.PORT), 3600.0)
    tally.note(Note(NoteKind.CHECK, "nul", CONTROL, "NOOP\0", action=Action.RESET), 3601.0)
    return tally


def report(**changes: Any) -> Report:
    helper = helper_report(
        worker_report(0, tally(), flows=3, sessions=[{**one} for one in SESSIONS]),
        since=NOW - 60,
        policy=STANDING,
    )
    return {
        "loaded": True,
        "helper_running": True,
        "policy": FILE,
        "text": POLICY,
        "backend": "borrowed",
        "firewall": "legacy",
        "since": NOW - 61,
        "drift": 0,
        "helper": helper,
        "total": _total(helper, EXPECTATIONS),
        "expectations": EXPECTATIONS,
        **changes,
    }


def seen(report: Report, limit: int = 20) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(_view(report, STATE, limit))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).rstrip()


WHOLE = r"""
gateway
policy      /etc/ftpfw/gateway.toml
backend     borrowed
rules       on legacy, as loaded
loaded for  0:01:01
helper      pid 99, up 0:01:00
goes by     /etc/ftpfw/gateway.toml, read 0:01:00 ago
verdicts    50% within 25 µs, 99% within 2.5 ms

workers, and the packets each has seen
queue  pid  flows  packets  changed  held back  dropped  overruns  faults
0      100  3      4        0        0          0        0         0

sessions
client             server            user         state      age      expects
10.0.1.7:51612     198.51.100.9:21   anonymous    transfer   0:01:15  1
[fd00:1::7]:40210  [2001:db8::9]:21  \x1b[2Janna  logged in  1:00:00  0
10.0.1.8:40000     198.51.100.9:21   –            TLS        0:00:05  0

expected data connections
from              to                 translated to   client          left
198.51.100.9:any  203.0.113.1:38401  10.0.1.7:38401  10.0.1.7:51612  287 s

last refusals
at        client          why              line
01:00:01  10.0.1.7:51612  nul (reset)      NOOP\x00
01:00:00  10.0.1.7:51612  foreign address  PORT 10,0,1,9,4,1

what was in the packets
what      which or why     count
check     nul              1
expected  PORT             1
refused   foreign address  1
"""


def test_the_whole_of_it() -> None:
    assert seen(report()) == WHOLE.strip()


def test_long_tables_are_cut_and_say_so() -> None:
    text = seen(report(), limit=2)
    assert "sessions: 2 of 3, --json has all" in text
    assert "10.0.1.8:40000" not in text


def test_ipv6_folds_rather_than_vanishes() -> None:
    long = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:40210"
    text = seen(report(expectations=[{**EXPECTATIONS[0], "client": long, "source": long}]))
    columns = [line.replace(" ", "") for line in text.splitlines()]
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "40210" in "".join(columns)


LINES = [
    ("rules have changed", {"drift": 2}, "on legacy, 2 differences: `ftpfw rules check` names"),
    (
        "the helper has died",
        {"helper": None, "total": None, "expectations": []},
        "not running: `ftpfw load` with the same policy starts it again",
    ),
    (
        "none is needed",
        {"helper": None, "total": None, "expectations": [], "backend": "kernel"},
        "helper      none needed",
    ),
    (
        "nothing",
        {"loaded": False, "helper": None, "total": None},
        "nothing is loaded here (no state in /run/ftpfw)",
    ),
]


@pytest.mark.parametrize(("changes", "line"), [row[1:] for row in LINES], ids=[r[0] for r in LINES])
def test_what_is_amiss_is_told(changes: dict[str, Any], line: str) -> None:
    assert line in seen(report(**changes))


def test_a_policy_that_was_refused_is_told() -> None:
    told = report()
    told["helper"]["policy"] = {**STANDING, "refused": "gateway.toml:3: no such backend"}
    assert "refused     gateway.toml:3: no such backend" in seen(told)


def test_a_policy_that_the_rules_do_not_follow_is_told() -> None:
    fresh = POLICY.replace("eth1", "eth2")
    assert "not as loaded" not in seen(report())
    assert "not as loaded" in seen(report(text=fresh))


def test_a_mend_stands_on_a_line_of_its_own_and_harms_no_terminal() -> None:
    told = report()
    told["helper"]["policy"] = {**STANDING, "refused": "line 3: no \x1b[2J\n  mend: leave it out"}
    assert "refused     line 3: no \\x1b[2J\n              mend: leave it out" in seen(told)


def refused() -> Report:
    told = report()
    told["helper"]["policy"] = {**STANDING, "refused": "no such key"}
    return told


def silent() -> Report:
    told = report()
    told["helper"]["silent"] = [4]
    return told


FINDINGS = [
    ("all is well", report, True),
    ("no helper", lambda: report(helper=None), True),
    ("a helper without a load", lambda: report(loaded=False), True),
    ("a policy was refused", refused, False),
    ("a worker does not answer", silent, False),
    ("another text is loaded", lambda: report(text=POLICY.replace("eth1", "eth2")), False),
]


@pytest.mark.parametrize(
    ("told", "well"), [row[1:] for row in FINDINGS], ids=[row[0] for row in FINDINGS]
)
def test_what_the_exit_code_says_of_the_helper(told: Callable[[], Report], well: bool) -> None:
    assert _goes_by_it(told()) is well


def test_lines_that_a_full_disk_has_cost_are_told() -> None:
    told = report()
    assert "transfers" not in seen(told)
    told["total"]["transfer_log"] = {"written": 31, "lost": 17}
    assert "transfers   31 lines logged, 17 lost: the helper's log says why" in seen(told)


def test_a_worker_that_does_not_answer_is_told() -> None:
    told = report()
    told["helper"]["silent"] = [4]
    assert "pid 99, up 0:01:00; queue 4 does not answer" in seen(told)


def test_drops_that_nobody_knows_are_not_called_none() -> None:
    told = report()
    told["helper"]["workers"][0]["user_dropped"] = None
    assert "0      100  3      4        0        0          –        0         0" in seen(told)
