import pytest

from ftpfw.ruleset.drift import Kind, find_drift
from ftpfw.ruleset.live import Part, Place, SavedTable
from ftpfw.ruleset.model import Family, Table
from tests.unit.table import table

WANTED = Part(
    {"ftpfw-forward": ("-i a -j ACCEPT", "-i b -j ACCEPT"), "ftpfw-drop": ("-j DROP",)},
    (Place("FORWARD", 0, "-j ftpfw-forward"), Place("FORWARD", None, "-j ftpfw-drop")),
)
LIVE = {
    "FORWARD": ("-j ftpfw-forward", "-i lo -j ACCEPT", "-j ftpfw-drop"),
    "ftpfw-forward": ("-i a -j ACCEPT", "-i b -j ACCEPT"),
    "ftpfw-drop": ("-j DROP",),
    "DOCKER": ("-j RETURN",),
}

Change = dict[str, tuple[str, ...] | None]
Found = list[tuple[Kind, str, str | None, str | None]]

DRIFT: list[tuple[str, Change, Found]] = [
    ("as wanted", {}, []),
    (
        "rule missing",
        {"ftpfw-forward": ("-i b -j ACCEPT",)},
        [(Kind.MISSING, "ftpfw-forward", "-i a -j ACCEPT", None)],
    ),
    (
        "rule too many",
        {"ftpfw-drop": ("-i x -j ACCEPT", "-j DROP")},
        [(Kind.UNEXPECTED, "ftpfw-drop", None, "-i x -j ACCEPT")],
    ),
    (
        "rule changed",
        {"ftpfw-drop": ("-j ACCEPT",)},
        [(Kind.CHANGED, "ftpfw-drop", "-j DROP", "-j ACCEPT")],
    ),
    (
        "rule twice",
        {"ftpfw-drop": ("-j DROP", "-j DROP")},
        [(Kind.UNEXPECTED, "ftpfw-drop", None, "-j DROP")],
    ),
    (
        "rules swapped",
        {"ftpfw-forward": ("-i b -j ACCEPT", "-i a -j ACCEPT")},
        [
            (Kind.UNEXPECTED, "ftpfw-forward", None, "-i b -j ACCEPT"),
            (Kind.MISSING, "ftpfw-forward", "-i b -j ACCEPT", None),
        ],
    ),
    ("chain missing", {"ftpfw-drop": None}, [(Kind.MISSING, "ftpfw-drop", None, None)]),
    ("chain too many", {"ftpfw-old": ()}, [(Kind.UNEXPECTED, "ftpfw-old", None, None)]),
    ("note about the table", {"ftpfw-note": ("-m comment --comment x",)}, []),
    (
        "hook missing",
        {"FORWARD": ("-j ftpfw-forward", "-i lo -j ACCEPT")},
        [(Kind.MISSING, "FORWARD", "-j ftpfw-drop", None)],
    ),
    (
        "hook twice",
        {"FORWARD": ("-j ftpfw-forward", "-j ftpfw-forward", "-j ftpfw-drop")},
        [(Kind.UNEXPECTED, "FORWARD", None, "-j ftpfw-forward")],
    ),
    (
        "hook with a condition",
        {"FORWARD": ("-i a -j ftpfw-forward", "-j ftpfw-drop")},
        [
            (Kind.MISSING, "FORWARD", "-j ftpfw-forward", None),
            (Kind.UNEXPECTED, "FORWARD", None, "-i a -j ftpfw-forward"),
        ],
    ),
    (
        "hook no longer first",
        {"FORWARD": ("-i lo -j ACCEPT", "-j ftpfw-forward", "-j ftpfw-drop")},
        [
            (
                Kind.MISPLACED,
                "FORWARD",
                "-j ftpfw-forward (first rule)",
                "-j ftpfw-forward (rule 2)",
            )
        ],
    ),
    (
        "hook no longer last",
        {"FORWARD": ("-j ftpfw-forward", "-j ftpfw-drop", "-i lo -j ACCEPT")},
        [(Kind.MISPLACED, "FORWARD", "-j ftpfw-drop (last rule)", "-j ftpfw-drop (rule 2)")],
    ),
    (
        "hook in another chain",
        {"DOCKER": ("-j ftpfw-forward",)},
        [(Kind.UNEXPECTED, "DOCKER", None, "-j ftpfw-forward")],
    ),
    ("foreign rules", {"DOCKER": ("-j ACCEPT",), "ufw-x": ()}, []),
]


@pytest.mark.parametrize(("change", "found"), **table(DRIFT))
def test_drift(change: Change, found: Found) -> None:
    rules = {name: rules for name, rules in (LIVE | change).items() if rules is not None}
    saved = SavedTable(dict.fromkeys(rules, "-"), rules)
    drift = find_drift(Family.IPV4, Table.FILTER, saved, WANTED)
    assert [(one.kind, one.chain, one.wanted, one.found) for one in drift] == found


def test_without_the_table_all_is_missing() -> None:
    drift = list(find_drift(Family.IPV6, Table.FILTER, None, WANTED))
    assert [one.kind for one in drift] == [Kind.MISSING] * 4
    assert {(one.family, one.table) for one in drift} == {("IPv6", "filter")}
