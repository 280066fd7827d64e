"""How a transfer is written down (pure): one line of JSON, or of xferlog.

JSON, UTF-8 as ASCII with escapes, so that nothing in a path can end a line or lose a byte:

    time       start of the data connection, or of asking where none came; ISO 8601, UTC
    duration   seconds that the data connection lasted; null where none came
    client     ip:port, as the gateway knows it from the client's side
    server     ip:port of the server itself
    user, verb, path    as the client sent them; user null where it was not heard
    mode       PORT, EPRT, PASV, EPSV; null where nothing was negotiated
    size       bytes as the server's 150 announced them; null where it did not
    reply      code of the final reply; null where none came
    complete   the reply is 2yz, and both sides have ended the data connection in order
    control    its two tuples: original (from the client) and reply (after NAT)
    data       the same, of the data connection; null where none came
    packets, bytes   {"up": to the server, "down": to the client}; IP packets whole, headers
               included, as conntrack counts them; null where nf_conntrack_acct is off

xferlog(5), as wu-ftpd, ProFTPD and vsftpd write it, has a line for each file that was
transferred or should have been: listings have none. What a gateway cannot know is
written as such daemons write their default: type b, special action _, authentication 0 *.
An anonymous user's name stands where they put what was typed as a password. The size is
the announced one where the transfer is complete, else what was counted less the smallest headers.
"""

from __future__ import annotations

import json
from time import gmtime, strftime, struct_time
from typing import Any

from ftpfw.conntrack.model import Conntrack, Counters, Direction, format_endpoint
from ftpfw.ftp.negotiation import Kind
from ftpfw.ftp.xferlog import Line, format_line
from ftpfw.helper.transfers import Record

ANONYMOUS = frozenset({"anonymous", "ftp"})
FILE_DIRECTION = {"RETR": "o", "STOR": "i", "STOU": "i", "APPE": "i"}
"""Verbs that move a file; out of the server or into it (direction of xferlog)."""

_ACTIVE = frozenset({Kind.PORT, Kind.EPRT})
_SMALLEST_HEADERS = {4: 40, 16: 60}  # IP and TCP without options, by the length of an address


def format_json(record: Record, epoch: float) -> str:
    """A record as a line of JSON; ``epoch`` is the clock's zero in seconds since 1970."""
    transfer, data = record.transfer, record.data
    up, down = (_counters(record, up=up) for up in (True, False))
    began = epoch + record.started
    entry: dict[str, Any] = {
        "time": f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(began))}.{int(began % 1 * 1000):03}Z",
        "duration": round(record.ended - record.started, 3) if data else None,
        "client": _client(record),
        "server": _server(record),
        "user": transfer.user,
        "verb": transfer.verb,
        "path": transfer.path,
        "mode": transfer.kind.name if transfer.kind else None,
        "size": transfer.size,
        "reply": transfer.reply,
        "complete": is_complete(record),
        "control": _tuples(record.control) or {"original": str(transfer.control), "reply": None},
        "data": _tuples(data),
        "packets": {"up": up.packets, "down": down.packets} if up and down else None,
        "bytes": {"up": up.bytes, "down": down.bytes} if up and down else None,
    }
    return json.dumps(entry) + "\n"


def format_xferlog(record: Record, ended: struct_time) -> str | None:
    """A record as a line of xferlog, of the local time ``ended``; None where no file is meant."""
    transfer = record.transfer
    direction = FILE_DIRECTION.get(transfer.verb)
    if direction is None:
        return None
    user = transfer.user or "-"
    return format_line(
        Line(
            ended,
            max(1, round(record.ended - record.started)) if record.data else 0,
            _client(record).rpartition(":")[0].strip("[]"),
            _file_size(record, up=direction == "i"),
            transfer.path,
            incoming=direction == "i",
            anonymous=user.lower() in ANONYMOUS,
            user=user,
            complete=is_complete(record),
        )
    )


def is_complete(record: Record) -> bool:
    """Whether everything was transferred, as far as both connections tell."""
    reply = record.transfer.reply
    return reply is not None and 200 <= reply < 300 and record.in_order


def _client(record: Record) -> str:
    original = record.transfer.control
    return format_endpoint(original.src, original.sport)


def _server(record: Record) -> str:
    """The server itself; the address that the client knows where the kernel has no other."""
    if record.control is None:
        original = record.transfer.control
        return format_endpoint(original.dst, original.dport)
    return format_endpoint(record.control.reply.src, record.control.reply.sport)


def _tuples(conntrack: Conntrack | None) -> dict[str, str] | None:
    if conntrack is None:
        return None
    return {"original": str(conntrack.original), "reply": str(conntrack.reply)}


def _counters(record: Record, *, up: bool) -> Counters | None:
    """What went up to the server, or down from it; who opened the connection is its origin."""
    if record.data is None or record.data.counters is None:
        return None
    opened_by_server = record.transfer.kind in _ACTIVE
    return record.data.counters[Direction.REPLY if up is opened_by_server else Direction.ORIGINAL]


def _file_size(record: Record, *, up: bool) -> int:
    if record.transfer.size is not None and is_complete(record):
        return record.transfer.size
    carried = _counters(record, up=up)
    if carried is None:
        return 0
    headers = _SMALLEST_HEADERS[len(record.transfer.control.src)]
    return max(0, carried.bytes - carried.packets * headers)
