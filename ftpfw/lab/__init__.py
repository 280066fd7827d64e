"""Labs in network namespaces: what FTP does across a gateway, shown and compared with a promise.

Pure: ``topology`` (hosts and links), ``scenario`` (rows, columns, expectations), ``results``
(expected and seen), ``measures`` (the bench's arithmetic). Shells: ``hosts`` (namespaces),
``vsftpd``, ``clients`` and ``raw`` (who speaks FTP), ``gateway`` (ftpfw by its command line),
``programs`` (what must be installed), and the two runs, ``nat_gateway`` and ``bench``.
"""
