"""A form that creates something creates it once, however often it is sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD

from analytics.catalog import shared_links
from analytics.catalog.sqlite import SqliteCatalog
from analytics.person import Key, Scope
from analytics.site import Site
from analytics.testing.builders import SITE

SETTINGS = f"/{SITE}/settings"
KEY = {"form": "key", "label": "Nightly", "scope": "stats:read"}
LINK = {"form": "link", "name": "Agency"}
CREATING = [
    (SETTINGS, KEY),
    ("/admin", KEY),
    (SETTINGS, LINK),
    (SETTINGS, {"form": "goal", "event": "signup"}),
    (SETTINGS, {"form": "person", "email": "new@shop.example", "password": "long enough"}),
    ("/sites/new", {"domain": "new.example", "timezone": "Etc/UTC"}),
]


async def rendered(client: Client, page: str, form: dict[str, str]) -> dict[str, str]:
    """Return *form* with the token that the page of *page* has in it now."""
    text = (await client.get(page)).text
    name = f'name="form" value="{form["form"]}">' if "form" in form else f'action="{page}">'
    tokens = re.findall(
        re.escape(name) + r'\s*<input type="hidden" name="once" value="(.+?)">', text
    )
    (token,) = tokens
    return {**form, "once": token}


async def everything(
    catalog: SqliteCatalog,
) -> tuple[Sequence[Site], Sequence[Key], Sequence[str]]:
    """Return all that forms can create."""
    return (
        catalog.sites.all(),
        await catalog.keys.all(),
        [person.email for person in await catalog.people.all()],
    )


@pytest.mark.parametrize(("page", "form"), CREATING)
async def test_the_second_sending_changes_nothing_and_is_answered_alike(
    owner: Client, peopled: SqliteCatalog, page: str, form: dict[str, str]
) -> None:
    sent = await rendered(owner, page, form)
    before = await everything(peopled)
    first = await owner.post(page, data=sent)
    after = await everything(peopled)
    assert first.status_code == 303
    assert after != before
    second = await owner.post(page, data=sent)
    assert (second.status_code, second.headers["location"]) == (303, first.headers["location"])
    assert await everything(peopled) == after


@pytest.mark.parametrize(("page", "form"), CREATING)
async def test_a_double_click_creates_one(
    owner: Client, peopled: SqliteCatalog, page: str, form: dict[str, str]
) -> None:
    sent = await rendered(owner, page, form)
    before = await everything(peopled)
    answers = await asyncio.gather(*(owner.post(page, data=sent) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    after = await everything(peopled)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert _count(after) == _count(before) + 1


def _count(things: tuple[Sequence[Site], Sequence[Key], Sequence[str]]) -> int:
    sites, keys, people = things
    inside = sum(len(site.goals) + len(site.shared_links) for site in sites)
    return len(sites) + inside + len(keys) + len(people)


@pytest.mark.parametrize("page", [SETTINGS, "/admin"])
async def test_both_answers_show_the_same_key_which_works(
    owner: Client, peopled: SqliteCatalog, page: str
) -> None:
    sent = await rendered(owner, page, KEY)
    shown = []
    for _ in range(2):
        await owner.post(page, data=sent)
        shown += re.findall(r"ak_[0-9a-f]{40}", (await owner.get(page)).text)
    assert len(set(shown)) == 1
    assert len(shown) >= 2
    key = peopled.keys.find(shown[0])
    assert key is not None
    assert key.label == "Nightly"


async def test_both_answers_show_the_same_link_which_opens(
    owner: Client, peopled: SqliteCatalog
) -> None:
    sent = await rendered(owner, SETTINGS, LINK)
    secrets = set()
    for _ in range(2):
        await owner.post(SETTINGS, data=sent)
        secrets |= set(re.findall(r"\?auth=([\w-]+)", (await owner.get(SETTINGS)).text))
    (secret,) = secrets
    site = peopled.sites.get(SITE)
    assert site is not None
    assert shared_links.link_of(site, secret) is not None


async def test_a_form_that_was_changed_or_loaded_again_creates_another(
    owner: Client, peopled: SqliteCatalog
) -> None:
    sent = await rendered(owner, SETTINGS, KEY)
    await owner.post(SETTINGS, data=sent)
    await owner.post(SETTINGS, data={**sent, "label": "Weekly"})
    await owner.post(SETTINGS, data=await rendered(owner, SETTINGS, KEY))
    labels = sorted(key.label for key in await peopled.keys.all())
    assert labels == ["Nightly", "Nightly", "Weekly"]


async def test_a_form_that_was_refused_may_be_sent_again(
    owner: Client, peopled: SqliteCatalog
) -> None:
    sent = {**await rendered(owner, SETTINGS, LINK), "name": ""}
    assert (await owner.post(SETTINGS, data=sent)).status_code == 400
    assert (await owner.post(SETTINGS, data={**sent, "name": "Agency"})).status_code == 303
    site = peopled.sites.get(SITE)
    assert site is not None
    assert [link.name for link in site.shared_links] == ["Agency"]


async def test_what_was_revoked_since_does_not_come_back(
    owner: Client, peopled: SqliteCatalog
) -> None:
    sent = await rendered(owner, SETTINGS, KEY)
    await owner.post(SETTINGS, data=sent)
    (key,) = await peopled.keys.all()
    await peopled.keys.revoke(key.id)
    assert (await owner.post(SETTINGS, data=sent)).status_code == 303
    assert "This was done already: the form was sent twice." in (await owner.get(SETTINGS)).text
    assert await peopled.keys.all() == ()


async def test_a_form_of_one_session_says_nothing_to_another(
    owner: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    sent = await rendered(owner, SETTINGS, KEY)
    await owner.post(SETTINGS, data=sent)
    first = re.findall(r"ak_[0-9a-f]{40}", (await owner.get(SETTINGS)).text)
    other = connect(token=await peopled.people.log_in(OWNER, PASSWORD))
    await other.post(SETTINGS, data=sent)
    second = re.findall(r"ak_[0-9a-f]{40}", (await other.get(SETTINGS)).text)
    assert first != second
    assert len(await peopled.keys.all()) == 2


async def test_two_segments_of_the_same_filters_and_name_are_one(
    viewer: Client, peopled: SqliteCatalog
) -> None:
    form = {"f": "is,country,DE", "name": "Germany"}
    first = await viewer.post(f"/{SITE}/segments", data=form)
    second = await viewer.post(f"/{SITE}/segments", data=form)
    assert first.status_code == 303
    assert second.headers["location"] == first.headers["location"]
    site = peopled.sites.get(SITE)
    assert site is not None
    assert [each.name for each in site.segments] == ["Germany"]


async def test_keys_of_programs_are_as_many_as_they_make(peopled: SqliteCatalog) -> None:
    made = [await peopled.keys.create(scopes=[Scope.STATS_READ], site=SITE) for _ in range(2)]
    assert made[0][1] != made[1][1]
