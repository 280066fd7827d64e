"""The law of rewriting, as hypothesis states it, its choices made by the coverage-guided fuzzer.

However a sender cuts, repeats, loses and reorders its segments, the receiver gets the same
stream with every announced address replaced: see ``tests/unit/helper/test_any_segmentation.py``.
"""

from __future__ import annotations

from tests.unit.helper.test_any_segmentation import test_the_receiver_gets_the_rewritten_stream


def fuzz(data: bytes) -> None:
    test_the_receiver_gets_the_rewritten_stream.hypothesis.fuzz_one_input(data)  # type: ignore[attr-defined]
