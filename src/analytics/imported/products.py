"""The products whose exports can be read, and how: an importer is one more line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analytics.imported import plausible_export
from analytics.imported.daily_sums import Reader

READERS: Final[Mapping[str, Reader]] = {"plausible": plausible_export.read}
"""The reader of each product's export, by the product's name in commands."""
LABELS: Final[Mapping[str, str]] = {"plausible": "Plausible"}
"""The name of each product for people."""
