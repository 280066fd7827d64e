"""What is fuzzed: one module a target, whose ``fuzz`` raises if a law is broken.

A target takes the bytes that the fuzzer made, and nothing else: no clock, no random
numbers, no state from one input to the next. Each module's docstring says its laws.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

TARGETS = (
    "hostport",
    "lines",
    "segment",
    "reassembly",
    "netlink",
    "packets",
    "conversation",
    "rewriting",
    "capture",
    "policy",
    "toml",
    "iptables",
    "configuration",
)


def load(target: str) -> Callable[[bytes], None]:
    """The function of ``target``, which comes with what it tests and no more."""
    return cast(Callable[[bytes], None], import_module(f"{__name__}.{target}").fuzz)
