"""FTP through NAT firewalls, from userspace.

Core decides, shells act: ``ftp``, ``tcp``, ``conntrack``'s model and wire,
``ruleset`` (but its appliers), ``server``, ``helper.engine``, ``capture`` (but its reader) and
the lab's topologies take bytes, time and randomness as arguments. What touches the kernel is
thin and is handed what it needs.
"""

__version__ = "0.1.0"
