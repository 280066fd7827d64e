"""Pure-FTPd: its table of options, and its three syntaxes to settings and back."""
