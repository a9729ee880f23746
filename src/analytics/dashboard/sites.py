"""The list of sites, the form for a new site, and the page with its snippet."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from analytics.catalog import service
from analytics.catalog.domain import shown
from analytics.dashboard import display_names, figure_format, foreign_hosts, plot_points, setup
from analytics.dashboard.figure_format import FigureChange
from analytics.dashboard.first_hit import first_hit_of
from analytics.dashboard.page_request import PageRequest, redirect
from analytics.dashboard.plot_points import Sparkline
from analytics.dashboard.report_period import day_name
from analytics.dashboard.templates import path_of
from analytics.dashboard.unknown_sites import unknown_sites
from analytics.date_range import local
from analytics.errors import Conflict, Malformed
from analytics.parsing import whole_number
from analytics.query import Metric, Recent
from analytics.site import Site

PAGE_SITES: Final = 48
_FEW_SITES: Final = 10
"""The most sites for which the list has no search box."""
_LONGEST_SEARCH: Final = 300
_MAX_PAGE: Final = 100_000
_QUIET: Final = Recent(visitors=0, before=0, current=0, hours=(0,) * 24)


class SiteCard(NamedTuple):
    """One site in the list, with its figures of the last 24 hours."""

    domain: str
    visitors: str
    change: FigureChange | None
    current: int
    line: Sparkline


async def show(ask: PageRequest) -> Response:
    """Show the sites that this person may see; before there are accounts, the welcome page."""
    if ask.person is None and not await ask.deps.catalog.people.all():
        return setup.welcome(ask)
    person = ask.someone()
    sites = [site.domain for site in ask.sites()]
    if person.owner and not sites:
        return redirect("/sites/new")
    params = ask.request.query_params
    search = params.get("search", "").strip()[:_LONGEST_SEARCH]
    matching = [domain for domain in sites if _is_like(domain, search)]
    pages = max(1, -(-len(matching) // PAGE_SITES))
    number = min(whole_number(params.get("page", "1"), "page", least=1, most=_MAX_PAGE), pages)
    domains = matching[(number - 1) * PAGE_SITES : number * PAGE_SITES]
    lag = ask.deps.lag()
    recent = await ask.deps.store.recent(domains, ask.deps.clock())
    unknown = await unknown_sites(ask.deps) if person.owner else ()
    return await ask.long_page(
        "sites.html",
        unknown=unknown,
        cards=[_card(domain, recent.get(domain, _QUIET)) for domain in domains],
        lag=lag,
        search=search,
        searches=bool(search) or len(sites) > _FEW_SITES,
        total=len(matching),
        number=number,
        pages=pages,
        page_url=lambda page: (
            "/?" + urlencode(({"search": search} if search else {}) | {"page": page})
        ),
    )


def _is_like(domain: str, search: str) -> bool:
    """Return True if *domain*, in either spelling, contains *search* or the host of its address."""
    part = search.casefold().partition("://")[2].partition("/")[0] or search.casefold()
    return part in domain or part in shown(domain).casefold()


def _card(domain: str, recent: Recent) -> SiteCard:
    return SiteCard(
        domain=domain,
        visitors=figure_format.short(recent.visitors),
        change=figure_format.change(Metric.VISITORS, recent.visitors, recent.before),
        current=recent.current,
        line=plot_points.sparkline(recent.hours),
    )


async def new(ask: PageRequest) -> Response:
    """Show the form for a new site."""
    ask.owner()
    domain = ask.request.query_params.get("domain", "")[:300]
    return _form(ask, domain=domain, timezone="", problem="")


async def add(ask: PageRequest) -> Response:
    """Create the site and redirect to the page with its snippet."""
    ask.owner()
    form = await ask.form()
    domain, timezone = form.get("domain", "").strip(), form.get("timezone", "Etc/UTC")
    timezone = display_names.timezone_of(timezone)
    try:
        added = await service.add_site(ask.deps.catalog, ask.deps.store, domain, timezone=timezone)
    except (Malformed, Conflict) as error:
        problem = error.reason if isinstance(error, Malformed) else str(error)
        return _form(ask, domain=domain, timezone=timezone, problem=problem, status=400)
    start_page = f"{path_of(added.site.domain)}/start"
    if added.since is None:
        return redirect(start_page)
    day = day_name(local(added.since, added.site.timezone).date(), with_year=True)
    return ask.done(
        start_page,
        f"{added.site.domain} was a site here before: its events since {day} are shown again. To"
        " delete them, remove the site in its settings and choose to delete its events.",
    )


def _form(
    ask: PageRequest, *, domain: str, timezone: str, problem: str, status: int = 200
) -> Response:
    return ask.page(
        "new_site.html",
        status=status,
        domain=domain,
        timezone=timezone,
        timezones=display_names.timezones(),
        problem=problem,
        first=not ask.sites(),
    )


async def start(ask: PageRequest) -> Response:
    """Show the snippet to paste, and whether the first page view has arrived."""
    site = ask.site()
    person = ask.someone()
    first_hit = await first_hit_of(ask.deps, site)
    unknown = await unknown_sites(ask.deps) if person.owner and not first_hit.seen else ()
    foreign = await foreign_hosts.foreign_hosts(ask.deps, site) if person.owner else ()
    return ask.page(
        "start.html",
        site=site,
        snippet=snippet(ask, site),
        local=snippet(ask, site, on_this_machine=True),
        server_is_local=_is_local(ask.request.url.hostname or "") and not _is_local(site.domain),
        server=ask.origin().partition("://")[2],
        came=first_hit,
        first_run=person.owner and not first_hit.seen,
        foreign=foreign,
        unknown=unknown,
    )


def snippet(ask: PageRequest, site: Site, *, on_this_machine: bool = False) -> str:
    """Return the line of HTML that loads the tracker; *on_this_machine* counts localhost, too."""
    local = " data-allow-local" if on_this_machine or _is_local(site.domain) else ""
    source = f"{ask.origin()}/tracker.js"
    return f'<script defer data-domain="{site.domain}"{local} src="{source}"></script>'


def _is_local(host: str) -> bool:
    """Return True if the tracker ignores *host* unless it has `data-allow-local`."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name == "localhost" or name.endswith(".localhost") or name.startswith("127.")
