"""Operations on a site's goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.catalog import goals, segment_goals
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


class GoalInUse(GoalShown, frozen=True, kw_only=True):
    """A goal, and what stops working without it."""

    segments: list[str]
    """The names of the segments that compare with its name."""


async def add_goal(workspace: Workspace, request: AddGoal, _: OperationContext) -> GoalShown:
    """Add a goal, or find the equal one."""
    domain = workspace.site(request.site).domain
    goal = Goal(
        id=0,
        name=request.name,
        event=request.event,
        page=request.page,
        scroll=request.scroll,
        properties=tuple(request.properties.items()),
        currency=request.currency,
    )
    return shown(domain, await goals.add_goal(workspace.catalog, domain, goal))


async def every_goal(
    workspace: Workspace, request: ListGoals, _: OperationContext
) -> Sequence[GoalShown]:
    """Return the goals of a site, by name."""
    site = workspace.site(request.site)
    return [shown(site.domain, goal) for goal in site.goals]


async def show_goal(workspace: Workspace, request: NamedGoal, _: OperationContext) -> GoalInUse:
    """Return one goal, and who uses it."""
    site = workspace.site(request.site)
    goal = goals.goal_named(site, request.goal)
    names = [segment.name for segment in segment_goals.naming(site, goal.name)]
    return GoalInUse(segments=names, **msgspec.structs.asdict(shown(site.domain, goal)))


async def change_goal(workspace: Workspace, request: ChangeGoal, _: OperationContext) -> GoalShown:
    """Change what is given of a goal."""
    site = workspace.site(request.site)
    old = goals.goal_named(site, request.goal)
    names = ("name", "event", "page", "scroll", "currency")
    changes = {
        name: getattr(request, name)
        for name in names
        if getattr(request, name) is not msgspec.UNSET
    }
    if request.properties is not msgspec.UNSET:
        changes["properties"] = tuple(request.properties.items())
    if "name" not in changes and old.name == goals.usual_name(old):
        changes["name"] = ""  # a name that nobody chose follows what the goal looks for
    goal = msgspec.structs.replace(old, **changes)
    return shown(site.domain, await goals.change_goal(workspace.catalog, site.domain, goal))


async def remove_goal(workspace: Workspace, request: NamedGoal, _: OperationContext) -> GoalShown:
    """Remove a goal, and return what it was."""
    site = workspace.site(request.site)
    goal = goals.goal_named(site, request.goal)
    await goals.remove_goal(workspace.catalog, site.domain, goal.id)
    return shown(site.domain, goal)


def shown(domain: str, goal: Goal) -> GoalShown:
    """Return *goal* as scripts read it."""
    return GoalShown(
        site=domain,
        **{**msgspec.structs.asdict(goal), "properties": dict(goal.properties)},
    )
