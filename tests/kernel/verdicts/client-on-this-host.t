# rules/client-on-this-host.toml: this host, 192.0.2.1, is a client of servers outside. Behind
# ftpfw's rules the administrator's drop TCP to and from this host.

:eth0 192.0.2.1/24 2001:db8::1/64

here tcp 192.0.2.1:40000 > 198.51.100.9:21 S ; pass eth0
eth0 tcp 198.51.100.9:21 > 192.0.2.1:40000 SA ; local
here tcp 192.0.2.1:40000 > 198.51.100.9:21 A ; pass eth0
eth0 tcp 198.51.100.9:21 > 192.0.2.1:40000 FA ; local
here tcp 192.0.2.1:40000 > 198.51.100.9:21 SF ; drop
eth0 tcp 198.51.100.66:21 > 192.0.2.1:40000 A ; drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:40000 A ; drop

# Other ports, and segments that open nothing.
here tcp 192.0.2.1:40000 > 198.51.100.9:20 S ; drop
here tcp 192.0.2.1:40000 > 198.51.100.9:80 S ; drop
here tcp 192.0.2.1:40000 > 198.51.100.9:1023 S ; drop
here tcp 192.0.2.1:40000 > 198.51.100.9:1024 S ; drop ; none: pass eth0
here tcp 192.0.2.1:40001 > 198.51.100.9:21 A ; drop
here tcp 192.0.2.1:40002 > 198.51.100.9:21 SF ; drop
here tcp 192.0.2.1:40003 > 198.51.100.9:21 R ; drop
eth0 tcp 198.51.100.9:21 > 192.0.2.1:40004 SA ; drop
eth0 tcp 198.51.100.9:40000 > 192.0.2.1:21 S ; drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50000 S ; drop
eth0 tcp 192.0.2.1:20 > 192.0.2.1:50000 S ; drop
eth0 icmp 198.51.100.9 > 192.0.2.1 echo ; local

# Active.
here tcp 192.0.2.1:40000 > 198.51.100.9:21 S ; pass eth0
expect PORT 50001 of 192.0.2.1:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.66:20 > 192.0.2.1:50001 S ; drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50002 S ; drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50001 S ; local ; none: drop
here tcp 192.0.2.1:50001 > 198.51.100.9:20 SA ; pass eth0 ; none: drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50001 A ; local ; none: drop
expect PORT 25 of 192.0.2.1:40000 > 198.51.100.9:21
eth0 tcp 198.51.100.9:20 > 192.0.2.1:25 S ; drop

# Passive.
here tcp 192.0.2.1:40000 > 198.51.100.9:21 S ; pass eth0
expect 227 50001 of 192.0.2.1:40000 > 198.51.100.9:21
here tcp 192.0.2.1:40001 > 198.51.100.66:50001 S ; drop ; none: pass eth0
here tcp 192.0.2.1:40002 > 198.51.100.9:50002 S ; drop ; none: pass eth0
here tcp 192.0.2.1:40003 > 198.51.100.9:50001 S ; pass eth0
eth0 tcp 198.51.100.9:50001 > 192.0.2.1:40003 SA ; local

# The same in IPv6.
here tcp [2001:db8::1]:40000 > [2001:db8:9::9]:21 S ; pass eth0
eth0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40000 SA ; local
here tcp [2001:db8::1]:40000 > [2001:db8:9::9]:80 S ; drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50001 S ; drop
expect PORT 50001 of [2001:db8::1]:40000 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::66]:20 > [2001:db8::1]:50001 S ; drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50001 S ; local ; none: drop
here tcp [2001:db8::1]:50001 > [2001:db8:9::9]:20 SA ; pass eth0 ; none: drop

# The whole of a session of 192.0.2.1 on here: both ways, data both ways, errors about all of it.
here tcp 192.0.2.1:40300 > 198.51.100.9:21 S ; pass eth0
eth0 tcp 198.51.100.9:21 > 192.0.2.1:40300 SA ; local
here tcp 192.0.2.1:40300 > 198.51.100.9:21 A ; pass eth0
eth0 icmp 198.51.100.254 > 192.0.2.1 too-big about 192.0.2.1:40300 > 198.51.100.9:21 ; local
here icmp 192.0.2.1 > 198.51.100.9 unreachable about 198.51.100.9:21 > 192.0.2.1:40300 ; pass eth0
expect PORT 50301 of 192.0.2.1:40300 > 198.51.100.9:21
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50301 S ; local ; none: drop
here tcp 192.0.2.1:50301 > 198.51.100.9:20 SA ; pass eth0 ; none: drop
eth0 tcp 198.51.100.9:20 > 192.0.2.1:50301 A ; local ; none: drop
eth0 icmp 198.51.100.254 > 192.0.2.1 too-big about 192.0.2.1:50301 > 198.51.100.9:20 ; local ; none: drop
here icmp 192.0.2.1 > 198.51.100.9 unreachable about 198.51.100.9:20 > 192.0.2.1:50301 ; pass eth0 ; none: drop
expect 227 50302 of 192.0.2.1:40300 > 198.51.100.9:21
here tcp 192.0.2.1:40301 > 198.51.100.9:50302 S ; pass eth0
eth0 tcp 198.51.100.9:50302 > 192.0.2.1:40301 SA ; local
here tcp 192.0.2.1:40301 > 198.51.100.9:50302 A ; pass eth0
eth0 icmp 198.51.100.254 > 192.0.2.1 too-big about 192.0.2.1:40301 > 198.51.100.9:50302 ; local
here icmp 192.0.2.1 > 198.51.100.9 unreachable about 198.51.100.9:50302 > 192.0.2.1:40301 ; pass eth0

# The whole of a session of 2001:db8::1 on here: both ways, data both ways, errors about all of it.
here tcp [2001:db8::1]:40300 > [2001:db8:9::9]:21 S ; pass eth0
eth0 tcp [2001:db8:9::9]:21 > [2001:db8::1]:40300 SA ; local
here tcp [2001:db8::1]:40300 > [2001:db8:9::9]:21 A ; pass eth0
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40300 > [2001:db8:9::9]:21 ; local
here icmp 2001:db8::1 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:21 > [2001:db8::1]:40300 ; pass eth0
expect PORT 50301 of [2001:db8::1]:40300 > [2001:db8:9::9]:21
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 S ; local ; none: drop
here tcp [2001:db8::1]:50301 > [2001:db8:9::9]:20 SA ; pass eth0 ; none: drop
eth0 tcp [2001:db8:9::9]:20 > [2001:db8::1]:50301 A ; local ; none: drop
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:50301 > [2001:db8:9::9]:20 ; local ; none: drop
here icmp 2001:db8::1 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:20 > [2001:db8::1]:50301 ; pass eth0 ; none: drop
expect 227 50302 of [2001:db8::1]:40300 > [2001:db8:9::9]:21
here tcp [2001:db8::1]:40301 > [2001:db8:9::9]:50302 S ; pass eth0
eth0 tcp [2001:db8:9::9]:50302 > [2001:db8::1]:40301 SA ; local
here tcp [2001:db8::1]:40301 > [2001:db8:9::9]:50302 A ; pass eth0
eth0 icmp 2001:db8:77::fe > 2001:db8::1 too-big about [2001:db8::1]:40301 > [2001:db8:9::9]:50302 ; local
here icmp 2001:db8::1 > 2001:db8:9::9 unreachable about [2001:db8:9::9]:50302 > [2001:db8::1]:40301 ; pass eth0
