"""The page, by its structure; `test_page_in_a_browser` looks at it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from ftpfw.capture.page import page
from ftpfw.capture.report import Report

from .traffic import CLIENT, SERVER, Traffic, report_of

VOID = {"meta", "rect", "line", "path", "wbr"}


class Outline(HTMLParser):
    """The elements of a page; an end that does not fit is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._goes_on = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._goes_on = tag == "wbr"
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        self._goes_on = False
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._goes_on:
            self.texts[-1] += data
        elif data.strip():
            self.texts.append(data.strip())
        self._goes_on = False


def outline(report: Report) -> Outline:
    parser = Outline()
    parser.feed("".join(page(report, "a<b>.pcap", "2026-01-01")))
    parser.close()
    assert parser.open == []
    return parser


def played() -> Report:
    traffic = Traffic()
    wire = traffic.control()
    wire.say(b"PASV\r\n").hear(b"227 Entering Passive Mode (192,0,2,1,156,64)\r\n")
    traffic.wire(CLIENT, 50000, SERVER, 40000).open().hear(b"x" * 1234).close()
    wire.say(b"PORT 10,0,0,9,156,64\r\n").hear(b"500 no\r\n")
    traffic.wire(SERVER, 20, CLIENT, 40000).open().close()
    wire.say(b"RETR <script>alert(1)</script>&\r\n").hear(b"550 no\r\n")
    return report_of(traffic.packets, lines=100)


def test_all_that_was_negotiated_is_drawn_and_told() -> None:
    texts = outline(played()).texts
    for line in ("227 Entering Passive Mode (192,0,2,1,156,64)", "PORT 10,0,0,9,156,64"):
        assert line in texts
    assert "✓ opens client → server:40000" in texts
    assert "✗ opens nothing: foreign address" in texts
    assert "data client:50000 → server:40000" in texts
    assert "1.23 kB to client in" in " ".join(texts)
    assert "data server:20 → client:40000" in texts
    assert "NOT EXPECTED: nothing in" in " ".join(texts)


def test_text_of_the_capture_stays_text() -> None:
    found = outline(played())
    assert "script" not in found.tags
    assert "alert(1)" in " ".join(found.texts)
    assert "FTP in a<b>.pcap" in found.texts


def test_passwords_are_not_on_it() -> None:
    assert "secret" not in "".join(page(played(), "x", "y"))


def test_it_fetches_nothing() -> None:
    found = outline(played())
    assert not {"script", "link", "img", "iframe", "image", "use"} & {*found.tags}
    assert not [name for name, _ in found.attributes if name in {"src", "href", "xlink:href"}]
    style = "".join(page(played(), "x", "y"))
    assert not re.search(r"@import|url\(", style)


def test_a_capture_without_ftp_has_a_page_too() -> None:
    assert "None was seen." in outline(report_of([], lines=10)).texts


def test_a_reply_of_many_lines_is_drawn_short() -> None:
    traffic = Traffic()
    wire = traffic.control()
    wire.say(b"FEAT\r\n").hear(b"211-Features\r\n" + b" MDTM\r\n" * 20 + b"211 End\r\n")
    texts = outline(report_of(traffic.packets, lines=100)).texts
    assert "⋯ 20 lines ⋯" in texts
    assert "MDTM" not in texts


def test_lines_past_the_bound_are_counted_and_the_table_has_all() -> None:
    traffic = Traffic()
    wire = traffic.control()
    for low in range(40):
        wire.say(b"PORT 10,0,0,1,156,%d\r\n" % low).hear(b"200 ok\r\n")
    texts = outline(report_of(traffic.packets, lines=20)).texts
    assert "65 more lines are not drawn" in texts
    assert all(f"PORT 10,0,0,1,156,{low}" in texts for low in range(40))


def test_a_host_that_talks_to_itself() -> None:
    traffic = Traffic()
    wire = traffic.control("127.0.0.1", "127.0.0.1")
    wire.say(b"PORT 127,0,0,1,156,64\r\n").hear(b"200 ok\r\n")
    traffic.wire("127.0.0.1", 20, "127.0.0.1", 40000).open().close()
    assert "data server:20 → client:40000" in outline(report_of(traffic.packets, lines=50)).texts
