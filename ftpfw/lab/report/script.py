"""The page's script: the matrix by its filters, which stand in the address after ``#``."""

from __future__ import annotations

SCRIPT = """
(() => {
  "use strict";
  const { keys, values, cells } = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filters"), grid = document.getElementById("grid");
  const chosen = document.getElementById("chosen"), count = document.getElementById("count");
  const boxes = [...form.elements].filter((one) => one.type === "checkbox");
  const make = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const wanted = () => {
    const found = {};
    for (const box of boxes) {
      if (!box.checked) continue;
      const [key, value] = box.name.split("=");
      (found[key] ||= []).push(value);
    }
    return found;
  };
  const taken = (filter) => cells.filter((cell) =>
    (!filter.odd || !cell.as_expected) &&
    keys.every((key) => !filter[key] || filter[key].includes(cell[key])));
  const tried = (some) => some.filter((cell) => cell.expected !== "n/a");
  const kindOf = (some) => {
    const able = tried(some);
    if (!able.length) return ["none", some.length ? "n/a" : "·"];
    const odd = able.filter((cell) => !cell.as_expected).length;
    if (odd) return ["odd", `✗ ${odd}`];
    const passed = able.filter((cell) => cell.seen === "pass").length;
    const text = [];
    if (passed) text.push(`✓ ${passed}`);
    if (able.length > passed) text.push(`– ${able.length - passed}`);
    return [passed ? "pass" : "fail", text.join(" ")];
  };
  const show = (some, title) => {
    chosen.replaceChildren(make("h3", title));
    for (const cell of some) {
      const box = make("details");
      const name = keys.map((key) => cell[key]).join(" ");
      const mark = cell.as_expected ? "✓" : "✗";
      const head = make("summary", `${mark} ${name}: ${cell.expected} → ${cell.seen}`);
      box.append(head, make("p", `${cell.why}; ${cell.seconds} s`));
      if (cell.reason) box.append(make("pre", cell.reason));
      for (const path of cell.captures) box.append(make("p", path, "mono"));
      chosen.append(box);
    }
  };
  const draw = () => {
    const filter = wanted(), some = taken(filter);
    const able = tried(some), met = able.filter((cell) => cell.as_expected).length;
    count.textContent = `${met} of ${able.length} cells as expected` +
      (some.length > able.length ? `, ${some.length - able.length} n/a` : "");
    const columns = values.helper.flatMap((helper) => values.firewall.map((wall) => [helper, wall]))
      .filter(([helper, wall]) =>
        some.some((cell) => cell.helper === helper && cell.firewall === wall));
    const head = make("thead"), top = make("tr"), body = make("tbody");
    top.append(make("th", "client"), make("th", "mode"));
    for (const [helper, wall] of columns) {
      const made = make("th", helper);
      made.append(make("br"), wall.replace("iptables-", ""));
      top.append(made);
    }
    head.append(top);
    for (const client of values.client) for (const mode of values.mode) {
      const row = some.filter((cell) => cell.client === client && cell.mode === mode);
      if (!row.length) continue;
      const line = make("tr");
      line.append(make("td", client), make("td", mode));
      for (const [helper, wall] of columns) {
        const here = row.filter((cell) => cell.helper === helper && cell.firewall === wall);
        const [kind, text] = kindOf(here), place = make("td");
        const button = make("button", text, `cell ${kind}`);
        button.type = "button";
        button.disabled = !here.length;
        button.onclick = () => show(here, `${client} ${mode}, ${helper}, ${wall}`);
        place.append(button);
        line.append(place);
      }
      body.append(line);
    }
    grid.replaceChildren(head, body);
    chosen.replaceChildren();
  };
  const names = () => boxes.filter((box) => box.checked).map((box) => box.name);
  form.onchange = () => {
    history.replaceState(null, "", `#${names().map(encodeURIComponent).join("&")}`);
    draw();
  };
  const fromAddress = () => {
    const there = location.hash.slice(1).split("&").map(decodeURIComponent);
    for (const box of boxes) box.checked = there.includes(box.name);
    draw();
  };
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
"""
