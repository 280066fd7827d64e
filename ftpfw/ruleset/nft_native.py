"""Applier for nftables: the table ``inet ftpfw``, replaced in one transaction by nft(8).

Which tables there are is asked of the kernel: nft reads all rules of all tables to tell, those
of iptables-nft too. How nft prints the wanted table is found out by loading it in an empty
network namespace (unshare(1), so CAP_SYS_ADMIN is needed to compare). Nothing is changed for
it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import product
from socket import AF_INET, AF_INET6, AF_UNSPEC

from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nla import unpack_attributes, unpack_string
from ftpfw.conntrack.nlmsg import NLM_F_LIST, Ack, Subsystem, attributes_of, pack_message
from ftpfw.errors import HostError
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.firewall import Undo, run_program
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.nft_table import table_drift, table_lines, yours
from ftpfw.ruleset.nftables import CLEAR, TABLE, render_table

LIST = ["nft", "--stateless", "list", "table", "inet", TABLE]
ELSEWHERE = ["unshare", "--net", "sh", "-c", f"nft -f - && {' '.join(LIST)}"]

NFPROTO_INET = 1
NFT_MSG_GETTABLE = 1
NFTA_TABLE_NAME = 1

OURS = (NFPROTO_INET, TABLE)
IPTABLES_TABLES = frozenset(
    product((AF_INET, AF_INET6), ("raw", "mangle", "nat", "filter", "security"))
)
"""Families and names of the tables that iptables-nft keeps."""

NO_HELPER = "the kernel has no such conntrack helper"

REASONS = {
    "ct helper": (
        NO_HELPER,
        "a helper of the kernel's: modprobe nf_conntrack_ftp, or nf_conntrack_sane;"
        " ftpfw's own is registered by `ftpfw load` and `ftpfw helper`",
    ),
    "queue": (
        "this kernel's nf_tables cannot queue (CONFIG_NFT_QUEUE)",
        "modprobe nft_queue; or rules for --backend nft-compat",
    ),
}
"""What it means where nft says that a statement of ours is nothing that the kernel knows."""


class Nftables:
    """nf_tables' own rules, through nft."""

    name = "nftables"

    def locked(self) -> AbstractContextManager[None]:
        """One transaction changes all there is, so there is nothing to lock."""
        return nullcontext()

    def keep(self) -> Undo:
        """What puts the present table back, or takes away one made since."""
        before = _live()
        return lambda: _load(CLEAR + before)

    def change(self, rulesets: Sequence[RuleSet]) -> None:
        """Replace the table, if it differs; the administrator's own chain goes with it."""
        wanted, live = render_table(rulesets), _live()
        if wanted and not (live and not any(table_drift(_printed(wanted), live))):
            _load(CLEAR + wanted + yours(live))
        elif live and not wanted:
            _load(CLEAR)

    def drift(self, rulesets: Sequence[RuleSet]) -> Iterator[Drift]:
        """Chain by chain, as nft prints them."""
        yield from table_drift(_printed(render_table(rulesets)), _live())

    def texts(self, rulesets: Sequence[RuleSet]) -> tuple[list[str], list[str]]:
        """As nft prints rules, under the names of their chains."""
        return table_lines(_live()), table_lines(_printed(render_table(rulesets)))

    def has_ours(self) -> bool:
        """Whether our table is there."""
        return OURS in _tables()

    def has_rules(self) -> bool:
        """Whether there are tables, of anybody's but iptables-nft's."""
        return any(table not in IPTABLES_TABLES for table in _tables())

    def attaches_helpers(self) -> bool:
        """Not so that unregistering a helper would hurt: objects keep theirs in use."""
        return False

    def takes(self, rulesets: Sequence[RuleSet]) -> bool:
        """Whether this kernel can hold the rules; a helper may be registered later."""
        try:
            _printed(render_table(rulesets))
        except HostError as error:
            return NO_HELPER in error.what and " queue " not in error.what
        return True


def _tables() -> list[tuple[int, str]]:
    """Family (NFPROTO_*) and name of every table; none where the kernel has no nf_tables."""
    kind = Subsystem.NFTABLES << 8 | NFT_MSG_GETTABLE
    with closing(NfSocket.open()) as kernel:
        found = kernel.dump(lambda seq: pack_message(kind, NLM_F_LIST, AF_UNSPEC, seq))
    if isinstance(found, Ack):
        return []
    return [(payload[0], _name(payload)) for payload in found]


def _name(payload: bytes) -> str:
    return unpack_string(unpack_attributes(attributes_of(payload))[NFTA_TABLE_NAME])


def _live() -> str:
    return run_program(LIST) if OURS in _tables() else ""


def _printed(wanted: str) -> str:
    """The listing of ``wanted`` where nothing else lives."""
    return _run(ELSEWHERE, wanted) if wanted else ""


def _load(text: str) -> None:
    _run(["nft", "-f", "-"], text)


def _run(argv: list[str], text: str) -> str:
    try:
        return run_program(argv, text)
    except HostError as error:
        if "Could not process rule: No such file or directory" in error.what:
            for statement, (what, mend) in REASONS.items():
                if statement in error.what:
                    raise HostError(f"{what}: {error.what}", mend=mend) from error
        raise
