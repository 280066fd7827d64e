"""The embedded FTP server: pyftpdlib, held to the settings of any of the daemons.

What is decided is decided by pure modules: ``paths`` and ``patterns`` (names), ``judge`` (who
may do what), ``bounds`` (how much), ``obeyed`` (which settings can be kept), ``own`` (settings
without a daemon's file), ``precautions`` (what protects uploads, one row each), ``listing``.

The shells: ``master`` starts workers and keeps what takes root; a ``worker`` has given that up
and runs pyftpdlib's loop. In it a ``session`` is a control connection (``secure`` with TLS),
``data`` its data connections, ``files`` what it sees through a ``jail``, ``upload`` a file that
comes in. ``seats`` is the memory that workers share to count sessions; ``site`` is what the
settings come to on this host.
"""
