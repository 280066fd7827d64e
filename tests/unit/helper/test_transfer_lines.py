"""How transfers are written down."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import Counters, Tuple
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import Transfer
from ftpfw.helper.transfer_lines import format_json, format_xferlog
from ftpfw.helper.transfers import Record
from tests.unit.table import table

from .test_transfers import ANSWER, CONTROL, COUNTERS, DATA

EPOCH = 1_000_000_000.0
NOON = time.struct_time((2026, 7, 5, 12, 0, 0, 6, 186, 0))

RECORD = Record(ANSWER, CONTROL, replace(DATA, counters=COUNTERS), 0.25, 2.0, in_order=True)
NO_DATA = replace(RECORD, data=None, in_order=False)


def written(record: Record) -> dict[str, Any]:
    line = format_json(record, EPOCH)
    assert line.isascii()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    entry: dict[str, Any] = json.loads(line)
    return entry


def of(transfer: Transfer, record: Record = RECORD) -> Record:
    return replace(record, transfer=transfer)


def test_a_download_as_json() -> None:
    assert written(RECORD) == {
        "time": "2001-09-09T01:46:40.250Z",
        "duration": 1.75,
        "client": "10.0.1.10:40000",
        "server": "192.0.2.10:21",
        "user": "kim",
        "verb": "RETR",
        "path": "file",
        "mode": "PASV",
        "size": 8700,
        "reply": 226,
        "complete": True,
        "control": {
            "original": "10.0.1.10:40000 -> 192.0.2.10:21",
            "reply": "192.0.2.10:21 -> 192.0.2.1:40000",
        },
        "data": {
            "original": "10.0.1.10:40001 -> 192.0.2.10:50000",
            "reply": "192.0.2.10:50000 -> 192.0.2.1:40001",
        },
        "packets": {"up": 5, "down": 7},
        "bytes": {"up": 300, "down": 9000},
    }


DIFFERENCES = [
    (
        "the server opened it",
        of(replace(ANSWER, kind=Kind.EPRT)),
        "bytes",
        {"up": 9000, "down": 300},
    ),
    ("conntrack does not count", replace(RECORD, data=DATA), "bytes", None),
    ("no data: no duration", NO_DATA, "duration", None),
    ("no data", NO_DATA, "data", None),
    ("no data: no packets", NO_DATA, "packets", None),
    ("no data is not complete", NO_DATA, "complete", False),
    ("nothing negotiated", of(replace(ANSWER, kind=None)), "mode", None),
    ("never answered", of(replace(ANSWER, reply=None)), "complete", False),
    ("aborted", of(replace(ANSWER, reply=426)), "complete", False),
    ("reset", replace(RECORD, in_order=False), "complete", False),
    (
        "control connection gone",
        replace(RECORD, control=None),
        "control",
        {"original": "10.0.1.10:40000 -> 192.0.2.10:21", "reply": None},
    ),
    (
        "behind the public address",
        replace(RECORD, control=replace(CONTROL, reply=Tuple(b"\n\0\2\5", 21, b"\n\0\1\n", 40000))),
        "server",
        "10.0.2.5:21",
    ),
]


@pytest.mark.parametrize(("record", "key", "value"), **table(DIFFERENCES))
def test_what_differs_in_json(record: Record, key: str, value: object) -> None:
    assert written(record)[key] == value


def test_a_download_in_xferlog() -> None:
    assert format_xferlog(RECORD, NOON) == (
        "Sun Jul  5 12:00:00 2026 2 10.0.1.10 8700 file b _ o r kim ftp 0 * c\n"
    )


XFERLOG_FIELDS = [
    *("weekday", "month", "day", "time", "year", "duration", "host", "size", "path", "type"),
    *("special", "direction", "access", "user", "service", "authentication", "id", "status"),
]

ALTERED = [
    ("upload", of(replace(ANSWER, verb="STOR", size=None)), {"direction": "i", "size": "100"}),
    ("append", of(replace(ANSWER, verb="APPE")), {"direction": "i"}),
    ("not complete: counted", of(replace(ANSWER, reply=426)), {"status": "i", "size": "8720"}),
    ("nothing counted", replace(NO_DATA), {"status": "i", "size": "0", "duration": "0"}),
    ("anonymous", of(replace(ANSWER, user="Anonymous")), {"access": "a", "user": "Anonymous"}),
    ("unheard user", of(replace(ANSWER, user=None)), {"access": "r", "user": "-"}),
    ("blanks and control characters", of(replace(ANSWER, path="a b\r\n\tc")), {"path": "a_b___c"}),
    ("not UTF-8", of(replace(ANSWER, path="caf\udce9")), {"path": "caf_"}),
    ("not ASCII", of(replace(ANSWER, path="café")), {"path": "café"}),
    ("no path", of(replace(ANSWER, path="")), {"path": "_"}),
]


@pytest.mark.parametrize(("record", "fields"), **table(ALTERED))
def test_what_differs_in_xferlog(record: Record, fields: dict[str, str]) -> None:
    line = format_xferlog(record, NOON)
    assert line is not None
    told = dict(zip(XFERLOG_FIELDS, line.split(), strict=True))
    assert {key: told[key] for key in fields} == fields


def test_ipv6_peers_have_no_brackets_in_xferlog() -> None:
    size = bytes(15) + b"\1"
    control = Tuple(size, 40000, size, 21)
    counters = (Counters(2, 1000), Counters(3, 2000))
    transfer = replace(ANSWER, control=control, reply=426)
    record = replace(RECORD, transfer=transfer, control=None, data=replace(DATA, counters=counters))
    line = format_xferlog(record, NOON)
    assert line is not None
    assert line.split()[6:8] == ["::1", "1820"]
    assert written(record)["client"] == "[::1]:40000"


@pytest.mark.parametrize("verb", ["LIST", "NLST", "MLSD"])
def test_listings_are_no_files(verb: str) -> None:
    assert format_xferlog(of(replace(ANSWER, verb=verb)), NOON) is None


texts = st.text(st.characters(categories=None), max_size=60) | st.text("\n\r\t\0 ab\x85\u2028")


@given(texts, texts)
def test_whatever_a_client_sends_it_is_one_line_of_whole_fields(path: str, user: str) -> None:
    record = of(replace(ANSWER, path=path, user=user))
    entry = written(record)
    assert (entry["path"], entry["user"]) == (path, user)
    line = format_xferlog(record, NOON)
    assert line is not None
    line.encode()
    assert len(line.splitlines()) == 1
    assert len(line.split()) == len(XFERLOG_FIELDS)
