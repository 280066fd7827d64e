"""Classic-BPF programs that tell what a TCP segment says.

For ``-m bpf`` (xt_bpf): the program sees the packet from its network header on. It
returns nonzero for a match, and a load past the packet's end ends it with 0. Source:
linux/bpf_common.h for the codes; the text form ``COUNT,code jt jf k,…`` is what
iptables-extensions(8) takes and iptables-save prints, 64 instructions at most.

    SOME      the segment is longer than its headers
    UNCLEAR   its payload is shorter than 5 bytes, or does not begin with three ASCII
              letters or digits, or does not end in CR LF: so neither a whole command nor
              a whole reply, which in clear text begin with a verb or a code and end a line

The length is the IP header's own, not the buffer's. The caller has matched TCP: of an IPv6
packet with extension headers only ``-p tcp`` knows where TCP starts, so such a packet is
taken to carry data, and none to be unclear: the inspector looks for itself.

A program is written as instructions whose jumps name the label to go to; where a condition
has no label, the program falls through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from ftpfw.ruleset.model import Family, Text


class _Op(IntEnum):
    """Instruction codes (linux/bpf_common.h): class, size or operation, and mode."""

    LDB_ABS = 0x30  # A = byte k of the packet
    LDH_ABS = 0x28  # A = 16 bits at k
    LDB_IND = 0x50  # A = byte X + k
    LDH_IND = 0x48  # A = 16 bits at X + k
    LDX_MSH = 0xB1  # X = 4 * (low half of byte k): an IPv4 header's length
    ADD_X = 0x0C
    ADD_K = 0x04
    SUB_X = 0x1C
    SUB_K = 0x14
    AND_K = 0x54
    RSH_K = 0x74
    JEQ_K = 0x15
    JGT_K = 0x25
    JGE_K = 0x35
    JGT_X = 0x2D
    TAX = 0x07
    RET_K = 0x06


@dataclass(frozen=True, slots=True)
class _Do:
    """One instruction; ``label`` is its own name, ``yes`` and ``no`` are where a jump goes."""

    op: _Op
    k: int = 0
    yes: str = ""
    no: str = ""
    label: str = ""


# X = where the payload begins, from A = the TCP header's byte with its length.
_HEADER_LENGTH = (_Do(_Op.AND_K, 0xF0), _Do(_Op.RSH_K, 2))
_PAYLOAD = {
    Family.IPV4: (
        _Do(_Op.LDX_MSH, 0),
        _Do(_Op.LDB_IND, 12),
        *_HEADER_LENGTH,
        _Do(_Op.ADD_X),
        _Do(_Op.TAX),
    ),
    Family.IPV6: (_Do(_Op.LDB_ABS, 52), *_HEADER_LENGTH, _Do(_Op.ADD_K, 40), _Do(_Op.TAX)),
}

# A = where the packet ends; IPv6 counts from behind its header.
_END = {
    Family.IPV4: (_Do(_Op.LDH_ABS, 2),),
    Family.IPV6: (_Do(_Op.LDH_ABS, 4), _Do(_Op.ADD_K, 40)),
}

_VERDICTS = (_Do(_Op.RET_K, 0xFFFF, label="match"), _Do(_Op.RET_K, 0, label="pass"))


def _extended(family: Family, to: str) -> tuple[_Do, ...]:
    """Go to ``to`` with an IPv6 packet whose next header is not TCP."""
    if family is Family.IPV4:
        return ()
    return (_Do(_Op.LDB_ABS, 6), _Do(_Op.JEQ_K, 6, no=to))


def _some(family: Family) -> Iterator[_Do]:
    yield from _extended(family, "match")
    yield from _PAYLOAD[family]
    yield from _END[family]
    yield _Do(_Op.JGT_X, yes="match", no="pass")
    yield from _VERDICTS


def _unclear(family: Family) -> Iterator[_Do]:
    yield from _extended(family, "pass")
    yield from _PAYLOAD[family]
    yield from _END[family]
    yield _Do(_Op.SUB_X)
    yield _Do(_Op.JGE_K, 5, no="match")
    for index in range(3):
        yield from _letter_or_digit(index)
    first, *rest = _END[family]
    yield replace(first, label="byte 3")
    yield from rest
    yield _Do(_Op.SUB_K, 2)
    yield _Do(_Op.TAX)
    yield _Do(_Op.LDH_IND, 0)
    yield _Do(_Op.JEQ_K, int.from_bytes(b"\r\n"), yes="pass", no="match")
    yield from _VERDICTS


def _letter_or_digit(index: int) -> Iterator[_Do]:
    """Go on behind this, or to ``match``, by the payload's byte ``index``."""
    behind = f"byte {index + 1}"
    yield _Do(_Op.LDB_IND, index, label=f"byte {index}")
    for first, last in ("az", "AZ"):
        yield _Do(_Op.JGT_K, ord(last), yes="match")
        yield _Do(_Op.JGE_K, ord(first), yes=behind)
    yield _Do(_Op.JGT_K, ord("9"), yes="match")
    yield _Do(_Op.JGE_K, ord("0"), no="match")


def _assemble(program: tuple[_Do, ...]) -> str:
    """The text form; a jump's operand counts the instructions that it leaves out."""
    labels = {one.label: at for at, one in enumerate(program) if one.label}
    lines = [str(len(program))]
    for at, one in enumerate(program):
        yes, no = (labels[to] - at - 1 if to else 0 for to in (one.yes, one.no))
        lines.append(f"{one.op:d} {yes} {no} {one.k}")
    return ",".join(lines)


PROGRAM = {
    (text, family): _assemble(tuple(write(family)))
    for text, write in ((Text.SOME, _some), (Text.UNCLEAR, _unclear))
    for family in Family
}
"""The text form of each program."""
