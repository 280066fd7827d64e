"""ProFTPD: its table of directives, and proftpd.conf to settings and back."""
