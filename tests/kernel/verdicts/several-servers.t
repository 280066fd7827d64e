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

# The whole of a session of 10.0.1.5 on eth1: both ways, data both ways, errors about all of it.
eth1 tcp 10.0.1.5:40300 > 198.51.100.9:2121 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:2121 > 203.0.113.1:40300 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40300 > 198.51.100.9:2121 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:2121 ; pass eth1 to 10.0.1.5
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:2121 > 10.0.1.5:40300 ; pass eth0 from 203.0.113.1
expect PORT 50301 of 10.0.1.5:40300 > 198.51.100.9:2121
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass eth1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50301 > 198.51.100.9:20 SA ; pass eth0 from 203.0.113.1 ; none: drop
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass eth1 to 10.0.1.5 ; none: local
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass eth1 to 10.0.1.5 ; none: local
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.5:50301 ; pass eth0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.5:40300 > 198.51.100.9:2121
eth1 tcp 10.0.1.5:40301 > 198.51.100.9:50302 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40301 > 198.51.100.9:50302 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass eth1 to 10.0.1.5
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.5:40301 ; pass eth0 from 203.0.113.1

# The whole of a session of 198.51.100.7 with the server 10.0.1.11.
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:2121 S ; pass eth1 to 10.0.1.11
eth1 tcp 10.0.1.11:2121 > 198.51.100.7:41000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41000 > 203.0.113.1:2121 A ; pass eth1 to 10.0.1.11
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:2121 > 198.51.100.7:41000 ; pass eth1 to 10.0.1.11
eth1 icmp 10.0.1.11 > 198.51.100.7 unreachable about 198.51.100.7:41000 > 10.0.1.11:2121 ; pass eth0 from 203.0.113.1
expect 227 50150 of 198.51.100.7:41000 > 203.0.113.1:2121
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50150 S ; pass eth1 to 10.0.1.11
eth1 tcp 10.0.1.11:50150 > 198.51.100.7:41001 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:41001 > 203.0.113.1:50150 A ; pass eth1 to 10.0.1.11
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50150 > 198.51.100.7:41001 ; pass eth1 to 10.0.1.11
eth1 icmp 10.0.1.11 > 198.51.100.7 unreachable about 198.51.100.7:41001 > 10.0.1.11:50150 ; pass eth0 from 203.0.113.1
expect PORT 50351 of 198.51.100.7:41000 > 203.0.113.1:2121
eth1 tcp 10.0.1.11:20 > 198.51.100.7:50351 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:50351 > 203.0.113.1:20 SA ; pass eth1 to 10.0.1.11
eth1 tcp 10.0.1.11:20 > 198.51.100.7:50351 A ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:20 > 198.51.100.7:50351 ; pass eth1 to 10.0.1.11
eth1 icmp 10.0.1.11 > 198.51.100.7 unreachable about 198.51.100.7:50351 > 10.0.1.11:20 ; pass eth0 from 203.0.113.1

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
eth1 tcp 10.0.1.5:40403 > 198.51.100.99:2121 SF ; drop
eth1 tcp 10.0.1.11:2121 > 198.51.100.99:40410 SA ; drop
