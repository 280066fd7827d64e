# rules/kernel-helper.toml: nf_conntrack_ftp for masqueraded clients, and for the server
# 10.0.1.10 behind 203.0.113.1.

:eth1 10.0.1.1/24
:eth0 203.0.113.1/24

eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
expect PORT 50000 of 10.0.1.5:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.66:20 > 203.0.113.1:50000 S ; local
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50001 S ; local
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:50000 > 198.51.100.9:20 SA ; pass eth0 from 203.0.113.1

eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:50000 S ; local
expect 227 50000 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.66:40002 > 203.0.113.1:50000 S ; local
eth0 tcp 198.51.100.7:40003 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.10

# The kernel's helper is on these connections only.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:2121 S ; local
eth0 tcp 198.51.100.7:40000 > 10.0.1.10:21 S ; drop
eth0 tcp 198.51.100.7:40000 > 10.0.1.11:21 S ; drop
eth0 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:2121 S ; drop
eth1 tcp 10.0.2.5:40000 > 198.51.100.9:21 S ; drop
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:21 SF ; drop
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:21 A ; drop
eth1 tcp 10.0.1.5:40003 > 198.51.100.9:50000 S ; drop
eth0 tcp 198.51.100.9:20 > 10.0.1.5:50000 S ; drop

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
