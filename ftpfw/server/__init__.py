"""FTP servers: what they are set to do, in one model for all of them.

``settings`` is the model; ``vsftpd``, ``pureftpd``, ``proftpd`` and ``wuftpd`` read their
daemon's configuration into it, and all but the last write it back; ``audit`` judges it, with
the firewall's policy if there is one. All of it takes text and gives text: the command line
reads the files.
"""
