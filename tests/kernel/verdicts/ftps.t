# rules/ftps.toml: a published server that offers FTPS at 50000-50019. Without an inspector, as
# here, nobody expects what comes there; and on_crash = "closed" holds only what is said.

:eth1 10.0.1.1/24
:eth0 203.0.113.1/24

eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 A ; pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 SF ; drop
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:50000 S ; local
eth0 tcp 198.51.100.7:40002 > 203.0.113.1:50019 S ; local
eth0 tcp 198.51.100.7:40003 > 203.0.113.1:50020 S ; local
eth0 tcp 198.51.100.7:40004 > 10.0.1.10:50000 S ; drop
expect 227 50000 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.66:40005 > 203.0.113.1:50000 S ; local
eth0 tcp 198.51.100.7:40006 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50000 > 198.51.100.7:40006 SA ; pass eth0 from 203.0.113.1

eth0 tcp 198.51.100.7:40000 > 10.0.1.10:21 S ; drop
eth0 tcp 10.0.1.10:40000 > 203.0.113.1:21 S ; drop
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:21 A ; drop
# Nobody inside is a client.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; drop
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; local
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50000 S ; drop
eth1 tcp 10.0.1.10:40000 > 198.51.100.9:21 S ; drop

# The whole of a session of 198.51.100.7 with the server 10.0.1.10.
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:21 > 198.51.100.7:41000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:21 A ; pass eth1 to 10.0.1.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:21 > 198.51.100.7:41000 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:41000 > 10.0.1.10:21 ; pass eth0 from 203.0.113.1
expect 227 50010 of 198.51.100.7:41000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50010 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50010 > 198.51.100.7:41001 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50010 A ; pass eth1 to 10.0.1.10
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50010 > 198.51.100.7:41001 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:41001 > 10.0.1.10:50010 ; pass eth0 from 203.0.113.1
expect PORT 50351 of 198.51.100.7:41000 > 203.0.113.1:21
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50351 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:50351 > 203.0.113.1:20 SA ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50351 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:20 > 198.51.100.7:50351 ; pass eth1 to 10.0.1.10
eth1 icmp 10.0.1.10 > 198.51.100.7 unreachable about 198.51.100.7:50351 > 10.0.1.10:20 ; pass eth0 from 203.0.113.1

# A rule of the administrator's own accepts all that goes to 198.51.100.99, but not from the
# server's control connections what fits none.
eth1 tcp 10.0.1.10:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.10:21 > 198.51.100.99:40410 SA ; drop
