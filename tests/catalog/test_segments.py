"""Segments of a site: shared ones and somebody's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from analytics.catalog import goals, segment_goals, segments
from analytics.catalog.audit_log import AuditAction
from analytics.catalog.sqlite import SqliteCatalog
from analytics.errors import Conflict, Malformed, NotFound
from analytics.goal import Goal, Segment

SITE = "example.com"
FILTERS = '[["is","visit:country",["DE"]]]'


def segment(name: str = "Germany", owner: str = "") -> Segment:
    return Segment(id=0, name=name, filters=FILTERS, owner=owner)


@pytest.fixture
async def catalog() -> AsyncIterator[SqliteCatalog]:
    async with SqliteCatalog(":memory:") as catalog:
        await catalog.sites.add(SITE, timezone="Etc/UTC")
        yield catalog


async def test_a_segment_is_added_and_removed(catalog: SqliteCatalog) -> None:
    added = await segments.add_segment(catalog, SITE, segment(" Germany "))
    assert added == Segment(id=1, name="Germany", filters=FILTERS)
    await segments.remove_segment(catalog, SITE, 1)
    site = catalog.sites.get(SITE)
    assert site is not None
    assert site.segments == ()
    entries = await catalog.audit_log.recent(2)
    assert [(each.what, each.about) for each in entries] == [
        (AuditAction.SITE_CHANGED, "segments")
    ] * 2


async def test_a_goal_that_gets_another_name_keeps_its_segments(catalog: SqliteCatalog) -> None:
    goal = await goals.add_goal(catalog, SITE, Goal(id=0, name="Signup", event="signup"))
    inner = '["not",["or",[["is_not","event:goal",["Signup"]]]]]'
    about = f'[["is","event:goal",["Signup","Other"]],{inner}]'
    like = '[["contains","event:goal",["Signup"]],["is","event:page",["Signup"]]]'
    for name, filters in (("Buyers", about), ("Like", like), ("Germany", FILTERS)):
        await segments.add_segment(catalog, SITE, Segment(id=0, name=name, filters=filters))
    site = catalog.sites.get(SITE)
    assert site is not None
    assert [each.name for each in segment_goals.naming(site, "Signup")] == ["Buyers"]
    await goals.change_goal(catalog, SITE, structs.replace(goal, name="Signed up"))
    site = catalog.sites.get(SITE)
    assert site is not None
    kept = {each.name: each.filters for each in site.segments}
    assert kept["Buyers"] == about.replace('"Signup"', '"Signed up"')
    assert (kept["Like"], kept["Germany"]) == (like, FILTERS)
    assert segment_goals.naming(site, "Signup") == []


async def test_goals_and_segments_share_ids_that_are_never_given_again(
    catalog: SqliteCatalog,
) -> None:
    first = await segments.add_segment(catalog, SITE, segment())
    await segments.remove_segment(catalog, SITE, first.id)
    goal = await goals.add_goal(catalog, SITE, Goal(id=0, name="", event="signup"))
    assert (first.id, goal.id) == (1, 2)


async def test_nobody_sees_two_segments_of_one_name(catalog: SqliteCatalog) -> None:
    await segments.add_segment(catalog, SITE, segment(owner="a@x.example"))
    await segments.add_segment(catalog, SITE, segment(owner="b@x.example"))
    for owner in ("", "A@x.example "):
        with pytest.raises(Conflict, match="another segment called 'Germany'"):
            await segments.add_segment(catalog, SITE, segment(owner=owner))


async def test_people_see_what_is_shared_and_their_own(catalog: SqliteCatalog) -> None:
    for name, owner in (("shared", ""), ("hers", "a@x.example"), ("his", "b@x.example")):
        await segments.add_segment(catalog, SITE, segment(name, owner))
    site = catalog.sites.get(SITE)
    assert site is not None
    seen = {reader: segments.seen_by(site, reader) for reader in ("", "a@x.example")}
    assert {reader: [each.name for each in own] for reader, own in seen.items()} == {
        "": ["shared"],
        "a@x.example": ["hers", "shared"],
    }


async def test_a_segment_without_sense_is_refused(catalog: SqliteCatalog) -> None:
    for name in ("", " ", "a\nb", "x" * 121):
        with pytest.raises(Malformed) as caught:
            await segments.add_segment(catalog, SITE, segment(name))
        assert caught.value.field == "name"
    for change in (
        segments.remove_segment(catalog, SITE, 9),
        segments.add_segment(catalog, "nowhere.example", segment()),
    ):
        with pytest.raises(NotFound):
            await change
