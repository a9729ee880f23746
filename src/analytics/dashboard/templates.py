"""Renders templates to pages; every value is escaped."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analytics import submission
from analytics.catalog import domain as domains
from analytics.dashboard import display_names, figure_format, filters
from analytics.dashboard.report_period import day_name
from analytics.date_range import local
from analytics.site import Site

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
FIRST_LETTER: Final = 0x1F1E6
"""REGIONAL INDICATOR SYMBOL LETTER A; two of them make a flag."""


@cache
def static_version() -> str:
    """Return a hash of all static files. It is part of their addresses, so caches may keep them."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(STATIC)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def static(path: str) -> str:
    """Return the address of the static file at *path*."""
    return f"/static/{static_version()}/{path}"


def flag(country: str) -> str:
    """Return the flag of an ISO 3166-1 alpha-2 code; "" for any other text."""
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        return ""
    return "".join(chr(FIRST_LETTER + ord(letter) - ord("A")) for letter in country.upper())


def path_of(domain: str) -> str:
    """Return the path of a site's pages."""
    return "/" + quote(domain, safe="")


def clock(at_ms: int, timezone: str) -> str:
    """Return a time in UTC milliseconds as local time: `17:05 on 25 November`."""
    at = local(at_ms, timezone)
    return f"{at:%H:%M} on {at.day} {at:%B}"


def day(at_ms: int) -> str:
    """Return the UTC day of a time in milliseconds, as `25 Nov 2026`."""
    return day_name(local(at_ms, "Etc/UTC").date(), with_year=True)


def sentence(text: str) -> str:
    """Return *text* with a capital letter and a full stop.

    An address or a quoted name at the beginning keeps its first letter.
    """
    first = text.split(maxsplit=1)[0].rstrip(":") if text.strip() else ""
    if first and not any(mark in first for mark in "@.'/:"):
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def segment_name(site: Site, segment_id: str) -> str:
    """Return what a segment of *site* is called; its id if it is gone."""
    names = {str(each.id): each.name for each in site.segments}
    return names.get(segment_id, segment_id)


@cache
def environment() -> Environment:
    """Return the Jinja environment: values are escaped, and an unknown name is an error."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(static=static, path_of=path_of, metric_labels=figure_format.LABELS)
    env.globals.update(segment_name=segment_name, new_token=submission.new_token)
    env.globals.update(column_labels=figure_format.SHORT_LABELS)
    env.filters.update(
        clock=clock,
        day=day,
        flag=flag,
        site_name=domains.shown,
        country_name=display_names.country,
        language_name=display_names.language,
        sentence=sentence,
        short=figure_format.short,
        filter_label=filters.label,
        seconds=figure_format.duration,
    )
    return env


def warm() -> None:
    """Compile all templates now, so that the first page does not hold up events."""
    for name in environment().list_templates():
        environment().get_template(name)


def render(name: str, **values: object) -> str:
    """Return the template *name* rendered with *values*."""
    return environment().get_template(name).render(**values)
