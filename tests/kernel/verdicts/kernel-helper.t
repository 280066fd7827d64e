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
