"""Classic-BPF programs that tell TCP segments with payload from those without.

For ``-m bpf`` (xt_bpf): the program sees the packet from its network header on. It
returns nonzero for a match, and a load past the packet's end ends it with 0. Source:
linux/bpf_common.h for the codes; the text form ``COUNT,code jt jf k,…`` is what
iptables-extensions(8) takes and iptables-save prints.

A segment carries data when it is longer than its headers. The length is the IP
header's own, not the buffer's. The caller has matched TCP: of an IPv6 packet
with extension headers only ``-p tcp`` knows where TCP starts, so such a packet is taken to
carry data and the inspector looks for itself.
"""

from __future__ import annotations

from ftpfw.ruleset.model import Family

# ldx 4*([0]&0xf)   X = IP header length
# ldb [x+12]        TCP data offset, in the upper half of the byte
# and #0xf0
# rsh #2            A = TCP header length
# add x
# tax               X = both headers
# ldh [2]           A = total length
# jgt x, 0, 1
# ret #65535
# ret #0
_IPV4 = (
    "10,177 0 0 0,80 0 0 12,84 0 0 240,116 0 0 2,12 0 0 0,"
    "7 0 0 0,40 0 0 2,45 0 1 0,6 0 0 65535,6 0 0 0"
)

# ldb [6]           next header
# jeq #6, 0, 6      an extension header: take it
# ldb [52]          TCP data offset, behind 40 bytes of IPv6 header
# and #0xf0
# rsh #2
# tax               X = TCP header length
# ldh [4]           A = payload length, which counts from behind the IPv6 header
# jgt x, 0, 1
# ret #65535
# ret #0
_IPV6 = (
    "10,48 0 0 6,21 0 6 6,48 0 0 52,84 0 0 240,116 0 0 2,"
    "7 0 0 0,40 0 0 4,45 0 1 0,6 0 0 65535,6 0 0 0"
)

CARRIES_DATA = {Family.IPV4: _IPV4, Family.IPV6: _IPV6}
