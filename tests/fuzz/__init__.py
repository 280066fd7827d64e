"""Coverage-guided fuzzing: the targets, their corpus, and what runs them (see README.md)."""
