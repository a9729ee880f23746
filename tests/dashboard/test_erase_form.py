"""Visits are erased on a page as by the command: counted first, asked for, gone as a whole."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from tests.dashboard.world import OWNER, PASSWORD

from analytics import dashboard
from analytics.dashboard.session import COOKIE
from analytics.errors import Misconfigured
from analytics.query import Query
from analytics.resources import Resources
from analytics.settings import load
from analytics.startup import open_resources
from analytics.testing import sample
from analytics.testing.builders import NOON, hit
from analytics.testing.contracts.series_store import HOUR

SITE = "a.example"
URL = f"/{SITE}/settings"
SPAM = {"form": "erase", "dimension": "page", "operator": "contains", "value": "/spam"}
YESTERDAY = "2026-11-23"

Client = httpx2.AsyncClient


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Resources]:
    """One visit of two pages with spam in it, one without on the day before."""
    async with open_resources(load(None, {"data": tmp_path}, environment={})) as parts:
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await parts.catalog.people.add(OWNER, PASSWORD, owner=True)
        hits = [
            hit(NOON - 24 * HOUR, site=SITE, visitor=2),
            hit(NOON, site=SITE, path="/Spam/1"),
            hit(NOON + 1000, site=SITE, path="/"),
        ]
        await parts.store.write(sample.batch(hits))
        yield parts


def pages(parts: Resources, erases: object) -> Starlette:
    deps = dashboard.DashboardContext(
        catalog=parts.catalog,
        store=parts.store,
        erases=erases,  # type: ignore[arg-type]
        clock=lambda: NOON,
    )
    return Starlette(routes=[*dashboard.routes(deps)])


@pytest.fixture
async def owner(parts: Resources) -> AsyncIterator[Client]:
    token = await parts.catalog.people.log_in(OWNER, PASSWORD)
    transport = httpx2.ASGITransport(pages(parts, parts.erases))
    async with Client(
        transport=transport, base_url="http://localhost", cookies={COOKIE: token}
    ) as client:
        yield client


async def asked(owner: Client, form: dict[str, str]) -> str:
    """Return the page that asks."""
    answer = await owner.post(URL, data=form)
    assert answer.status_code == 303, answer.text
    page = await owner.get(answer.headers["location"])
    assert page.status_code == 200
    return page.text


def hidden(page: str) -> dict[str, str]:
    pairs = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(text) for name, text in pairs}


async def test_visits_are_counted_asked_for_and_deleted_as_a_whole(
    owner: Client, parts: Resources
) -> None:
    question = await asked(owner, SPAM)
    assert "1 visit with 2 events" in unescape(question)
    assert "in which Page contains “/spam”" in unescape(question)
    assert await parts.erases.count_rows(SITE) == 3, "nothing is deleted by asking"
    done = await owner.post(URL, data=hidden(question))
    assert (done.status_code, done.headers["location"]) == (303, f"{URL}#erase")
    assert "Deleted: 1 visit with 2 events." in (await owner.get(URL)).text
    assert await parts.erases.count_rows(SITE) == 1
    (entry,) = await parts.catalog.audit_log.recent(1)
    assert (entry.what.value, entry.who, entry.about) == ("data-erased", OWNER, "2 events")


async def test_days_alone_choose_visits(owner: Client, parts: Resources) -> None:
    days = {"form": "erase", "from": YESTERDAY, "to": YESTERDAY, "value": ""}
    question = await asked(owner, days)
    assert f"from {YESTERDAY} on, up to {YESTERDAY}" in question
    await owner.post(URL, data=hidden(question))
    assert await parts.erases.count_rows(SITE) == 2


async def test_a_yes_is_to_what_was_asked_only(owner: Client, parts: Resources) -> None:
    yes = hidden(await asked(owner, SPAM))
    other = await owner.post(URL, data={**yes, "value": "/"})
    assert other.status_code == 409
    assert await parts.erases.count_rows(SITE) == 3


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({}, "Give what the visits have in common"),
        ({"value": "/none"}, "no visit matches"),
        ({"value": "/", "dimension": "shoe"}, "shoe"),
        ({"value": "/", "operator": "eats"}, "eats"),
        ({"from": "soon"}, "soon"),
        ({"from": "2026-11-24", "to": "2026-11-23"}, "lies before"),
    ],
)
async def test_what_makes_no_sense_is_said_and_deletes_nothing(
    owner: Client, parts: Resources, form: dict[str, str], problem: str
) -> None:
    given = {"form": "erase", "dimension": "page", "operator": "is", "value": "", **form}
    answer = await owner.post(URL, data=given)
    assert (answer.status_code, problem in unescape(answer.text)) == (400, True), answer.text
    assert await parts.erases.count_rows(SITE) == 3


async def test_where_it_cannot_be_the_page_says_why(parts: Resources) -> None:
    class Elsewhere:
        async def count_visits(self, query: Query) -> tuple[int, int]:
            raise Misconfigured("a cluster cannot do this")

    token = await parts.catalog.people.log_in(OWNER, PASSWORD)
    transport = httpx2.ASGITransport(pages(parts, Elsewhere()))
    async with Client(
        transport=transport, base_url="http://localhost", cookies={COOKIE: token}
    ) as client:
        answer = await client.post(URL, data=SPAM)
    assert (answer.status_code, "cluster cannot do this" in answer.text) == (409, True)
