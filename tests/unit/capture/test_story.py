"""Sessions that are made up, and what their captures tell."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment

from ftpfw.capture.report import Data, Negotiated, Report
from ftpfw.capture.story import Story
from tests.unit.table import table

from .traffic import CLIENT, RAW, SERVER, START, TICK, Traffic, report_of

PASV = b"227 Entering Passive Mode (192,0,2,1,156,64)\r\n"
PORT = b"PORT 10,0,0,1,156,64\r\n"
ANNOUNCED = 40000


def verdicts(report: Report) -> list[tuple[str, str | None]]:
    return [(one.line, one.reason) for control in report.controls for one in control.negotiations]


def expected(report: Report) -> list[bool]:
    return [one.expected for one in report.data]


def passive(traffic: Traffic, line: bytes = PASV) -> None:
    traffic.control().say(b"PASV\r\n").hear(line)
    traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED).open().hear(b"data").close()


def test_a_passive_transfer() -> None:
    traffic = Traffic()
    passive(traffic)
    report = report_of(traffic.packets)
    (control,) = report.controls
    assert (control.client, control.server) == (f"{CLIENT}:40000", f"{SERVER}:21")
    assert [one.as_json() for one in control.negotiations] == [
        {
            "time": START + 16 * TICK,
            "line": "227 Entering Passive Mode (192,0,2,1,156,64)",
            "mode": "passive",
            "source": CLIENT,
            "destination": SERVER,
            "port": ANNOUNCED,
            "accepted": True,
            "reason": None,
        }
    ]
    assert [one.as_json() for one in report.data] == [
        {
            "source": f"{CLIENT}:50000",
            "destination": f"{SERVER}:40000",
            "expected": True,
            "line": "227 Entering Passive Mode (192,0,2,1,156,64)",
            "time": START + 18 * TICK,
            "seconds": round(7 * TICK, 6),
            "bytes": [0, 4],
        }
    ]


def test_an_active_transfer() -> None:
    traffic = Traffic()
    traffic.control().say(PORT).hear(b"200 ok\r\n")
    traffic.wire(SERVER, 20, CLIENT, ANNOUNCED).open().say(b"data").close()
    report = report_of(traffic.packets)
    (negotiated,) = report.controls[0].negotiations
    assert (negotiated.mode.value, negotiated.port) == ("active", ANNOUNCED)
    assert expected(report) == [True]


REFUSED = [
    # id               line                                      reason
    ("foreign address", b"PORT 10,0,0,9,156,64\r\n", "foreign address"),
    ("other family", b"EPRT |2|2001:db8::1|40000|\r\n", "address of the other family"),
    ("malformed", b"PORT 10,0,0,1,156\r\n", "six numbers wanted"),
]


@pytest.mark.parametrize(("line", "reason"), **table(REFUSED))
def test_what_is_refused_opens_nothing_and_says_why(line: bytes, reason: str) -> None:
    traffic = Traffic()
    traffic.control().say(line).hear(b"200 ok\r\n")
    traffic.wire(SERVER, 20, CLIENT, ANNOUNCED).open().close()
    report = report_of(traffic.packets)
    assert verdicts(report) == [(line.decode().strip(), reason)]
    assert expected(report) == [False]


def test_what_cannot_be_understood_has_no_endpoint() -> None:
    traffic = Traffic()
    traffic.control().say(b"PORT 1,2,3\r\n")
    (one,) = report_of(traffic.packets).controls[0].negotiations
    assert (one.as_json()["destination"], one.as_json()["port"]) == (None, None)


def test_another_host_is_no_data_connection() -> None:
    traffic = Traffic()
    passive(traffic)
    traffic.wire("10.0.0.2", 50000, SERVER, ANNOUNCED).open().close()
    assert [one.source for one in report_of(traffic.packets).data] == [f"{CLIENT}:50000"]


def test_one_that_came_before_its_control_connection_is_told_too() -> None:
    traffic = Traffic()
    traffic.wire(CLIENT, 50001, SERVER, 9).open().close()
    passive(traffic)
    assert expected(report_of(traffic.packets)) == [False, True]


def test_an_expectation_is_used_up() -> None:
    traffic = Traffic()
    passive(traffic)
    traffic.wire(CLIENT, 50001, SERVER, ANNOUNCED).open().close()
    assert expected(report_of(traffic.packets)) == [True, False]


@pytest.mark.parametrize(("wait", "comes"), [(299.0, True), (301.0, False)])
def test_an_expectation_waits_five_minutes(wait: float, comes: bool) -> None:
    traffic = Traffic()
    traffic.control().say(b"PASV\r\n").hear(PASV)
    traffic.now += wait
    traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED).open().close()
    assert expected(report_of(traffic.packets)) == [comes]


def test_a_syn_that_is_repeated_is_one_connection() -> None:
    traffic = Traffic()
    passive(traffic)
    doubled = [packet for packet in traffic.packets for _ in range(2)]
    report = report_of(doubled)
    assert expected(report) == [True]
    assert report.data[0].carried == (0, 4)
    assert len(verdicts(report)) == 1


def test_an_endpoint_that_is_dialled_again_is_another_connection() -> None:
    traffic = Traffic()
    passive(traffic)
    again = traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED)
    again._seq = [9000, 9000]
    again.open().close()
    assert expected(report_of(traffic.packets)) == [True, False]


@pytest.mark.parametrize("begin", range(1, 16))
def test_a_capture_that_begins_in_the_middle(begin: int) -> None:
    traffic = Traffic()
    passive(traffic)
    report = report_of(traffic.packets[begin:])
    assert report.controls[0].client == f"{CLIENT}:40000"
    assert expected(report) == [True]


def test_a_data_connection_whose_syn_is_not_in_the_capture() -> None:
    traffic = Traffic()
    traffic.control().say(PORT).hear(b"200 ok\r\n")
    before = len(traffic.packets)
    traffic.wire(SERVER, 20, CLIENT, ANNOUNCED).open().hear(b"data").close()
    handshake = slice(before, before + 3)
    del traffic.packets[handshake]
    report = report_of(traffic.packets)
    assert [one.source for one in report.data] == [f"{SERVER}:20"]
    assert expected(report) == [True]


def test_bytes_that_the_capture_lost_but_the_peer_has_not() -> None:
    traffic = Traffic()
    wire = traffic.control()
    lost = len(traffic.packets)
    wire.say(b"NOOP\r\n").hear(b"200 fine\r\n").say(b"PASV\r\n").hear(PASV)
    traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED).open().close()
    del traffic.packets[lost + 2]
    report = report_of(traffic.packets)
    assert expected(report) == [True]
    assert report.counts.lost == len("200 fine\r\n")


def test_the_end_of_a_number_that_is_lost_is_not_made_up() -> None:
    traffic = Traffic()
    wire = traffic.control()
    wire.say(b"PORT 10,0,0,1,156,6")
    lost = len(traffic.packets)
    wire.say(b"4\r\n").hear(b"200 ok\r\n").say(b"NOOP\r\n")
    del traffic.packets[lost]
    assert [reason for _, reason in verdicts(report_of(traffic.packets))] != [None]


def test_segments_in_another_order() -> None:
    traffic = Traffic()
    traffic.control().say(b"PASV\r\n")
    first = len(traffic.packets)
    wire = traffic.wire(SERVER, 21, CLIENT, 40000)
    wire._seq = [5000 + 1 + len(b"220 hello\r\n331 who\r\n230 in\r\n"), 0]
    wire.say(PASV[:20]).say(PASV[20:])
    one, two = first, first + 2
    packets = traffic.packets
    packets[one], packets[two] = packets[two], packets[one]
    traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED).open()
    assert expected(report_of(packets)) == [True]


def test_several_control_ports() -> None:
    traffic = Traffic()
    traffic.control(port=2121).say(b"PASV\r\n")
    assert [one.server for one in report_of(traffic.packets, ports=(21, 2121)).controls] == [
        f"{SERVER}:2121"
    ]


GREETINGS = [
    # id               server                 client            FTP
    ("USER", b"220 ready\r\n", b"USER ftp\r\n", True),
    ("AUTH", b"220 ready\r\n", b"auth TLS\r\n", True),
    ("several lines", b"220-hello\r\n220 ready\r\n", b"USER ftp\r\n", True),
    ("mail", b"220 mail\r\n", b"EHLO me\r\n", False),
    ("POP3", b"+OK\r\n", b"USER me\r\n", False),
    ("client first", b"", b"USER ftp\r\n", False),
]


@pytest.mark.parametrize(("server", "client", "is_ftp"), **table(GREETINGS))
def test_ftp_on_another_port_is_known_by_its_greeting(
    server: bytes, client: bytes, is_ftp: bool
) -> None:
    traffic = Traffic()
    wire = traffic.wire(CLIENT, 40000, SERVER, 990).open()
    wire.hear(server).say(client).hear(b"331 who\r\n").say(b"PASV\r\n").hear(PASV)
    report = report_of(traffic.packets, lines=50)
    assert bool(report.controls) is is_ftp
    assert verdicts(report) == ([(PASV.decode().strip(), None)] if is_ftp else [])
    if is_ftp:
        assert report.controls[0].dialogue is not None
        assert report.controls[0].dialogue.entries[0].text.startswith("220")


def test_tls_is_told_and_opens_nothing() -> None:
    traffic = Traffic()
    wire = traffic.wire(CLIENT, 40000, SERVER, 21).open().hear(b"220 hello\r\n")
    wire.say(b"AUTH TLS\r\n").hear(b"234 go on\r\n")
    wire.say(b"\x16\x03\x01\x00\x05hello").hear(b"\x16\x03\x03\x00\x40" + bytes(64))
    wire.say(b"\x17\x03\x03\x00\x20" + bytes(32))
    traffic.wire(CLIENT, 50000, SERVER, ANNOUNCED).open()
    report = report_of(traffic.packets, lines=50)
    (control,) = report.controls
    assert control.tls_since == START + 8 * TICK
    assert control.negotiations == ()
    assert expected(report) == [False]
    assert control.dialogue is not None
    texts = [one.text for one in control.dialogue.entries]
    assert texts[-2:] == ["234 go on", "TLS: nobody can read on"]


def counted(*frames: bytes) -> dict[str, int]:
    story = Story(frozenset({21}))
    for frame in frames:
        story.feed(0.0, RAW, frame)
    return dict(story.report().counts.skipped)


def test_what_is_no_tcp_segment_is_counted() -> None:
    segment = IP(src=CLIENT, dst=SERVER) / TCP() / (b"x" * 64)
    pieces = [bytes(piece) for piece in fragment(segment, 24)]  # type: ignore[no-untyped-call]
    assert counted(*pieces) == {"fragment": len(pieces)}
    assert counted(bytes(IP() / UDP())) == {"not TCP": 1}
    assert counted(b"", b"\xff", b"\x45") == {"not IP": 2, "IPv4 header cut off": 1}


@pytest.mark.parametrize("snap", range(60))
def test_a_snap_length_leaves_what_it_leaves(snap: int) -> None:
    traffic = Traffic()
    passive(traffic)
    report = report_of((time, packet[:snap]) for time, packet in traffic.packets)
    if snap < 33:  # before the end of what tells a TCP header
        assert report.controls == ()
    else:
        assert report.counts.cut_short > 0
        assert [one.destination for one in report.data] == [f"{SERVER}:{ANNOUNCED}"]


def test_numbers_order_the_report() -> None:
    traffic = Traffic()
    passive(traffic)
    report = report_of(traffic.packets)
    negotiated: Negotiated = report.controls[0].negotiations[0]
    data: Data = report.data[0]
    assert report.controls[0].number < negotiated.number < data.number
    assert data.control == report.controls[0].number
