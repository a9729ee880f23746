"""Validates, adds, changes and removes a site's goals, for pages, commands and the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from analytics import currency
from analytics.catalog import segment_goals
from analytics.catalog.base import Catalog
from analytics.catalog.rules import check_text
from analytics.catalog.site_items import GOALS
from analytics.errors import Malformed, NotFound
from analytics.event import ENGAGEMENT, PAGEVIEW
from analytics.goal import Goal, GoalKind
from analytics.site import Site
from analytics.submission import AlreadyDone
from analytics.suggestions import unknown

MAX_PROPERTIES: Final = 3
"""Properties that one goal may require of an event."""
MAX_NAME_CHARS: Final = 120
MAX_PAGE_CHARS: Final = 2_000


def checked(goal: Goal) -> Goal:
    """Return *goal* normalized for storage, with a name if it had none. Raise `Malformed`."""
    goal = msgspec.structs.replace(
        goal,
        name=goal.name.strip(),
        event=goal.event.strip(),
        page=goal.page.strip(),
        currency=goal.currency.strip().upper(),
        properties=tuple(sorted((key.strip(), value.strip()) for key, value in goal.properties)),
    )
    if not (goal.event or goal.page):
        raise Malformed("goal", "name the event or the page that the goal looks for")
    if goal.event in (PAGEVIEW, ENGAGEMENT):
        raise Malformed("event_name", f"{goal.event} is not a custom event; give a page instead")
    if goal.page and not goal.page.startswith(("/", "*")):
        raise Malformed("page_path", "begin the path with a slash, or with * for any beginning")
    if goal.scroll is not None and not (goal.page and not goal.event and 1 <= goal.scroll <= 100):
        raise Malformed("scroll_threshold", "give a page, and a whole number from 1 to 100")
    check_text("event_name", goal.event, MAX_NAME_CHARS)
    check_text("page_path", goal.page, MAX_PAGE_CHARS)
    _check_properties(goal)
    if goal.currency and goal.kind is not GoalKind.EVENT:
        raise Malformed("currency", "only goals of custom events have revenue")
    if goal.currency and not currency.is_code(goal.currency):
        raise Malformed("currency", f"{goal.currency[:10]!r} is not a currency code, such as EUR")
    name = goal.name or usual_name(goal)
    if goal.name:
        check_text("display_name", name, MAX_NAME_CHARS)
    return msgspec.structs.replace(goal, name=name)


def usual_name(goal: Goal) -> str:
    """Return the name of a goal to which nobody gave one."""
    match goal.kind:
        case GoalKind.EVENT:
            return goal.event
        case GoalKind.PAGE:
            return f"Visit {goal.page}"
        case GoalKind.SCROLL:
            return f"Scroll {goal.scroll}% on {goal.page}"


async def add_goal(catalog: Catalog, domain: str, goal: Goal) -> Goal:
    """Add *goal*, whose id is ignored, to a site; return it, or the equal goal that exists already.

    Raise `NotFound` for the site, `Malformed`, and `Conflict` if another goal has the name.
    """
    goal = checked(goal)

    def edit(site: Site) -> Site:
        if any(_same(each, goal) for each in site.goals):
            return site
        _check_name(site, goal, site.goals)
        return GOALS.added(site, goal)

    try:
        site = await catalog.sites.edit(domain, edit)
    except AlreadyDone:
        current = catalog.sites.get(domain)
        if current is None or not any(_same(each, goal) for each in current.goals):
            raise  # it was removed since
        site = current
    return next(each for each in site.goals if _same(each, goal))


async def change_goal(catalog: Catalog, domain: str, goal: Goal) -> Goal:
    """Replace the goal of that id; segments that compare with its name get the new one.

    Raise as `add_goal`, and `NotFound` without such a goal.
    """
    goal = checked(goal)

    def edit(site: Site) -> Site:
        _check_name(site, goal, GOALS.others(site, goal.id))
        before = GOALS.find(site, goal.id).name
        return segment_goals.renamed(GOALS.changed(site, goal), before, goal.name)

    return GOALS.find(await catalog.sites.edit(domain, edit), goal.id)


async def remove_goal(catalog: Catalog, domain: str, goal_id: int) -> None:
    """Remove a goal; its events stay. Raise `NotFound` for the site or the goal."""
    await catalog.sites.edit(domain, lambda site: GOALS.removed(site, goal_id))


def goal_named(site: Site, name: str) -> Goal:
    """Return the goal of that name, or of that id. Raise `NotFound`, naming the goals there are."""
    for goal in site.goals:
        if goal.name == name:
            return goal
    for goal in site.goals:
        if str(goal.id) == name:
            return goal
    if not site.goals:
        raise NotFound(f"{site.domain} has no goals yet; `analytics goal add` makes one")
    names = [goal.name for goal in site.goals]
    raise NotFound(f"{site.domain} has no such goal: {unknown('goal', name, names)}")


def looks_for_same(one: Goal, other: Goal) -> bool:
    """Return whether both goals are reached by the same events, whatever they are called."""
    return _same(msgspec.structs.replace(one, name=""), msgspec.structs.replace(other, name=""))


def _same(one: Goal, other: Goal) -> bool:
    return msgspec.structs.replace(one, id=0) == msgspec.structs.replace(other, id=0)


def _check_name(site: Site, goal: Goal, others: Iterable[Goal]) -> None:
    if any(each.name == goal.name for each in others):
        raise GOALS.name_conflict(site, goal)


def _check_properties(goal: Goal) -> None:
    if len(goal.properties) > MAX_PROPERTIES:
        raise Malformed("custom_props", f"at most {MAX_PROPERTIES} properties")
    if len(dict(goal.properties)) < len(goal.properties):
        raise Malformed("custom_props", "name each property once")
    for key, value in goal.properties:
        if not key or not value:
            raise Malformed("custom_props", "give each property a name and a value")
        check_text("custom_props", key, 300)
        check_text("custom_props", value, 2_000)
