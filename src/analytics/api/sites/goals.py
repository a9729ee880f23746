"""`/api/v1/sites/goals`: lists, creates and removes goals."""

from __future__ import annotations

from typing import Any

from analytics.api.sites import listing
from analytics.api.sites.access import SitesRequest
from analytics.api.sites.messages import Deleted, GoalFound, GoalList, GoalReply, OfSite, PutGoal
from analytics.catalog import goals
from analytics.errors import Malformed, NotFound
from analytics.goal import Goal


async def every(request: SitesRequest) -> GoalList:
    """List the goals of a site, the oldest first."""
    site = request.site_of_query()
    shown, meta = listing.page_of(
        site.goals, lambda goal: f"{goal.id:020}", request.request.query_params
    )
    return GoalList(goals=[GoalReply(**_members(goal)) for goal in shown], meta=meta)


async def put(request: SitesRequest) -> GoalFound:
    """Create a goal; return the existing one if an equal one exists."""
    fields = await request.fields(PutGoal)
    site = request.site(fields.site_id)
    if fields.goal_type == "event" and not fields.event_name:
        raise Malformed("event_name", "is missing; name the event that the goal looks for")
    if fields.goal_type == "page" and not fields.page_path:
        raise Malformed("page_path", "is missing; name the page that the goal looks for")
    goal = goals.checked(
        Goal(
            id=0,
            name=fields.display_name or "",
            event=(fields.event_name or "") if fields.goal_type == "event" else "",
            page=fields.page_path or "",
            scroll=None if fields.scroll_threshold == -1 else fields.scroll_threshold,
            properties=tuple(fields.custom_props.items()),
            currency=fields.currency or "",
        )
    )
    known = next((each for each in site.goals if goals.looks_for_same(each, goal)), None)
    if known is None or (fields.display_name and known.name != goal.name):
        known = await goals.add_goal(request.catalog, site.domain, goal)
    return GoalFound(domain=site.domain, **_members(known))


async def remove(request: SitesRequest) -> Deleted:
    """Remove a goal; its events stay."""
    site = request.site((await request.fields(OfSite)).site_id)
    name = request.request.path_params["goal_id"]
    if not (name.isascii() and name.isdigit() and len(name) < 20):
        raise NotFound(f"{site.domain} has no goal {name[:80]!r}")
    await goals.remove_goal(request.catalog, site.domain, int(name))
    return Deleted(deleted=True)


def _members(goal: Goal) -> dict[str, Any]:
    return {
        "id": str(goal.id),
        "goal_type": "event" if goal.event else "page",
        "display_name": goal.name,
        "event_name": goal.event or None,
        "page_path": goal.page or None,
        "scroll_threshold": goal.scroll,
        "currency": goal.currency or None,
        "custom_props": dict(goal.properties),
    }
