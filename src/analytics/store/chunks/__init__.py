"""Chunks, the blobs in which a cluster shares its rows: format, erasure and storage."""
