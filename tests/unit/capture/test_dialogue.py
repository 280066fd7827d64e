from __future__ import annotations

import pytest

from ftpfw.capture.dialogue import MASK, MAX_SHOWN, Dialogue, Said, as_text, command_text
from ftpfw.conntrack.model import Direction
from tests.unit.table import table

from .traffic import Traffic, report_of

SECRETS = [
    # id                 line
    ("as usual", b"PASS secret"),
    ("lower case", b"pass secret"),
    ("blanks ahead", b" \tPASS  secret"),
    ("a NUL ahead", b"\0PASS secret"),
    ("Telnet ahead", b"\xff\xf4\xf2PASS secret"),
    ("Telnet inside", b"PA\xff\xf1SS secret"),
    ("an account", b"ACCT secret"),
    ("no blank", b"PASSsecret"),
    ("a blank in it", b"PASS my secret"),
]


@pytest.mark.parametrize("line", **table(SECRETS))
@pytest.mark.parametrize("certain", [True, False])
def test_secrets_are_masked(line: bytes, certain: bool) -> None:
    shown = command_text(line, certain=certain)
    assert "secret" not in shown
    assert MASK in shown


def test_what_may_be_the_rest_of_a_secret_is_masked() -> None:
    assert command_text(b"secret", certain=False) == MASK
    assert command_text(b"secret", certain=True) == "secret"
    assert command_text(b"RETR secret", certain=False) == "RETR secret"


TEXTS = [
    # id              raw                    shown
    ("UTF-8", "RETR Müller".encode(), "RETR Müller"),
    ("Latin-1", b"RETR M\xfcller", "RETR Müller"),
    ("escape sequence", b"220 \x1b[31mred", "220 \\x1b[31mred"),
    ("direction override", "RETR \u202etxt.exe".encode(), "RETR \\u202etxt.exe"),
]


@pytest.mark.parametrize(("raw", "shown"), **table(TEXTS))
def test_text_is_safe_to_show(raw: bytes, shown: str) -> None:
    assert as_text(raw) == shown


def test_text_is_bounded() -> None:
    assert len(as_text(b"x" * 5000)) == MAX_SHOWN


def dialogue_of(traffic: Traffic, limit: int = 100) -> Dialogue:
    dialogue = report_of(traffic.packets, lines=limit).controls[0].dialogue
    assert dialogue is not None
    return dialogue


def test_both_sides_in_the_order_of_the_capture() -> None:
    traffic = Traffic()
    traffic.control().say(b"NOOP\r\n", mss=1).hear(b"200 fine\r\n")
    said = [
        (one.direction, one.text) for one in dialogue_of(traffic).entries if isinstance(one, Said)
    ]
    client, server = Direction.ORIGINAL, Direction.REPLY
    assert said == [
        (server, "220 hello"),
        (client, "USER ftp"),
        (server, "331 who"),
        (client, f"PASS {MASK}"),
        (server, "230 in"),
        (client, "NOOP"),
        (server, "200 fine"),
    ]


def test_lines_past_the_bound_are_counted() -> None:
    traffic = Traffic()
    traffic.control()
    dialogue = dialogue_of(traffic, limit=3)
    assert (len(dialogue.entries), dialogue.left_out) == (3, 2)


def test_a_password_whose_first_half_is_not_in_the_capture() -> None:
    traffic = Traffic()
    wire = traffic.control()
    wire.say(b"PASS ").say(b"secret\r\n").hear(b"230 in\r\n")
    for first in range(len(traffic.packets) - 2):
        texts = [one.text for one in dialogue_of_packets(traffic, first)]
        assert not [text for text in texts if "secret" in text]


def dialogue_of_packets(traffic: Traffic, first: int) -> list[Said]:
    cut = Traffic()
    cut.packets = traffic.packets[first:]
    return [one for one in dialogue_of(cut).entries if isinstance(one, Said)]
