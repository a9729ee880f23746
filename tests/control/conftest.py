"""The open data folder of the operations, for the socket through which they are asked for."""

from __future__ import annotations

from tests.admin.conftest import settings, workspace

__all__ = ["settings", "workspace"]
