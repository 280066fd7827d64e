"""The lab's page and that of ``ftpfw inspect``, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from ftpfw.capture import page as inspect_page
from ftpfw.capture.ladder import Decision, Ladder, Message, Transfer, draw
from ftpfw.capture.story import Story
from ftpfw.conntrack.model import Direction
from ftpfw.lab.library import find
from ftpfw.lab.matrix import MatrixReport, Outcome, expectation, trials
from ftpfw.lab.report.page import page
from ftpfw.lab.results import Cell, Report, RowResult, Verdict
from tests.kernel.netns import require_program, require_root

from .conftest import show

pytestmark = pytest.mark.xdist_group("browser")

WIDTHS = (1280, 400)
HOSTILE = "500 <script>document.title='taken'</script> </script><b>\u2028 " + "long" * 40
STARTED = "2026-01-01T00:00:00+00:00"

CUT_OFF = """
const wide = innerWidth, found = [];
for (const details of document.querySelectorAll("details")) details.open = true;
for (const one of document.querySelectorAll("body *")) {
  if (one.closest(".scroll") || one.closest("script, style, noscript, template")) continue;
  const box = one.getBoundingClientRect();
  if (box.width && (box.right > wide + 1 || box.left < -1))
    found.push(`${one.tagName} ${one.getAttribute("class")} ${one.textContent.slice(0, 40)}`);
}
return [document.documentElement.scrollWidth <= wide, found];
"""
OUT_OF_BOX = """
const found = [];
for (const group of document.querySelectorAll(".ladder .boxed")) {
  const box = group.querySelector(".box").getBoundingClientRect();
  for (const text of group.querySelectorAll("text")) {
    const mine = text.getBoundingClientRect();
    if (mine.left < box.left - 1 || mine.right > box.right + 1) found.push(text.textContent);
  }
}
return found;
"""


def ladder() -> str:
    there, back = Direction.ORIGINAL, Direction.REPLY
    line, changed = "PORT\n192,168,100,100,\n255,255", "PORT\n203,0,113,100,\n255,255"
    return draw(
        Ladder(
            "client",
            "gateway: ftpfw",
            "server",
            [
                Message(0.0, back, HOSTILE),
                Message(0.1, there, line, telling=True, onward=changed),
                Decision(0.1, True, "✓ conntrack expects\n203.0.113.200 → 203.0.113.100:65535"),
                Transfer(0.2, 0.3, back, True, "203.0.113.200:65535 → 192.168.100.100:65535"),
                Decision(0.4, False, "nobody expects a connection"),
            ],
        )
    )


def exercise_report(name: str) -> Report:
    rows = []
    for step in find(name).steps:
        cells = {
            column: Cell(verdict, verdict, 0.1, HOSTILE, (ladder(),))
            for column, verdict in step.expected.items()
        }
        row = RowResult(step.title, step.mode, step.client, cells, step.teaches, step.section)
        rows.append(row)
    titles = {column.name: column.title for column in find(name).columns}
    return Report(name, "6.18", "borrowed", STARTED, 1.0, tuple(rows), {"curl": "8"}, titles)


def matrix_report() -> MatrixReport:
    outcomes = []
    for number, trial in enumerate(trials()[::7]):
        expected = expectation(trial)
        seen = Verdict.BROKEN if number == 500 else expected.verdict
        cell = Cell(expected.verdict, seen, 0.1, HOSTILE)
        outcomes.append(Outcome(trial, cell, expected.why, ("/tmp/somewhere/inside0.pcap",)))
    return MatrixReport(tuple(outcomes), "6.18", "borrowed", STARTED, 1.0, {"curl": "8"})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = [(find(name), exercise_report(name)) for name in ("nat-gateway", "bounce", "ipv6")]
    path = tmp_path_factory.mktemp("page") / "lab.html"
    path.write_text("".join(page(drawn, matrix_report())), encoding="utf-8")
    return path


def complaints(browser: webdriver.Chrome) -> list[str]:
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off(browser: webdriver.Chrome, report: Path, width: int) -> None:
    show(browser, report, width)
    fits, outside = browser.execute_script(CUT_OFF)
    assert fits
    assert outside == []
    assert browser.execute_script(OUT_OF_BOX) == []
    assert complaints(browser) == []
    assert browser.title == "ftpfw lab", "what a server says is no script"


def test_the_old_and_the_new_line_are_both_to_be_read(
    browser: webdriver.Chrome, report: Path
) -> None:
    show(browser, report, WIDTHS[0])
    text = browser.execute_script("return document.querySelector('#nat-gateway svg').textContent")
    assert "192,168,100,100," in text
    assert "203,0,113,100," in text


@pytest.fixture(scope="module")
def run_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl")
    path = tmp_path_factory.mktemp("run") / "lab.html"
    run = [sys.executable, "-m", "ftpfw", "lab", "run", "nat-gateway", "--html", str(path)]
    subprocess.run(run, capture_output=True, check=True, timeout=300)
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_run(browser: webdriver.Chrome, run_report: Path, width: int) -> None:
    show(browser, run_report, width)
    fits, outside = browser.execute_script(CUT_OFF)
    assert (fits, outside) == (True, [])
    assert browser.execute_script(OUT_OF_BOX) == []
    assert complaints(browser) == []
    ladders = browser.find_elements(By.CSS_SELECTOR, "svg.ladder")
    texts = [one.get_attribute("textContent") or "" for one in ladders]
    rewritten = [text for text in texts if "10,77,1,10," in text and "192,0,2,1," in text]
    assert rewritten, "what a client says, and what the server hears"
    assert any("conntrack expects" in text for text in rewritten)


def count(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "count").text


def tick(browser: webdriver.Chrome, name: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f'input[name="{name}"]').click()


def test_filters(browser: webdriver.Chrome, report: Path) -> None:
    show(browser, report, WIDTHS[0])
    able = [one for one in matrix_report().outcomes if one.cell.expected != "n/a"]
    assert count(browser).startswith(f"{len(able) - 1} of {len(able)} cells")
    tick(browser, "client=wget")
    tick(browser, "mode=PASV")
    few = [one for one in able if (one.trial.client, one.trial.mode) == ("wget", "PASV")]
    assert f"of {len(few)} cells" in count(browser)
    rows = browser.find_elements(By.CSS_SELECTOR, "#grid tbody tr")
    assert [row.text.split()[:2] for row in rows] == [["wget", "PASV"]]
    assert browser.current_url.endswith("#client%3Dwget&mode%3DPASV")
    tick(browser, "client=wget")
    tick(browser, "mode=PASV")
    tick(browser, "odd")
    assert count(browser).startswith("0 of 1 cells")
    browser.find_element(By.CSS_SELECTOR, "#grid button.odd").click()
    (details,) = browser.find_elements(By.CSS_SELECTOR, "#chosen details")
    assert details.text.startswith("✗")
    assert complaints(browser) == []


def test_a_filter_in_the_address_holds(browser: webdriver.Chrome, report: Path) -> None:
    show(browser, report, WIDTHS[1], "#helper%3Dnone")
    heads = browser.find_elements(By.CSS_SELECTOR, "#grid th")
    assert {head.text.split()[0] for head in heads[2:]} == {"none"}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_inspect(browser: webdriver.Chrome, tmp_path: Path, width: int) -> None:
    story = Story(frozenset({21}), 100)
    path = tmp_path / "inspect.html"
    path.write_text("".join(inspect_page.page(story.report(), HOSTILE, STARTED)), encoding="utf-8")
    show(browser, path, width)
    fits, outside = browser.execute_script(CUT_OFF)
    assert (fits, outside) == (True, [])
    assert complaints(browser) == []
