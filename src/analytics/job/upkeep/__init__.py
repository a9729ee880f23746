"""Background work on chunks: send, compact, erase, evict, audit."""
