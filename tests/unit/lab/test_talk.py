from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.lab.talk import Line, Verb, announced, names, parse_line, segments

PORTS = st.integers(1, 65535)


@given(st.ip_addresses(v=4), PORTS)
def test_a_227_names_what_a_port_line_named(address: IPv4Address, port: int) -> None:
    place = names(str(address), port)["host_port"]
    reply = f"227 Entering Passive Mode ({place})"
    assert announced(reply, "192.0.2.1") == (str(address), port)


@given(PORTS)
def test_a_229_means_the_peer(port: int) -> None:
    reply = f"229 Entering Extended Passive Mode (|||{port}|)"
    assert announced(reply, "2001:db8::1") == ("2001:db8::1", port)


@given(st.ip_addresses(v=4), PORTS)
def test_the_halves_make_the_whole(address: IPv4Address, port: int) -> None:
    known = names(str(address), port)
    assert known["h1"] + known["rest"] == known["host_port"]
    assert [int(one) for one in known["padded"].split(",")] == [
        int(one) for one in known["host_port"].split(",")
    ]


@given(st.text("ab ,1{}", min_size=1).map(str.strip).filter(bool))
def test_bytes_say_what_one_segment_says(text: str) -> None:
    known = names("10.0.0.1", 1025)
    pieces = segments(Line(Verb.BYTES, text), known)
    assert all(len(piece) == 1 for piece in pieces)
    assert b"".join(pieces) == segments(Line(Verb.SAY, text), known)[0]


SENT = [
    pytest.param("> PORT {host_port}", b"PORT 10,0,0,1,4,1\r\n", id="a command"),
    pytest.param(">> PORT {h1}", b"PORT 10", id="a segment"),
    pytest.param(r">> {rest}\r\nNOOP\r\n", b",0,0,1,4,1\r\nNOOP\r\n", id="escapes"),
    pytest.param("> EPRT {eprt}", b"EPRT |1|10.0.0.1|1025|\r\n", id="EPRT"),
    pytest.param("> {unknown}", b"{unknown}\r\n", id="an unknown name stays"),
]


@pytest.mark.parametrize(("line", "sent"), SENT)
def test_segments(line: str, sent: bytes) -> None:
    assert segments(parse_line(line), names("10.0.0.1", 1025)) == (sent,)


def test_an_ipv6_address_has_no_host_port() -> None:
    known = names("2001:db8::1", 1025)
    assert known["eprt"] == "|2|2001:db8::1|1025|"
    assert "host_port" not in known


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_is_read_as_it_is_written(verb: Verb) -> None:
    for text in (verb.value, f"{verb} 220"):
        try:
            line = parse_line(text)
        except ValueError:
            continue
        assert line.verb is verb
        assert str(line) == text
        return
    pytest.fail(f"no line with {verb}")


REFUSED = [
    pytest.param("USER anonymous", "does not begin with", id="no verb"),
    pytest.param(">", "says nothing", id="nothing to say"),
    pytest.param("< (220", "no regular expression", id="a bad pattern"),
    pytest.param("listen now", "does not begin with", id="a word too many"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_refuses(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_line(text)


@pytest.mark.parametrize("reply", ["200 ok", "227 Logout.", "229 (|1||5|)"])
def test_a_reply_without_an_address(reply: str) -> None:
    with pytest.raises(ValueError, match="announces no address"):
        announced(reply, "192.0.2.1")
