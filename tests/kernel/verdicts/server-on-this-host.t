# rules/server-on-this-host.toml: the server is this host, 192.0.2.10; passive ports
# 50000-50100. Behind ftpfw's rules the administrator's drop TCP to and from this host.

:eth0 192.0.2.10/24 2001:db8::10/64

eth0 tcp 198.51.100.7:40000 > 192.0.2.10:21 S ; local
here tcp 192.0.2.10:21 > 198.51.100.7:40000 SA ; pass eth0
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:21 A ; local
here tcp 192.0.2.10:21 > 198.51.100.7:40000 FA ; pass eth0
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:21 SF ; drop
eth0 tcp 198.51.100.66:40000 > 192.0.2.10:21 A ; drop
here tcp 192.0.2.10:21 > 198.51.100.66:40000 A ; drop
here tcp 192.0.2.10:22 > 198.51.100.7:40000 A ; drop

# Other ports, forged sources, segments that open nothing.
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:20 S ; drop
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:80 S ; drop
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:49999 S ; drop
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:50000 S ; drop ; none: local
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:50100 S ; drop ; none: local
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:50101 S ; drop
eth0 tcp 192.0.2.10:40000 > 192.0.2.10:21 S ; drop
eth0 tcp 198.51.100.7:40001 > 192.0.2.10:21 A ; drop
eth0 tcp 198.51.100.7:40002 > 192.0.2.10:21 SA ; drop
eth0 tcp 198.51.100.7:40003 > 192.0.2.10:21 R ; drop
eth0 tcp 198.51.100.7:40004 > 192.0.2.10:21 FPU ; drop
here tcp 192.0.2.10:40000 > 198.51.100.9:21 S ; drop
here tcp 192.0.2.10:20 > 198.51.100.7:50000 S ; drop
here tcp 192.0.2.10:21 > 198.51.100.7:40000 SA ; drop
# What is not TCP meets the host's own rules only.
eth0 udp 198.51.100.7:40000 > 192.0.2.10:21 ; local
eth0 icmp 198.51.100.7 > 192.0.2.10 echo ; local
# Of IPv6 the policy says nothing.
eth0 tcp [2001:db8:9::7]:40000 > [2001:db8::10]:21 S ; drop

# Passive.
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:21 S ; local
expect 227 50001 of 198.51.100.7:40000 > 192.0.2.10:21
eth0 tcp 198.51.100.66:40001 > 192.0.2.10:50001 S ; drop ; none: local
eth0 tcp 198.51.100.7:40002 > 192.0.2.10:50002 S ; drop ; none: local
eth0 tcp 198.51.100.7:40003 > 192.0.2.10:50001 S ; local
here tcp 192.0.2.10:50001 > 198.51.100.7:40003 SA ; pass eth0
eth0 tcp 198.51.100.7:40003 > 192.0.2.10:50001 A ; local
expect 227 1023 of 198.51.100.7:40000 > 192.0.2.10:21
eth0 tcp 198.51.100.7:40004 > 192.0.2.10:1023 S ; drop

# Active.
eth0 tcp 198.51.100.7:40000 > 192.0.2.10:21 S ; local
expect PORT 50001 of 198.51.100.7:40000 > 192.0.2.10:21
here tcp 192.0.2.10:20 > 198.51.100.66:50001 S ; drop
here tcp 192.0.2.10:20 > 198.51.100.7:50002 S ; drop
here tcp 192.0.2.10:20 > 198.51.100.7:50001 S ; pass eth0 ; none: drop
eth0 tcp 198.51.100.7:50001 > 192.0.2.10:20 SA ; local ; none: drop
here tcp 192.0.2.10:20 > 198.51.100.7:50001 A ; pass eth0 ; none: drop
expect PORT 25 of 198.51.100.7:40000 > 192.0.2.10:21
here tcp 192.0.2.10:20 > 198.51.100.7:25 S ; drop

# The whole of a session of 198.51.100.7 with the server 192.0.2.10.
eth0 tcp 198.51.100.7:41000 > 192.0.2.10:21 S ; local
here tcp 192.0.2.10:21 > 198.51.100.7:41000 SA ; pass eth0
eth0 tcp 198.51.100.7:41000 > 192.0.2.10:21 A ; local
eth0 icmp 198.51.100.254 > 192.0.2.10 too-big about 192.0.2.10:21 > 198.51.100.7:41000 ; local
here icmp 192.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:41000 > 192.0.2.10:21 ; pass eth0
expect 227 50050 of 198.51.100.7:41000 > 192.0.2.10:21
eth0 tcp 198.51.100.7:41001 > 192.0.2.10:50050 S ; local
here tcp 192.0.2.10:50050 > 198.51.100.7:41001 SA ; pass eth0
eth0 tcp 198.51.100.7:41001 > 192.0.2.10:50050 A ; local
eth0 icmp 198.51.100.254 > 192.0.2.10 too-big about 192.0.2.10:50050 > 198.51.100.7:41001 ; local
here icmp 192.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:41001 > 192.0.2.10:50050 ; pass eth0
expect PORT 50351 of 198.51.100.7:41000 > 192.0.2.10:21
here tcp 192.0.2.10:20 > 198.51.100.7:50351 S ; pass eth0 ; none: drop
eth0 tcp 198.51.100.7:50351 > 192.0.2.10:20 SA ; local ; none: drop
here tcp 192.0.2.10:20 > 198.51.100.7:50351 A ; pass eth0 ; none: drop
eth0 icmp 198.51.100.254 > 192.0.2.10 too-big about 192.0.2.10:20 > 198.51.100.7:50351 ; local ; none: drop
here icmp 192.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:50351 > 192.0.2.10:20 ; pass eth0 ; none: drop
