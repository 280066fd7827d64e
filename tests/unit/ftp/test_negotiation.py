import re
from ipaddress import IPv4Address, IPv6Address
from itertools import combinations, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ftpfw.ftp.hostport import NO_HOST_PORT, HostPort, format_eprt, format_port
from ftpfw.ftp.lines import Line, LineReader
from ftpfw.ftp.negotiation import (
    Kind,
    Negotiation,
    ReplyReader,
    Unusable,
    command_rewrite_start,
    parse_command,
    replacement,
)
from tests.unit.table import table

Event = Negotiation | Unusable

V4 = HostPort(IPv4Address("10.0.1.2"), 51210)
V6 = HostPort(IPv6Address("2001:db8::2"), 51210)
SIX = b"10,0,1,2,200,10"
IAC = b"\xff"


def command(data: bytes) -> Event | None:
    return parse_command(Line(0, data))


def replies(*lines: bytes) -> list[Event | None]:
    reader = ReplyReader()
    return [reader.feed(Line(0, line)) for line in lines]


def reply(data: bytes) -> Event | None:
    return replies(data)[0]


def span(event: Event | None) -> bytes:
    assert isinstance(event, Negotiation)
    return event.line.data[event.start : event.end]


PORT_LINES = [
    ("CRLF", b"PORT 10,0,1,2,200,10\r\n"),
    ("bare LF", b"PORT 10,0,1,2,200,10\n"),
    ("lower case", b"port 10,0,1,2,200,10\r\n"),
    ("mixed case", b"pOrT 10,0,1,2,200,10\r\n"),
    ("two spaces", b"PORT  10,0,1,2,200,10\r\n"),
    ("tab", b"PORT\t10,0,1,2,200,10\r\n"),
    ("blanks follow", b"PORT 10,0,1,2,200,10 \t\r\n"),
    ("Telnet WILL", IAC + b"\xfb\x01PORT 10,0,1,2,200,10\r\n"),
    ("Telnet DO, option IAC", IAC + b"\xfd\xffPORT 10,0,1,2,200,10\r\n"),
    ("Telnet NOP", IAC + b"\xf1PORT 10,0,1,2,200,10\r\n"),
    ("Telnet IP, Synch", IAC + b"\xf4" + IAC + b"\xf2PORT 10,0,1,2,200,10\r\n"),
    ("lone data mark", b"\xf2PORT 10,0,1,2,200,10\r\n"),
    ("IP, lone data mark", IAC + b"\xf4\xf2PORT 10,0,1,2,200,10\r\n"),
]


@pytest.mark.parametrize("data", **table(PORT_LINES))
def test_port(data: bytes) -> None:
    line = Line(0, data)
    start = data.index(SIX)
    assert parse_command(line) == Negotiation(Kind.PORT, V4, line, start, start + len(SIX))


def test_port_with_leading_zeros() -> None:
    event = command(b"PORT 010,00,01,002,200,010\r\n")
    assert isinstance(event, Negotiation)
    assert event.endpoint == V4
    assert span(event) == b"010,00,01,002,200,010"


EPRT_LINES = [
    # id                   line                                     argument, endpoint
    ("IPv4", b"EPRT |1|10.0.1.2|51210|\r\n", b"|1|10.0.1.2|51210|", V4),
    ("IPv6", b"eprt  |2|2001:DB8::2|51210| \n", b"|2|2001:DB8::2|51210|", V6),
    ("other delimiter", b"EPRT !2!2001:db8::2!51210!\r\n", b"!2!2001:db8::2!51210!", V6),
    ("Telnet", b"\xff\xf1EPRT |1|10.0.1.2|51210|\r\n", b"|1|10.0.1.2|51210|", V4),
]


@pytest.mark.parametrize(("data", "argument", "endpoint"), **table(EPRT_LINES))
def test_eprt(data: bytes, argument: bytes, endpoint: HostPort) -> None:
    event = command(data)
    assert isinstance(event, Negotiation)
    assert (event.kind, event.endpoint) == (Kind.EPRT, endpoint)
    assert (event.delimiter, span(event)) == (argument[:1], argument)


NOT_COMMANDS = [
    ("another verb", b"NOOP\r\n"),
    ("PASV", b"PASV\r\n"),
    ("verb goes on", b"PORTS 10,0,1,2,200,10\r\n"),
    ("no blank", b"PORT10,0,1,2,200,10\r\n"),
    ("as an argument", b"SITE PORT 10,0,1,2,200,10\r\n"),
    ("in a file name", b"STOR PORT 10,0,1,2,200,10\r\n"),
    ("escaped IAC is data", b"\xff\xffPORT 10,0,1,2,200,10\r\n"),
    ("reply", b"227 (10,0,1,2,200,10)\r\n"),
    ("empty", b"\r\n"),
]


@pytest.mark.parametrize("data", **table(NOT_COMMANDS))
def test_not_a_negotiating_command(data: bytes) -> None:
    assert command(data) is None


UNUSABLE_COMMANDS = [
    # id                   line                                     kind, reason
    ("PORT octet 256", b"PORT 256,0,0,1,4,1\r\n", Kind.PORT, "octet above 255"),
    ("PORT port 0", b"PORT 10,0,0,1,0,0\r\n", Kind.PORT, "port 0"),
    ("PORT five numbers", b"PORT 10,0,0,1,4\r\n", Kind.PORT, "six numbers wanted"),
    ("PORT text follows", b"PORT 10,0,0,1,4,1 x\r\n", Kind.PORT, "six numbers wanted"),
    ("PORT two CR", b"PORT 10,0,0,1,4,1\r\r\n", Kind.PORT, "six numbers wanted"),
    ("PORT alone", b"PORT\r\n", Kind.PORT, "six numbers wanted"),
    ("PORT and blanks", b"PORT  \r\n", Kind.PORT, "six numbers wanted"),
    ("EPRT scope id", b"EPRT |2|fe80::1%1|21|\r\n", Kind.EPRT, "scope id"),
    ("EPRT net-prt 3", b"EPRT |3|x|21|\r\n", Kind.EPRT, "net-prt neither 1 nor 2"),
    ("EPRT alone", b"eprt\n", Kind.EPRT, "no delimiter"),
]


@pytest.mark.parametrize(("data", "kind", "reason"), **table(UNUSABLE_COMMANDS))
def test_unusable_command(data: bytes, kind: Kind, reason: str) -> None:
    assert command(data) == Unusable(kind, Line(0, data), reason)


REPLIES = [
    # id                   line                                     kind, span
    ("227", b"227 Entering Passive Mode (10,0,1,2,200,10).\r\n", Kind.PASV, SIX),
    ("227 bare LF", b"227 Entering Passive Mode (10,0,1,2,200,10).\n", Kind.PASV, SIX),
    ("227 no brackets", b"227 Passive 10,0,1,2,200,10\r\n", Kind.PASV, SIX),
    ("227 host name", b"227 Passive Mode, host2 (10,0,1,2,200,10)\r\n", Kind.PASV, SIX),
    ("227 at once", b"227 10,0,1,2,200,10\r\n", Kind.PASV, SIX),
    ("227 after Telnet DONT", b"\xff\xfe\x01227 (10,0,1,2,200,10)\r\n", Kind.PASV, SIX),
    ("229", b"229 Entering Extended Passive Mode (|||51210|)\r\n", Kind.EPSV, b"51210"),
    ("229 other delimiter", b"229 ok (!!!51210!)\n", Kind.EPSV, b"51210"),
]


@pytest.mark.parametrize(("data", "kind", "numbers"), **table(REPLIES))
def test_reply_of_one_line(data: bytes, kind: Kind, numbers: bytes) -> None:
    event = reply(data)
    assert isinstance(event, Negotiation)
    assert event.kind is kind
    assert event.endpoint == (V4 if kind is Kind.PASV else HostPort(None, 51210))
    assert span(event) == numbers


NOT_REPLIES = [
    ("other code", b"230 Logged in (10,0,1,2,200,10)\r\n"),
    ("code glued on", b"2270 (10,0,1,2,200,10)\r\n"),
    ("no code", b"(10,0,1,2,200,10)\r\n"),
    ("blank before the code", b" 227 (10,0,1,2,200,10)\r\n"),
    ("other separator", b"227/(10,0,1,2,200,10)\r\n"),
    ("empty", b"\r\n"),
]


@pytest.mark.parametrize("data", **table(NOT_REPLIES))
def test_not_a_negotiating_reply(data: bytes) -> None:
    assert reply(data) is None


UNUSABLE_REPLIES = [
    # id                   line                                     kind, reason
    ("227 logout", b"227 Logout.\r\n", Kind.PASV, NO_HOST_PORT),
    ("227 alone", b"227\r\n", Kind.PASV, NO_HOST_PORT),
    ("227 octet 256", b"227 (256,0,0,1,4,1)\r\n", Kind.PASV, "octet above 255"),
    ("227 port 0", b"227 (10,0,0,1,0,0)\r\n", Kind.PASV, "port 0"),
    ("227 seven", b"227 (10,0,0,1,4,1,1)\r\n", Kind.PASV, "more than six numbers"),
    ("229 no brackets", b"229 |||21|\r\n", Kind.EPSV, NO_HOST_PORT),
    ("229 port 65536", b"229 (|||65536|)\r\n", Kind.EPSV, "port above 65535"),
]


@pytest.mark.parametrize(("data", "kind", "reason"), **table(UNUSABLE_REPLIES))
def test_unusable_reply(data: bytes, kind: Kind, reason: str) -> None:
    assert reply(data) == Unusable(kind, Line(0, data), reason)


def test_text_of_another_reply_is_not_a_reply() -> None:
    assert (
        replies(
            b"230-Welcome.\r\n",
            b"227 Entering Passive Mode (10,0,1,2,200,10)\r\n",
            b"229 (|||51210|)\r\n",
            b"230-still\r\n",
            b"2301 nights\r\n",
            b"230 Logged in.\r\n",
        )
        == [None] * 6
    )


ENDS = [("space", b"230 in\r\n"), ("alone", b"230\r\n"), ("after Telnet", b"\xff\xf1230 in\r\n")]


@pytest.mark.parametrize("end", **table(ENDS))
def test_the_reply_after_a_reply_of_several_lines(end: bytes) -> None:
    *_, event = replies(b"230-Welcome.\r\n", end, b"227 (10,0,1,2,200,10)\r\n")
    assert span(event) == SIX


# Each reply is 227 of several lines; the last column is the line that has the event.
MULTI_LINE = [
    ("first line", [b"227-Passive (10,0,1,2,200,10)\r\n", b"227 ok\r\n"], 0),
    ("middle line", [b"227-Passive\r\n", b" (10,0,1,2,200,10)\r\n", b"227 ok\r\n"], 1),
    ("middle, not indented", [b"227-Passive\r\n", b"10,0,1,2,200,10\r\n", b"227 ok\r\n"], 1),
    ("middle, coded", [b"227-a\r\n", b"227-10,0,1,2,200,10\r\n", b"227 ok\r\n"], 1),
    ("middle, other code", [b"227-a\r\n", b"230 (10,0,1,2,200,10)\r\n", b"227 ok\r\n"], 1),
    ("last line", [b"227-Passive\r\n", b"227 (10,0,1,2,200,10)\r\n"], 1),
    ("first and last", [b"227-(10,0,1,2,200,10)\r\n", b"227 (6,5,4,3,2,1)\r\n"], 0),
    ("bad, then good", [b"227-(256,0,0,1,4,1)\r\n", b"227 (10,0,1,2,200,10)\r\n"], 1),
]


@pytest.mark.parametrize(("lines", "where"), **table(MULTI_LINE))
def test_227_of_several_lines(lines: list[bytes], where: int) -> None:
    events = replies(*lines)
    assert span(events.pop(where)) == SIX
    assert events == [None] * (len(lines) - 1)


def test_229_of_several_lines() -> None:
    _, event, end = replies(b"229-Passive\r\n", b" (|||51210|)\r\n", b"229 ok\r\n")
    assert span(event) == b"51210"
    assert end is None


UNUSABLE_MULTI_LINE = [
    ("none on any", [b"227-Passive\r\n", b"no\r\n", b"227 ok\r\n"], NO_HOST_PORT),
    ("the middle's reason", [b"227-P\r\n", b"256,0,0,1,4,1\r\n", b"227 ok\r\n"], "octet above 255"),
    ("numbers over two lines", [b"227-10,0,1,\r\n", b"227 2,200,10\r\n"], NO_HOST_PORT),
]


@pytest.mark.parametrize(("lines", "reason"), **table(UNUSABLE_MULTI_LINE))
def test_unusable_only_at_the_end(lines: list[bytes], reason: str) -> None:
    *before, end = replies(*lines)
    assert before == [None] * len(before)
    assert end == Unusable(Kind.PASV, Line(0, lines[-1]), reason)


def test_a_reason_does_not_outlive_its_reply() -> None:
    bad, good, none = replies(b"227 (256,0,0,1,4,1)\r\n", b"227 10,0,1,2,200,10\n", b"227 x\r\n")
    assert isinstance(bad, Unusable)
    assert span(good) == SIX
    assert none == Unusable(Kind.PASV, Line(0, b"227 x\r\n"), NO_HOST_PORT)


def test_restart_forgets_an_open_reply() -> None:
    reader = ReplyReader()
    reader.feed(Line(0, b"230-Welcome.\r\n"))
    reader.restart()
    assert span(reader.feed(Line(0, b"227 (10,0,1,2,200,10)\r\n"))) == SIX


# --- where a rewrite of an incomplete line could begin ------------------------------------------

COMMAND_STARTS = [
    # id                   partial                      start
    ("nothing", b"", None),
    ("half a verb", b"PO", None),
    ("verb", b"PORT", None),
    ("verb and blank", b"PORT ", None),
    ("first digit", b"PORT 1", 5),
    ("more digits", b"PORT 10,0,", 5),
    ("all but the LF", b"PORT 10,0,1,2,200,10\r", 5),
    ("lower case, blanks", b"port \t1", 6),
    ("PORT without a digit", b"PORT x1", None),
    ("other verb", b"NOOP x", None),
    ("other verb with digits", b"USER 10,0", None),
    ("longer verb", b"PORTS 1", None),
    ("EPRT", b"EPRT ", None),
    ("EPRT delimiter", b"EPRT |", 5),
    ("EPRT more", b"eprt  |2|20", 6),
    ("EPRT without a delimiter", b"EPRT \x80", None),
    ("Telnet begun", b"\xff", None),
    ("Telnet option missing", b"\xff\xfb", None),
    ("Telnet, then PORT", b"\xff\xfb\x01PORT 1", 8),
    ("data mark, then EPRT", b"\xf2EPRT |", 6),
]


@pytest.mark.parametrize(("partial", "start"), **table(COMMAND_STARTS))
def test_command_rewrite_start(partial: bytes, start: int | None) -> None:
    assert command_rewrite_start(partial) == start


REPLY_STARTS = [
    # id                   lines before                 partial                      start
    ("nothing", [], b"", None),
    ("half a code", [], b"22", None),
    ("code", [], b"227", None),
    ("code and text", [], b"227 Entering Passive Mode (", None),
    ("first digit", [], b"227 Entering 1", 13),
    ("first digit, host name", [], b"227 host2 (1,2", 8),
    ("hyphen", [], b"227-Entering 1", 13),
    ("229", [], b"229 Entering (|||5", 17),
    ("other code", [], b"230 1", None),
    ("code glued on", [], b"2271", None),
    ("Telnet first", [], b"\xff\xf1227 (1", 7),
    ("in another reply", [b"230-a\r\n"], b"227 1", None),
    ("in 227: text", [b"227-a\r\n"], b" at (", None),
    ("in 227: first digit", [b"227-a\r\n"], b" at (1", 5),
    ("in 227: code or number", [b"227-a\r\n"], b"227", 0),
    ("in 227: its code", [b"227-a\r\n"], b"227 ok", None),
    ("in 227: after its code", [b"227-a\r\n"], b"227 ok 1", 7),
    ("in 227: other code", [b"227-a\r\n"], b"230 ok 1", 0),
    ("in 227: found before", [b"227-(1,2,3,4,5,6)\r\n"], b"227 ok 1", None),
    ("after 227", [b"227 (1,2,3,4,5,6)\r\n"], b"230 1", None),
]


@pytest.mark.parametrize(("before", "partial", "start"), **table(REPLY_STARTS))
def test_reply_rewrite_start(before: list[bytes], partial: bytes, start: int | None) -> None:
    reader = ReplyReader()
    for line in before:
        reader.feed(Line(0, line))
    assert reader.rewrite_start(partial) == start


ports = st.integers(1, 65535)
ipv4_endpoints = st.builds(HostPort, st.ip_addresses(v=4), ports)
endpoints = st.builds(HostPort, st.ip_addresses(), ports)
terminators = st.sampled_from([b"\r\n", b"\n"])
blanks = st.text(" \t", min_size=1, max_size=3).map(str.encode)
telnet = st.sampled_from([b"", b"", b"\xff\xf1", b"\xff\xfd\x06", b"\xff\xf4\xff\xf2", b"\xf2"])
# Text without line ends, rich in what could be mistaken for an endpoint.
noise = st.lists(
    st.sampled_from([b"Mode", b" ", b"(", b")", b"1", b"22", b",", b"227 ", b"|", b"-", b"\xff"])
).map(b"".join)
commands = st.builds(
    lambda prefix, verb, gap, argument, end: prefix + verb + gap + argument + end,
    telnet,
    st.sampled_from([b"PORT", b"port", b"EPRT", b"ePrT"]),
    blanks,
    ipv4_endpoints.map(format_port) | endpoints.map(format_eprt) | noise,
    terminators,
)
arguments_227 = ipv4_endpoints.map(lambda endpoint: b"(" + format_port(endpoint) + b")")
arguments_229 = ports.map(lambda port: b"(|||%d|)" % port)
reply_lines = st.builds(
    lambda code, before, argument, after, end: code + before + argument + after + end,
    st.sampled_from(
        [b"227 ", b"227-", b"229 ", b"229-", b"230 ", b"230-", b"227", b"", b"\xff\xf1227 "]
    ),
    noise,
    arguments_227 | arguments_229 | st.just(b""),
    noise,
    terminators,
)


def check_rewrite_start(partial: bytes, start: int | None, event: Event | None) -> None:
    """What may leave holds no byte of the span, and what is held is known by its first byte."""
    released = len(partial) if start is None else start
    assert 0 <= released <= len(partial)
    if isinstance(event, Negotiation):
        assert released <= event.start


@given(commands)
def test_no_byte_of_a_command_leaves_that_a_rewrite_replaces(data: bytes) -> None:
    event = command(data)
    for length in range(data.index(b"\n") + 1):
        partial = data[:length]
        check_rewrite_start(partial, command_rewrite_start(partial), event)


@given(st.lists(reply_lines, max_size=5))
def test_no_byte_of_a_reply_leaves_that_a_rewrite_replaces(lines: list[bytes]) -> None:
    reader = ReplyReader()
    for data in lines:
        partials = [data[:length] for length in range(len(data))]
        starts = [reader.rewrite_start(partial) for partial in partials]
        event = reader.feed(Line(0, data))
        for partial, start in zip(partials, starts, strict=True):
            check_rewrite_start(partial, start, event)


# --- replacement --------------------------------------------------------------------------------


def rewritten(event: Event | None, endpoint: HostPort) -> bytes:
    assert isinstance(event, Negotiation)
    data = event.line.data
    return data[: event.start] + replacement(event, endpoint) + data[event.end :]


NEW_V4 = HostPort(IPv4Address("203.0.113.1"), 2000)
NEW_V6 = HostPort(IPv6Address("2001:db8::ffff"), 2000)
REWRITES = [
    # id                   line                                 endpoint, line
    ("PORT", b"port  10,0,1,2,4,1 \n", NEW_V4, b"port  203,0,113,1,7,208 \n"),
    ("EPRT", b"EPRT !1!10.0.1.2!21!\r\n", NEW_V4, b"EPRT !1!203.0.113.1!2000!\r\n"),
    ("EPRT to IPv6", b"EPRT |1|10.0.1.2|21|\n", NEW_V6, b"EPRT |2|2001:db8::ffff|2000|\n"),
    ("EPRT collision", b"EPRT f2f::1f21f\r\n", NEW_V6, b"EPRT |2|2001:db8::ffff|2000|\r\n"),
]


@pytest.mark.parametrize(("data", "endpoint", "line"), **table(REWRITES))
def test_replacement_in_a_command(data: bytes, endpoint: HostPort, line: bytes) -> None:
    assert rewritten(command(data), endpoint) == line


def test_replacement_in_227() -> None:
    event = reply(b"227 host2 (10,0,1,2,4,1).\r\n")
    assert rewritten(event, NEW_V4) == b"227 host2 (203,0,113,1,7,208).\r\n"


def test_replacement_in_229() -> None:
    event = reply(b"229 ok (!!!1025!).\r\n")
    assert rewritten(event, HostPort(None, 2000)) == b"229 ok (!!!2000!).\r\n"


@pytest.mark.parametrize("data", [b"PORT 10,0,1,2,4,1\r\n", b"227 (10,0,1,2,4,1)\r\n"])
def test_ipv6_cannot_stand_in_ipv4_lines(data: bytes) -> None:
    event = command(data) or reply(data)
    assert isinstance(event, Negotiation)
    with pytest.raises(ValueError, match="IPv4"):
        replacement(event, NEW_V6)


@given(commands, endpoints)
def test_a_rewritten_command_says_the_new_endpoint(data: bytes, endpoint: HostPort) -> None:
    event = command(data)
    assume(isinstance(event, Negotiation))
    assert isinstance(event, Negotiation)
    assume(event.kind is Kind.EPRT or isinstance(endpoint.host, IPv4Address))
    again = command(rewritten(event, endpoint))
    assert isinstance(again, Negotiation)
    assert (again.kind, again.endpoint, again.start) == (event.kind, endpoint, event.start)


@given(noise, ipv4_endpoints, ipv4_endpoints, noise)
def test_a_rewritten_227_says_the_new_endpoint(
    before: bytes, old: HostPort, new: HostPort, after: bytes
) -> None:
    assume(not re.search(rb"\d+(,\d+){5}", before))
    event = reply(b"227 " + before + b"(" + format_port(old) + b")" + after + b"\r\n")
    again = reply(rewritten(event, new))
    assert isinstance(again, Negotiation)
    assert again.endpoint == new


@given(ports, ports, noise)
def test_a_rewritten_229_says_the_new_port(old: int, new: int, after: bytes) -> None:
    event = reply(b"229 ok (|||%d|)" % old + after + b"\r\n")
    again = reply(rewritten(event, HostPort(None, new)))
    assert isinstance(again, Negotiation)
    assert again.endpoint == HostPort(None, new)


# --- a session in any pieces ----------------------------------------------------------------


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    inside = sorted(cut for cut in cuts if cut <= len(stream))
    return [stream[a:b] for a, b in pairwise([0, *inside, len(stream)])]


def client_says(pieces: list[bytes]) -> list[Event]:
    reader = LineReader()
    lines = [event for piece in pieces for event in reader.feed(piece)]
    return [said for line in lines if isinstance(line, Line) and (said := parse_command(line))]


def server_says(pieces: list[bytes]) -> list[Event]:
    reader, reply_reader = LineReader(), ReplyReader()
    lines = [event for piece in pieces for event in reader.feed(piece)]
    return [said for line in lines if isinstance(line, Line) and (said := reply_reader.feed(line))]


def test_every_pair_of_cuts_gives_the_same_commands() -> None:
    stream = b"NOOP\r\nPORT 10,0,1,2,4,1\r\n\xff\xf1EPRT |2|::1|21|\nPORT x\r\nQUIT\r\n"
    whole = client_says([stream])
    assert [event.kind for event in whole] == [Kind.PORT, Kind.EPRT, Kind.PORT]
    for cuts in combinations(range(len(stream) + 1), 2):
        assert client_says(split(stream, list(cuts))) == whole


def test_every_pair_of_cuts_gives_the_same_replies() -> None:
    stream = b"230-a\r\n227 1,2,3,4,5,6\n230 ok\r\n227-P\r\n1,2,3,4,5,6\r\n227 .\n229 (|||21|)\r\n"
    whole = server_says([stream])
    assert [event.kind for event in whole] == [Kind.PASV, Kind.EPSV]
    for cuts in combinations(range(len(stream) + 1), 2):
        assert server_says(split(stream, list(cuts))) == whole


cuts_anywhere = st.lists(st.integers(0, 200))


@given(st.lists(commands | st.sampled_from([b"NOOP\r\n", b"\n", b"RETR a\n"])), cuts_anywhere)
def test_any_split_gives_the_same_commands(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(lines)
    assert client_says(split(stream, cuts)) == client_says([stream])


@given(st.lists(reply_lines), cuts_anywhere)
def test_any_split_gives_the_same_replies(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(lines)
    assert server_says(split(stream, cuts)) == server_says([stream])


def test_port_one_byte_at_a_time() -> None:
    stream = b"PORT 10,0,1,2,200,10\r\n"
    (event,) = client_says([stream[i : i + 1] for i in range(len(stream))])
    assert span(event) == SIX


def test_pipelined_port() -> None:
    (event,) = client_says([b"NOOP\r\nPORT 10,0,1,2,200,10\r\n"])
    assert (event.line.offset, span(event)) == (6, SIX)


def test_a_telnet_option_that_looks_like_a_line_end() -> None:
    (event,) = client_says([b"\xff\xfb\nPORT 10,0,1,2,200,10\r\n"])
    assert (event.line.offset, span(event)) == (3, SIX)


def test_227_in_one_segment_with_the_reply_before() -> None:
    (event,) = server_says([b"230 Logged in.\r\n227 Passive (10,0,1,2,200,10)\r\n"])
    assert (event.line.offset, span(event)) == (16, SIX)
