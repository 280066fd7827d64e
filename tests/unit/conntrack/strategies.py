"""Hypothesis strategies for the conntrack model."""

from __future__ import annotations

from hypothesis import strategies as st

from ftpfw.conntrack.model import Direction, Expectation, ExpectFlag, ExpectNat, SeqAdj, Tuple

ports = st.integers(0, 0xFFFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, (1 << 64) - 1)
s32 = st.integers(-0x80000000, 0x7FFFFFFF)
address_sizes = st.sampled_from([4, 16])
directions = st.sampled_from(Direction)
names = st.text("abcdefghijklmnopqrstuvwxyz-.0123456789", min_size=1, max_size=15)


def tuples_of(size: int) -> st.SearchStrategy[Tuple]:
    address = st.binary(min_size=size, max_size=size)
    return st.builds(Tuple, address, ports, address, ports)


def expectations_of(size: int) -> st.SearchStrategy[Expectation]:
    tuple_ = tuples_of(size)
    return st.builds(
        Expectation,
        master=tuple_,
        tuple=tuple_,
        mask=tuple_,
        timeout=u32,
        class_id=u32,
        flags=st.integers(0, 7).map(ExpectFlag),
        zone=u16,
        nat=st.none() | st.builds(ExpectNat, directions, tuple_),
        expectfn=st.none() | names,
    )


tuples = address_sizes.flatmap(tuples_of)
expectations = address_sizes.flatmap(expectations_of)
seqadjs = st.builds(SeqAdj, u32, s32, s32)
