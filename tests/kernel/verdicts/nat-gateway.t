# rules/nat-gateway.toml: clients of 10.0.1.0/24 behind a masquerading gateway.

:eth1 10.0.1.1/24 fd00:1::1/64
:eth0 203.0.113.1/24 2001:db8::1/64

# A control connection, and its answers.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 A ; pass eth0 from 203.0.113.1
# Somebody else's answers are not the client's; somebody else's segments are not in its name.
eth0 tcp 198.51.100.66:21 > 203.0.113.1:40000 SA ; local
eth0 tcp 198.51.100.9:2121 > 203.0.113.1:40000 SA ; local
eth0 tcp 198.51.100.9:21 > 10.0.1.5:40000 SA ; drop
eth0 tcp 198.51.100.9:21 > 10.0.1.5:40000 A ; drop
eth1 tcp 10.0.1.6:40000 > 198.51.100.9:21 A ; drop
eth0 tcp 10.0.1.5:40000 > 198.51.100.9:21 A ; drop
# Flags that no segment of a connection has.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 SF ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 FPU ; drop
# It ends.
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 FA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 R ; pass eth0 from 203.0.113.1

# Who is no client, and where.
eth1 tcp 10.0.2.5:40000 > 198.51.100.9:21 S ; drop
eth1 tcp 198.51.100.5:40000 > 198.51.100.9:21 S ; drop
eth1 tcp 203.0.113.1:40000 > 198.51.100.9:21 S ; drop
eth0 tcp 198.51.100.9:40000 > 10.0.1.5:21 S ; drop
eth0 tcp 198.51.100.9:21 > 10.0.1.5:40000 S ; drop
# A forged source, from outside.
eth0 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; drop
eth0 tcp 10.0.1.5:40000 > 10.0.1.6:21 S ; drop
eth0 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; drop
eth0 udp 10.0.1.5:5353 > 10.0.1.6:53 ; drop
eth0 tcp 203.0.113.1:40000 > 203.0.113.1:21 S ; drop
# This host's own ports are its own rules' affair.
eth0 tcp 198.51.100.9:40000 > 203.0.113.1:21 S ; local
eth0 tcp 198.51.100.9:40000 > 203.0.113.1:50000 S ; local
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; local

# What opens no connection: in the middle of one that is unknown, or with impossible flags.
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:21 A ; drop
eth1 tcp 10.0.1.5:40002 > 198.51.100.9:21 FA ; drop
eth1 tcp 10.0.1.5:40003 > 198.51.100.9:21 R ; drop
eth1 tcp 10.0.1.5:40004 > 198.51.100.9:21 SA ; drop
eth1 tcp 10.0.1.5:40005 > 198.51.100.9:21 SF ; drop
eth1 tcp 10.0.1.5:40006 > 198.51.100.9:21 SR ; drop
eth1 tcp 10.0.1.5:40007 > 198.51.100.9:21 FPU ; drop
eth1 tcp 10.0.1.5:40008 > 198.51.100.9:21 ; drop
eth1 tcp 10.0.1.5:40009 > 198.51.100.9:80 SF ; drop
eth1 tcp 10.0.1.5:40010 > 198.51.100.9:50000 A ; drop
eth1 tcp 10.0.1.5:40011 > 198.51.100.9:50000 SF ; drop
eth0 tcp 198.51.100.9:21 > 10.0.1.5:40012 SA ; drop
eth0 tcp 198.51.100.9:20 > 10.0.1.5:40012 A ; drop

# Everything else, both ways.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:20 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:22 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:80 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:990 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:1023 S ; drop
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:1024 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:2121 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:65535 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 udp 10.0.1.5:40000 > 198.51.100.9:21 ; drop
eth1 udp 10.0.1.5:40000 > 198.51.100.9:69 ; drop
eth1 icmp 10.0.1.5 > 198.51.100.9 echo ; drop
eth0 icmp 198.51.100.9 > 10.0.1.5 echo ; drop
eth0 tcp 198.51.100.9:20 > 10.0.1.5:50000 S ; drop
eth0 tcp 198.51.100.9:20 > 10.0.1.5:1023 S ; drop
# But for what rules of the administrator's own accept.
eth1 udp 10.0.1.5:5353 > 198.51.100.9:53 ; pass eth0 from 203.0.113.1
eth0 udp 198.51.100.9:53 > 203.0.113.1:5353 ; drop
# The policy says nothing of IPv6, so ftpfw does not either.
eth1 tcp [fd00:1::5]:40000 > [2001:db8::9]:21 S ; pass eth0
eth0 tcp [2001:db8::9]:40000 > [fd00:1::5]:22 S ; pass eth1

# Active: the data port before it is negotiated, and after.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50000 S ; local
expect PORT 50000 of 10.0.1.5:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.66:20 > 203.0.113.1:50000 S ; local
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50001 S ; local
eth0 tcp 198.51.100.9:20 > 10.0.1.5:50000 S ; drop
eth0 tcp 10.0.1.5:20 > 203.0.113.1:50000 S ; drop
eth1 tcp 198.51.100.9:20 > 203.0.113.1:50000 A ; local
eth0 udp 198.51.100.9:20 > 203.0.113.1:50000 ; local
eth0 tcp 198.51.100.9:2020 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50000 > 198.51.100.9:2020 SA ; pass eth0 from 203.0.113.1 ; none: drop
eth0 tcp 198.51.100.9:2020 > 203.0.113.1:50000 A ; pass eth1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50000 > 198.51.100.9:2020 A ; pass eth0 from 203.0.113.1 ; none: drop
# Once.
eth0 tcp 198.51.100.9:2021 > 203.0.113.1:50000 S ; local
# Never a privileged port, though a PORT named it.
expect PORT 1023 of 10.0.1.5:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.9:20 > 203.0.113.1:1023 S ; drop ; none: local

# Passive: the data port before it is negotiated, and after.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:50000 S ; drop ; none: pass eth0 from 203.0.113.1
expect 227 50000 of 10.0.1.5:40000 > 198.51.100.9:21
eth1 tcp 10.0.1.6:40002 > 198.51.100.9:50000 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40003 > 198.51.100.66:50000 S ; drop ; none: pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40004 > 198.51.100.9:50001 S ; drop ; none: pass eth0 from 203.0.113.1
eth0 tcp 10.0.1.5:40005 > 198.51.100.9:50000 S ; drop
eth1 tcp 10.0.1.5:40006 > 198.51.100.9:50000 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:50000 > 203.0.113.1:40006 SA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40006 > 198.51.100.9:50000 A ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:50000 > 203.0.113.1:40006 FA ; pass eth1 to 10.0.1.5
eth1 tcp 10.0.1.5:40007 > 198.51.100.9:50000 S ; drop ; none: pass eth0 from 203.0.113.1
expect 227 1023 of 10.0.1.5:40000 > 198.51.100.9:21
eth1 tcp 10.0.1.5:40008 > 198.51.100.9:1023 S ; drop

# ICMP errors: about control and data connections, not about others.
eth1 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass eth1 to 10.0.1.5
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40000 > 198.51.100.9:21 ; pass eth1 to 10.0.1.5
eth0 icmp 198.51.100.9 > 203.0.113.1 unreachable about 203.0.113.1:40000 > 198.51.100.9:21 ; pass eth1 to 10.0.1.5
eth1 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:21 > 10.0.1.5:40000 ; pass eth0 from 203.0.113.1
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40001 > 198.51.100.9:21 ; local
eth0 icmp 198.51.100.254 > 10.0.1.5 too-big about 10.0.1.5:40001 > 198.51.100.9:21 ; drop
eth0 icmp 10.0.1.7 > 203.0.113.1 too-big about 203.0.113.1:40000 > 198.51.100.9:21 ; drop
expect PORT 50000 of 10.0.1.5:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.9:20 > 203.0.113.1:50000 S ; pass eth1 to 10.0.1.5 ; none: local
eth1 tcp 10.0.1.5:50000 > 198.51.100.9:20 SA ; pass eth0 from 203.0.113.1 ; none: drop
eth0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50000 > 198.51.100.9:20 ; pass eth1 to 10.0.1.5 ; none: local

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

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
