"""Everything that people set, as against what visitors send."""
