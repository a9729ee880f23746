"""A site's goals, as pages, commands and the API change them; and what a goal may say."""

from __future__ import annotations

from typing import Final

import msgspec

from analytics import currency
from analytics.catalog.base import Catalog
from analytics.catalog.rules import check_text
from analytics.errors import Conflict, Malformed, NotFound
from analytics.event import ENGAGEMENT, PAGEVIEW
from analytics.goal import Goal, GoalKind
from analytics.site import Site
from analytics.suggestions import unknown

MAX_GOALS: Final = 200
"""Of one site."""
MAX_PROPERTIES: Final = 3
"""That an event must carry for one goal."""
MAX_NAME_CHARS: Final = 120
MAX_PAGE_CHARS: Final = 2_000


def checked(goal: Goal) -> Goal:
    """Return *goal* as it is kept, with a name if it had none. Raise `Malformed`."""
    goal = msgspec.structs.replace(
        goal,
        name=goal.name.strip(),
        event=goal.event.strip(),
        page=goal.page.strip(),
        currency=goal.currency.strip().upper(),
        properties=tuple(sorted((key.strip(), value.strip()) for key, value in goal.properties)),
    )
    if not (goal.event or goal.page):
        raise Malformed("goal", "name the event or the page that it looks for")
    if goal.event in (PAGEVIEW, ENGAGEMENT):
        raise Malformed("event_name", f"{goal.event} is no custom event; give a page instead")
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
        raise Malformed("currency", f"{goal.currency[:10]!r} is not the code of a currency (EUR)")
    name = goal.name or usual_name(goal)
    if goal.name:
        check_text("display_name", name, MAX_NAME_CHARS)
    return msgspec.structs.replace(goal, name=name)


def usual_name(goal: Goal) -> str:
    """Return what a goal is called that was given no name."""
    match goal.kind:
        case GoalKind.EVENT:
            return goal.event
        case GoalKind.PAGE:
            return f"Visit {goal.page}"
        case GoalKind.SCROLL:
            return f"Scroll {goal.scroll}% on {goal.page}"


async def add_goal(catalog: Catalog, domain: str, goal: Goal) -> Goal:
    """Add *goal*, whose id is ignored, to a site; return it, or the equal one that is there.

    Raise `NotFound` for the site, `Malformed`, and `Conflict` if another goal has the name.
    """
    goal = checked(goal)

    def edit(site: Site) -> Site:
        for known in site.goals:
            if _same(known, goal):
                return site
            if known.name == goal.name:
                raise Conflict(f"{domain} has another goal called {goal.name!r}; give a new name")
        if len(site.goals) >= MAX_GOALS:
            raise Conflict(f"{domain} has {MAX_GOALS} goals, which is the most; remove one first")
        added = msgspec.structs.replace(goal, id=site.last_id + 1)
        return _with_goals(site, (*site.goals, added))

    site = await catalog.sites.edit(domain, edit)
    return next(known for known in site.goals if _same(known, goal))


async def change_goal(catalog: Catalog, domain: str, goal: Goal) -> Goal:
    """Replace the goal of that id; raise as `add_goal`, and `NotFound` without such a goal."""
    goal = checked(goal)

    def edit(site: Site) -> Site:
        find_goal(site, goal.id)
        others = tuple(known for known in site.goals if known.id != goal.id)
        if any(known.name == goal.name for known in others):
            raise Conflict(f"{domain} has another goal called {goal.name!r}; give a new name")
        return _with_goals(site, (*others, goal))

    return find_goal(await catalog.sites.edit(domain, edit), goal.id)


async def remove_goal(catalog: Catalog, domain: str, goal_id: int) -> None:
    """Remove a goal; its events stay. Raise `NotFound` for the site or the goal."""

    def edit(site: Site) -> Site:
        find_goal(site, goal_id)
        return _with_goals(site, tuple(known for known in site.goals if known.id != goal_id))

    await catalog.sites.edit(domain, edit)


def find_goal(site: Site, goal_id: int) -> Goal:
    """Return the goal of that id. Raise `NotFound`."""
    for goal in site.goals:
        if goal.id == goal_id:
            return goal
    raise NotFound(f"{site.domain} has no goal {goal_id}")


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


def _with_goals(site: Site, goals: tuple[Goal, ...]) -> Site:
    goals = tuple(sorted(goals, key=lambda goal: (goal.name.lower(), goal.name)))
    last_id = max([site.last_id, *(goal.id for goal in goals)])
    return msgspec.structs.replace(site, goals=goals, last_id=last_id)


def looks_for_same(one: Goal, other: Goal) -> bool:
    """Return whether both goals are reached by the same events, whatever they are called."""
    return _same(msgspec.structs.replace(one, name=""), msgspec.structs.replace(other, name=""))


def _same(one: Goal, other: Goal) -> bool:
    return msgspec.structs.replace(one, id=0) == msgspec.structs.replace(other, id=0)


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
