from __future__ import annotations

from pathlib import Path

from scapy.utils import RawPcapReader

from ftpfw.lab.captures import Frame, pcap


def test_another_reader_finds_the_same(tmp_path: Path) -> None:
    frames = [Frame(1_700_000_000_123_456_789, b"a" * 60), Frame(1_700_000_001_000_000_001, b"b")]
    file = tmp_path / "file.pcap"
    file.write_bytes(pcap(frames))
    with RawPcapReader(str(file)) as reader:
        assert reader.linktype == 1
        found = [(data, meta.sec * 10**9 + meta.usec) for data, meta in reader]
    assert found == [(frame.data, frame.time) for frame in frames]
