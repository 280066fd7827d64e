# rules/passive-only.toml: no helper. Clients may go to any unprivileged port outside, anybody
# to the server's passive ports 50000-50100.

:eth1 10.0.1.1/24
:eth0 203.0.113.1/24

eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:1023 S ; drop
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:1024 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40003 > 198.51.100.9:65535 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:65535 > 203.0.113.1:40003 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40004 > 198.51.100.9:65535 A ; drop
eth1 tcp 10.0.2.5:40005 > 198.51.100.9:1024 S ; drop
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40003 > 198.51.100.9:65535 ; pass eth1 to 10.0.1.5
# Active stays shut.
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50101 S ; local
eth0 tcp 198.51.100.9:20 > 10.0.1.5:50000 S ; drop
eth0 tcp 198.51.100.9:65535 > 10.0.1.5:40004 SA ; drop

eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.10
eth1 tcp 10.0.1.10:50000 > 198.51.100.7:40001 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.66:40002 > 203.0.113.1:50100 S ; pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40003 > 203.0.113.1:50100 A ; drop
eth0 tcp 198.51.100.7:40004 > 203.0.113.1:49999 S ; local
eth0 tcp 198.51.100.7:40005 > 203.0.113.1:50101 S ; local
eth0 tcp 198.51.100.7:40006 > 10.0.1.10:50000 S ; drop
eth0 tcp 10.0.1.5:40007 > 203.0.113.1:50000 S ; drop
eth1 tcp 10.0.1.10:20 > 198.51.100.7:1023 S ; drop
eth1 tcp 10.0.1.5:40008 > 203.0.113.1:50000 S ; pass eth1 from 10.0.1.1 to 10.0.1.10
