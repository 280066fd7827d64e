# rules/published-server-ipv6.toml: servers 10.0.2.10 and fd00:2::10 on eth2, behind 203.0.113.1
# and 2001:db8::1; passive ports 50000-50100; clients of 10.0.1.0/24 and fd00:1::/64; masquerade.

:eth1 10.0.1.1/24 fd00:1::1/64
:eth2 10.0.2.1/24 fd00:2::1/64
:eth0 203.0.113.1/24 2001:db8::1/64

eth0 tcp [2001:db8:9::7]:40000 > [2001:db8::1]:21 S ; pass eth2 to fd00:2::10
eth2 tcp [fd00:2::10]:21 > [2001:db8:9::7]:40000 SA ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::7]:40000 > [2001:db8::1]:21 SF ; drop
eth0 tcp [2001:db8:9::66]:40000 > [2001:db8::1]:21 A ; drop
eth0 tcp [2001:db8:9::7]:40001 > [fd00:2::10]:21 S ; drop
eth0 tcp [2001:db8:9::7]:40001 > [fd00:2::10]:50000 S ; drop
eth0 tcp [2001:db8:9::7]:40001 > [2001:db8::1]:22 S ; local
eth0 tcp [2001:db8:9::7]:40001 > [2001:db8::1]:50000 S ; local ; none: pass eth2 to fd00:2::10
eth0 tcp [2001:db8:9::7]:40001 > [2001:db8::1]:50101 S ; local
expect 227 50001 of [2001:db8:9::7]:40000 > [2001:db8::1]:21
eth0 tcp [2001:db8:9::66]:40002 > [2001:db8::1]:50001 S ; local ; none: pass eth2 to fd00:2::10
eth0 tcp [2001:db8:9::7]:40002 > [2001:db8::1]:50001 S ; pass eth2 to fd00:2::10
eth2 tcp [fd00:2::10]:50001 > [2001:db8:9::7]:40002 SA ; pass eth0 from 2001:db8::1
expect PORT 50002 of [2001:db8:9::7]:40000 > [2001:db8::1]:21
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::66]:50002 S ; drop
eth2 tcp [fd00:2::11]:20 > [2001:db8:9::7]:50002 S ; drop
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::7]:50002 S ; pass eth0 from 2001:db8::1 ; none: drop
expect PORT 1023 of [2001:db8:9::7]:40000 > [2001:db8::1]:21
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::7]:1023 S ; drop
eth0 icmp 2001:db8::fe > 2001:db8::1 too-big about [2001:db8::1]:21 > [2001:db8:9::7]:40000 ; pass eth2 to fd00:2::10

# Forged sources, and what opens nothing.
eth0 tcp [fd00:1::5]:40000 > [2001:db8::1]:21 S ; drop
eth0 tcp [fd00:2::10]:40000 > [2001:db8::1]:21 S ; drop
eth0 tcp [2001:db8:9::8]:40001 > [2001:db8::1]:21 A ; drop
eth0 tcp [2001:db8:9::8]:40002 > [2001:db8::1]:21 R ; drop
eth0 tcp [2001:db8:9::8]:40003 > [2001:db8::1]:21 SA ; drop
eth2 tcp [fd00:2::10]:40000 > [2001:db8:9::9]:21 S ; drop
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::7]:50000 S ; drop
eth1 tcp [fd00:1::5]:40000 > [2001:db8:9::9]:80 S ; drop

# From inside, by the public address; both inside networks are one to the firewall.
eth1 tcp [fd00:1::5]:40000 > [2001:db8::1]:21 S ; pass eth2 from fd00:2::1 to fd00:2::10
eth2 tcp [fd00:2::10]:21 > [fd00:2::1]:40000 SA ; pass eth1 from 2001:db8::1 to fd00:1::5
expect 227 50001 of [fd00:1::5]:40000 > [2001:db8::1]:21
eth1 tcp [fd00:1::6]:40001 > [2001:db8::1]:50001 S ; local ; none: pass eth2 from fd00:2::1 to fd00:2::10
eth1 tcp [fd00:1::5]:40002 > [2001:db8::1]:50001 S ; pass eth2 from fd00:2::1 to fd00:2::10
eth1 tcp [fd00:1::5]:40003 > [fd00:2::10]:22 S ; pass eth2

# To servers outside.
eth1 tcp [fd00:1::5]:40000 > [2001:db8:9::9]:21 S ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40000 SA ; pass eth1 to fd00:1::5
expect PORT 50201 of [fd00:1::5]:40000 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::66]:20 > [2001:db8::1]:50201 S ; local
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50201 S ; pass eth1 to fd00:1::5 ; none: local

# IPv4.
eth0 tcp 198.51.100.7:40000 > 203.0.113.1:21 S ; pass eth2 to 10.0.2.10
eth2 tcp 10.0.2.10:21 > 198.51.100.7:40000 SA ; pass eth0 from 203.0.113.1
eth0 tcp 198.51.100.7:40001 > 10.0.2.10:21 S ; drop
eth0 tcp 10.0.2.10:40000 > 203.0.113.1:21 S ; drop
eth1 tcp 10.0.1.5:40000 > 203.0.113.1:21 S ; pass eth2 from 10.0.2.1 to 10.0.2.10
eth1 tcp 10.0.1.5:40001 > 198.51.100.9:21 S ; pass eth0 from 203.0.113.1
expect 227 50001 of 198.51.100.7:40000 > 203.0.113.1:21
eth0 tcp 198.51.100.7:40002 > 203.0.113.1:50001 S ; pass eth2 to 10.0.2.10

# The whole of a session of fd00:1::5 on eth1: both ways, data both ways, errors about all of it.
eth1 tcp [fd00:1::5]:40300 > [2001:db8:9::9]:21 S ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40300 SA ; pass eth1 to fd00:1::5
eth1 tcp [fd00:1::5]:40300 > [2001:db8:9::9]:21 A ; pass eth0 from 2001:db8::1
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:21 ; pass eth1 to fd00:1::5
eth1 icmp fd00:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:21 > [fd00:1::5]:40300 ; pass eth0 from 2001:db8::1
expect PORT 50301 of [fd00:1::5]:40300 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; pass eth1 to fd00:1::5 ; none: local
eth1 tcp [fd00:1::5]:50301 > [2001:db8:9::9]:20 SA ; pass eth0 from 2001:db8::1 ; none: drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; pass eth1 to fd00:1::5 ; none: local
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; pass eth1 to fd00:1::5 ; none: local
eth1 icmp fd00:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [fd00:1::5]:50301 ; pass eth0 from 2001:db8::1 ; none: drop
expect 227 50302 of [fd00:1::5]:40300 > [2001:db8:9::9]:21
eth1 tcp [fd00:1::5]:40301 > [2001:db8:9::9]:50302 S ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; pass eth1 to fd00:1::5
eth1 tcp [fd00:1::5]:40301 > [2001:db8:9::9]:50302 A ; pass eth0 from 2001:db8::1
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; pass eth1 to fd00:1::5
eth1 icmp fd00:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [fd00:1::5]:40301 ; pass eth0 from 2001:db8::1

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

# The whole of a session of 2001:db8:9::7 with the server fd00:2::10.
eth0 tcp [2001:db8:9::7]:41000 > [2001:db8::1]:21 S ; pass eth2 to fd00:2::10
eth2 tcp [fd00:2::10]:21 > [2001:db8:9::7]:41000 SA ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::7]:41000 > [2001:db8::1]:21 A ; pass eth2 to fd00:2::10
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:21 > [2001:db8:9::7]:41000 ; pass eth2 to fd00:2::10
eth2 icmp fd00:2::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:41000 > [fd00:2::10]:21 ; pass eth0 from 2001:db8::1
expect 227 50050 of [2001:db8:9::7]:41000 > [2001:db8::1]:21
eth0 tcp [2001:db8:9::7]:41001 > [2001:db8::1]:50050 S ; pass eth2 to fd00:2::10
eth2 tcp [fd00:2::10]:50050 > [2001:db8:9::7]:41001 SA ; pass eth0 from 2001:db8::1
eth0 tcp [2001:db8:9::7]:41001 > [2001:db8::1]:50050 A ; pass eth2 to fd00:2::10
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50050 > [2001:db8:9::7]:41001 ; pass eth2 to fd00:2::10
eth2 icmp fd00:2::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:41001 > [fd00:2::10]:50050 ; pass eth0 from 2001:db8::1
expect PORT 50351 of [2001:db8:9::7]:41000 > [2001:db8::1]:21
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::7]:50351 S ; pass eth0 from 2001:db8::1 ; none: drop
eth0 tcp [2001:db8:9::7]:50351 > [2001:db8::1]:20 SA ; pass eth2 to fd00:2::10 ; none: local
eth2 tcp [fd00:2::10]:20 > [2001:db8:9::7]:50351 A ; pass eth0 from 2001:db8::1 ; none: drop
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:20 > [2001:db8:9::7]:50351 ; pass eth2 to fd00:2::10 ; none: local
eth2 icmp fd00:2::10 > 2001:db8:9::7 unreachable about [2001:db8:9::7]:50351 > [fd00:2::10]:20 ; pass eth0 from 2001:db8::1 ; none: drop

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

# A rule of the administrator's own accepts all that goes to 2001:db8:9::99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp [fd00:1::5]:40400 > [2001:db8:9::99]:80 S ; pass eth0 from 2001:db8::1
eth1 tcp [fd00:1::5]:40401 > [2001:db8:9::99]:80 SF ; pass eth0
eth1 tcp [fd00:1::5]:40402 > [2001:db8:9::99]:21 SF ; drop
eth2 tcp [fd00:2::10]:21 > [2001:db8:9::99]:40410 SA ; drop

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
eth1 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass eth0 from 203.0.113.1
eth1 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass eth0
eth1 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
eth2 tcp 10.0.2.10:21 > 198.51.100.99:40410 SA ; drop
