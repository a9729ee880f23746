"""A replica's store: chunks that others folded, copied into an engine of its own."""
