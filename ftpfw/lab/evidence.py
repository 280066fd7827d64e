"""What is heard of a step while it runs, for the report: both sides of the first gateway."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ftpfw.capture.report import Report
from ftpfw.capture.story import Story
from ftpfw.lab.captures import Capture, Frame, capturing
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.report.ladders import Expected, Heard
from ftpfw.lab.stage import Stage
from ftpfw.lab.topology import Topology

ETHERNET = 1
SETTLES = 0.05
"""Seconds after which conntrack(8) has told of what happened; a drawing is all that waits."""

LINES = 80
PORTS = frozenset({21})
_NEW = re.compile(
    r"\[(?P<seconds>\d+)\.(?P<microseconds>\d+)\s*\]\s+\[NEW\].*?src=(?P<src>\S+) dst=(?P<dst>\S+)"
    r" sport=\d+ dport=(?P<port>\d+)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen: a host, its interface on the client's side, and the one beyond it."""

    host: str
    near: str
    far: str | None


def place_of(topology: Topology) -> Place:
    """The first gateway on the way from the first host, or the last host where there is none."""
    client = topology.hosts[0].name
    for left, right in topology.links:
        ends = {left.host: right, right.host: left}
        gateway = ends.get(client)
        if gateway is None or not topology.host(gateway.host).forwards:
            continue
        beyond = next(
            one
            for pair in topology.links
            for one in pair
            if one.host == gateway.host and one.interface != gateway.interface
        )
        return Place(gateway.host, gateway.interface, beyond.interface)
    server = topology.hosts[-1]
    return Place(server.name, server.interfaces[0].name, None)


class Listener:
    """Hears a stage's gateway; `heard` tells what came since a time."""

    def __init__(self, captures: tuple[Capture, ...], expectations: Expectations) -> None:
        self._captures = captures
        self._expectations = expectations

    def heard(self, since: int) -> Heard:
        """What came since a time, in nanoseconds since 1970."""
        time.sleep(SETTLES)
        near, *far = (_report(capture.frames(since)) for capture in self._captures)
        expected = [one for one in self._expectations.seen if one.time >= since / 1e9]
        return Heard(near, far[0] if far else None, expected)


class Expectations:
    """New expectations of a host's kernel, by ``conntrack -E expect`` (conntrack(8))."""

    def __init__(self, host: LabHost) -> None:
        self.seen: list[Expected] = []
        self._process = host.start(["conntrack", "-E", "expect", "-o", "timestamp"])
        self._thread = threading.Thread(target=self._read, name="expectations")
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _NEW.search(line):
                port = int(found["port"])
                at = int(found["seconds"]) + int(found["microseconds"]) / 1e6  # not padded
                self.seen.append(Expected(at, found["src"], found["dst"], port))

    def close(self) -> None:
        """Hear no more."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _report(frames: list[Frame]) -> Report:
    story = Story(PORTS, LINES)
    for frame in frames:
        story.feed(frame.time / 1e9, ETHERNET, frame.data)
    return story.report()


@contextmanager
def listening(stage: Stage) -> Iterator[Listener]:
    """Hear what crosses a stage's gateway meanwhile."""
    place = place_of(stage.exercise.topology)
    host = stage.hosts[place.host]
    interfaces = [name for name in (place.near, place.far) if name is not None]
    expectations = Expectations(host)
    try:
        with capturing(host, *interfaces) as captures:
            yield Listener(captures, expectations)
    finally:
        expectations.close()
