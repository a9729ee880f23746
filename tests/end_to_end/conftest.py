"""How long schemathesis asks."""

from __future__ import annotations

import pytest

FEW_EXAMPLES = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--api-examples",
        type=int,
        default=FEW_EXAMPLES,
        help="how many times schemathesis asks each operation, besides its fixed questions",
    )
