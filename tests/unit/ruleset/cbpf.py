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
    if op in (0x15, 0x2D):  # jeq #k, jgt x
        return a, x, a == k if op == 0x15 else a > x
    loads = {0x30: 0, 0x50: x}  # ldb [k], ldb [x+k]
    if op in loads:
        return packet[loads[op] + k], x, None
    if op == 0x28:  # ldh [k]
        return packet[k] << 8 | packet[k + 1], x, None
    arithmetic = {0x54: a & k, 0x74: a >> (k & 31), 0x0C: a + x}  # and #k, rsh #k, add x
    return arithmetic[op], x, None
