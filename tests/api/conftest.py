"""The pages' store, catalog and clients, for the API on the same figures."""

from __future__ import annotations

from tests.dashboard.conftest import _cheap_hashes, catalog, connect, deps, owner, peopled, store

__all__ = ["_cheap_hashes", "catalog", "connect", "deps", "owner", "peopled", "store"]
