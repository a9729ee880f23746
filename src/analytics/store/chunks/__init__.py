"""Chunks, the blobs in which a cluster shares its rows: their format, erasure and storage."""
