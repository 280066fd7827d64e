"""The engine against arbitrary packets, and a kernel that refuses at random.

Both directions, any sequence numbers, acks and flags, damaged packets, packets of nobody's,
the wrong hook, policies that change, conntracks that go: see `tests.fuzz.twins` and
`tests.fuzz.gateway` for what must hold all the same.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from ftpfw.conntrack.model import Conntrack, Direction
from ftpfw.tcp.segment import ACK, FIN, PSH, RST, SYN, URG
from ftpfw.tcp.serial import add
from tests.fuzz.gateway import PATHS
from tests.fuzz.packets import build
from tests.fuzz.script import Script
from tests.fuzz.twins import SETTINGS, Twins, hooked

FLAGS = (PSH | ACK, ACK, FIN | ACK, SYN, SYN | ACK, RST, RST | ACK, URG | ACK, FIN | SYN, 0)
ERRNOS = (0, errno.EBUSY, errno.EEXIST, errno.EOPNOTSUPP, errno.EMFILE, errno.ENOENT, errno.EPERM)
HELPERS = ("sane", None, "ftp")
PATIENCE = (0.1, 3.5, 31.0, 400.0)

WORDS = (
    b"\r\n", b"\n", b"\0", b"\xff\xf4\xf2", b"(|||", b"|)\r\n", b",", b"PORT ", b"EPRT |1|",
    b"EPRT |2|", b"227 Entering (", b"229 Entering (|||", b"227-", b"227 ", b"220-\r\n",
    b"USER ftp\r\n", b"PASS x\r\n", b"230 in\r\n", b"PASV\r\n", b"EPSV\r\n", b"EPSV ALL\r\n",
    b"AUTH TLS\r\n", b"234 go\r\n", b"200 ok\r\n", b"500 no\r\n", b"150 (9 bytes)\r\n",
    b"226 done\r\n", b"RETR f\r\n", b"ABOR\r\n", b"REIN\r\n", b"CCC\r\n", b"SITE x\r\n",
    b"\x16\x03\x01\x02", b"A" * 250, b"\r\n" * 60,
)  # fmt: skip


class Attack:
    """Carries out a script, packet by packet."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.home = script.pick(PATHS)
        after_nat = bool(script.number() & 1)
        self.twins = Twins(self.home, script.pick(SETTINGS), after_nat=after_nat)
        self.next = dict.fromkeys(Direction, 1000)

    def step(self) -> None:
        self.script.pick(STEPS)(self)

    def segment(self) -> None:
        self.twins.inspect(self._packet())

    def damaged(self) -> None:
        packet = bytearray(self._packet())
        for _ in range(1 + self.script.number() % 3):
            packet[self.script.number() % len(packet)] ^= 1 + self.script.number() % 255
        self.twins.inspect(bytes(packet))

    def stranger(self) -> None:
        self.twins.inspect(self.script.text())

    def at_the_wrong_hook(self) -> None:
        self.twins.inspect(self._packet(), wrong_hook=True)

    def data_syn(self) -> None:
        """A client that opens a data connection to the server's passive ports."""
        wanted = replace(self.home.original, dport=49998 + self.script.number() % 16)
        self.twins.inspect(build(wanted, 1, 0, SYN, b""), wrong_hook=self.twins.after_nat)

    def used_up(self) -> None:
        """The data connections come, which the inspector is not told."""
        for copy in (self.twins.quick, self.twins.thorough):
            copy.kernel.expectations.clear()

    def time(self) -> None:
        self.twins.now += self.script.pick(PATIENCE)

    def policy(self) -> None:
        self.twins.set(self.script.pick(SETTINGS))

    def kernel(self) -> None:
        refusal, gone = self.script.pick(ERRNOS), self.script.number() % 4 == 1
        helper, renewed = self.script.pick(HELPERS), self.script.number() & 1
        for copy in (self.twins.quick, self.twins.thorough):
            known = copy.kernel.conntrack
            copy.kernel.refusal, copy.kernel.gone = refusal, gone
            copy.kernel.conntrack = replace(known, helper=helper, id=known.id + renewed)

    def _packet(self) -> bytes:
        direction = self.script.pick(tuple(Direction))
        flags, payload = self.script.pick(FLAGS), self._payload(direction)
        seq = self._near(self.next[direction])
        if seq == self.next[direction]:
            self.next[direction] = add(seq, len(payload))
        ack = self._near(self.next[direction.other])
        at = hooked(self.home, direction, after_nat=self.twins.after_nat)
        return build(at, seq, ack, flags, payload)

    def _near(self, number: int) -> int:
        """That number mostly, else one before or after it, or any."""
        match self.script.number() % 8:
            case 5:
                return add(number, self.script.signed())
            case 6:
                return add(number, self.script.signed(2))
            case 7:
                return self.script.number(4)
        return number

    def _payload(self, direction: Direction) -> bytes:
        words = [self._word(direction) for _ in range(self.script.number() % 12)]
        return b"".join(words)

    def _word(self, direction: Direction) -> bytes:
        match self.script.number() % 4:
            case 0:
                return self.script.text()
            case 1:
                return _host_port(self.home, self.script)
        return self.script.pick(WORDS)


def _host_port(home: Conntrack, script: Script) -> bytes:
    """An address of the connection, or another, as PORT, EPRT and 229 write it, and a port."""
    tuple_ = script.pick((home.original, home.reply))
    address = script.pick((tuple_.src, tuple_.dst, b"\x08\x08\x08\x08"))
    port = script.number(2)
    match script.number() % 3:
        case 0 if len(address) == 4:
            return b"%d,%d,%d,%d,%d,%d" % (*address, port >> 8, port & 0xFF)
        case 1:
            return b"%s|%d|" % (str(ip_address(address)).encode(), port)
    return b"%d" % port


STEPS: tuple[Callable[[Attack], None], ...] = (
    Attack.segment,
    Attack.segment,
    Attack.segment,
    Attack.segment,
    Attack.damaged,
    Attack.kernel,
    Attack.time,
    Attack.policy,
    Attack.stranger,
    Attack.at_the_wrong_hook,
    Attack.data_syn,
    Attack.used_up,
)


def fuzz(data: bytes) -> None:
    script = Script(data)
    attack = Attack(script)
    while script.goes_on:
        attack.step()
    attack.twins.require_bounded()
