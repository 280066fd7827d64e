"""What this kernel and host offer, and what is missing or in the way: asked, not guessed.

``facts`` (shell) looks: it changes nothing, and has the kernel load no module. The
judgements are pure, one module a theme, from facts to findings; ``examination`` (shell)
puts them in order.

    modules       what of the kernel is there, loadable, or missing
    packages      programs, and which package has what is missing
    sysctls       forwarding, rp_filter, conntrack's tables and accounting, bridges
    rulesets      rules in iptables-legacy and in nf_tables at once
    attached      the kernel's FTP helper beside ours
    flowtables    rules that may take control connections out of the queue's sight

Each finding names what was looked at, what was found and the command that mends it. One
that is ``needed`` and not ``ok`` keeps ``load`` from working with ``backend = "auto"``.
"""
