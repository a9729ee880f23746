"""A process's own registry passes the suite."""

from __future__ import annotations

import pytest

from analytics.registry.base import Registry
from analytics.registry.memory import MemoryRegistry
from analytics.resources import clock
from analytics.testing.contracts.registry import LEASE_S, RegistryContract


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registries(self) -> tuple[Registry, Registry]:
        registry = MemoryRegistry(LEASE_S, clock=clock)
        return registry, registry
