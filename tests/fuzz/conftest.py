"""How many inputs each decoder gets."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-inputs",
        type=int,
        default=1500,
        help="how many bent inputs each decoder gets (./test fuzz: a million)",
    )


@pytest.fixture
def inputs(pytestconfig: pytest.Config) -> int:
    number: int = pytestconfig.getoption("--fuzz-inputs")
    return number
