# rules/nat-gateway-ipv6.toml: clients of 10.0.1.0/24 and fd00:db8:1::/64 on lan0 and lan1,
# masqueraded on wan0; control ports 21 and 2121; on_crash = "closed".

:lan0 10.0.1.1/25 fd00:db8:1::1/65
:lan1 10.0.1.129/25 fd00:db8:1:0:8000::1/65
:wan0 203.0.113.1/24 2001:db8::1/64

lan0 tcp [fd00:db8:1::5]:40000 > [2001:db8:9::9]:21 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40000 SA ; pass lan0 to fd00:db8:1::5
lan1 tcp [fd00:db8:1:0:8000::5]:40001 > [2001:db8:9::9]:2121 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:2121 > [2001:db8::1]:40001 SA ; pass lan1 to fd00:db8:1:0:8000::5
lan0 tcp [fd00:db8:1::5]:40000 > [2001:db8:9::9]:21 SF ; drop
lan0 tcp [fd00:db8:1::5]:40002 > [2001:db8:9::9]:8021 S ; drop ; none: pass wan0 from 2001:db8::1
lan0 tcp [fd00:db8:1::5]:40002 > [2001:db8:9::9]:22 S ; drop
lan0 tcp [fd00:db8:2::5]:40000 > [2001:db8:9::9]:21 S ; drop
wan0 tcp [2001:db8:9::9]:40000 > [fd00:db8:1::5]:21 S ; drop
wan0 tcp [fd00:db8:1::5]:40003 > [2001:db8:9::9]:21 S ; drop
wan0 tcp [fd00:db8:1::5]:40003 > [fd00:db8:1:0:8000::5]:21 S ; drop
lan0 tcp [fd00:db8:1::5]:40004 > [2001:db8:9::9]:21 A ; drop
lan0 tcp [fd00:db8:1::5]:40005 > [2001:db8:9::9]:2121 R ; drop
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 echo ; drop
lan0 udp [fd00:db8:1::5]:5353 > [2001:db8:9::9]:53 ; pass wan0 from 2001:db8::1
# Active.
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50000 S ; local
expect PORT 50000 of [fd00:db8:1::5]:40000 > [2001:db8:9::9]:21
wan0 tcp [2001:db8:9::66]:20 > [2001:db8::1]:50000 S ; local
wan0 tcp [2001:db8:9::9]:20 > [fd00:db8:1::5]:50000 S ; drop
wan0 tcp [2001:db8:9::9]:2020 > [2001:db8::1]:50000 S ; pass lan0 to fd00:db8:1::5 ; none: local
lan0 tcp [fd00:db8:1::5]:50000 > [2001:db8:9::9]:2020 SA ; pass wan0 from 2001:db8::1 ; none: drop
wan0 icmp 2001:db8::fe > 2001:db8::1 too-big about [2001:db8::1]:50000 > [2001:db8:9::9]:2020 ; pass lan0 to fd00:db8:1::5 ; none: local
wan0 icmp 2001:db8::fe > 2001:db8::1 too-big about [2001:db8::1]:40000 > [2001:db8:9::9]:21 ; pass lan0 to fd00:db8:1::5
expect PORT 1023 of [fd00:db8:1::5]:40000 > [2001:db8:9::9]:21
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:1023 S ; drop ; none: local
# Passive, on the other network.
expect 227 50002 of [fd00:db8:1:0:8000::5]:40001 > [2001:db8:9::9]:2121
lan0 tcp [fd00:db8:1::5]:40006 > [2001:db8:9::9]:50002 S ; drop ; none: pass wan0 from 2001:db8::1
lan1 tcp [fd00:db8:1:0:8000::5]:40007 > [2001:db8:9::9]:50002 S ; pass wan0 from 2001:db8::1

# IPv4. The two networks inside are not kept apart.
lan0 tcp 10.0.1.5:40000 > 198.51.100.9:21 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:21 > 203.0.113.1:40000 SA ; pass lan0 to 10.0.1.5
lan1 tcp 10.0.1.130:40001 > 198.51.100.9:2121 S ; pass wan0 from 203.0.113.1
lan0 tcp 10.0.1.5:40002 > 198.51.100.9:80 S ; drop
lan0 tcp 10.0.1.5:40003 > 198.51.100.9:21 SF ; drop
lan0 tcp 10.0.1.5:40004 > 198.51.100.9:2121 FPU ; drop
wan0 tcp 10.0.1.5:40005 > 198.51.100.9:21 S ; drop
wan0 tcp 198.51.100.9:20 > 10.0.1.5:50000 S ; drop
lan0 tcp 10.0.1.5:40006 > 10.0.1.130:22 S ; pass lan1
expect PORT 50000 of 10.0.1.5:40000 > 198.51.100.9:21
wan0 tcp 198.51.100.66:20 > 203.0.113.1:50000 S ; local
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50000 S ; pass lan0 to 10.0.1.5 ; none: local

# The whole of a session of fd00:db8:1::5 on lan0: both ways, data both ways, errors about all of it.
lan0 tcp [fd00:db8:1::5]:40300 > [2001:db8:9::9]:21 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40300 SA ; pass lan0 to fd00:db8:1::5
lan0 tcp [fd00:db8:1::5]:40300 > [2001:db8:9::9]:21 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:21 ; pass lan0 to fd00:db8:1::5
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:21 > [fd00:db8:1::5]:40300 ; pass wan0 from 2001:db8::1
expect PORT 50301 of [fd00:db8:1::5]:40300 > [2001:db8:9::9]:21
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; pass lan0 to fd00:db8:1::5 ; none: local
lan0 tcp [fd00:db8:1::5]:50301 > [2001:db8:9::9]:20 SA ; pass wan0 from 2001:db8::1 ; none: drop
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; pass lan0 to fd00:db8:1::5 ; none: local
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; pass lan0 to fd00:db8:1::5 ; none: local
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [fd00:db8:1::5]:50301 ; pass wan0 from 2001:db8::1 ; none: drop
expect 227 50302 of [fd00:db8:1::5]:40300 > [2001:db8:9::9]:21
lan0 tcp [fd00:db8:1::5]:40301 > [2001:db8:9::9]:50302 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; pass lan0 to fd00:db8:1::5
lan0 tcp [fd00:db8:1::5]:40301 > [2001:db8:9::9]:50302 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; pass lan0 to fd00:db8:1::5
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [fd00:db8:1::5]:40301 ; pass wan0 from 2001:db8::1

# The whole of a session of fd00:db8:1::5 on lan0: both ways, data both ways, errors about all of it.
lan0 tcp [fd00:db8:1::5]:40300 > [2001:db8:9::9]:2121 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:2121 > [2001:db8::1]:40300 SA ; pass lan0 to fd00:db8:1::5
lan0 tcp [fd00:db8:1::5]:40300 > [2001:db8:9::9]:2121 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:2121 ; pass lan0 to fd00:db8:1::5
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:2121 > [fd00:db8:1::5]:40300 ; pass wan0 from 2001:db8::1
expect PORT 50301 of [fd00:db8:1::5]:40300 > [2001:db8:9::9]:2121
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; pass lan0 to fd00:db8:1::5 ; none: local
lan0 tcp [fd00:db8:1::5]:50301 > [2001:db8:9::9]:20 SA ; pass wan0 from 2001:db8::1 ; none: drop
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; pass lan0 to fd00:db8:1::5 ; none: local
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; pass lan0 to fd00:db8:1::5 ; none: local
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [fd00:db8:1::5]:50301 ; pass wan0 from 2001:db8::1 ; none: drop
expect 227 50302 of [fd00:db8:1::5]:40300 > [2001:db8:9::9]:2121
lan0 tcp [fd00:db8:1::5]:40301 > [2001:db8:9::9]:50302 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; pass lan0 to fd00:db8:1::5
lan0 tcp [fd00:db8:1::5]:40301 > [2001:db8:9::9]:50302 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; pass lan0 to fd00:db8:1::5
lan0 icmp fd00:db8:1::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [fd00:db8:1::5]:40301 ; pass wan0 from 2001:db8::1

# The whole of a session of fd00:db8:1:0:8000::5 on lan1: both ways, data both ways, errors about all of it.
lan1 tcp [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:21 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40300 SA ; pass lan1 to fd00:db8:1:0:8000::5
lan1 tcp [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:21 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:21 ; pass lan1 to fd00:db8:1:0:8000::5
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:21 > [fd00:db8:1:0:8000::5]:40300 ; pass wan0 from 2001:db8::1
expect PORT 50301 of [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:21
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
lan1 tcp [fd00:db8:1:0:8000::5]:50301 > [2001:db8:9::9]:20 SA ; pass wan0 from 2001:db8::1 ; none: drop
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [fd00:db8:1:0:8000::5]:50301 ; pass wan0 from 2001:db8::1 ; none: drop
expect 227 50302 of [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:21
lan1 tcp [fd00:db8:1:0:8000::5]:40301 > [2001:db8:9::9]:50302 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; pass lan1 to fd00:db8:1:0:8000::5
lan1 tcp [fd00:db8:1:0:8000::5]:40301 > [2001:db8:9::9]:50302 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; pass lan1 to fd00:db8:1:0:8000::5
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [fd00:db8:1:0:8000::5]:40301 ; pass wan0 from 2001:db8::1

# The whole of a session of fd00:db8:1:0:8000::5 on lan1: both ways, data both ways, errors about all of it.
lan1 tcp [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:2121 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:2121 > [2001:db8::1]:40300 SA ; pass lan1 to fd00:db8:1:0:8000::5
lan1 tcp [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:2121 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:2121 ; pass lan1 to fd00:db8:1:0:8000::5
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:2121 > [fd00:db8:1:0:8000::5]:40300 ; pass wan0 from 2001:db8::1
expect PORT 50301 of [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:2121
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
lan1 tcp [fd00:db8:1:0:8000::5]:50301 > [2001:db8:9::9]:20 SA ; pass wan0 from 2001:db8::1 ; none: drop
wan0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; pass lan1 to fd00:db8:1:0:8000::5 ; none: local
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [fd00:db8:1:0:8000::5]:50301 ; pass wan0 from 2001:db8::1 ; none: drop
expect 227 50302 of [fd00:db8:1:0:8000::5]:40300 > [2001:db8:9::9]:2121
lan1 tcp [fd00:db8:1:0:8000::5]:40301 > [2001:db8:9::9]:50302 S ; pass wan0 from 2001:db8::1
wan0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; pass lan1 to fd00:db8:1:0:8000::5
lan1 tcp [fd00:db8:1:0:8000::5]:40301 > [2001:db8:9::9]:50302 A ; pass wan0 from 2001:db8::1
wan0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; pass lan1 to fd00:db8:1:0:8000::5
lan1 icmp fd00:db8:1:0:8000::5 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [fd00:db8:1:0:8000::5]:40301 ; pass wan0 from 2001:db8::1

# The whole of a session of 10.0.1.5 on lan0: both ways, data both ways, errors about all of it.
lan0 tcp 10.0.1.5:40300 > 198.51.100.9:21 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:21 > 203.0.113.1:40300 SA ; pass lan0 to 10.0.1.5
lan0 tcp 10.0.1.5:40300 > 198.51.100.9:21 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:21 ; pass lan0 to 10.0.1.5
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:21 > 10.0.1.5:40300 ; pass wan0 from 203.0.113.1
expect PORT 50301 of 10.0.1.5:40300 > 198.51.100.9:21
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass lan0 to 10.0.1.5 ; none: local
lan0 tcp 10.0.1.5:50301 > 198.51.100.9:20 SA ; pass wan0 from 203.0.113.1 ; none: drop
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass lan0 to 10.0.1.5 ; none: local
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass lan0 to 10.0.1.5 ; none: local
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.5:50301 ; pass wan0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.5:40300 > 198.51.100.9:21
lan0 tcp 10.0.1.5:40301 > 198.51.100.9:50302 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass lan0 to 10.0.1.5
lan0 tcp 10.0.1.5:40301 > 198.51.100.9:50302 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass lan0 to 10.0.1.5
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.5:40301 ; pass wan0 from 203.0.113.1

# The whole of a session of 10.0.1.5 on lan0: both ways, data both ways, errors about all of it.
lan0 tcp 10.0.1.5:40300 > 198.51.100.9:2121 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:2121 > 203.0.113.1:40300 SA ; pass lan0 to 10.0.1.5
lan0 tcp 10.0.1.5:40300 > 198.51.100.9:2121 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:2121 ; pass lan0 to 10.0.1.5
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:2121 > 10.0.1.5:40300 ; pass wan0 from 203.0.113.1
expect PORT 50301 of 10.0.1.5:40300 > 198.51.100.9:2121
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass lan0 to 10.0.1.5 ; none: local
lan0 tcp 10.0.1.5:50301 > 198.51.100.9:20 SA ; pass wan0 from 203.0.113.1 ; none: drop
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass lan0 to 10.0.1.5 ; none: local
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass lan0 to 10.0.1.5 ; none: local
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.5:50301 ; pass wan0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.5:40300 > 198.51.100.9:2121
lan0 tcp 10.0.1.5:40301 > 198.51.100.9:50302 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass lan0 to 10.0.1.5
lan0 tcp 10.0.1.5:40301 > 198.51.100.9:50302 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass lan0 to 10.0.1.5
lan0 icmp 10.0.1.5 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.5:40301 ; pass wan0 from 203.0.113.1

# The whole of a session of 10.0.1.130 on lan1: both ways, data both ways, errors about all of it.
lan1 tcp 10.0.1.130:40300 > 198.51.100.9:21 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:21 > 203.0.113.1:40300 SA ; pass lan1 to 10.0.1.130
lan1 tcp 10.0.1.130:40300 > 198.51.100.9:21 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:21 ; pass lan1 to 10.0.1.130
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:21 > 10.0.1.130:40300 ; pass wan0 from 203.0.113.1
expect PORT 50301 of 10.0.1.130:40300 > 198.51.100.9:21
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass lan1 to 10.0.1.130 ; none: local
lan1 tcp 10.0.1.130:50301 > 198.51.100.9:20 SA ; pass wan0 from 203.0.113.1 ; none: drop
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass lan1 to 10.0.1.130 ; none: local
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass lan1 to 10.0.1.130 ; none: local
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.130:50301 ; pass wan0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.130:40300 > 198.51.100.9:21
lan1 tcp 10.0.1.130:40301 > 198.51.100.9:50302 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass lan1 to 10.0.1.130
lan1 tcp 10.0.1.130:40301 > 198.51.100.9:50302 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass lan1 to 10.0.1.130
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.130:40301 ; pass wan0 from 203.0.113.1

# The whole of a session of 10.0.1.130 on lan1: both ways, data both ways, errors about all of it.
lan1 tcp 10.0.1.130:40300 > 198.51.100.9:2121 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:2121 > 203.0.113.1:40300 SA ; pass lan1 to 10.0.1.130
lan1 tcp 10.0.1.130:40300 > 198.51.100.9:2121 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40300 > 198.51.100.9:2121 ; pass lan1 to 10.0.1.130
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:2121 > 10.0.1.130:40300 ; pass wan0 from 203.0.113.1
expect PORT 50301 of 10.0.1.130:40300 > 198.51.100.9:2121
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 S ; pass lan1 to 10.0.1.130 ; none: local
lan1 tcp 10.0.1.130:50301 > 198.51.100.9:20 SA ; pass wan0 from 203.0.113.1 ; none: drop
wan0 tcp 198.51.100.9:20 > 203.0.113.1:50301 A ; pass lan1 to 10.0.1.130 ; none: local
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:50301 > 198.51.100.9:20 ; pass lan1 to 10.0.1.130 ; none: local
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:20 > 10.0.1.130:50301 ; pass wan0 from 203.0.113.1 ; none: drop
expect 227 50302 of 10.0.1.130:40300 > 198.51.100.9:2121
lan1 tcp 10.0.1.130:40301 > 198.51.100.9:50302 S ; pass wan0 from 203.0.113.1
wan0 tcp 198.51.100.9:50302 > 203.0.113.1:40301 SA ; pass lan1 to 10.0.1.130
lan1 tcp 10.0.1.130:40301 > 198.51.100.9:50302 A ; pass wan0 from 203.0.113.1
wan0 icmp 198.51.100.254 > 203.0.113.1 too-big about 203.0.113.1:40301 > 198.51.100.9:50302 ; pass lan1 to 10.0.1.130
lan1 icmp 10.0.1.130 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 10.0.1.130:40301 ; pass wan0 from 203.0.113.1

# A rule of the administrator's own accepts all that goes to 2001:db8:9::99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
lan0 tcp [fd00:db8:1::5]:40400 > [2001:db8:9::99]:80 S ; pass wan0 from 2001:db8::1
lan0 tcp [fd00:db8:1::5]:40401 > [2001:db8:9::99]:80 SF ; pass wan0
lan0 tcp [fd00:db8:1::5]:40402 > [2001:db8:9::99]:21 SF ; drop
lan0 tcp [fd00:db8:1::5]:40403 > [2001:db8:9::99]:2121 SF ; drop

# A rule of the administrator's own accepts all that goes to 2001:db8:9::99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
lan1 tcp [fd00:db8:1:0:8000::5]:40400 > [2001:db8:9::99]:80 S ; pass wan0 from 2001:db8::1
lan1 tcp [fd00:db8:1:0:8000::5]:40401 > [2001:db8:9::99]:80 SF ; pass wan0
lan1 tcp [fd00:db8:1:0:8000::5]:40402 > [2001:db8:9::99]:21 SF ; drop
lan1 tcp [fd00:db8:1:0:8000::5]:40403 > [2001:db8:9::99]:2121 SF ; drop

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
lan0 tcp 10.0.1.5:40400 > 198.51.100.99:80 S ; pass wan0 from 203.0.113.1
lan0 tcp 10.0.1.5:40401 > 198.51.100.99:80 SF ; pass wan0
lan0 tcp 10.0.1.5:40402 > 198.51.100.99:21 SF ; drop
lan0 tcp 10.0.1.5:40403 > 198.51.100.99:2121 SF ; drop

# A rule of the administrator's own accepts all that goes to 198.51.100.99. Of control connections, what
# fits none does not go out untranslated even so; of other connections it does.
lan1 tcp 10.0.1.130:40400 > 198.51.100.99:80 S ; pass wan0 from 203.0.113.1
lan1 tcp 10.0.1.130:40401 > 198.51.100.99:80 SF ; pass wan0
lan1 tcp 10.0.1.130:40402 > 198.51.100.99:21 SF ; drop
lan1 tcp 10.0.1.130:40403 > 198.51.100.99:2121 SF ; drop

# Nothing else crosses between lan1 and wan0 either.
lan1 tcp 10.0.1.130:40000 > 198.51.100.9:80 S ; drop
wan0 tcp 198.51.100.9:20 > 10.0.1.130:50000 S ; drop
lan1 tcp [fd00:db8:1:0:8000::5]:40000 > [2001:db8:9::9]:80 S ; drop
wan0 tcp [2001:db8:9::9]:20 > [fd00:db8:1:0:8000::5]:50000 S ; drop
