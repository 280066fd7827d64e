# Takes outside0 down and up, until its masqueraded sessions are forgotten.
# The kernel forgets them a little later, in a work queue that takes no more than 16 devices of the
# whole machine; for the next one nothing is forgotten (nf_nat_masq_schedule). So: as often as it takes.
for _ in $(seq 50); do
    ip link set outside0 down && ip link set outside0 up || exit 1
    for _ in $(seq 10); do
        conntrack -L --src-nat -p tcp --state ESTABLISHED 2>/dev/null | grep -q dport=21 || exit 0
        sleep 0.05
    done
done
echo "outside0 went down 50 times, and its masqueraded sessions are still there"
exit 1
