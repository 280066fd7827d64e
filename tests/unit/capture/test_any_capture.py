"""The law: whatever a session negotiates, in whatever kind of capture, the story is the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.capture.reader import CaptureReader
from ftpfw.capture.report import Report
from ftpfw.capture.story import Story

from .traffic import CLIENT, CLIENT6, LINK_TYPES, SERVER, SERVER6, Traffic, Wire, write

PORTS = range(30000, 60000)


@dataclass
class Played:
    """A session as it is played, and what is true of it."""

    family: int
    mss: int
    traffic: Traffic = field(default_factory=Traffic)
    verdicts: list[tuple[str, bool]] = field(default_factory=list)
    lines: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client, self.server = (CLIENT, SERVER) if self.family == 4 else (CLIENT6, SERVER6)
        self.control: Wire = self.traffic.control(self.client, self.server)

    def announce(self, what: str, port: int, dial: bool) -> None:
        """One side announces ``port``, and where ``dial`` the other connects."""
        if what in ("PASV", "EPSV"):
            line = self.reply(port)
            self.control.say(what.encode() + b"\r\n").hear(line.encode() + b"\r\n", mss=self.mss)
            ends = (self.client, port - 20000, self.server, port)
        else:
            line = self.command(what, port)
            self.control.say(line.encode() + b"\r\n", mss=self.mss).hear(b"200 ok\r\n")
            ends = (self.server, port - 20000, self.client, port)
        granted = what != "foreign"
        self.verdicts.append((line, granted))
        if dial:
            self.traffic.wire(*ends).open().hear(b"some data").close()
            self.lines.append(line if granted else None)
        self.control.hear(b"226-done\r\n 227 (1,2,3,4,5,6)\r\n226 really\r\n", mss=self.mss)

    def reply(self, port: int) -> str:
        if self.family == 6:
            return f"229 Entering Extended Passive Mode (|||{port}|)"
        return f"227 Entering Passive Mode ({SERVER.replace('.', ',')},{port >> 8},{port & 255})"

    def command(self, what: str, port: int) -> str:
        foreign = what == "foreign"
        if self.family == 6:
            return f"EPRT |2|{'2001:db8::99' if foreign else self.client}|{port}|"
        host = "10.0.0.99" if foreign else self.client
        return f"PORT {host.replace('.', ',')},{port >> 8},{port & 255}"

    def stray(self, port: int) -> None:
        """A connection that nobody announced."""
        self.traffic.wire(self.client, port - 20000, self.server, port).open().close()
        self.lines.append(None)


steps = st.lists(
    st.tuples(st.sampled_from(["PASV", "PORT", "foreign", "stray", "NOOP"]), st.booleans()),
    max_size=6,
)


@st.composite
def sessions(draw: st.DrawFn) -> Played:
    played = Played(draw(st.sampled_from([4, 6])), draw(st.integers(1, 80)))
    ports = draw(st.lists(st.sampled_from(PORTS), min_size=6, max_size=6, unique=True))
    for (what, dial), port in zip(draw(steps), ports, strict=False):
        if what == "stray":
            played.stray(port)
        elif what == "NOOP":
            played.control.say(b"NOOP\r\n").hear(b"200 PORT 1,2,3,4,5,6\r\n", mss=played.mss)
        else:
            played.announce(what, port, dial)
    return played


def told(path: Path) -> Report:
    story = Story(frozenset({21}), 100)
    with CaptureReader(path) as reader:
        for frame in reader:
            story.feed(*frame)
        assert reader.damage is None
    return story.report()


@settings(max_examples=60)
@given(sessions(), st.sampled_from(sorted(LINK_TYPES)), st.sampled_from(["pcap", "ng", "gz"]))
def test_the_story_is_what_was_played(played: Played, kind: str, form: str) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "capture"
        write(path, played.traffic, kind, ng=form == "ng", gz=form == "gz")
        report = told(path)
    (control,) = report.controls
    assert [(one.line, one.accepted) for one in control.negotiations] == played.verdicts
    assert [one.line for one in report.data] == played.lines
    assert report.counts.packets == len(played.traffic.packets)
    assert not report.counts.skipped
