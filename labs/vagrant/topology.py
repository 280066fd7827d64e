"""An exercise's network, for virtual machines.

    topology.py EXERCISE          JSON for the Vagrantfile: the machines and how they are linked
    topology.py EXERCISE HOST     lines for the script `network`: what one machine sets up

EXERCISE is the name of a directory in labs/. Needs Python 3.11 and nothing else, because it runs
where ftpfw may not be installed yet. What the namespaces of `ftpfw lab` would refuse is not
checked again; what is not there, or is linked to nothing, is an error in one line.

A machine has networks of its own beside the lab's, and its default route is theirs: Vagrant needs
them. So the exercise's default route becomes a route to each of the lab's other networks, and
where the exercise has none, they are unreachable: they must not be looked for outside.
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
FIRST_PORT = 59000
"""Of the UDP tunnels that join two machines: two a link."""


class Unfit(Exception):  # noqa: N818 -- reads as what the exercise is
    """The exercise cannot be made of virtual machines."""


def main(arguments: list[str]) -> int:
    """Print what was asked for; 1 where the exercise does not allow it, 2 for wrong usage."""
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        exercise = read(arguments[0])
        if len(arguments) == 2:
            print("\n".join(network(exercise, arguments[1])))
        else:
            print(json.dumps({"machines": machines(exercise)}))
    except Unfit as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read(name: str) -> dict[str, Any]:
    """The exercise of that name, as it stands in its file."""
    path = LABS / name / "exercise.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = sorted(found.parent.name for found in LABS.glob("*/exercise.toml"))
        raise Unfit(f"there is no {path}; the exercises are {', '.join(known)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unfit(f"{path}: {error}") from None


def machines(exercise: dict[str, Any]) -> list[dict[str, Any]]:
    """The machines in the file's order, each with its ends of links."""
    return [
        {
            "name": host["name"],
            "links": [
                {"name": f"link{number}", "mac": mac(number, side), **ports(number, side)}
                for number, side, _ in ends(exercise, host["name"])
            ],
        }
        for host in exercise["hosts"]
    ]


def ends(exercise: dict[str, Any], host: str) -> Iterator[tuple[int, int, str]]:
    """Number and side (0 or 1) of each link that a host has an end of, and its interface there."""
    for number, link in enumerate(exercise["links"]):
        for side, end in enumerate(link):
            if end["host"] == host:
                yield number, side, end["interface"]


def mac(number: int, side: int) -> str:
    """By which the machine knows its end of a link; of the range that is QEMU's."""
    return f"52:54:00:09:{number:02x}:{side:02x}"


def ports(number: int, side: int) -> dict[str, int]:
    """UDP ports of this end and the other."""
    first = FIRST_PORT + 2 * number
    return {"port": first + side, "peer_port": first + 1 - side}


def network(exercise: dict[str, Any], name: str) -> Iterator[str]:
    """What the script `network` reads, for one host."""
    host = next((host for host in exercise["hosts"] if host["name"] == name), None)
    if host is None:
        raise Unfit(f"the exercise has no host {name}")
    addresses = {entry["name"]: entry["addresses"] for entry in host["interfaces"]}
    if host.get("forwards"):
        yield "forward"
    for number, side, interface in ends(exercise, name):
        yield " ".join(["interface", mac(number, side), interface, *addresses[interface]])
    own = {ip_interface(address).network for each in addresses.values() for address in each}
    gateways = {ip_address(gateway).version: gateway for gateway in host.get("routes", ())}
    for destination in sorted(networks(exercise) - own, key=str):
        gateway = gateways.get(destination.version)
        yield f"route {destination} {gateway}" if gateway else f"unreachable {destination}"


def networks(exercise: dict[str, Any]) -> set[IPv4Network | IPv6Network]:
    """Every network that an interface of the exercise is on."""
    return {
        ip_interface(address).network
        for host in exercise["hosts"]
        for interface in host["interfaces"]
        for address in interface["addresses"]
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
