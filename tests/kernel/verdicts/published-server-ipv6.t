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
