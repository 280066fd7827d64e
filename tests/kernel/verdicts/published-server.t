# rules/published-server.toml: a server inside, 10.0.1.10, behind 203.0.113.1; passive ports
# 50000-50100; the clients of 10.0.1.0/24 use its public address too.

:eth1 10.0.1.1/24
:eth0 203.0.113.1/24

# Anybody's control connection, by the public address.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 A ; pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 SF ; drop
eth0 tcp 198.51.100.7:40000 > 10.0.1.10:21 A ; drop
eth0 tcp 198.51.100.66:40000 > 203.0.113.1:21 A ; drop
eth1 tcp 10.0.1.10:21 > 198.51.100.66:40000 A ; drop
eth1 tcp 10.0.1.11:21 > 198.51.100.7:40000 A ; drop
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 FA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 R ; pass eth1 to 10.0.1.10

# By its own address nobody from outside reaches it, nor at another port.
eth0 tcp 198.51.100.7:40000 > 10.0.1.10:21 S ; drop
eth0 tcp 198.51.100.7:40000 > 10.0.1.10:22 S ; drop
eth0 tcp 198.51.100.7:40000 > 10.0.1.10:50000 S ; drop
eth0 tcp 198.51.100.7:40000 > 10.0.1.11:21 S ; drop
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:22 S ; local
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:2121 S ; local
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:49999 S ; local
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:50000 S ; local ; none: pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:50100 S ; local ; none: pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:50101 S ; local
eth0 udp 198.51.100.7:40000 > 203.0.113.1:21 ; local
# Forged sources.
eth0 tcp 10.0.1.10:40000 > 203.0.113.1:21 S ; drop
eth0 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; drop
eth0 tcp 203.0.113.1:40000 > 203.0.113.1:21 S ; drop
# Nothing that opens no connection, and no reset for it.
eth0 tcp 198.51.100.8:40001 > 203.0.113.1:21 A ; drop
eth0 tcp 198.51.100.8:40002 > 203.0.113.1:21 FA ; drop
eth0 tcp 198.51.100.8:40003 > 203.0.113.1:21 R ; drop
eth0 tcp 198.51.100.8:40004 > 203.0.113.1:21 SA ; drop
eth0 tcp 198.51.100.8:40005 > 203.0.113.1:21 SF ; drop
eth0 tcp 198.51.100.8:40006 > 203.0.113.1:21 ; drop
eth0 tcp 198.51.100.8:40007 > 203.0.113.1:21 FPU ; drop
eth1 tcp 10.0.1.10:21 > 198.51.100.8:40008 SA ; drop
eth1 tcp 10.0.1.10:21 > 198.51.100.8:40009 A ; drop
eth1 tcp 10.0.1.10:20 > 198.51.100.8:40010 SF ; drop

# Passive, before it is negotiated, and after; for this client only. Without a helper the
# passive ports are open to all.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
expect 227 50000 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.66:40001 > 203.0.113.1:50000 S ; local ; none: pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40002 > 203.0.113.1:50001 S ; local ; none: pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40003 > 10.0.1.10:50000 S ; drop
eth1 tcp 198.51.100.7:40004 > 203.0.113.1:50001 S ; local
eth0 tcp 198.51.100.7:40005 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50000 > 198.51.100.7:40005 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40005 > 203.0.113.1:50000 A ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50000 > 198.51.100.7:40005 FA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40006 > 203.0.113.1:50000 S ; local ; none: pass eth1 to 10.0.1.10
# What is expected need not be of passive_ports, but never privileged.
expect 227 40100 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:40007 > 203.0.113.1:40100 S ; pass eth1 to 10.0.1.10 ; none: local
expect 227 22 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:40008 > 203.0.113.1:22 S ; drop ; none: local

# Active, before and after. Without a helper all clients inside, and the server among them, may
# open connections to any unprivileged port outside.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50000 S ; drop ; none: pass eth0 from 203.0.113.1
expect PORT 50001 of 198.51.100.7:40000 > 203.0.113.1:21
eth1 tcp 10.0.1.10:20 > 198.51.100.66:50001 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.11:20 > 198.51.100.7:50001 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50002 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.10:2020 > 198.51.100.7:50001 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:50001 > 203.0.113.1:2020 SA ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:2020 > 198.51.100.7:50001 A ; pass eth0 from 203.0.113.1
expect PORT 1023 of 198.51.100.7:40000 > 203.0.113.1:21
eth1 tcp 10.0.1.10:20 > 198.51.100.7:1023 S ; drop

# Hairpin: a client inside asks for the public address, and the server answers through here.
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 10.0.1.1:40000 SA ; pass eth1 from 203.0.113.1 to 10.0.1.5
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 A ; pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.1.5:40001 > 203.0.113.1:50000 S ; local ; none: pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.2.5:40002 > 203.0.113.1:21 S ; local
expect 227 50002 of 10.0.1.5:40000 > 203.0.113.1:21
eth1 tcp 10.0.1.6:40003 > 203.0.113.1:50002 S ; local ; none: pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.1.5:40004 > 203.0.113.1:50002 S ; pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.1.10:50002 > 10.0.1.1:40004 SA ; pass eth1 from 203.0.113.1 to 10.0.1.5
expect PORT 50003 of 10.0.1.5:40000 > 203.0.113.1:21
eth1 tcp 10.0.1.10:20 > 10.0.1.1:50003 S ; pass eth1 from 203.0.113.1 to 10.0.1.5 ; none: local

# Clients to servers outside.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.10:40001 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:80 S ; drop
eth1 tcp 10.0.2.5:40003 > 198.51.100.9:21 S ; drop
eth1 udp 10.0.1.5:5353 > 198.51.100.9:53 ; pass eth0 from 203.0.113.1

# ICMP errors.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 198.51.100.7:40000 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:40000 > 10.0.1.10:21 ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 198.51.100.7:40001 ; local
eth0 icmp 198.51.100.254 > 10.0.1.10 too-big about 10.0.1.10:21 > 198.51.100.7:40001 ; drop
eth0 icmp 198.51.100.7 > 203.0.113.1 echo ; local

# The whole of a session of 10.0.1.5 on eth1: both ways, data both ways, errors about all of it.
eth1 tcp 10.0.1.5:40300 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40300 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40300 > 198.51.100.9:21 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:21 ; pass eth1 to 10.0.1.5
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:21 > 10.0.1.5:40300 ; pass eth0 from 203.0.113.1
expect PORT 50301 of 10.0.1.5:40300 > 198.51.100.9:21
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass eth1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50301 > 198.51.100.9:20 SA ; pass eth0 from 203.0.113.1 ; none: drop
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass eth1 to 10.0.1.5 ; none: local
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass eth1 to 10.0.1.5 ; none: local
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.5:50301 ; pass eth0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.5:40300 > 198.51.100.9:21
eth1 tcp 10.0.1.5:40301 > 198.51.100.9:50302 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40301 > 198.51.100.9:50302 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass eth1 to 10.0.1.5
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.5:40301 ; pass eth0 from 203.0.113.1

# The whole of a session of 198.51.100.7 with the server 10.0.1.10.
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:41000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 A ; pass eth1 to 10.0.1.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 198.51.100.7:41000 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:41000 > 10.0.1.10:21 ; pass eth0 from 203.0.113.1
expect 227 50050 of 198.51.100.7:41000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50050 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50050 > 198.51.100.7:41001 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50050 A ; pass eth1 to 10.0.1.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50050 > 198.51.100.7:41001 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:41001 > 10.0.1.10:50050 ; pass eth0 from 203.0.113.1
expect PORT 50351 of 198.51.100.7:41000 > 203.0.113.1:21
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50351 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:50351 > 203.0.113.1:20 SA ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50351 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:20 > 198.51.100.7:50351 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:50351 > 10.0.1.10:20 ; pass eth0 from 203.0.113.1

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
eth1 tcp 10.0.1.10:21 > 198.51.100.99:40410 SA ; drop
