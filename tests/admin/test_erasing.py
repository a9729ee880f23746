"""One visitor can be erased by what his browser knows of him."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from analytics.admin import erasing, exporting
from analytics.admin.erasing import Erase
from analytics.admin.exporting import Export
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed
from analytics.store.base import ExportFormat, LedgerLine
from analytics.testing.builders import numbered_hit
from analytics.visitor_id import from_cookie

SITE = "example.com"
NOW = 1_795_478_400_000


hit = partial(numbered_hit, ts=NOW, received_at=NOW)


@pytest.fixture
async def visited(workspace: Workspace) -> Workspace:
    """Ada looked at two pages, Bob at one; Ada's cookie was on another site too."""
    for domain in (SITE, "other.example"):
        await workspace.catalog.sites.add(domain)
    ada, bob = from_cookie(SITE, "ada"), from_cookie(SITE, "bob")
    elsewhere = hit(4, visitor=from_cookie("other.example", "ada"), site="other.example")
    await workspace.log.append(
        [
            hit(1, site=SITE, visitor=ada),
            hit(2, site=SITE, visitor=bob),
            hit(3, site=SITE, visitor=ada),
            elsewhere,
        ]
    )
    return workspace


async def test_a_cookie_erases_its_own_visitor_on_that_site(visited: Workspace) -> None:
    erased = await erasing.run(
        visited, Erase(site="1", visitor=None, cookie="ada"), OperationContext()
    )
    assert (erased.site, erased.rows) == (SITE, 2)
    again = await erasing.run(
        visited, Erase(site=SITE, visitor=None, cookie="ada"), OperationContext()
    )
    assert again.rows == 0
    ledger = {key.site: line for key, line in (await visited.store.ledger()).items()}
    orders = LedgerLine(2, 0, 0, {"erasure": 2}, 0)
    assert ledger == {
        "": orders,
        SITE: LedgerLine(3, 3, 0, {}, 0, erased=2),
        "other.example": LedgerLine(1, 1, 0, {}, 0),
    }


@pytest.mark.parametrize(("visitor", "cookie"), [(1, "ada"), (None, "")])
async def test_nobody_is_erased_by_two_names_or_an_empty_one(
    visited: Workspace, visitor: int | None, cookie: str
) -> None:
    with pytest.raises(Malformed, match="cookie"):
        await erasing.run(
            visited, Erase(site=SITE, visitor=visitor, cookie=cookie), OperationContext()
        )
    await visited.settle()
    assert sum((await visited.store.recount()).values()) == 4


@pytest.mark.parametrize(
    "named", [{"cookie": "ada"}, {"visitor": from_cookie(SITE, "ada")}], ids=["cookie", "number"]
)
async def test_a_visitor_is_given_all_that_is_stored_of_them_and_nothing_else(
    visited: Workspace, named: dict[str, Any]
) -> None:
    asked = Export(site=SITE, format=ExportFormat.NDJSON, **named)
    done = await exporting.run(visited, asked, OperationContext())
    rows = [json.loads(line) for line in Path(done.file).read_text().splitlines()]
    assert {row["event_id"] for row in rows} == {hit(1).event_id, hit(3).event_id}
    assert {row["site"] for row in rows} == {SITE}
    with pytest.raises(Malformed, match="cookie"):
        await exporting.run(
            visited, structs.replace(asked, visitor=1, cookie="ada"), OperationContext()
        )
