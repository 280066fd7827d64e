# rules/dmz.toml: clients inside (eth1), a server in a DMZ (eth2), 10.0.2.10 behind
# 203.0.113.1, passive ports 50000-50100; masquerade outside.

:eth1 10.0.1.1/24
:eth2 10.0.2.1/24
:eth0 203.0.113.1/24

# Nothing begins in the DMZ.
eth2 tcp 10.0.2.10:40000 > 10.0.1.5:21 S ; drop
eth2 tcp 10.0.2.10:40000 > 10.0.1.5:22 S ; drop
eth2 tcp 10.0.2.10:20 > 10.0.1.5:50000 S ; drop
eth2 tcp 10.0.2.11:40000 > 10.0.1.5:50000 S ; drop
eth2 tcp 10.0.2.10:40000 > 198.51.100.9:21 S ; drop
eth2 tcp 10.0.2.10:40000 > 198.51.100.9:80 S ; drop
eth2 tcp 10.0.2.10:20 > 198.51.100.9:50000 S ; drop
eth2 icmp 10.0.2.10 > 10.0.1.5 echo ; drop
eth2 tcp 10.0.2.10:21 > 10.0.1.5:40000 SA ; drop
eth2 tcp 10.0.2.10:21 > 198.51.100.7:40000 SA ; drop
# Nobody there speaks for a client, nor outside for either.
eth2 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; drop
eth2 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; drop
eth2 tcp 10.0.1.5:40000 > 10.0.2.10:21 S ; drop
eth0 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; drop
eth0 tcp 10.0.2.10:40000 > 203.0.113.1:21 S ; drop
eth0 tcp 10.0.2.10:21 > 10.0.1.5:40000 S ; drop

# From outside: by the public address only.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth2 to 10.0.2.10
eth2 tcp 10.0.2.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 SF ; drop
eth0 tcp 198.51.100.7:40001 > 10.0.2.10:21 S ; drop
eth0 tcp 198.51.100.7:40001 > 10.0.2.10:50000 S ; drop
eth0 tcp 198.51.100.7:40001 > 10.0.1.5:21 S ; drop
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:50000 S ; local ; none: pass eth2 to 10.0.2.10
expect 227 50001 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.66:40002 > 203.0.113.1:50001 S ; local ; none: pass eth2 to 10.0.2.10
eth0 tcp 198.51.100.7:40002 > 203.0.113.1:50001 S ; pass eth2 to 10.0.2.10
eth2 tcp 10.0.2.10:50001 > 198.51.100.7:40002 SA ; pass eth0 from 203.0.113.1
expect PORT 50002 of 198.51.100.7:40000 > 203.0.113.1:21
eth2 tcp 10.0.2.10:20 > 198.51.100.66:50002 S ; drop
eth2 tcp 10.0.2.11:20 > 198.51.100.7:50002 S ; drop
eth2 tcp 10.0.2.10:20 > 198.51.100.7:50002 S ; pass eth0 from 203.0.113.1 ; none: drop
eth0 tcp 198.51.100.7:50002 > 203.0.113.1:20 SA ; pass eth2 to 10.0.2.10 ; none: local

# From inside, by the server's own address.
eth1 tcp 10.0.1.5:40000 > 10.0.2.10:21 S ; pass eth2
eth2 tcp 10.0.2.10:21 > 10.0.1.5:40000 SA ; pass eth1
eth2 tcp 10.0.2.10:21 > 10.0.1.6:40000 A ; drop
eth2 tcp 10.0.2.11:21 > 10.0.1.5:40000 A ; drop
eth1 tcp 10.0.1.5:40001 > 10.0.2.10:22 S ; drop
eth1 tcp 10.0.1.5:40001 > 10.0.2.11:21 S ; drop
eth1 tcp 10.0.1.5:40001 > 10.0.2.10:50000 S ; drop ; none: pass eth2
eth1 tcp 10.0.1.5:40001 > 10.0.2.10:50101 S ; drop
eth1 tcp 10.0.3.5:40001 > 10.0.2.10:21 S ; drop
expect 227 50001 of 10.0.1.5:40000 > 10.0.2.10:21
eth1 tcp 10.0.1.6:40002 > 10.0.2.10:50001 S ; drop ; none: pass eth2
eth1 tcp 10.0.1.5:40003 > 10.0.2.10:50001 S ; pass eth2
eth2 tcp 10.0.2.10:50001 > 10.0.1.5:40003 SA ; pass eth1
expect PORT 50002 of 10.0.1.5:40000 > 10.0.2.10:21
eth2 tcp 10.0.2.10:20 > 10.0.1.6:50002 S ; drop
eth2 tcp 10.0.2.11:20 > 10.0.1.5:50002 S ; drop
eth2 tcp 10.0.2.10:20 > 10.0.1.5:50003 S ; drop
eth2 tcp 10.0.2.10:20 > 10.0.1.5:50002 S ; pass eth1 ; none: drop
eth1 tcp 10.0.1.5:50002 > 10.0.2.10:20 SA ; pass eth2 ; none: drop
expect PORT 22 of 10.0.1.5:40000 > 10.0.2.10:21
eth2 tcp 10.0.2.10:20 > 10.0.1.5:22 S ; drop

# From inside, by the public one.
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth2 tcp 10.0.2.10:21 > 10.0.2.1:40000 SA ; pass eth1 from 203.0.113.1 to 10.0.1.5
expect PORT 50001 of 10.0.1.5:40000 > 203.0.113.1:21
eth2 tcp 10.0.2.10:20 > 10.0.2.1:50001 S ; pass eth1 from 203.0.113.1 to 10.0.1.5 ; none: local

# Clients to servers outside.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
expect PORT 50001 of 10.0.1.5:40000 > 198.51.100.9:21
eth2 tcp 198.51.100.9:20 > 203.0.113.1:50009 S ; local
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50001 S ; pass eth1 to 10.0.1.5 ; none: pass eth2 to 10.0.2.10
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:80 S ; drop
eth1 udp 10.0.1.5:5353 > 198.51.100.9:53 ; pass eth0 from 203.0.113.1
eth2 udp 10.0.2.10:5353 > 198.51.100.9:53 ; pass eth0

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

# The whole of a session of 198.51.100.7 with the server 10.0.2.10.
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 S ; pass eth2 to 10.0.2.10
eth2 tcp 10.0.2.10:21 > 198.51.100.7:41000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 A ; pass eth2 to 10.0.2.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 198.51.100.7:41000 ; pass eth2 to 10.0.2.10
eth2 icmp 10.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:41000 > 10.0.2.10:21 ; pass eth0 from 203.0.113.1
expect 227 50050 of 198.51.100.7:41000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50050 S ; pass eth2 to 10.0.2.10
eth2 tcp 10.0.2.10:50050 > 198.51.100.7:41001 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50050 A ; pass eth2 to 10.0.2.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50050 > 198.51.100.7:41001 ; pass eth2 to 10.0.2.10
eth2 icmp 10.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:41001 > 10.0.2.10:50050 ; pass eth0 from 203.0.113.1
expect PORT 50351 of 198.51.100.7:41000 > 203.0.113.1:21
eth2 tcp 10.0.2.10:20 > 198.51.100.7:50351 S ; pass eth0 from 203.0.113.1 ; none: drop
eth0 tcp 198.51.100.7:50351 > 203.0.113.1:20 SA ; pass eth2 to 10.0.2.10 ; none: local
eth2 tcp 10.0.2.10:20 > 198.51.100.7:50351 A ; pass eth0 from 203.0.113.1 ; none: drop
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:20 > 198.51.100.7:50351 ; pass eth2 to 10.0.2.10 ; none: local
eth2 icmp 10.0.2.10 > 198.51.100.7 unreachable about 198.51.100.7:50351 > 10.0.2.10:20 ; pass eth0 from 203.0.113.1 ; none: drop

# The whole of a session of 10.0.1.5 with the server 10.0.2.10.
eth1 tcp 10.0.1.5:41000 > 10.0.2.10:21 S ; pass eth2
eth2 tcp 10.0.2.10:21 > 10.0.1.5:41000 SA ; pass eth1
eth1 tcp 10.0.1.5:41000 > 10.0.2.10:21 A ; pass eth2
eth1 icmp 10.0.1.254 > 10.0.2.10 too-big about 10.0.2.10:21 > 10.0.1.5:41000 ; pass eth2
eth2 icmp 10.0.2.10 > 10.0.1.5 unreachable about 10.0.1.5:41000 > 10.0.2.10:21 ; pass eth1
# Nobody inside speaks of it with an address from elsewhere.
eth1 icmp 198.51.100.254 > 10.0.2.10 too-big about 10.0.2.10:21 > 10.0.1.5:41000 ; drop
expect 227 50050 of 10.0.1.5:41000 > 10.0.2.10:21
eth1 tcp 10.0.1.5:41001 > 10.0.2.10:50050 S ; pass eth2
eth2 tcp 10.0.2.10:50050 > 10.0.1.5:41001 SA ; pass eth1
eth1 tcp 10.0.1.5:41001 > 10.0.2.10:50050 A ; pass eth2
eth1 icmp 10.0.1.254 > 10.0.2.10 too-big about 10.0.2.10:50050 > 10.0.1.5:41001 ; pass eth2
eth2 icmp 10.0.2.10 > 10.0.1.5 unreachable about 10.0.1.5:41001 > 10.0.2.10:50050 ; pass eth1
expect PORT 50351 of 10.0.1.5:41000 > 10.0.2.10:21
eth2 tcp 10.0.2.10:20 > 10.0.1.5:50351 S ; pass eth1 ; none: drop
eth1 tcp 10.0.1.5:50351 > 10.0.2.10:20 SA ; pass eth2 ; none: drop
eth2 tcp 10.0.2.10:20 > 10.0.1.5:50351 A ; pass eth1 ; none: drop
eth1 icmp 10.0.1.254 > 10.0.2.10 too-big about 10.0.2.10:20 > 10.0.1.5:50351 ; pass eth2 ; none: drop
eth2 icmp 10.0.2.10 > 10.0.1.5 unreachable about 10.0.1.5:50351 > 10.0.2.10:20 ; pass eth1 ; none: drop

# The whole of a session of 10.0.1.5 with the server 10.0.2.10.
eth1 tcp 10.0.1.5:41000 > 203.0.113.1:21 S ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth2 tcp 10.0.2.10:21 > 10.0.2.1:41000 SA ; pass eth1 from 203.0.113.1 to 10.0.1.5
eth1 tcp 10.0.1.5:41000 > 203.0.113.1:21 A ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth1 icmp 10.0.1.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 10.0.1.5:41000 ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth2 icmp 10.0.2.10 > 10.0.2.1 unreachable about 10.0.2.1:41000 > 10.0.2.10:21 ; pass eth1 from 203.0.113.1 to 10.0.1.5
expect 227 50050 of 10.0.1.5:41000 > 203.0.113.1:21
eth1 tcp 10.0.1.5:41001 > 203.0.113.1:50050 S ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth2 tcp 10.0.2.10:50050 > 10.0.2.1:41001 SA ; pass eth1 from 203.0.113.1 to 10.0.1.5
eth1 tcp 10.0.1.5:41001 > 203.0.113.1:50050 A ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth1 icmp 10.0.1.254 > 203.0.113.1 too-big about 203.0.113.1:50050 > 10.0.1.5:41001 ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth2 icmp 10.0.2.10 > 10.0.2.1 unreachable about 10.0.2.1:41001 > 10.0.2.10:50050 ; pass eth1 from 203.0.113.1 to 10.0.1.5
expect PORT 50351 of 10.0.1.5:41000 > 203.0.113.1:21
eth2 tcp 10.0.2.10:20 > 10.0.2.1:50351 S ; pass eth1 from 203.0.113.1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50351 > 203.0.113.1:20 SA ; pass eth2 from 10.0.2.1 to 10.0.2.10 ; none: local
eth2 tcp 10.0.2.10:20 > 10.0.2.1:50351 A ; pass eth1 from 203.0.113.1 to 10.0.1.5 ; none: local
eth1 icmp 10.0.1.254 > 203.0.113.1 too-big about 203.0.113.1:20 > 10.0.1.5:50351 ; pass eth2 from 10.0.2.1 to 10.0.2.10 ; none: local
eth2 icmp 10.0.2.10 > 10.0.2.1 unreachable about 10.0.2.1:50351 > 10.0.2.10:20 ; pass eth1 from 203.0.113.1 to 10.0.1.5 ; none: local

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
eth2 tcp 10.0.2.10:21 > 198.51.100.99:40410 SA ; drop
