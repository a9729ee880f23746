"""Real servers on one machine: what `analytics cluster` starts, watches, ends."""
