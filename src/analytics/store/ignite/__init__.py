"""Ignite, where a cluster shares its chunks; only this package imports its driver."""
