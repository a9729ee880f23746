"""A site's settings: each form changes what it says, and nothing else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from httpx2 import Response
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, OWNER, PASSWORD, VIEWER, berlin

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.session import COOKIE, SECURE_COOKIE
from analytics.person import Scope
from analytics.site import Shields, Site
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

URL = f"/{SITE}/settings"


def _site(catalog: SqliteCatalog) -> Site:
    site = catalog.sites.get(SITE)
    assert site is not None
    return site


def _versions(page: str) -> dict[str, str]:
    """Return the version that each form of the page was filled with."""
    pair = r'name="form" value="([\w-]+)">\s*<input type="hidden" name="version" value="(\w+)"'
    return dict(re.findall(pair, page))


@pytest.mark.parametrize(
    ("form", "theirs", "mine"),
    [
        ("general", {"timezone": "Asia/Tehran"}, {"timezone": "Asia/Tokyo"}),
        ("privacy", {"honour_dnt": "on"}, {"cookieless": "on"}),
        ("shields", {"countries": "de"}, {"pages": "/x"}),
        ("made-up", {"other_hostnames": "a.example"}, {"other_hostnames": "b.example"}),
        ("retention", {"days": "400"}, {"days": "500"}),
    ],
)
async def test_a_change_of_somebody_else_is_not_overwritten_unseen(
    owner: Client, peopled: SqliteCatalog, form: str, theirs: dict[str, str], mine: dict[str, str]
) -> None:
    versions = _versions((await owner.get(URL)).text)
    saved = await owner.post(URL, data={"form": form, "version": versions[form], **theirs})
    assert saved.status_code == 303
    changed = _site(peopled)
    refused = await owner.post(URL, data={"form": form, "version": versions[form], **mine})
    assert refused.status_code == 409
    assert "Nothing was saved: somebody has changed these settings" in refused.text
    assert _site(peopled) == changed
    again = _versions(refused.text)[form]
    assert (await owner.post(URL, data={"form": form, "version": again, **mine})).status_code == 303
    assert _site(peopled) != changed


async def test_a_change_of_another_form_is_in_nobodys_way(
    owner: Client, peopled: SqliteCatalog
) -> None:
    versions = _versions((await owner.get(URL)).text)
    await owner.post(URL, data={"form": "general", "timezone": "Asia/Tokyo"})
    privacy = {"form": "privacy", "version": versions["privacy"], "cookieless": "on"}
    assert (await owner.post(URL, data=privacy)).status_code == 303
    assert _site(peopled).timezone == "Asia/Tokyo"


async def test_the_page_shows_the_snippet_and_every_form(owner: Client) -> None:
    page = unescape((await owner.get(URL)).text)
    assert f'<script defer data-domain="{SITE}" src="http://localhost/tracker.js"></script>' in page
    source = 'src="http://localhost/tracker.js"'
    assert f'<script defer data-domain="{SITE}" data-allow-local {source}></script>' in page
    session = f"{SECURE_COOKIE}={owner.cookies[COOKIE]}"
    behind_tls = await owner.get(URL, headers={"x-forwarded-proto": "https", "cookie": session})
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
    assert answer.headers["location"] == f"{URL}#{form['form']}"
    assert "Saved" in (await owner.get(URL)).text
    assert "Saved" not in (await owner.get(URL)).text
    after = _site(peopled)
    assert {name: getattr(after, name) for name in change} == change
    untouched = set(Site.__struct_fields__) - set(change)
    assert all(getattr(after, name) == getattr(before, name) for name in untouched)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"form": "general", "timezone": "Mars/Olympus"}, "'Mars/Olympus' is not a time zone"),
        ({"form": "retention", "days": "-1"}, "'-1' is not a whole number from 1 to 36,500"),
        ({"form": "retention", "days": "²"}, "is not a whole number"),
        ({"form": "shields", "addresses": "office"}, "'office': give an IP address"),
        ({"form": "key"}, "Choose at least one thing"),
        ({"form": "person", "email": "new@shop.example", "password": "short"}, "10 to 256"),
        ({"form": "person", "email": "new@shop.example"}, "there is no account of new@"),
        ({"form": "person", "email": VIEWER, "role": "emperor"}, "'emperor'"),
        (
            {"form": "person", "email": "new@shop.example", "password": PASSWORD, "role": "Owner"},
            "'Owner'",
        ),
        ({"form": "erase", "from": "2026-02-30"}, "From: '2026-02-30'"),
        ({"form": "erase", "to": "tomorrow"}, "To: 'tomorrow'"),
        ({"form": "erase", "from": "2026-05-02", "to": "2026-05-01"}, "To: 2026-05-01 lies"),
        ({"form": "remove-person", "email": "eve@shop.example"}, "has no account"),
        ({"form": "shields", "countries": "XX\nDE\nGermany"}, "'XX', 'Germany': give the two"),
        ({"form": "shields", "pages": "a\n/b\nc", "hostnames": "x y"}, "'x y': give a hostname"),
        ({"form": "remove-site", "domain": "other.example"}, f"Type {SITE}"),
        ({"form": "remove-person", "email": OWNER}, "cannot remove your own"),
    ],
)
async def test_a_mistake_is_explained_and_changes_nothing(
    owner: Client, peopled: SqliteCatalog, form: dict[str, str], problem: str
) -> None:
    before = _site(peopled)
    answer = await owner.post(URL, data=form)
    assert answer.status_code in (400, 404, 409)
    assert problem in unescape(answer.text)
    assert _site(peopled) == before


async def test_a_new_key_is_shown_once_and_works(owner: Client, peopled: SqliteCatalog) -> None:
    form = {"form": "key", "label": "Nightly", "scope": ["stats:read", "events:write"]}
    answer = await owner.post(URL, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{URL}#key")
    assert "ak_" not in answer.headers["location"] + answer.text
    page = (await owner.get(URL)).text
    shown = re.search(r"cannot be shown again.*?<code>([^<]+)</code>", page, re.DOTALL)
    assert shown
    key = peopled.keys.find(unescape(shown[1]))
    assert key is not None
    assert key.site == SITE
    assert set(key.scopes) == {Scope.STATS_READ, Scope.EVENTS_WRITE}
    assert shown[1] not in (await owner.get(URL)).text
    assert "sites:write" not in page


async def confirmed(owner: Client, form: dict[str, str], *says: str) -> Response:
    """Post *form*, read the question that it leads to, and say yes."""
    asked = await owner.post(URL, data=form)
    assert asked.status_code == 303, asked.text
    question = await owner.get(asked.headers["location"])
    assert question.status_code == 200
    for text in says:
        assert text in unescape(question.text)
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', question.text))
    return await owner.post(URL, data={name: unescape(text) for name, text in fields.items()})


async def test_a_key_is_revoked_after_a_question(owner: Client, peopled: SqliteCatalog) -> None:
    key, secret = await peopled.keys.create(scopes=[*Scope], site=SITE, label="Nightly")
    form = {"form": "revoke", "key": key.id}
    await owner.post(URL, data=form)
    await owner.post(URL, data={**form, "confirmed": "yes"})
    assert peopled.keys.find(secret) == key
    done = await confirmed(owner, form, "Revoke Nightly?", SITE)
    assert done.headers["location"] == f"{URL}#key"
    assert peopled.keys.find(secret) is None
    assert "Nightly is revoked." in (await owner.get(URL)).text


async def test_a_key_of_all_sites_is_not_revoked_from_one(
    owner: Client, peopled: SqliteCatalog
) -> None:
    key, secret = await peopled.keys.create(scopes=[*Scope], site=None, label="Everywhere")
    assert "Everywhere" not in (await owner.get(URL)).text
    assert (await owner.post(URL, data={"form": "revoke", "key": key.id})).status_code == 403
    assert peopled.keys.find(secret) == key


async def test_people_come_and_go(owner: Client, peopled: SqliteCatalog) -> None:
    form = {"form": "person", "email": "new@shop.example", "password": "long enough"}
    await owner.post(URL, data=form)
    assert "new@shop.example may see shop.example now" in (await owner.get(URL)).text
    people = {person.email: person for person in await peopled.people.all()}
    assert people["new@shop.example"].sites == (SITE,)
    assert not people["new@shop.example"].owner
    assert people["new@shop.example"].must_change
    gone = {"form": "remove-person", "email": "new@shop.example"}
    await confirmed(owner, gone, "Take shop.example away from new@", "only site that they see")
    assert "new@shop.example" not in {person.email for person in await peopled.people.all()}


async def test_somebody_with_an_account_is_given_a_second_site(
    owner: Client, peopled: SqliteCatalog
) -> None:
    other = "/other.example/settings"
    answer = await owner.post(other, data={"form": "person", "email": f" {VIEWER.upper()} "})
    assert answer.status_code == 303
    assert "may see other.example, too" in (await owner.get(other)).text
    people = {person.email: person for person in await peopled.people.all()}
    assert people[VIEWER].sites == (SITE, "other.example")
    assert await peopled.people.log_in(VIEWER, PASSWORD)
    await confirmed(
        owner, {"form": "remove-person", "email": VIEWER}, "their access to other.example"
    )
    people = {person.email: person for person in await peopled.people.all()}
    assert people[VIEWER].sites == ("other.example",)


async def test_a_shorter_retention_says_what_it_deletes_and_asks(
    owner: Client, peopled: SqliteCatalog, store: DuckDBStore
) -> None:
    old = [hit(berlin(f"2026-11-{day:02} 08:00"), bot="x" if day == 2 else None) for day in (1, 2)]
    await store.write(batch([*old, hit(berlin("2026-11-14 00:00")), hit(NOW)]))
    form = {"form": "retention", "days": "10"}
    await owner.post(URL, data={**form, "confirmed": "1"})
    assert _site(peopled).retention_days is None
    says = "This permanently deletes 2 events from before 14 Nov 2026"
    done = await confirmed(owner, form, says, "Delete 2 events")
    assert done.headers["location"] == f"{URL}#retention"
    assert _site(peopled).retention_days == 10
    # A longer one deletes nothing, and nor does a shorter one where nothing is that old.
    for days, kept in (("400", 400), ("390", 390), ("", None)):
        await owner.post(URL, data={"form": "retention", "days": days})
        assert _site(peopled).retention_days == kept or kept == 390


async def test_an_answer_holds_only_for_what_was_asked(
    owner: Client, peopled: SqliteCatalog, store: DuckDBStore
) -> None:
    await store.write(batch([hit(berlin("2026-11-01 08:00")), hit(NOW)]))
    asked = await owner.post(URL, data={"form": "retention", "days": "10"})
    question = await owner.get(asked.headers["location"])
    token = re.search(r'name="confirmed" value="([^"]+)"', question.text)
    assert token
    other = {"form": "retention", "days": "1", "confirmed": token[1]}
    assert (await owner.post(URL, data=other)).status_code == 409
    same = {"form": "retention", "days": "10", "confirmed": token[1]}
    assert (await owner.post(URL, data=same)).status_code == 303
    again = await owner.post(URL, data={**same, "days": "9"})
    assert again.status_code == 409
    assert _site(peopled).retention_days == 10


async def test_the_question_before_a_removal_names_no_losses_where_there_are_none(
    owner: Client, peopled: SqliteCatalog
) -> None:
    await peopled.sites.add("new.example")
    page = (await owner.get("/new.example/settings/confirm?form=remove-site")).text
    assert "Its 0 stored events" in page
    assert "removed with it" not in page
    assert "<li><b>0</b>" not in page


@pytest.mark.parametrize("events", ["keep", "delete"])
async def test_a_site_is_removed_only_by_its_name(
    owner: Client, peopled: SqliteCatalog, store: DuckDBStore, events: str
) -> None:
    await store.write(batch([hit(NOW), hit(NOW)]))
    _, secret = await peopled.keys.create(scopes=[*Scope], site=SITE)
    page = unescape((await owner.get(f"{URL}/confirm?form=remove-site")).text)
    for text in (
        "<b>1</b> API key limited to this site",
        "<b>1</b> person besides",
        "2 stored events",
    ):
        assert text in page
    answer = await owner.post(URL, data={"form": "remove-site", "domain": SITE, "events": events})
    assert answer.headers["location"] == "/"
    said = (await owner.get("/")).text
    assert f"{SITE} is removed; 1 key revoked; " in said
    assert ("2 stored events deleted" in said) == (events == "delete")
    assert peopled.sites.get(SITE) is None
    assert peopled.keys.find(secret) is None
    assert {person.email: person.sites for person in await peopled.people.all()}[VIEWER] == ()
    added = await owner.post("/sites/new", data={"domain": SITE, "timezone": "Etc/UTC"})
    start = (await owner.get(added.headers["location"])).text
    assert ("was a site here before: its events since 24 Nov 2026" in start) == (events == "keep")
