"""TCP segments as bytes: serial numbers, segment view, checksums, reassembly (pure)."""
