import contextlib
import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ftpfw.errors import PeerError
from ftpfw.ftp.hostport import (
    NO_HOST_PORT,
    Eprt,
    HostPort,
    HostPortError,
    find_227,
    find_229,
    format_eprt,
    format_port,
    net_prt,
    parse_eprt,
    parse_port,
)
from tests.unit.table import table


def v4(host: str, port: int) -> HostPort:
    return HostPort(IPv4Address(host), port)


def v6(host: str, port: int) -> HostPort:
    return HostPort(IPv6Address(host), port)


ports = st.integers(1, 65535)
ipv4_endpoints = st.builds(HostPort, st.ip_addresses(v=4), ports)
endpoints = st.builds(HostPort, st.ip_addresses(), ports)
delimiters = st.integers(33, 126).map(lambda code: bytes([code]))

PORT_ACCEPTED = [
    # id                   argument                     endpoint
    ("plain", b"10,0,1,2,200,10", v4("10.0.1.2", 51210)),
    ("every octet 255", b"255,255,255,255,255,255", v4("255.255.255.255", 65535)),
    ("port 1", b"10,0,0,1,0,1", v4("10.0.0.1", 1)),
    ("port 256", b"10,0,0,1,1,0", v4("10.0.0.1", 256)),
    ("zeros lead, decimal", b"010,00,0,08,004,000", v4("10.0.0.8", 1024)),
    ("many zeros lead", b"0000000010,0,0,1,4,1", v4("10.0.0.1", 1025)),
    ("any address", b"0,0,0,0,4,1", v4("0.0.0.0", 1025)),
    ("space follows", b"10,0,0,1,4,1 ", v4("10.0.0.1", 1025)),
    ("tabs and spaces follow", b"10,0,0,1,4,1 \t ", v4("10.0.0.1", 1025)),
]

PORT_REFUSED = [
    # id                   argument                     reason
    ("octet 256", b"256,0,0,1,4,1", "octet above 255"),
    ("last octet 256", b"10,0,0,256,4,1", "octet above 255"),
    ("high port byte 256", b"10,0,0,1,256,1", "octet above 255"),
    ("low port byte 256", b"10,0,0,1,4,256", "octet above 255"),
    ("wraps 32 bits to 10", b"4294967306,0,0,1,4,1", "octet above 255"),
    ("4000 digits", b"1" * 4000 + b",0,0,1,4,1", "octet above 255"),
    ("port 0", b"10,0,0,1,0,0", "port 0"),
    ("nothing", b"", "six numbers wanted"),
    ("blanks only", b"  ", "six numbers wanted"),
    ("five numbers", b"10,0,0,1,4", "six numbers wanted"),
    ("seven numbers", b"10,0,0,1,4,1,1", "six numbers wanted"),
    ("comma follows", b"10,0,0,1,4,1,", "six numbers wanted"),
    ("comma leads", b",10,0,0,1,4,1", "six numbers wanted"),
    ("empty number", b"10,,0,1,4,1", "six numbers wanted"),
    ("negative", b"10,0,0,-1,4,1", "six numbers wanted"),
    ("plus sign", b"10,0,0,+1,4,1", "six numbers wanted"),
    ("underscore", b"1_0,0,0,1,4,1", "six numbers wanted"),
    ("hexadecimal", b"0x0a,0,0,1,4,1", "six numbers wanted"),
    ("dots", b"10.0.0.1,4,1", "six numbers wanted"),
    ("blank inside", b"10, 0,0,1,4,1", "six numbers wanted"),
    ("text follows", b"10,0,0,1,4,1 x", "six numbers wanted"),
    ("letter glued on", b"10,0,0,1,4,1x", "six numbers wanted"),
    ("CR left over", b"10,0,0,1,4,1\r", "six numbers wanted"),
    ("LF left over", b"10,0,0,1,4,1\n", "six numbers wanted"),
    ("NUL follows", b"10,0,0,1,4,1\0", "six numbers wanted"),
    ("brackets", b"(10,0,0,1,4,1)", "six numbers wanted"),
    ("digits of another script", "\u0661\u0660,0,0,1,4,1".encode(), "six numbers wanted"),
]


@pytest.mark.parametrize(("argument", "endpoint"), **table(PORT_ACCEPTED))
def test_port_accepted(argument: bytes, endpoint: HostPort) -> None:
    assert parse_port(argument) == endpoint


@pytest.mark.parametrize(("argument", "reason"), **table(PORT_REFUSED))
def test_port_refused(argument: bytes, reason: str) -> None:
    with pytest.raises(HostPortError) as refusal:
        parse_port(argument)
    assert refusal.value.reason == reason


@given(ipv4_endpoints)
def test_port_reads_what_it_writes(endpoint: HostPort) -> None:
    assert parse_port(format_port(endpoint)) == endpoint


def test_port_is_written_without_leading_zeros() -> None:
    assert format_port(v4("10.0.1.2", 1025)) == b"10,0,1,2,4,1"


@pytest.mark.parametrize(
    "endpoint",
    [v6("2001:db8::1", 21), HostPort(None, 21), v4("10.0.0.1", 0), v4("10.0.0.1", 65536)],
    ids=["IPv6", "no host", "port 0", "port 65536"],
)
def test_port_cannot_carry(endpoint: HostPort) -> None:
    with pytest.raises(ValueError, match=r"IPv4|port"):
        format_port(endpoint)


EPRT_ACCEPTED = [
    # id                   argument                                 endpoint, delimiter
    ("IPv4", b"|1|132.235.1.2|6275|", v4("132.235.1.2", 6275), b"|"),
    ("IPv6", b"|2|1080::8:800:200C:417A|5282|", v6("1080::8:800:200c:417a", 5282), b"|"),
    ("IPv6 in full", b"|2|2001:db8:0:0:0:0:0:1|21|", v6("2001:db8::1", 21), b"|"),
    ("IPv4 mapped", b"|2|::ffff:10.0.0.1|21|", v6("::ffff:10.0.0.1", 21), b"|"),
    ("lowest delimiter", b"!1!10.0.0.1!21!", v4("10.0.0.1", 21), b"!"),
    ("highest delimiter", b"~1~10.0.0.1~21~", v4("10.0.0.1", 21), b"~"),
    ("digit not in the fields", b"91910.0.0.19219", v4("10.0.0.1", 21), b"9"),
    ("zeros lead the port", b"|1|10.0.0.1|0021|", v4("10.0.0.1", 21), b"|"),
    ("highest port", b"|1|10.0.0.1|65535|", v4("10.0.0.1", 65535), b"|"),
    ("blanks follow", b"|1|10.0.0.1|21| \t", v4("10.0.0.1", 21), b"|"),
]

EPRT_REFUSED = [
    # id                   argument                                 reason
    ("nothing", b"", "no delimiter"),
    ("blank delimits", b" 1 10.0.0.1 21 ", "no delimiter"),
    ("control delimits", b"\x1f1\x1f10.0.0.1\x1f21\x1f", "no delimiter"),
    ("DEL delimits", b"\x7f1\x7f10.0.0.1\x7f21\x7f", "no delimiter"),
    ("high byte delimits", b"\x801\x8010.0.0.1\x8021\x80", "no delimiter"),
    ("dot delimits IPv4", b".1.10.0.0.1.21.", "three fields wanted"),
    ("colon delimits IPv6", b":2:2001:db8::1:21:", "three fields wanted"),
    ("digit of the net-prt", b"1110.0.0.01221", "three fields wanted"),
    ("last delimiter missing", b"|1|10.0.0.1|21", "three fields wanted"),
    ("fourth field", b"|1|10.0.0.1|21|x|", "three fields wanted"),
    ("text follows", b"|1|10.0.0.1|21|x", "three fields wanted"),
    ("two delimiters", b"|1|10.0.0.1|21!", "three fields wanted"),
    ("PORT's argument", b"10,0,0,1,4,1", "three fields wanted"),
    ("net-prt 3", b"|3|10.0.0.1|21|", "net-prt neither 1 nor 2"),
    ("net-prt 0", b"|0|10.0.0.1|21|", "net-prt neither 1 nor 2"),
    ("net-prt 01", b"|01|10.0.0.1|21|", "net-prt neither 1 nor 2"),
    ("net-prt empty", b"||10.0.0.1|21|", "net-prt neither 1 nor 2"),
    ("IPv4 said to be IPv6", b"|2|10.0.0.1|21|", "malformed address"),
    ("IPv6 said to be IPv4", b"|1|2001:db8::1|21|", "malformed address"),
    ("address empty", b"|1||21|", "malformed address"),
    ("octet 256", b"|1|10.0.0.256|21|", "malformed address"),
    ("three octets", b"|1|10.0.1|21|", "malformed address"),
    ("zeros lead an octet", b"|1|010.0.0.1|21|", "malformed address"),
    ("prefix length", b"|2|2001:db8::1/64|21|", "malformed address"),
    ("brackets", b"|2|[2001:db8::1]|21|", "malformed address"),
    ("blank in the address", b"|1| 10.0.0.1|21|", "malformed address"),
    ("digits of another script", "|1|\u06610.0.0.1|21|".encode(), "malformed address"),
    ("host name", b"|1|localhost|21|", "malformed address"),
    ("scope id", b"|2|fe80::1%eth0|21|", "scope id"),
    ("port empty", b"|1|10.0.0.1||", "malformed port"),
    ("port negative", b"|1|10.0.0.1|-21|", "malformed port"),
    ("port a name", b"|1|10.0.0.1|ftp|", "malformed port"),
    ("port with a blank", b"|1|10.0.0.1|21 |", "malformed port"),
    ("port 0", b"|1|10.0.0.1|0|", "port 0"),
    ("port 65536", b"|1|10.0.0.1|65536|", "port above 65535"),
    ("port wraps 32 bits to 21", b"|1|10.0.0.1|4294967317|", "port above 65535"),
    ("port of 4000 digits", b"|1|10.0.0.1|" + b"9" * 4000 + b"|", "port above 65535"),
]


@pytest.mark.parametrize(("argument", "endpoint", "delimiter"), **table(EPRT_ACCEPTED))
def test_eprt_accepted(argument: bytes, endpoint: HostPort, delimiter: bytes) -> None:
    assert parse_eprt(argument) == Eprt(endpoint, delimiter)


@pytest.mark.parametrize(("argument", "reason"), **table(EPRT_REFUSED))
def test_eprt_refused(argument: bytes, reason: str) -> None:
    with pytest.raises(HostPortError) as refusal:
        parse_eprt(argument)
    assert refusal.value.reason == reason


@given(endpoints, delimiters | st.binary(max_size=2))
def test_eprt_is_written_readable_or_not_at_all(endpoint: HostPort, delimiter: bytes) -> None:
    net_prt = 1 if isinstance(endpoint.host, IPv4Address) else 2
    occurs = delimiter in f"{net_prt} {endpoint.host} {endpoint.port}".encode()
    legal = len(delimiter) == 1 and 33 <= delimiter[0] <= 126
    if legal and not occurs:
        assert parse_eprt(format_eprt(endpoint, delimiter)) == Eprt(endpoint, delimiter)
    else:
        with pytest.raises(ValueError, match=r"refused|delimit"):
            format_eprt(endpoint, delimiter)


NET_PRT = [
    # id               argument                    network protocol
    ("IPv4", b"|1|192.0.2.1|2000|", b"1"),
    ("an unknown one", b"|3|who knows|2000|", b"3"),
    ("bad address", b"!2!1.2.3!2000!", b"2"),
    ("no number", b"|x|192.0.2.1|2000|", None),
    ("too short", b"|1|192.0.2.1|", None),
    ("nothing", b"", None),
]


@pytest.mark.parametrize(("argument", "named"), **table(NET_PRT))
def test_network_protocol_of_eprt(argument: bytes, named: bytes | None) -> None:
    assert net_prt(argument) == named


EPRT_UNWRITABLE = [
    # id                   endpoint                        delimiter
    ("dot in IPv4", v4("10.0.0.1", 21), b"."),
    ("colon in IPv6", v6("2001:db8::1", 21), b":"),
    ("hex digit in IPv6", v6("2001:db8::a", 21), b"a"),
    ("digit in the port", v4("10.0.0.1", 21), b"2"),
    ("the net-prt", v4("30.0.0.3", 44), b"1"),
    ("two bytes", v4("10.0.0.1", 21), b"||"),
    ("no byte", v4("10.0.0.1", 21), b""),
    ("space", v4("10.0.0.1", 21), b" "),
    ("high byte", v4("10.0.0.1", 21), b"\xff"),
    ("no host", HostPort(None, 21), b"|"),
    ("scope id", v6("fe80::1%eth0", 21), b"|"),
    ("port 0", v4("10.0.0.1", 0), b"|"),
    ("port 65536", v4("10.0.0.1", 65536), b"|"),
    ("port -1", v4("10.0.0.1", -1), b"|"),
]


@pytest.mark.parametrize(("endpoint", "delimiter"), **table(EPRT_UNWRITABLE))
def test_eprt_cannot_carry(endpoint: HostPort, delimiter: bytes) -> None:
    with pytest.raises(ValueError, match=r"refused|delimit"):
        format_eprt(endpoint, delimiter)


# What follows "227 ". The numbers wanted stand between < and >, which are taken out.
FOUND_227 = [
    # id                   text                                     endpoint
    ("brackets", b"Entering Passive Mode (<10,0,1,2,200,10>).", v4("10.0.1.2", 51210)),
    ("no brackets", b"Entering Passive Mode <10,0,1,2,200,10>", v4("10.0.1.2", 51210)),
    ("numbers only", b"<10,0,1,2,200,10>", v4("10.0.1.2", 51210)),
    ("equals sign", b"=<10,0,1,2,200,10>", v4("10.0.1.2", 51210)),
    ("square brackets", b"Passive [<10,0,1,2,200,10>]", v4("10.0.1.2", 51210)),
    ("past a host name", b"Passive Mode, host2 (<1,2,3,4,5,6>)", v4("1.2.3.4", 1286)),
    ("past an address", b"10.0.0.1 listens (<1,2,3,4,5,6>)", v4("1.2.3.4", 1286)),
    ("past five numbers", b"1,2,3,4,5 (<1,2,3,4,5,6>)", v4("1.2.3.4", 1286)),
    ("after a comma", b"Passive,<1,2,3,4,5,6>", v4("1.2.3.4", 1286)),
    ("before a comma", b"<1,2,3,4,5,6>, go on", v4("1.2.3.4", 1286)),
    ("first of two", b"(<1,2,3,4,5,6>) or (6,5,4,3,2,1)", v4("1.2.3.4", 1286)),
    ("zeros lead", b"(<010,00,01,002,4,001>)", v4("10.0.1.2", 1025)),
    ("high bytes around", b"\xe9\xff(<1,2,3,4,5,6>)\xff", v4("1.2.3.4", 1286)),
]

REFUSED_227 = [
    # id                   text                                     reason
    ("nothing", b"", NO_HOST_PORT),
    ("logout", b"Logout.", NO_HOST_PORT),
    ("a host name only", b"Entering Passive Mode, host2", NO_HOST_PORT),
    ("five numbers", b"(10,0,0,1,4)", NO_HOST_PORT),
    ("blank inside", b"(10,0,0, 1,4,1)", NO_HOST_PORT),
    ("229's argument", b"(|||1025|)", NO_HOST_PORT),
    ("seven numbers", b"(10,0,0,1,4,1,1)", "more than six numbers"),
    ("seven, then six", b"1,2,3,4,5,6,7 (1,2,3,4,5,6)", "more than six numbers"),
    ("octet 256", b"(256,0,0,1,4,1)", "octet above 255"),
    ("port byte 256", b"(10,0,0,1,4,256)", "octet above 255"),
    ("octet 256, then good", b"256,0,0,1,4,1 (1,2,3,4,5,6)", "octet above 255"),
    ("port 0", b"(10,0,0,1,0,0)", "port 0"),
]


@pytest.mark.parametrize(("marked", "endpoint"), **table(FOUND_227))
def test_227_found(marked: bytes, endpoint: HostPort) -> None:
    text = marked.replace(b"<", b"").replace(b">", b"")
    assert find_227(text) == (endpoint, marked.index(b"<"), marked.index(b">") - 1)


@pytest.mark.parametrize(("text", "reason"), **table(REFUSED_227))
def test_227_refused(text: bytes, reason: str) -> None:
    with pytest.raises(HostPortError) as refusal:
        find_227(text)
    assert refusal.value.reason == reason


@given(ipv4_endpoints, st.binary(), st.binary())
def test_227_is_found_in_any_text(endpoint: HostPort, before: bytes, after: bytes) -> None:
    assume(not re.search(rb"\d+(,\d+){5}", before))
    numbers = format_port(endpoint)
    start = len(before) + 1
    found = find_227(before + b"(" + numbers + b")" + after)
    assert found == (endpoint, start, start + len(numbers))


FOUND_229 = [
    # id                   text                                     port
    ("bars", b"Entering Extended Passive Mode (|||<6446>|)", 6446),
    ("text follows", b"Extended Passive Mode OK (|||<6446>|).", 6446),
    ("lowest delimiter", b"ok (!!!<6446>!)", 6446),
    ("highest delimiter", b"ok (~~~<6446>~)", 6446),
    ("letter delimits", b"ok (aaa<6446>a)", 6446),
    ("bracket delimits", b"ok ((((<6446>()", 6446),
    ("past other brackets", b"(extended) mode, host (2) (|||<6446>|)", 6446),
    ("first of two", b"(|||<6446>|) (|||21|)", 6446),
    ("zeros lead", b"(|||<006446>|)", 6446),
    ("port 1", b"(|||<1>|)", 1),
    ("port 65535", b"(|||<65535>|)", 65535),
]

REFUSED_229 = [
    # id                   text                                     reason
    ("nothing", b"", NO_HOST_PORT),
    ("no brackets", b"|||6446|", NO_HOST_PORT),
    ("no closing bracket", b"(|||6446|", NO_HOST_PORT),
    ("text before the bracket", b"(|||6446|x)", NO_HOST_PORT),
    ("two delimiters", b"(||6446|)", NO_HOST_PORT),
    ("four delimiters", b"(||||6446|)", NO_HOST_PORT),
    ("delimiters differ", b"(||!6446|)", NO_HOST_PORT),
    ("last delimiter differs", b"(|||6446!)", NO_HOST_PORT),
    ("digit delimits", b"(11164461)", NO_HOST_PORT),
    ("blank delimits", b"(   6446 )", NO_HOST_PORT),
    ("address given", b"(|1|10.0.0.1|6446|)", NO_HOST_PORT),
    ("negative", b"(|||-6446|)", NO_HOST_PORT),
    ("no port", b"(||||)", NO_HOST_PORT),
    ("227's numbers", b"(10,0,0,1,4,1)", NO_HOST_PORT),
    ("port 0", b"(|||0|)", "port 0"),
    ("port 65536", b"(|||65536|)", "port above 65535"),
    ("port wraps 32 bits to 21", b"(|||4294967317|)", "port above 65535"),
]


@pytest.mark.parametrize(("marked", "port"), **table(FOUND_229))
def test_229_found(marked: bytes, port: int) -> None:
    text = marked.replace(b"<", b"").replace(b">", b"")
    assert find_229(text) == (HostPort(None, port), marked.index(b"<"), marked.index(b">") - 1)


@pytest.mark.parametrize(("text", "reason"), **table(REFUSED_229))
def test_229_refused(text: bytes, reason: str) -> None:
    with pytest.raises(HostPortError) as refusal:
        find_229(text)
    assert refusal.value.reason == reason


@given(ports, delimiters, st.binary(), st.binary())
def test_229_is_found_in_any_text(port: int, delimiter: bytes, before: bytes, after: bytes) -> None:
    assume(not delimiter.isdigit())
    assume(b"(" not in before + delimiter)
    digits = b"%d" % port
    start = len(before) + 4
    found = find_229(before + b"(" + 3 * delimiter + digits + delimiter + b")" + after)
    assert found == (HostPort(None, port), start, start + len(digits))


@pytest.mark.parametrize("parse", [parse_port, parse_eprt, find_227, find_229])
@given(argument=st.binary() | st.text("0123456789,|() ").map(str.encode))
def test_garbage_is_the_peers_error(parse: Callable[[bytes], object], argument: bytes) -> None:
    with contextlib.suppress(HostPortError):
        parse(argument)


def test_the_error_says_what_was_refused_and_why() -> None:
    with pytest.raises(PeerError, match=r"^host-port b'10,0,0,1,0,0' refused: port 0$"):
        parse_port(b"10,0,0,1,0,0")


def test_the_error_echoes_a_bounded_part_of_the_argument() -> None:
    with pytest.raises(HostPortError) as refusal:
        parse_port(b"A" * 4000)
    assert len(str(refusal.value)) < 200
