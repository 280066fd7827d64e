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
