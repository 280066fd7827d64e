"""The embedded server behind a gateway of ours, with no further setting."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .conftest import GatewayNet
from .loading import loaded
from .netns import require_program
from .served import make_root, serve

POLICY = """
[gateway]
inside = ["in0"]
outside = "out0"
masquerade = true

[clients]
allow = ["10.77.1.0/24"]
"""
WAYS = {
    "PASV": ["--disable-epsv"],
    "EPSV": [],
    "PORT": ["-P", "-", "--disable-eprt"],
    "EPRT": ["-P", "-"],
}


def test_clients_behind_nat_are_served(gateway_net: GatewayNet, tmp_path: Path) -> None:
    require_program("curl")
    root = make_root(tmp_path)
    content = (root / "pub" / "big.bin").read_bytes()
    url = "ftp://192.0.2.10"
    with (
        serve(
            root,
            *("--root", str(root), "--upload"),
            prefix=("ip", "netns", "exec", gateway_net.server),
            listen=("--address", "192.0.2.10", "--port", "21"),
        ),
        loaded(gateway_net.gateway, POLICY, tmp_path / "gateway") as gateway,
    ):
        for name, way in WAYS.items():
            curl = ["ip", "netns", "exec", gateway_net.client, "curl", "-sS", "-m", "20", *way]
            got = subprocess.run([*curl, f"{url}/pub/big.bin"], capture_output=True, check=False)
            assert got.stdout == content, (name, got.stderr)
            up = ["-T", str(root / "pub" / "big.bin"), f"{url}/incoming/{name}"]
            subprocess.run([*curl, *up], check=True)
            assert (root / "incoming" / name).read_bytes() == content
        gateway.require_no_faults()
