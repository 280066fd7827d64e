"""Send 6000 SYNs to an FTP server, from as many ports: more than an inspector's queue holds."""

from __future__ import annotations

import socket
import sys

from scapy.layers.inet import IP, TCP

client, server = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    for port in range(20000, 26000):
        raw.sendto(bytes(IP(src=client, dst=server) / TCP(sport=port, dport=21)), (server, 0))
