"""An exercise's network, for virtual machines.

    topology.py EXERCISE          JSON for the Vagrantfile: the machines and how they are linked
    topology.py EXERCISE HOST     lines for the script `network`: what one machine sets up

EXERCISE is the name of a folder in labs/, or the path of a file from there. Needs Python 3.11 and
nothing else, because it runs where ftpfw is not installed yet; `ftpfw lab` is stricter with the
same file.

A machine has a network of its own beside the lab's, which Vagrant needs, and its default route is
there. So the exercise's default route becomes a route to each of the lab's other networks, and
where the exercise has none they are unreachable: they must not be looked for outside.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface
from pathlib import Path
from typing import Any

LABS = Path(__file__).resolve().parents[1]
FILE = "exercise.toml"
FIRST_PORT = 59000
"""Of the UDP tunnels that join two machines: two a link."""

Network = IPv4Network | IPv6Network


class Unfit(Exception):  # noqa: N818 -- reads as what the exercise is
    """The exercise cannot be made of virtual machines."""


def main(arguments: list[str]) -> int:
    """Print what was asked for; 1 where the exercise does not allow it, 2 for wrong usage."""
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    path = find(arguments[0])
    try:
        exercise = tomllib.loads(path.read_text(encoding="utf-8"))
        if len(arguments) == 2:
            print("\n".join(network(exercise, arguments[1])))
        else:
            print(json.dumps({"machines": machines(exercise), "column": last_column(exercise)}))
    except FileNotFoundError:
        known = ", ".join(sorted(found.parent.name for found in LABS.glob(f"*/{FILE}")))
        print(f"there is no {path}; the exercises are {known}", file=sys.stderr)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, Unfit, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
    except (AttributeError, KeyError, TypeError) as error:
        what = f"{type(error).__name__}: {error}"
        print(
            f"{path}: hosts and links are not as labs/nat-gateway/{FILE} has them ({what})",
            file=sys.stderr,
        )
    else:
        return 0
    return 1


def find(name: str) -> Path:
    """The file of an exercise, or a file by its path from labs/."""
    return LABS / name if name.endswith(".toml") else LABS / name / FILE


def machines(exercise: dict[str, Any]) -> list[dict[str, Any]]:
    """The machines in the file's order, each with its ends of links, and whether it has steps."""
    hosts = exercise["hosts"]
    for link in exercise["links"]:
        for end in link:
            host, _, interface = end.partition(":")
            if host not in hosts or interface not in hosts[host]["interfaces"]:
                raise Unfit(f"a link ends at {end}, and no host has that interface")
    speakers = {_speaker(step) for step in exercise.get("steps", ())}
    return [
        {
            "name": name,
            "links": [
                {"name": f"link{number}", "mac": mac(number, side), **ports(number, side)}
                for number, side, _ in ends(exercise, name)
            ],
            "checks": name in speakers,
        }
        for name in hosts
    ]


def last_column(exercise: dict[str, Any]) -> str:
    """The column that exercises end with: with the helper; `result` where there are none."""
    return str(list(exercise.get("columns", {"result": {}}))[-1])


def _speaker(step: dict[str, Any]) -> str:
    action = step.get("transfer") or step.get("talk") or step.get("command") or {}
    return str(action.get("host", "client"))


def ends(exercise: dict[str, Any], host: str) -> Iterator[tuple[int, int, str]]:
    """Number and side (0 or 1) of each link that a host has an end of, and its interface there."""
    for number, link in enumerate(exercise["links"]):
        for side, end in enumerate(link):
            if end.partition(":")[0] == host:
                yield number, side, end.partition(":")[2]


def mac(number: int, side: int) -> str:
    """By which the machine knows its end of a link; of the range that is QEMU's."""
    return f"52:54:00:09:{number:02x}:{side:02x}"


def ports(number: int, side: int) -> dict[str, int]:
    """UDP ports of this end and the other."""
    first = FIRST_PORT + 2 * number
    return {"port": first + side, "peer_port": first + 1 - side}


def network(exercise: dict[str, Any], name: str) -> Iterator[str]:
    """What the script `network` reads, for one host."""
    host = exercise["hosts"].get(name)
    if host is None:
        raise Unfit(f"there is no host {name}")
    addresses = host["interfaces"]
    if host.get("forwards"):
        yield "forward"
    for number, side, interface in ends(exercise, name):
        yield " ".join(["interface", mac(number, side), interface, *addresses[interface]])
    own = set(_networks(host))
    gateways = {ip_address(gateway).version: gateway for gateway in host.get("route", ())}
    everywhere = {one for each in exercise["hosts"].values() for one in _networks(each)}
    for destination in sorted(everywhere - own, key=str):
        gateway = gateways.get(destination.version)
        yield f"route {destination} {gateway}" if gateway else f"unreachable {destination}"


def _networks(host: dict[str, Any]) -> Iterator[Network]:
    for addresses in host["interfaces"].values():
        for address in addresses:
            yield ip_interface(address).network


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
