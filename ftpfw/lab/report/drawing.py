"""A topology as HTML boxes and lines: across where there is room, downwards on a telephone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from ftpfw.lab.topology import End, Host, Topology

STYLE = """
.topology { display: flex; align-items: stretch; margin: 12px 0; }
.topology.branch { margin-top: 0; }
.host { border: 1.5px solid var(--rule); border-radius: 8px; padding: 8px 12px; flex: 0 1 auto;
  background: var(--band); min-width: 0; }
.host.router { border-color: var(--tell); border-style: double; border-width: 4px; }
.host b { display: block; } .host span { display: block; overflow-wrap: anywhere; }
.host .mono { font-size: 12px; } .host .what { color: var(--faint); font-size: 13px; }
.link { flex: 1 1 24px; min-width: 24px; align-self: center; height: 0;
  border-top: 2px solid var(--faint); }
@media (max-width: 640px) {
  .topology { flex-direction: column; align-items: stretch; }
  .link { flex: 0 0 22px; width: 0; min-width: 0; height: 22px; border-top: 0;
    border-left: 2px solid var(--faint); }
}
"""


def draw(topology: Topology, what: Mapping[str, str]) -> Iterator[str]:
    """The drawing; ``what`` says what a host is there for."""
    chain = _chain(topology)
    yield '<div class="topology">'
    for index, host in enumerate(chain):
        if index:
            yield '<div class="link"></div>'
        yield from _host(host, what.get(host.name, ""))
    yield "</div>\n"
    for host in topology.hosts:
        if host not in chain:
            near = next(iter(_neighbours(topology, host)), None)
            yield '<div class="topology branch">'
            yield f'<p class="note">{escape(near.host if near else "")} also has</p>'
            yield '<div class="link"></div>'
            yield from _host(host, what.get(host.name, ""))
            yield "</div>\n"


def _chain(topology: Topology) -> list[Host]:
    """Hosts from the first one on, each linked to the one before, as far as that goes."""
    chain = [topology.hosts[0]]
    while True:
        known = {host.name for host in chain}
        ends = [end for end in _neighbours(topology, chain[-1]) if end.host not in known]
        if not ends:
            return chain
        chain.append(topology.host(ends[0].host))


def _neighbours(topology: Topology, host: Host) -> Iterator[End]:
    """The other ends of a host's links."""
    for left, right in topology.links:
        if left.host == host.name:
            yield right
        elif right.host == host.name:
            yield left


def _host(host: Host, what: str) -> Iterator[str]:
    router = " router" if host.forwards else ""
    yield f'<div class="host{router}"><b>{escape(host.name)}</b>'
    for interface in host.interfaces:
        for address in interface.addresses:
            text = f"{interface.name} {address.ip}"
            yield f'<span class="mono">{escape(text)}</span>'
    if what:
        yield f'<span class="what">{escape(what)}</span>'
    yield "</div>"
