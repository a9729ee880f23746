"""A request becomes a Hit, and its sender's address is forgotten."""
