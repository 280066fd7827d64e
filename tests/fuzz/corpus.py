"""The corpus of a target: inputs that each reach something the others do not.

One file a target, ``corpus/TARGET.bin``: each input after its length in two bytes
(big-endian), the shortest first. One, so that a commit shows a file and not a thousand.
libFuzzer wants one file an input: `unpack` writes those, `pack` collects them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"

BUDGET = 25_000
"""Bytes of a target's file: a repository is no place for every input; the longest go first."""


def inputs_of(target: str) -> list[bytes]:
    """The inputs that are kept for ``target``; none where there is no file."""
    path = FOLDER / f"{target}.bin"
    data = path.read_bytes() if path.exists() else b""
    inputs = []
    while data:
        end = 2 + int.from_bytes(data[:2], "big")
        inputs.append(data[2:end])
        data = data[end:]
    return inputs


def unpack(target: str, folder: Path) -> None:
    """Write a file for each input that is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in inputs_of(target):
        (folder / sha1(one, usedforsecurity=False).hexdigest()).write_bytes(one)


def pack(target: str, folder: Path) -> None:
    """Keep the inputs that are files in ``folder``, and no others."""
    write(target, (path.read_bytes() for path in folder.iterdir()))


def write(target: str, inputs: Iterable[bytes]) -> None:
    """Keep ``inputs`` within `BUDGET`; their order depends on nothing else."""
    FOLDER.mkdir(exist_ok=True)
    ordered = sorted(set(inputs), key=lambda one: (len(one), one))
    packed = b"".join(len(one).to_bytes(2, "big") + one for one in ordered)
    while len(packed) > BUDGET:
        packed = packed[: -2 - len(ordered.pop())]
    (FOLDER / f"{target}.bin").write_bytes(packed)
