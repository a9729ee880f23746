"""`analytics site show` and `analytics site set`: what a site counts, and how long it keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click
import msgspec

from analytics.admin import sites
from analytics.cli import consent
from analytics.cli.options import F, as_json, common, settings
from analytics.cli.output import echo, show_json
from analytics.cli.run import run
from analytics.wording import counted

NONE: Final = "none"


class NumberOrNone(click.ParamType[int | str]):
    """A whole number, or the word that removes a setting."""

    name = "number or none"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Return the number, or the word as it is."""
        if value == NONE:
            return value
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a whole number nor {NONE}", param, ctx)


_SHIELDS: Final[dict[str, tuple[str, str]]] = {
    "addresses": ("--shield-address", "Drop hits from this address or network."),
    "countries": ("--shield-country", "Drop hits from this country, such as DE."),
    "pages": ("--shield-page", "Drop hits on this path; * stands for any text."),
    "hostnames": ("--shield-hostname", "Count this hostname, and no other."),
}


def _shield_options(function: F) -> F:
    for name, (option, text) in reversed(_SHIELDS.items()):
        function = _list_option(option, name, text)(function)
    return function


def _list_option(option: str, name: str, text: str) -> Callable[[F], F]:
    return click.option(
        option,
        name,
        multiple=True,
        metavar="TEXT",
        help=f"{text} Several replace the list; '' empties it.",
    )


@click.command()
@click.argument("name", metavar="SITE")
@as_json
@common
def show(name: str, *, as_json: bool) -> None:
    """Show the settings of SITE."""
    shown = run(settings(), "site.show", sites.NamedSite(site=name), sites.SiteShown)
    if as_json:
        show_json(shown)
    else:
        _echo_settings(shown)


@click.command("set")
@click.argument("name", metavar="SITE")
@click.option("--timezone", help="Its time zone.")
@click.option("--public/--no-public", default=None, help="Anyone may see the report.")
@click.option("--honour-dnt/--no-honour-dnt", default=None, help="Drop hits with DNT or Sec-GPC.")
@click.option("--cookieless/--no-cookieless", default=None, help="Count without cookies.")
@click.option(
    "--retention-days",
    type=NumberOrNone(),
    metavar="DAYS|none",
    help="Delete events when they are so old; none keeps them for good.",
)
@_list_option(
    "--other-hostname", "other_hostnames", "Count this hostname, too; * counts every one."
)
@_list_option(
    "--custom-property", "custom_properties", "Offer this property of events in the report."
)
@click.option(
    "--count-spam-referrers/--no-count-spam-referrers",
    default=None,
    help="Count visits from known spam referrers.",
)
@click.option(
    "--revenue-ceiling",
    type=NumberOrNone(),
    metavar="UNITS|none",
    help="Drop events with more revenue; none: the usual ceiling.",
)
@click.option(
    "--events-per-day",
    type=NumberOrNone(),
    metavar="NUMBER|none",
    help="Store no more events of senders without a key a UTC day; none takes any number.",
)
@_shield_options
@consent.YES
@as_json
@common
def set_(name: str, *, yes: bool, as_json: bool, **options: Any) -> None:
    """Change settings of SITE: what is not given stays as it is.

    A shorter retention deletes events for good: the command says how many, and asks.
    """
    changes = _changes(options)
    if not changes:
        raise click.UsageError("nothing to change; --help shows what can be set")
    days = changes.get("retention_days")
    if days is not None:
        _ask_before_expiry(name, days, yes=yes)
    request = sites.ChangeSite(site=name, **changes)
    changed = run(settings(), "site.change", request, sites.SiteShown)
    if as_json:
        show_json(changed)
    else:
        _echo_settings(changed)


def _changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of `ChangeSite` that the options ask for."""
    changes = {name: _value(value) for name, value in options.items() if value not in (None, ())}
    shields = {name: changes.pop(name) for name in _SHIELDS if name in changes}
    if shields:
        changes["shields"] = sites.ChangeShields(**shields)
    return changes


def _value(option: Any) -> Any:
    if isinstance(option, tuple):
        return tuple(entry for entry in option if entry)
    return None if option == NONE else option


def _ask_before_expiry(name: str, days: int, *, yes: bool) -> None:
    counting = sites.CountExpired(site=name, retention_days=days)
    expired = run(settings(), "site.expired", counting, sites.SiteExpired)
    if expired.events and consent.must_ask(yes=yes):
        consent.ask(
            f"This deletes {counted(expired.events, 'event')} of {expired.site} from before"
            f" {expired.first_kept} for good. Go on?"
        )


def _echo_settings(site: sites.SiteShown) -> None:
    values = msgspec.to_builtins(site)
    shields = {f"shields.{name}": value for name, value in values.pop("shields").items()}
    lines = {**values, **shields}
    width = max(map(len, lines))
    for name, value in lines.items():
        echo(f"{name:{width}}  {_worded(name, value)}")


_UNSET: Final = {
    "retention_days": "kept for good",
    "revenue_ceiling": "the usual one",
    "events_per_day": "any number",
}
"""What it means that a setting has no value."""


def _worded(name: str, value: Any) -> str:
    if value is None:
        return _UNSET[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    return str(value)
