"""vsftpd: its table of options, and vsftpd.conf(5) to settings and back."""
