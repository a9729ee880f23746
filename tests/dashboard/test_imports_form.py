"""The settings of a site list its imports, and take one out after asking, with counts."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import httpx2
from tests.imported import export

from analytics.catalog.audit_log import AuditAction
from analytics.catalog.sqlite import SqliteCatalog
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE

Client = httpx2.AsyncClient
PATH = f"/{SITE}/settings"


async def test_an_import_is_listed_and_taken_out_after_a_question(
    owner: Client, store: DuckDBStore, catalog: SqliteCatalog, tmp_path: Path
) -> None:
    assert "No imports." in (await owner.get(PATH)).text
    days = [{"date": day, "visitors": 7, "pageviews": 1200} for day in ("2023-02-09", "2023-02-10")]
    await export.bring(store, tmp_path, SITE, {"visitors": days})
    page = (await owner.get(PATH)).text
    assert "Plausible, 9 Feb 2023 to 10 Feb 2023" in page
    assert "14 visitors and 2,400 pageviews" in page
    asked = await owner.post(PATH, data={"form": "remove-import", "import": "1"})
    question = (await owner.get(asked.headers["location"])).text
    assert "this deletes 2 daily sums" in question
    assert [each.id for each in await store.imports(SITE)] == [1]
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', question)
    done = await owner.post(PATH, data={name: unescape(text) for name, text in hidden})
    assert done.status_code == 303
    assert await store.imports(SITE) == []
    assert "No imports." in (await owner.get(PATH)).text
    (entry,) = await catalog.audit_log.recent(1)
    assert (entry.what, entry.about) == (AuditAction.DATA_ERASED, "2 daily sums")


async def test_the_page_that_removes_a_site_counts_its_imports(
    owner: Client, store: DuckDBStore, tmp_path: Path
) -> None:
    address = f"{PATH}/confirm?form=remove-site"
    assert "imports of other products" not in (await owner.get(address)).text
    visitors = [{"date": "2023-02-09", "visitors": 7}]
    await export.bring(store, tmp_path, SITE, {"visitors": visitors})
    page = (await owner.get(address)).text
    assert "Its 0 stored events and 1 import of other products" in page


async def test_an_import_that_is_not_there_cannot_be_taken_out(owner: Client) -> None:
    asked = await owner.post(PATH, data={"form": "remove-import", "import": "1"})
    assert asked.status_code == 404


async def test_only_owners_take_imports_out(
    viewer: Client, store: DuckDBStore, tmp_path: Path
) -> None:
    visitors = [{"date": "2023-02-09", "visitors": 7}]
    await export.bring(store, tmp_path, SITE, {"visitors": visitors})
    asked = await viewer.post(PATH, data={"form": "remove-import", "import": "1"})
    assert asked.status_code == 403
    assert len(await store.imports(SITE)) == 1
