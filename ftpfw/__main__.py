"""``python -m ftpfw`` is the ``ftpfw`` command."""

from ftpfw.cli import main

main()
