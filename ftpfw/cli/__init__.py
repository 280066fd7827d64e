"""The command line: one module a subcommand, and the only place that prints."""
