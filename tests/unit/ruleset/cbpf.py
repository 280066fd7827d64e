"""A classic-BPF interpreter, just large enough for the programs of ftpfw.ruleset.bpf.

Source: linux/bpf_common.h; a load past the packet's end returns 0.
"""

RETURN = 0x06


def run_program(text: str, packet: bytes) -> int:
    """The return value of a program in iptables' text form."""
    count, *code = text.split(",")
    instructions = [tuple(map(int, line.split())) for line in code]
    assert int(count) == len(instructions)
    a = x = at = 0
    try:
        while True:
            op, jump_true, jump_false, k = instructions[at]
            if op == RETURN:
                return k
            a, x, condition = _step(op, k, a, x, packet)
            at += 1 + (0 if condition is None else jump_true if condition else jump_false)
    except IndexError:
        return 0


def _step(op: int, k: int, a: int, x: int, packet: bytes) -> tuple[int, int, bool | None]:
    """A and X after one instruction, and whether a jump's condition holds."""
    if op == 0xB1:  # ldx 4*([k]&0xf)
        return a, 4 * (packet[k] & 0xF), None
    if op == 0x07:  # tax
        return a, a, None
    jumps = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x2D: a > x}  # jeq, jgt, jge #k, jgt x
    if op in jumps:
        return a, x, jumps[op]
    loads = {0x30: (k, 1), 0x28: (k, 2), 0x50: (x + k, 1), 0x48: (x + k, 2)}  # ldb, ldh [k], [x+k]
    if op in loads:
        at, size = loads[op]
        return int.from_bytes(_whole(packet[at : at + size], size)), x, None
    arithmetic = {
        0x54: a & k,  # and #k
        0x74: a >> (k & 31),  # rsh #k
        0x0C: a + x,  # add x
        0x04: a + k,  # add #k
        0x1C: a - x,  # sub x
        0x14: a - k,  # sub #k
    }
    return arithmetic[op] & 0xFFFFFFFF, x, None


def _whole(loaded: bytes, size: int) -> bytes:
    if len(loaded) < size:
        raise IndexError
    return loaded
