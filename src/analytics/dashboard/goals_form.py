"""The forms that add, change and remove a site's goals, and rename and remove its segments."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs
from starlette.datastructures import FormData
from starlette.responses import Response

from analytics.catalog import goals, segment_goals, segments
from analytics.catalog.site_items import GOALS, SEGMENTS
from analytics.dashboard import confirmation
from analytics.dashboard.confirmation import Confirmation
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.templates import path_of
from analytics.errors import Malformed, NotFound
from analytics.goal import Goal, Segment
from analytics.parsing import digits, whole_number
from analytics.site import Site


async def save(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Add the goal that the form describes, or change the one whose id it has."""
    goal = _goal(form)
    if goal.id:
        saved = await goals.change_goal(ask.deps.catalog, site.domain, goal)
        return ask.done(_settings(site), f"Saved: {saved.name}.", where="goals")
    saved = await goals.add_goal(ask.deps.catalog, site.domain, goal)
    text = f"{saved.name} is a goal now. What visitors did before counts, too."
    return ask.done(_settings(site), text, where="goals")


async def remove(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Remove a goal, once the change is confirmed."""
    question = await removal_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    goal = GOALS.find(site, _id(question.fields["goal"]))
    await goals.remove_goal(ask.deps.catalog, site.domain, goal.id)
    return ask.done(_settings(site), f"{goal.name} is removed.", where="goals")


async def removal_question(
    _: PageRequest, site: Site, fields: Mapping[str, object]
) -> Confirmation:
    """Return the confirmation of removing a goal. Raise `NotFound`."""
    goal = GOALS.find(site, _id(fields.get("goal", "")))
    names = ", ".join(each.name for each in segment_goals.naming(site, goal.name))
    return Confirmation(
        page=f"{_settings(site)}/confirm",
        action=_settings(site),
        back=f"{_settings(site)}#goals",
        title=f"Remove the goal {goal.name}?",
        says=(
            "Reports no longer show it, and addresses and segments that filter by it stop working"
            + (f": {names}." if names else "."),
            "No event is deleted: the same goal, made again, has the same figures.",
        ),
        button="Remove the goal",
        fields={"form": "remove-goal", "goal": str(goal.id)},
    )


async def rename_segment(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Give a segment another name."""
    segment = SEGMENTS.find(site, _id(form.get("segment", "")))
    renamed = structs.replace(segment, name=_text(form, "name"))
    await segments.change_segment(ask.deps.catalog, site.domain, renamed)
    return ask.done(_settings(site), f"Saved: {renamed.name}.", where="segments")


async def remove_segment(ask: PageRequest, site: Site, form: FormData) -> Response:
    """Remove a segment, once the change is confirmed."""
    question = await segment_question(ask, site, form)
    if answer := confirmation.first(ask, question, form):
        return answer
    segment = SEGMENTS.find(site, _id(question.fields["segment"]))
    await segments.remove_segment(ask.deps.catalog, site.domain, segment.id)
    return ask.done(_settings(site), f"{segment.name} is removed.", where="segments")


async def segment_question(
    _: PageRequest, site: Site, fields: Mapping[str, object]
) -> Confirmation:
    """Return the confirmation of removing a segment. Raise `NotFound`."""
    segment = SEGMENTS.find(site, _id(fields.get("segment", "")))
    return Confirmation(
        page=f"{_settings(site)}/confirm",
        action=_settings(site),
        back=f"{_settings(site)}#segments",
        title=f"Remove the segment {segment.name}?",
        says=(f"{_whose(segment)} Addresses that use it stop working; no event is deleted.",),
        button="Remove the segment",
        fields={"form": "remove-segment", "segment": str(segment.id)},
    )


def described(goal: Goal) -> str:
    """Return in words what *goal* looks for."""
    if goal.scroll is not None:
        return f"Scrolled {goal.scroll}% down {goal.page}"
    text = f"Event {goal.event}" if goal.event else f"Views of {goal.page}"
    if goal.event and goal.page:
        text += f" on {goal.page}"
    if goal.properties:
        text += " with " + " and ".join(f"{name} = {value}" for name, value in goal.properties)
    return text + (f" · revenue in {goal.currency}" if goal.currency else "")


def _goal(form: FormData) -> Goal:
    scroll = _text(form, "scroll").removesuffix("%").strip()
    return Goal(
        id=_id(form.get("goal", "") or "0"),
        name=_text(form, "name"),
        event=_text(form, "event"),
        page=_text(form, "page"),
        scroll=whole_number(scroll, "scroll", least=1, most=100) if scroll else None,
        properties=_properties(_text(form, "properties")),
        currency=_text(form, "currency"),
    )


def _properties(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals:
            raise Malformed("properties", f"{line[:60]!r}: write a name, =, and a value")
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def _whose(segment: Segment) -> str:
    if segment.owner:
        return f"It is the own one of {segment.owner}."
    return "Everybody who sees the site has it."


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()


def _id(text: object) -> int:
    number = digits(str(text)[:19])
    if number is None:
        raise NotFound("There is nothing of this number here.")
    return number


def _settings(site: Site) -> str:
    return f"{path_of(site.domain)}/settings"
