from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path

import pytest

from ftpfw.capture.linklayer import CaptureError
from ftpfw.capture.reader import LONGEST, CaptureReader, Frame
from tests.unit.table import table

from .traffic import RAW, Traffic, write

PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW)
NANOSECONDS = struct.pack(">IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, RAW)


def frames(path: Path) -> tuple[list[Frame], str | None]:
    with CaptureReader(path) as reader:
        found = list(reader)
        assert reader.position > 0
        return found, reader.damage


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    traffic = Traffic()
    traffic.control()
    return write(tmp_path / "good.pcap", traffic, "raw")


def test_nanoseconds_in_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "nano.pcap"
    path.write_bytes(NANOSECONDS + struct.pack(">IIII", 7, 500_000_000, 3, 3) + b"abc")
    assert frames(path) == ([(7.5, RAW, b"abc")], None)


def test_the_upper_bits_of_the_link_type_are_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "fcs.pcap"
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 0x44000000 | RAW)
    path.write_bytes(head + struct.pack("<IIII", 1, 0, 1, 1) + b"x")
    assert frames(path) == ([(1.0, RAW, b"x")], None)


def test_gzip_reads_the_same(capture: Path) -> None:
    packed = capture.with_suffix(".gz")
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    assert frames(packed) == frames(capture)


NO_CAPTURES = [
    # id          content
    ("empty", b""),
    ("text", b"this is no capture\n" * 10),
    ("a header that is cut", PCAP[:20]),
    ("gzip of text", gzip.compress(b"this is no capture\n")),
    ("gzip that is none", b"\x1f\x8b not at all"),
    ("pcapng that is cut", b"\x0a\x0d\x0d\x0a\x1c\0\0\0"),
]


@pytest.mark.parametrize("content", **table(NO_CAPTURES))
def test_what_is_no_capture(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(content)
    with CaptureReader(path) as reader, pytest.raises(CaptureError, match="not a capture") as error:
        list(reader)
    assert str(path) in error.value.what
    assert "pcapng" in (error.value.mend or "")


@pytest.mark.parametrize(
    ("name", "why"), [("missing", "No such file"), (".", "Is a directory")], ids=["none", "folder"]
)
def test_what_cannot_be_opened(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=why):
        CaptureReader(tmp_path / name)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_file_that_is_cut_says_so(capture: Path, packed: bool) -> None:
    whole, _ = frames(capture)
    content = gzip.compress(capture.read_bytes()) if packed else capture.read_bytes()
    for missing in (1, 30, 70):
        capture.write_bytes(content[:-missing])
        found, damage = frames(capture)
        assert found[: len(whole) - 3] == whole[: len(found)][: len(whole) - 3]
        assert damage == "it ends in the middle of a record"


def test_a_record_of_absurd_length_is_damage_and_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "absurd.pcapng"
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    path.write_bytes(section + struct.pack("<II", 6, LONGEST * 4) + bytes(64))
    found, damage = frames(path)
    assert found == []
    assert "a record of" in (damage or "")


def test_scapys_log_is_left_as_it_was(capture: Path) -> None:
    log = logging.getLogger("scapy.runtime")
    before = (log.propagate, list(log.handlers))
    frames(capture)
    assert (log.propagate, list(log.handlers)) == before
