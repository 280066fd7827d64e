# rules/several-servers.toml: 10.0.1.10:21 and 10.0.1.11:2121 behind 203.0.113.1, 10.0.1.12:21
# behind 203.0.113.2. Servers outside are used at 21 and 2121.

:eth1 10.0.1.1/24
:eth0 203.0.113.1/24 203.0.113.2/24

eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40001 > 203.0.113.1:2121 S ; pass eth1 to 10.0.1.11
eth0 tcp 198.51.100.7:40002 > 203.0.113.2:21 S ; pass eth1 to 10.0.1.12
eth0 tcp 198.51.100.7:40003 > 203.0.113.2:2121 S ; local
eth1 tcp 10.0.1.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.11:2121 > 198.51.100.7:40001 SA ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.12:21 > 198.51.100.7:40002 SA ; pass eth0 from 203.0.113.2
eth1 tcp 10.0.1.12:21 > 198.51.100.7:40000 A ; drop
# Each by its own port and address.
eth0 tcp 198.51.100.7:40004 > 10.0.1.10:21 S ; drop
eth0 tcp 198.51.100.7:40004 > 10.0.1.11:2121 S ; drop
eth0 tcp 198.51.100.7:40004 > 10.0.1.11:21 S ; drop
eth0 tcp 198.51.100.7:40005 > 203.0.113.1:2121 A ; drop
eth0 tcp 198.51.100.7:40006 > 203.0.113.1:2121 SF ; drop
eth0 tcp 198.51.100.7:40006 > 203.0.113.2:2121 SF ; local
# Passive ports of one are not another's.
expect 227 50000 of 198.51.100.7:40002 > 203.0.113.2:21
eth0 tcp 198.51.100.7:40007 > 203.0.113.1:50000 S ; local ; none: pass eth1 to 10.0.1.10
eth0 tcp 198.51.100.7:40008 > 203.0.113.2:50000 S ; pass eth1 to 10.0.1.12
eth0 tcp 198.51.100.7:40009 > 203.0.113.2:50101 S ; local
eth0 tcp 198.51.100.7:40010 > 203.0.113.1:50101 S ; local ; none: pass eth1 to 10.0.1.11
expect 227 50101 of 198.51.100.7:40001 > 203.0.113.1:2121
eth0 tcp 198.51.100.66:40011 > 203.0.113.1:50101 S ; local ; none: pass eth1 to 10.0.1.11
eth0 tcp 198.51.100.7:40012 > 203.0.113.1:50101 S ; pass eth1 to 10.0.1.11
# Active: from the address that its client knows; without a helper by the clients' rules.
expect PORT 50001 of 198.51.100.7:40002 > 203.0.113.2:21
eth1 tcp 10.0.1.10:20 > 198.51.100.7:50001 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.12:2020 > 198.51.100.7:50001 S ; pass eth0 from 203.0.113.2 ; none: pass eth0 from 203.0.113.1

# Hairpin, for each.
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; pass eth1 from 10.0.1.1 to 10.0.1.10
eth1 tcp 10.0.1.5:40001 > 203.0.113.1:2121 S ; pass eth1 from 10.0.1.1 to 10.0.1.11
eth1 tcp 10.0.1.5:40002 > 203.0.113.2:21 S ; pass eth1 from 10.0.1.1 to 10.0.1.12
eth1 tcp 10.0.1.12:21 > 10.0.1.1:40002 SA ; pass eth1 from 203.0.113.2 to 10.0.1.5

# Clients, at both ports; neither is a data port.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:2121 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:8021 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40003 > 198.51.100.9:2121 A ; drop
eth0 tcp 198.51.100.9:2121 > 203.0.113.1:40001 SA ; pass eth1 to 10.0.1.5
expect PORT 50201 of 10.0.1.5:40001 > 198.51.100.9:2121
eth0 tcp 198.51.100.9:20 > 203.0.113.2:50201 S ; local
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50201 S ; pass eth1 to 10.0.1.5 ; none: local
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40001 > 198.51.100.9:2121 ; pass eth1 to 10.0.1.5
# Forged.
eth0 tcp 10.0.1.5:40000 > 203.0.113.2:21 S ; drop
eth0 tcp 10.0.1.12:21 > 10.0.1.5:40000 S ; drop
