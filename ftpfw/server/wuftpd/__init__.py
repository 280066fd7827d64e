"""wu-ftpd: read alone, to move away from it."""
