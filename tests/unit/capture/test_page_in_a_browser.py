"""The page as a browser lays it out: nothing cut off, nothing over anything else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ftpfw.capture.page import page

from .test_page import played
from .traffic import Traffic, report_of

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
)

NARROWEST = 500
"""Pixels of the narrowest window that there is; a narrower page is made by its body."""

MEASURE = """
<script>
const body = document.body;
body.style.maxWidth = "WIDTHpx";
const all = [...document.querySelectorAll("svg.ladder")].map(svg =>
  [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]));
const page = body.getBoundingClientRect();
const found = { wide: page.width, scrolls: body.scrollWidth > body.clientWidth, texts: 0,
  outside: [], over: [] };
for (const texts of all) for (const [i, [name, a]] of texts.entries()) {
  found.texts += 1;
  if (a.left < page.left || a.right > page.right) found.outside.push(name);
  for (const [other, b] of texts.slice(i + 1)) {
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 2) found.over.push(name + " / " + other);
  }
}
document.title = "measured " + JSON.stringify(found);
</script>
"""


def measured(html: str, width: int, directory: Path) -> dict[str, object]:
    """What a browser window of that width makes of a page."""
    path = directory / "page.html"
    script = MEASURE.replace("WIDTH", str(width))
    path.write_text(html.replace("</body>", script + "</body>"), encoding="utf-8")
    command = [str(BROWSER), *OPTIONS, f"--user-data-dir={directory / 'profile'}"]
    command += [f"--window-size={max(width, NARROWEST)},1000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search("<title>measured (.*?)</title>", done.stdout)
    assert title, done.stderr
    found: dict[str, object] = json.loads(title[1].replace("&gt;", ">").replace("&lt;", "<"))
    return found


def over_ipv6() -> str:
    traffic = Traffic()
    client, server = "2001:470:1f11:81f:c999:d94:aa7c:2e3e", "2001:470:4867:99:1111:2222:3333:4444"
    wire = traffic.control(client, server)
    wire.say(f"EPRT |2|{client}|49189|\r\n".encode()).hear(b"200 ok\r\n")
    traffic.wire(server, 20, client, 49189).open().hear(b"x" * 10**5).close()
    wire.say(b"STOR " + b"a-name-without-an-end" * 20 + b"\r\n").hear(b"550 no\r\n")
    return "".join(page(report_of(traffic.packets, lines=100), "x" * 200, "now"))


PAGES = {"IPv4": lambda: "".join(page(played(), "a.pcap", "now")), "IPv6": over_ipv6}


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_off_and_nothing_overlaps(name: str, width: int, tmp_path: Path) -> None:
    found = measured(PAGES[name](), width, tmp_path)
    assert int(str(found["texts"])) > 15
    assert found["scrolls"] is False
    assert found["outside"] == []
    assert found["over"] == []
