"""Background work on chunks: ship, compact, erase, evict, audit."""
