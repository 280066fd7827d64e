"""A cable between two hosts on which frames are lost, repeated and overtaken.

Each end is a TAP device inside a host's network namespace (Linux,
Documentation/networking/tuntap.rst); the frames between them pass through this process,
whose `Weather` decides on each by a seeded generator. Such a device offloads nothing: what
passes are the segments that the hosts have made, with their checksums. Only TCP after its
handshake suffers: resolution of addresses and what opens a connection are repeated after
seconds, teach the hosts to wait long, and say nothing about what is inspected.

The kernel's own means (netem) is missing from too many kernels.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from threading import Thread
from time import monotonic

from ftpfw.tcp.segment import SYN, Segment, SegmentError, parse_segment

from .netns import inside, run

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
ETHERNET_HEADER = 14
LONGEST_FRAME = 65536


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of the segments that are lost, repeated, and delayed, each by chance.

    ``behind``: a delayed one lets at most so many others of its direction overtake it, and
    ``seconds`` at most where no others come.
    """

    loss: float = 0.0
    repetition: float = 0.0
    delay: float = 0.0
    behind: int = 4
    seconds: float = 0.004


FAIR = Weather()
CHOPPY = Weather(repetition=0.06, delay=0.2)
ROUGH = Weather(loss=0.06, repetition=0.06, delay=0.2)


@dataclass(slots=True)
class Log:
    """What happened in one direction; ``longest`` is the longest payload of a TCP segment."""

    segments: int = 0
    lost: int = 0
    repeated: int = 0
    overtaken: int = 0
    longest: int = 0


@dataclass(slots=True)
class Lane:
    """One direction of a cable: which frames come out, and when."""

    weather: Weather
    random: Random
    log: Log = field(default_factory=Log)
    _delayed: list[tuple[int, float, int, bytes]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _opening: set[bytes] = field(default_factory=set)
    _passed: int = 0

    def take(self, frame: bytes, now: float) -> list[bytes]:
        """The frames that leave now that this one has come."""
        segment = _segment(frame)
        if segment is None or self._opens(segment):
            return [frame]
        self.log.segments += 1
        self.log.longest = max(self.log.longest, len(segment.payload))
        self._passed += 1
        weather, chance = self.weather, self.random.random()
        if chance < weather.loss:
            self.log.lost += 1
            return self.due(now)
        if chance < weather.loss + weather.delay:
            after = self._passed + self.random.randint(1, weather.behind)
            heappush(self._delayed, (after, now + weather.seconds, next(self._numbers), frame))
            return self.due(now)
        repeated = self.random.random() < weather.repetition
        self.log.repeated += repeated
        return [frame] * (1 + repeated) + self.due(now)

    def due(self, now: float) -> list[bytes]:
        """The delayed frames that enough others have overtaken, or that have waited enough."""
        frames = []
        while self._delayed and (
            self._delayed[0][0] <= self._passed or min(d[1] for d in self._delayed) <= now
        ):
            frames.append(heappop(self._delayed)[3])
            self.log.overtaken += 1
        return frames

    @property
    def waiting(self) -> bool:
        return bool(self._delayed)

    def _opens(self, segment: Segment) -> bool:
        """Whether it is part of a handshake: SYN, or the bare ACK behind it."""
        connection = b"%b%d%b%d" % (segment.src, segment.sport, segment.dst, segment.dport)
        if segment.flags & SYN:
            self._opening.add(connection)
            return True
        behind_syn = connection in self._opening
        self._opening.discard(connection)
        return behind_syn and not segment.payload


def _segment(frame: bytes) -> Segment | None:
    try:
        return parse_segment(frame[ETHERNET_HEADER:])
    except SegmentError:
        return None


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable that is plugged in; ``left`` is the direction from the left host to the right."""

    left: Log
    right: Log


@contextmanager
def cable(
    left: tuple[str, str], right: tuple[str, str], weather: Weather, random: Random
) -> Iterator[Cable]:
    """Join two hosts, each a namespace and the name of the interface that it gets."""
    ends = [inside(namespace, lambda name=name: _tap(name)) for namespace, name in (left, right)]  # type: ignore[misc]
    stop, stopped = os.pipe()
    lanes = [Lane(weather, Random(random.random())) for _ in ends]
    thread = Thread(target=_carry, args=(ends, lanes, stop))
    try:
        for namespace, name in (left, right):
            run(namespace, "ip", "link", "set", "dev", name, "up")
        thread.start()
        yield Cable(lanes[0].log, lanes[1].log)
    finally:
        os.close(stopped)
        if thread.ident:
            thread.join()
        for descriptor in (*ends, stop):
            os.close(descriptor)


def _tap(name: str) -> int:
    """A new TAP device in the thread's network namespace; it lives as long as the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    return descriptor


def _carry(ends: list[int], lanes: list[Lane], stop: int) -> None:
    """Carry frames until the other end of the pipe ``stop`` is closed."""
    poll = select.poll()
    for descriptor in (*ends, stop):
        poll.register(descriptor, select.POLLIN)
    while True:
        waiting = any(lane.waiting for lane in lanes)
        ready = {descriptor for descriptor, _ in poll.poll(1 if waiting else None)}
        if stop in ready:
            return
        now = monotonic()
        for source, sink, lane in zip(ends, reversed(ends), lanes, strict=True):
            frames = _received(source, lane, now) if source in ready else lane.due(now)
            for frame in frames:
                os.write(sink, frame)


def _received(source: int, lane: Lane, now: float) -> Iterator[bytes]:
    while True:
        try:
            frame = os.read(source, LONGEST_FRAME)
        except BlockingIOError:
            return
        yield from lane.take(frame, now)
