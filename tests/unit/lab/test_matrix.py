from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.lab.junit import junit
from ftpfw.lab.matrix import (
    KEYS,
    VALUES,
    MatrixReport,
    Outcome,
    Trial,
    chosen,
    expectation,
    matches,
    pairs,
    parse_filter,
    trials,
)
from ftpfw.lab.results import Cell, Report, RowResult, Verdict

PASS, FAIL, NA = Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE
USUAL = Trial("vsftpd", "curl", "PASV", "down", "ftpfw", "iptables-nft", "IPv4", "client-nat")
ALL = trials()


def usual(**values: str) -> Trial:
    return replace(USUAL, **values)


EXPECTED = [
    pytest.param(usual(), PASS, id="passive, with a helper"),
    pytest.param(usual(mode="PORT"), PASS, id="active, with a helper"),
    pytest.param(usual(mode="PORT", helper="none"), FAIL, id="active, without one"),
    pytest.param(usual(helper="none"), PASS, id="passive, without one"),
    pytest.param(
        usual(mode="EPRT", family="IPv6", helper="none"), FAIL, id="nor is it NAT: IPv6 as well"
    ),
    pytest.param(
        usual(situation="published", helper="none"), PASS, id="curl looks through a private 227"
    ),
    pytest.param(
        usual(situation="published", helper="none", client="raw"), FAIL, id="who believes it"
    ),
    pytest.param(
        usual(situation="published", helper="none", client="tnftp"), FAIL, id="who gives up"
    ),
    pytest.param(
        usual(situation="published", helper="none", client="raw", mode="EPSV"),
        PASS,
        id="229 names no address",
    ),
    pytest.param(usual(mode="PORT", family="IPv6"), NA, id="PORT on IPv6"),
    pytest.param(usual(client="wget", direction="up"), NA, id="wget brings nothing"),
]


@pytest.mark.parametrize(("trial", "verdict"), EXPECTED)
def test_expectation(trial: Trial, verdict: Verdict) -> None:
    assert expectation(trial).verdict is verdict
    assert expectation(trial).why


def test_server_direction_and_firewall_change_nothing() -> None:
    """What a client can do aside, they are what the matrix wants to show to be alike."""
    for trial in ALL:
        if trial.client != "wget":
            same = replace(trial, server="vsftpd", direction="down", firewall="iptables-legacy")
            assert expectation(trial) == expectation(same)


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        key: st.lists(st.sampled_from(values), min_size=1, unique=True)
        for key, values in VALUES.items()
    },
)


@given(FILTERS)
def test_a_filter_takes_what_it_says(wanted: dict[str, list[str]]) -> None:
    text = ",".join(f"{key}={'|'.join(values)}" for key, values in wanted.items())
    read = parse_filter(text)
    assert {key: list(values) for key, values in read.items()} == wanted
    for trial in ALL[:: max(1, len(ALL) // 500)]:
        assert matches(trial, read) == all(getattr(trial, k) in v for k, v in wanted.items())


def test_active_and_passive_are_words_too() -> None:
    assert parse_filter("mode=active") == {"mode": ("PORT", "EPRT")}
    assert parse_filter("mode=passive|PASV") == {"mode": ("PASV", "EPSV")}


WRONG = [
    pytest.param("colour=red", "keys are server, client", id="key"),
    pytest.param("helper", "is no KEY=VALUE", id="no value"),
    pytest.param("helper=ipchains", "it has none, kernel, ftpfw", id="value"),
    pytest.param("mode=PORT,mode=PASV", "named twice", id="twice"),
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_a_wrong_filter_says_what_there_is(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_filter(text)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_choice_has_every_pair_that_can_be_had(seed: int) -> None:
    able = [trial for trial in ALL if expectation(trial).verdict is not NA]
    few = chosen({}, whole=False, seed=seed)
    assert set().union(*map(pairs, few)) == set().union(*map(pairs, able))
    assert len(few) < 60
    assert few == chosen({}, whole=False, seed=seed)


def test_all_is_all() -> None:
    assert len(chosen({}, whole=True, seed=1)) == len(ALL) == len(set(ALL))


def outcome(expected: Verdict, seen: Verdict, **values: str) -> Outcome:
    cell = Cell(expected, seen, 0.5, None if seen is expected else "it said \x1b[1m<no>")
    return Outcome(usual(**values), cell, "because", ("a.pcap",))


def report(*outcomes: Outcome) -> MatrixReport:
    started = "2026-01-01T00:00:00+00:00"
    return MatrixReport(outcomes, "6.18", "borrowed", started, 1.0, {"curl": "7.88"})


def test_json_shape() -> None:
    run = report(outcome(PASS, FAIL))
    (cell,) = json.loads(json.dumps(run.as_json()))["cells"]
    assert {key: cell[key] for key in KEYS} == {key: getattr(USUAL, key) for key in KEYS}
    assert (cell["expected"], cell["seen"], cell["as_expected"]) == ("pass", "fail", False)
    assert cell["captures"] == ["a.pcap"]
    assert run.as_json()["as_expected"] is False
    assert run.summary() == "0 of 1 cells as expected"


def test_junit_counts_and_escapes() -> None:
    row = RowResult("PORT <curl>", "PORT", "curl", {"none": Cell(FAIL, FAIL)})
    table = Report("nat-gateway", "6.18", "n/a", "2026-01-01T00:00:00+00:00", 1.0, (row,))
    text = junit([table, report(outcome(PASS, PASS), outcome(PASS, FAIL), outcome(NA, NA))])
    first, second = ElementTree.fromstring(text)
    assert first.attrib["name"] == "ftpfw lab nat-gateway"
    assert first[0].attrib["name"] == "PORT <curl>, none"
    assert [second.attrib[key] for key in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    (failure,) = second.iter("failure")
    assert failure.attrib["message"] == "expected pass, seen fail"
    assert failure.text == "it said [1m<no>"
