"""Goals, segments and shared links on the pages."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import NOW, OWNER

from analytics.catalog import goals
from analytics.catalog.sqlite import SqliteCatalog
from analytics.goal import Goal, Segment
from analytics.store.duckdb import DuckDBStore
from analytics.testing.builders import SITE, hit
from analytics.testing.sample import batch

SETTINGS = f"/{SITE}/settings"
REPORT = f"/{SITE}?period=day"
GERMANY = Segment(id=0, name="Germany", filters='[["is","visit:country",["DE"]]]')


@pytest.fixture(autouse=True)
async def _filled(store: DuckDBStore, peopled: SqliteCatalog) -> None:
    """Four visitors, of whom the first signs up."""
    hits = [hit(NOW - 1000 + n, visitor=n, country="DE" if n < 2 else "FR") for n in range(4)]
    hits.append(hit(NOW, visitor=0, name="signup", path="/join", country="DE"))
    await store.write(batch(hits))


def texts(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def confirmed(owner: Client, form: dict[str, str]) -> str:
    """Post *form*, say yes to the question, and return the question's text."""
    asked = await owner.get((await owner.post(SETTINGS, data=form)).headers["location"])
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', asked.text))
    done = await owner.post(SETTINGS, data=fields)
    assert done.status_code == 303, done.text
    return texts(asked.text)


class TestGoals:
    async def test_a_goal_is_added_changed_and_removed(
        self, owner: Client, peopled: SqliteCatalog
    ) -> None:
        form = {"form": "goal", "event": "signup", "properties": "plan = pro\n", "currency": "eur"}
        assert (await owner.post(SETTINGS, data=form)).status_code == 303
        site = peopled.sites.get(SITE)
        assert site is not None
        (goal,) = site.goals
        assert (goal.properties, goal.currency) == ((("plan", "pro"),), "EUR")
        assert "Event signup with plan = pro · revenue in EUR" in texts(
            (await owner.get(SETTINGS)).text
        )
        change = {"form": "goal", "goal": str(goal.id), "event": "signup", "name": "Joined"}
        assert (await owner.post(SETTINGS, data=change)).status_code == 303
        question = await confirmed(owner, {"form": "remove-goal", "goal": str(goal.id)})
        assert "Remove the goal Joined?" in question
        assert "No event is deleted" in question
        site = peopled.sites.get(SITE)
        assert site is not None
        assert site.goals == ()

    @pytest.mark.parametrize(
        ("form", "reason"),
        [
            ({}, "Name the event or the page"),
            ({"page": "thanks"}, "Begin the path with a slash"),
            ({"page": "/a", "scroll": "200"}, "1 to 100"),
            ({"event": "a", "properties": "plan"}, "write a name, =, and a value"),
        ],
    )
    async def test_what_is_wrong_is_said_and_what_was_typed_kept(
        self, owner: Client, form: dict[str, str], reason: str
    ) -> None:
        page = await owner.post(SETTINGS, data={"form": "goal", "name": "kept", **form})
        assert page.status_code == 400
        assert reason in texts(page.text)
        assert 'value="kept"' in page.text

    async def test_the_report_counts_who_reached_them(
        self, owner: Client, peopled: SqliteCatalog
    ) -> None:
        assert 'id="goals"' not in (await owner.get(REPORT)).text
        await goals.add_goal(peopled, SITE, Goal(id=0, name="Joined", event="signup"))
        page = (await owner.get(REPORT)).text
        panel = page.partition('id="goals"')[2].partition("</section>")[0]
        assert "Joined 1 1 25%" in texts(panel)
        filtered = (await owner.get(f"{REPORT}&f=is,goal,Joined")).text
        cards = texts(filtered.partition('class="cards"')[2].partition("</ul>")[0])
        assert "Total conversions 1" in cards
        assert re.search(r"Conversion rate 25%", cards)
        assert (await owner.get(f"/{SITE}/list/goal?period=day&search=join")).status_code == 200

    async def test_a_goal_that_is_not_there_is_named(self, owner: Client) -> None:
        page = await owner.get(f"{REPORT}&f=is,goal,Nothing")
        assert "there is no goal 'Nothing'" in texts(page.text)


class TestSegments:
    async def test_filters_are_saved_and_used(self, owner: Client, peopled: SqliteCatalog) -> None:
        form = {"f": "is,country,DE", "name": "Germany", "shared": "on", "period": "day"}
        saved = await owner.post(f"/{SITE}/segments", data=form)
        assert saved.headers["location"] == f"/{SITE}?period=day&f=is%2Csegment%2C1"
        page = texts((await owner.get(saved.headers["location"])).text)
        assert "Segment is Germany" in page
        assert "Unique visitors 2" in page
        site = peopled.sites.get(SITE)
        assert site is not None
        assert [(each.name, each.owner, each.filters) for each in site.segments] == [
            ("Germany", "", GERMANY.filters)
        ]
        await confirmed(owner, {"form": "remove-segment", "segment": "1"})
        site = peopled.sites.get(SITE)
        assert site is not None
        assert site.segments == ()

    @pytest.mark.parametrize("condition", ["is,goal,Nothing", "is,goal,signup"])
    async def test_what_no_report_can_use_is_not_saved(
        self, owner: Client, peopled: SqliteCatalog, condition: str
    ) -> None:
        form = {"f": condition, "name": "Buyers", "shared": "on"}
        reply = await owner.post(f"/{SITE}/segments", data=form)
        assert reply.status_code == 400
        assert "there is no goal" in texts(reply.text)
        site = peopled.sites.get(SITE)
        assert site is not None
        assert site.segments == ()

    async def test_a_viewer_keeps_their_own_and_shares_none(
        self, viewer: Client, owner: Client, peopled: SqliteCatalog
    ) -> None:
        form = {"f": "is,country,DE", "name": "Mine"}
        refused = await viewer.post(f"/{SITE}/segments", data={**form, "shared": "on"})
        assert refused.status_code == 403
        saved = await viewer.post(f"/{SITE}/segments", data=form)
        address = saved.headers["location"]
        assert "Mine" in texts((await viewer.get(address)).text)
        assert "there is no segment" in texts((await owner.get(address)).text)

    async def test_a_stranger_saves_nothing(self, stranger: Client) -> None:
        reply = await stranger.post(f"/{SITE}/segments", data={"f": "is,country,DE", "name": "x"})
        assert reply.headers["location"].startswith("/login")


class TestSharedLinks:
    async def link(self, owner: Client, **fields: str) -> str:
        form = {"form": "link", "name": "Agency", **fields}
        done = await owner.post(SETTINGS, data=form)
        page = (await owner.get(done.headers["location"].partition("#")[0])).text
        (address,) = re.findall(rf"(/share/{SITE}\?auth=[\w-]+)", page)
        return str(address)

    async def test_a_link_opens_one_report_without_a_login(
        self, owner: Client, stranger: Client
    ) -> None:
        address = await self.link(owner)
        page = await stranger.get(f"{address}&period=day")
        assert page.status_code == 200
        assert "Unique visitors 4" in texts(page.text)
        for path in re.findall(r'(?:href|action|data-live)="(/[^"]*)"', page.text):
            shown = html.unescape(path)
            assert shown.startswith(("/static/", "/share/", "/login")) or shown == "/", shown
        secret = address.rpartition("=")[2]
        rows = await stranger.get(f"/share/{SITE}/list/top?auth={secret}")
        assert rows.status_code == 200
        assert (await stranger.get(f"/{SITE}?auth={secret}")).status_code == 303

    @pytest.mark.parametrize("site", [SITE, "other.example", "nowhere.example"])
    async def test_a_wrong_secret_opens_nothing(
        self, owner: Client, stranger: Client, site: str
    ) -> None:
        secret = (await self.link(owner)).rpartition("=")[2]
        wrong = ["", "x", secret[:-1], secret + "x", "é" * 5]
        for each in wrong if site == SITE else [*wrong, secret]:
            for below in ("", "/live", "/list/top", "/unlock"):
                reply = await stranger.get(f"/share/{site}{below}?auth={quote(each)}")
                assert reply.status_code == 404, (each, below)

    async def test_a_revoked_link_opens_nothing(self, owner: Client, stranger: Client) -> None:
        address = await self.link(owner)
        question = await confirmed(owner, {"form": "revoke-link", "link": "1"})
        assert "Whoever has it no longer sees the report" in question
        assert (await stranger.get(address)).status_code == 404

    async def test_a_password_is_asked_for_once(self, owner: Client, stranger: Client) -> None:
        address = await self.link(owner, password="correct horse battery")
        ask = (await stranger.get(address)).headers["location"]
        assert ask.startswith(f"/share/{SITE}/unlock?auth=")
        assert (await stranger.post(ask, data={"password": "wrong"})).status_code == 401
        opened = await stranger.post(ask, data={"password": "correct horse battery"})
        assert opened.headers["location"] == address
        assert (await stranger.get(address)).status_code == 200

    async def test_only_a_link_that_allows_it_is_framed(
        self, owner: Client, stranger: Client
    ) -> None:
        for fields, ancestors in (({}, "'none'"), ({"name": "Frame", "embeddable": "on"}, "*")):
            page = await stranger.get(await self.link(owner, **fields))
            policy = page.headers["content-security-policy"]
            assert f"frame-ancestors {ancestors};" in policy

    async def test_an_owner_sees_no_more_by_a_link(self, owner: Client) -> None:
        page = await owner.get(await self.link(owner))
        assert OWNER not in page.text
        assert "/settings" not in page.text
