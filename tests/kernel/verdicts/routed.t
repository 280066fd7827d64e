# rules/routed.toml: nothing is translated. Clients of 198.51.100.0/25 and 2001:db8:1::/64, and
# the servers 198.51.100.10 and 2001:db8:1::10 with passive ports 50000-50100.

:eth1 198.51.100.1/25 2001:db8:1::1/64
:eth0 192.0.2.1/24 2001:db8:2::1/64

eth1 tcp 198.51.100.5:40000 > 203.0.113.9:21 S ; pass eth0
eth0 tcp 203.0.113.9:21 > 198.51.100.5:40000 SA ; pass eth1
eth0 tcp 203.0.113.66:21 > 198.51.100.5:40000 A ; drop
eth1 tcp 198.51.100.5:40000 > 203.0.113.9:21 SF ; drop
eth0 tcp 203.0.113.9:20 > 198.51.100.5:50000 S ; drop
expect PORT 50001 of 198.51.100.5:40000 > 203.0.113.9:21
eth0 tcp 203.0.113.66:20 > 198.51.100.5:50001 S ; drop
eth0 tcp 203.0.113.9:20 > 198.51.100.6:50001 S ; drop
eth0 tcp 203.0.113.9:20 > 198.51.100.5:50002 S ; drop
eth0 tcp 203.0.113.9:20 > 198.51.100.5:50001 S ; pass eth1 ; none: drop
eth1 tcp 198.51.100.5:50001 > 203.0.113.9:20 SA ; pass eth0 ; none: drop
eth0 icmp 192.0.2.254 > 198.51.100.5 too-big about 198.51.100.5:50001 > 203.0.113.9:20 ; pass eth1 ; none: drop
expect PORT 1023 of 198.51.100.5:40000 > 203.0.113.9:21
eth0 tcp 203.0.113.9:20 > 198.51.100.5:1023 S ; drop
expect 227 50003 of 198.51.100.5:40000 > 203.0.113.9:21
eth1 tcp 198.51.100.5:40003 > 203.0.113.9:50004 S ; drop ; none: pass eth0
eth1 tcp 198.51.100.5:40004 > 203.0.113.9:50003 S ; pass eth0

eth1 tcp [2001:db8:1::5]:40000 > [2001:db8:9::9]:21 S ; pass eth0
eth0 tcp [2001:db8:9::9]:21 > [2001:db8:1::5]:40000 SA ; pass eth1
eth0 tcp [2001:db8:9::9]:20 > [2001:db8:1::5]:50000 S ; drop
expect PORT 50001 of [2001:db8:1::5]:40000 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::66]:20 > [2001:db8:1::5]:50001 S ; drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8:1::5]:50001 S ; pass eth1 ; none: drop
eth1 tcp [2001:db8:1::5]:50001 > [2001:db8:9::9]:20 SA ; pass eth0 ; none: drop
eth0 icmp 2001:db8:2::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:50001 > [2001:db8:9::9]:20 ; pass eth1 ; none: drop
eth0 icmp 2001:db8:2::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:40000 > [2001:db8:9::9]:21 ; pass eth1
eth0 icmp 2001:db8:2::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:40001 > [2001:db8:9::9]:21 ; drop

# A server inside, by its own address.
eth0 tcp 203.0.113.7:40000 > 198.51.100.10:21 S ; pass eth1
eth1 tcp 198.51.100.10:21 > 203.0.113.7:40000 SA ; pass eth0
eth0 tcp 203.0.113.7:40000 > 198.51.100.10:21 SF ; drop
eth0 tcp 203.0.113.7:40001 > 198.51.100.10:22 S ; drop
eth0 tcp 203.0.113.7:40001 > 198.51.100.11:21 S ; drop
eth0 tcp 203.0.113.7:40001 > 198.51.100.10:50000 S ; drop ; none: pass eth1
eth0 tcp 203.0.113.7:40001 > 198.51.100.10:50101 S ; drop
eth0 tcp 203.0.113.8:40001 > 198.51.100.10:21 A ; drop
eth0 tcp 198.51.100.5:40000 > 198.51.100.10:21 S ; drop
eth0 tcp 198.51.100.10:40000 > 198.51.100.10:21 S ; drop
# A neighbour of the clients, but none of them: 198.51.100.128 is outside.
eth0 tcp 198.51.100.129:40000 > 198.51.100.10:21 S ; pass eth1
eth1 tcp 198.51.100.129:40000 > 203.0.113.9:21 S ; drop
expect 227 50001 of 203.0.113.7:40000 > 198.51.100.10:21
eth0 tcp 203.0.113.66:40002 > 198.51.100.10:50001 S ; drop ; none: pass eth1
eth0 tcp 203.0.113.7:40002 > 198.51.100.10:50001 S ; pass eth1
expect PORT 50002 of 203.0.113.7:40000 > 198.51.100.10:21
eth1 tcp 198.51.100.10:20 > 203.0.113.66:50002 S ; drop ; none: pass eth0
eth1 tcp 198.51.100.10:20 > 203.0.113.7:50002 S ; pass eth0
expect PORT 25 of 203.0.113.7:40000 > 198.51.100.10:21
eth1 tcp 198.51.100.10:20 > 203.0.113.7:25 S ; drop

eth0 tcp [2001:db8:9::7]:40000 > [2001:db8:1::10]:21 S ; pass eth1
eth1 tcp [2001:db8:1::10]:21 > [2001:db8:9::7]:40000 SA ; pass eth0
eth0 tcp [2001:db8:9::7]:40000 > [2001:db8:1::10]:21 SF ; drop
eth0 tcp [2001:db8:9::7]:40001 > [2001:db8:1::10]:22 S ; drop
eth0 tcp [2001:db8:1::5]:40001 > [2001:db8:1::10]:21 S ; drop
eth0 tcp [2001:db8:9::7]:40001 > [2001:db8:1::10]:50000 S ; drop ; none: pass eth1
expect 227 50001 of [2001:db8:9::7]:40000 > [2001:db8:1::10]:21
eth0 tcp [2001:db8:9::66]:40002 > [2001:db8:1::10]:50001 S ; drop ; none: pass eth1
eth0 tcp [2001:db8:9::7]:40002 > [2001:db8:1::10]:50001 S ; pass eth1

# Flags and segments that open nothing.
eth1 tcp 198.51.100.5:40001 > 203.0.113.9:21 A ; drop
eth1 tcp 198.51.100.5:40002 > 203.0.113.9:21 SF ; drop
eth1 tcp 198.51.100.5:40003 > 203.0.113.9:21 R ; drop
eth0 tcp 203.0.113.7:40004 > 198.51.100.10:21 FPU ; drop
eth0 tcp 203.0.113.7:40005 > 198.51.100.10:21 ; drop
eth0 udp 203.0.113.7:53 > 198.51.100.10:40006 ; drop
eth1 udp 198.51.100.5:5353 > 203.0.113.9:53 ; pass eth0

# The whole of a session of 198.51.100.5 on eth1: both ways, data both ways, errors about all of it.
eth1 tcp 198.51.100.5:40300 > 203.0.113.9:21 S ; pass eth0
eth0 tcp 203.0.113.9:21 > 198.51.100.5:40300 SA ; pass eth1
eth1 tcp 198.51.100.5:40300 > 203.0.113.9:21 A ; pass eth0
eth0 icmp 198.51.100.254 > 198.51.100.5 too-big about 198.51.100.5:40300 > 203.0.113.9:21 ; pass eth1
eth1 icmp 198.51.100.5 > 203.0.113.9 unreachable about 203.0.113.9:21 > 198.51.100.5:40300 ; pass eth0
expect PORT 50301 of 198.51.100.5:40300 > 203.0.113.9:21
eth0 tcp 203.0.113.9:20 > 198.51.100.5:50301 S ; pass eth1 ; none: drop
eth1 tcp 198.51.100.5:50301 > 203.0.113.9:20 SA ; pass eth0 ; none: drop
eth0 tcp 203.0.113.9:20 > 198.51.100.5:50301 A ; pass eth1 ; none: drop
eth0 icmp 198.51.100.254 > 198.51.100.5 too-big about 198.51.100.5:50301 > 203.0.113.9:20 ; pass eth1 ; none: drop
eth1 icmp 198.51.100.5 > 203.0.113.9 unreachable about 203.0.113.9:20 > 198.51.100.5:50301 ; pass eth0 ; none: drop
expect 227 50302 of 198.51.100.5:40300 > 203.0.113.9:21
eth1 tcp 198.51.100.5:40301 > 203.0.113.9:50302 S ; pass eth0
eth0 tcp 203.0.113.9:50302 > 198.51.100.5:40301 SA ; pass eth1
eth1 tcp 198.51.100.5:40301 > 203.0.113.9:50302 A ; pass eth0
eth0 icmp 198.51.100.254 > 198.51.100.5 too-big about 198.51.100.5:40301 > 203.0.113.9:50302 ; pass eth1
eth1 icmp 198.51.100.5 > 203.0.113.9 unreachable about 203.0.113.9:50302 > 198.51.100.5:40301 ; pass eth0

# The whole of a session of 2001:db8:1::5 on eth1: both ways, data both ways, errors about all of it.
eth1 tcp [2001:db8:1::5]:40300 > [2001:db8:9::9]:21 S ; pass eth0
eth0 tcp [2001:db8:9::9]:21 > [2001:db8:1::5]:40300 SA ; pass eth1
eth1 tcp [2001:db8:1::5]:40300 > [2001:db8:9::9]:21 A ; pass eth0
eth0 icmp 2001:db8:77::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:40300 > [2001:db8:9::9]:21 ; pass eth1
eth1 icmp 2001:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:21 > [2001:db8:1::5]:40300 ; pass eth0
expect PORT 50301 of [2001:db8:1::5]:40300 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::9]:20 > [2001:db8:1::5]:50301 S ; pass eth1 ; none: drop
eth1 tcp [2001:db8:1::5]:50301 > [2001:db8:9::9]:20 SA ; pass eth0 ; none: drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8:1::5]:50301 A ; pass eth1 ; none: drop
eth0 icmp 2001:db8:77::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:50301 > [2001:db8:9::9]:20 ; pass eth1 ; none: drop
eth1 icmp 2001:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [2001:db8:1::5]:50301 ; pass eth0 ; none: drop
expect 227 50302 of [2001:db8:1::5]:40300 > [2001:db8:9::9]:21
eth1 tcp [2001:db8:1::5]:40301 > [2001:db8:9::9]:50302 S ; pass eth0
eth0 tcp [2001:db8:9::9]:50302 > [2001:db8:1::5]:40301 SA ; pass eth1
eth1 tcp [2001:db8:1::5]:40301 > [2001:db8:9::9]:50302 A ; pass eth0
eth0 icmp 2001:db8:77::fe > 2001:db8:1::5 too-big about [2001:db8:1::5]:40301 > [2001:db8:9::9]:50302 ; pass eth1
eth1 icmp 2001:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [2001:db8:1::5]:40301 ; pass eth0

# The whole of a session of 203.0.113.7 with the server 198.51.100.10.
eth0 tcp 203.0.113.7:41000 > 198.51.100.10:21 S ; pass eth1
eth1 tcp 198.51.100.10:21 > 203.0.113.7:41000 SA ; pass eth0
eth0 tcp 203.0.113.7:41000 > 198.51.100.10:21 A ; pass eth1
eth0 icmp 198.51.100.254 > 198.51.100.10 too-big about 198.51.100.10:21 > 203.0.113.7:41000 ; pass eth1
eth1 icmp 198.51.100.10 > 203.0.113.7 unreachable about 203.0.113.7:41000 > 198.51.100.10:21 ; pass eth0
expect 227 50050 of 203.0.113.7:41000 > 198.51.100.10:21
eth0 tcp 203.0.113.7:41001 > 198.51.100.10:50050 S ; pass eth1
eth1 tcp 198.51.100.10:50050 > 203.0.113.7:41001 SA ; pass eth0
eth0 tcp 203.0.113.7:41001 > 198.51.100.10:50050 A ; pass eth1
eth0 icmp 198.51.100.254 > 198.51.100.10 too-big about 198.51.100.10:50050 > 203.0.113.7:41001 ; pass eth1
eth1 icmp 198.51.100.10 > 203.0.113.7 unreachable about 203.0.113.7:41001 > 198.51.100.10:50050 ; pass eth0
expect PORT 50351 of 203.0.113.7:41000 > 198.51.100.10:21
eth1 tcp 198.51.100.10:20 > 203.0.113.7:50351 S ; pass eth0
eth0 tcp 203.0.113.7:50351 > 198.51.100.10:20 SA ; pass eth1
eth1 tcp 198.51.100.10:20 > 203.0.113.7:50351 A ; pass eth0
eth0 icmp 198.51.100.254 > 198.51.100.10 too-big about 198.51.100.10:20 > 203.0.113.7:50351 ; pass eth1
eth1 icmp 198.51.100.10 > 203.0.113.7 unreachable about 203.0.113.7:50351 > 198.51.100.10:20 ; pass eth0

# The whole of a session of 2001:db8:9::7 with the server 2001:db8:1::10.
eth0 tcp [2001:db8:9::7]:41000 > [2001:db8:1::10]:21 S ; pass eth1
eth1 tcp [2001:db8:1::10]:21 > [2001:db8:9::7]:41000 SA ; pass eth0
eth0 tcp [2001:db8:9::7]:41000 > [2001:db8:1::10]:21 A ; pass eth1
eth0 icmp 2001:db8:77::fe > 2001:db8:1::10 too-big about [2001:db8:1::10]:21 > [2001:db8:9::7]:41000 ; pass eth1
eth1 icmp 2001:db8:1::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:41000 > [2001:db8:1::10]:21 ; pass eth0
expect 227 50050 of [2001:db8:9::7]:41000 > [2001:db8:1::10]:21
eth0 tcp [2001:db8:9::7]:41001 > [2001:db8:1::10]:50050 S ; pass eth1
eth1 tcp [2001:db8:1::10]:50050 > [2001:db8:9::7]:41001 SA ; pass eth0
eth0 tcp [2001:db8:9::7]:41001 > [2001:db8:1::10]:50050 A ; pass eth1
eth0 icmp 2001:db8:77::fe > 2001:db8:1::10 too-big about [2001:db8:1::10]:50050 > [2001:db8:9::7]:41001 ; pass eth1
eth1 icmp 2001:db8:1::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:41001 > [2001:db8:1::10]:50050 ; pass eth0
expect PORT 50351 of [2001:db8:9::7]:41000 > [2001:db8:1::10]:21
eth1 tcp [2001:db8:1::10]:20 > [2001:db8:9::7]:50351 S ; pass eth0
eth0 tcp [2001:db8:9::7]:50351 > [2001:db8:1::10]:20 SA ; pass eth1
eth1 tcp [2001:db8:1::10]:20 > [2001:db8:9::7]:50351 A ; pass eth0
eth0 icmp 2001:db8:77::fe > 2001:db8:1::10 too-big about [2001:db8:1::10]:20 > [2001:db8:9::7]:50351 ; pass eth1
eth1 icmp 2001:db8:1::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:50351 > [2001:db8:1::10]:20 ; pass eth0
