"""A site's settings: each form changes what it says, and nothing else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, SITE, VIEWER

from analytics.person import Scope
from analytics.site import Shields, Site
from analytics.store.catalog.sqlite import SqliteCatalog

URL = f"/{SITE}/settings"


def _site(catalog: SqliteCatalog) -> Site:
    site = catalog.sites.get(SITE)
    assert site is not None
    return site


async def test_the_page_shows_the_snippet_and_every_form(owner: Client) -> None:
    page = unescape((await owner.get(URL)).text)
    assert f'<script defer data-domain="{SITE}" src="http://localhost/tracker.js"></script>' in page
    behind_tls = await owner.get(URL, headers={"x-forwarded-proto": "https"})
    assert 'src="https://localhost/tracker.js"' in unescape(behind_tls.text)
    for name in ("general", "privacy", "shields", "retention", "key", "person", "remove-site"):
        assert f'id="{name}"' in page


@pytest.mark.parametrize(
    ("form", "change"),
    [
        (
            {"form": "general", "timezone": "Asia/Tehran", "public": "on"},
            {"timezone": "Asia/Tehran", "public": True},
        ),
        ({"form": "privacy", "honour_dnt": "on"}, {"honour_dnt": True}),
        ({"form": "privacy", "cookieless": "on"}, {"cookieless": True}),
        ({"form": "retention", "days": " 400 "}, {"retention_days": 400}),
        ({"form": "shields", "countries": "de"}, {"shields": Shields(countries=("DE",))}),
    ],
)
async def test_a_form_changes_what_it_says(
    owner: Client, peopled: SqliteCatalog, form: dict[str, str], change: dict[str, object]
) -> None:
    before = _site(peopled)
    answer = await owner.post(URL, data=form)
    assert answer.headers["location"] == f"{URL}?saved={form['form']}#{form['form']}"
    after = _site(peopled)
    assert {name: getattr(after, name) for name in change} == change
    untouched = set(Site.__struct_fields__) - set(change)
    assert all(getattr(after, name) == getattr(before, name) for name in untouched)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"form": "general", "timezone": "Mars/Olympus"}, "There is no time zone 'Mars/Olympus'."),
        ({"form": "retention", "days": "-1"}, "'-1' is not a whole number from 1 to 36,500"),
        ({"form": "retention", "days": "²"}, "is not a whole number"),
        ({"form": "shields", "addresses": "office"}, "'office' is no IP address"),
        ({"form": "key"}, "Choose at least one thing"),
        ({"form": "person", "email": "new@shop.example", "password": "short"}, "at least 8"),
        ({"form": "person", "email": VIEWER, "password": "long enough"}, VIEWER),
        ({"form": "remove-site", "domain": "other.example"}, f"Type {SITE}"),
        ({"form": "remove-person", "email": OWNER}, "cannot remove your own"),
    ],
)
async def test_a_mistake_is_explained_and_changes_nothing(
    owner: Client, peopled: SqliteCatalog, form: dict[str, str], problem: str
) -> None:
    before = _site(peopled)
    answer = await owner.post(URL, data=form)
    assert answer.status_code in (400, 409)
    assert problem in unescape(answer.text)
    assert _site(peopled) == before


async def test_a_new_key_is_shown_once_and_works(owner: Client, peopled: SqliteCatalog) -> None:
    form = {
        "form": "key",
        "label": "Nightly",
        "scope": ["stats:read", "events:write"],
        "reach": "site",
    }
    answer = await owner.post(URL, data=form)
    shown = re.search(r"cannot be shown again.*?<code>([^<]+)</code>", answer.text, re.DOTALL)
    assert shown
    key = peopled.keys.find(unescape(shown[1]))
    assert key is not None
    assert key.site == SITE
    assert set(key.scopes) == {Scope.STATS_READ, Scope.EVENTS_WRITE}
    assert shown[1] not in (await owner.get(URL)).text
    await owner.post(URL, data={"form": "revoke", "key": key.id})
    assert peopled.keys.find(unescape(shown[1])) is None


async def test_people_come_and_go(owner: Client, peopled: SqliteCatalog) -> None:
    form = {
        "form": "person",
        "email": "new@shop.example",
        "password": "long enough",
        "role": "viewer",
    }
    await owner.post(URL, data=form)
    people = {person.email: person for person in await peopled.people.all()}
    assert people["new@shop.example"].sites == (SITE,)
    assert not people["new@shop.example"].owner
    await owner.post(URL, data={"form": "remove-person", "email": "new@shop.example"})
    assert "new@shop.example" not in {person.email for person in await peopled.people.all()}


async def test_a_site_is_removed_only_by_its_name(owner: Client, peopled: SqliteCatalog) -> None:
    answer = await owner.post(URL, data={"form": "remove-site", "domain": SITE})
    assert answer.headers["location"] == "/"
    assert peopled.sites.get(SITE) is None
