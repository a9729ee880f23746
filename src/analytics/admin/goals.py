"""Operations on a site's goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import goals
from analytics.goal import Goal


class AddGoal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`goal add`."""

    site: str
    name: str = ""
    event: str = ""
    page: str = ""
    scroll: int | None = None
    properties: Mapping[str, str] = {}
    currency: str = ""


class ListGoals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`goal list`."""

    site: str


class ChangeGoal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`goal change`: what is left out stays as it is."""

    site: str
    goal: str
    """Its name, or its id."""
    name: str | msgspec.UnsetType = msgspec.UNSET
    event: str | msgspec.UnsetType = msgspec.UNSET
    page: str | msgspec.UnsetType = msgspec.UNSET
    scroll: int | msgspec.UnsetType | None = msgspec.UNSET
    properties: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    currency: str | msgspec.UnsetType = msgspec.UNSET


class NamedGoal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`goal show` and `goal remove`."""

    site: str
    goal: str
    """Its name, or its id."""


class GoalShown(msgspec.Struct, frozen=True, kw_only=True):
    """A goal as scripts read it."""

    site: str
    id: int
    name: str
    event: str
    page: str
    scroll: int | None
    properties: dict[str, str]
    currency: str


async def add_goal(workspace: Workspace, asked: AddGoal, _: OperationContext) -> GoalShown:
    """Add a goal, or find the equal one."""
    domain = workspace.site(asked.site).domain
    goal = Goal(
        id=0,
        name=asked.name,
        event=asked.event,
        page=asked.page,
        scroll=asked.scroll,
        properties=tuple(asked.properties.items()),
        currency=asked.currency,
    )
    return shown(domain, await goals.add_goal(workspace.catalog, domain, goal))


async def every_goal(
    workspace: Workspace, asked: ListGoals, _: OperationContext
) -> Sequence[GoalShown]:
    """Return the goals of a site, by name."""
    site = workspace.site(asked.site)
    return [shown(site.domain, goal) for goal in site.goals]


async def show_goal(workspace: Workspace, asked: NamedGoal, _: OperationContext) -> GoalShown:
    """Return one goal."""
    site = workspace.site(asked.site)
    return shown(site.domain, goals.goal_named(site, asked.goal))


async def change_goal(workspace: Workspace, asked: ChangeGoal, _: OperationContext) -> GoalShown:
    """Change what is given of a goal."""
    site = workspace.site(asked.site)
    known = goals.goal_named(site, asked.goal)
    names = ("name", "event", "page", "scroll", "currency")
    changes = {
        name: getattr(asked, name) for name in names if getattr(asked, name) is not msgspec.UNSET
    }
    if asked.properties is not msgspec.UNSET:
        changes["properties"] = tuple(asked.properties.items())
    if "name" not in changes and known.name == goals.usual_name(known):
        changes["name"] = ""  # a name that nobody chose follows what the goal looks for
    goal = msgspec.structs.replace(known, **changes)
    return shown(site.domain, await goals.change_goal(workspace.catalog, site.domain, goal))


async def remove_goal(workspace: Workspace, asked: NamedGoal, _: OperationContext) -> GoalShown:
    """Remove a goal, and return what it was."""
    site = workspace.site(asked.site)
    goal = goals.goal_named(site, asked.goal)
    await goals.remove_goal(workspace.catalog, site.domain, goal.id)
    return shown(site.domain, goal)


def shown(domain: str, goal: Goal) -> GoalShown:
    """Return *goal* as scripts read it."""
    return GoalShown(
        site=domain,
        **{**msgspec.structs.asdict(goal), "properties": dict(goal.properties)},
    )
