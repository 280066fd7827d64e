# Fills this network namespace's connection table with connections that never were.
# `conntrack -D -d 203.0.113.1` takes them all away again.
# Entries that are about to go would make room again.
for state in TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK FIN_WAIT; do
    conntrack -D -p tcp --state "$state" >/dev/null 2>&1
done
most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
awk -v most="$most" 'BEGIN {
    for (n = 0; n < most; n++)
        printf "-I -s 10.%d.%d.%d -d 203.0.113.1 -p tcp --sport 1024 --dport 21 " \
               "--state ESTABLISHED -u SEEN_REPLY,ASSURED -t 600\n",
               n / 65536 + 128, n / 256 % 256, n % 256
}' | conntrack -R - >/dev/null 2>&1
echo "$(cat /proc/sys/net/netfilter/nf_conntrack_count) of $most"
[ "$(cat /proc/sys/net/netfilter/nf_conntrack_count)" -ge "$most" ]
