"""The FTP control connection as a pure protocol: host-ports, lines, replies, negotiations."""
