"""Another product's export comes in once, counts where nothing else does, and goes out whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import pytest
from tests.imported import export

from analytics.admin import erasing, importing, importing_sums, sites
from analytics.admin.importing_sums import (
    ImportSums,
    ListImports,
    NamedImport,
    SumsImported,
)
from analytics.admin.operation_context import OperationContext
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed, NotFound
from analytics.query import Imports, Metric, Period, Query
from analytics.testing.builders import hit

SITE = "example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


@pytest.fixture(autouse=True)
async def _site(workspace: Workspace) -> None:
    await workspace.catalog.sites.add(SITE, timezone="Etc/UTC")


def visitors(*days: str, visitors: int = 10) -> export.Table:
    return [
        {
            "date": day,
            "visitors": visitors,
            "pageviews": 3 * visitors,
            "bounces": 5,
            "visits": 2 * visitors,
            "visit_duration": 600,
        }
        for day in days
    ]


async def bring(
    workspace: Workspace, tables: Mapping[str, export.Table | str], name: str = "export.zip"
) -> SumsImported:
    data = export.archive(tables)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 100):
            yield data[at : at + 100]

    asked = ImportSums(product="plausible", site=SITE, file=name, bytes=len(data))
    return await importing_sums.add(workspace, asked, OperationContext(input=pieces()))


async def figures(workspace: Workspace) -> tuple[object, ...]:
    def at(day: str) -> int:
        return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)

    asked = Query(
        site=SITE,
        metrics=(Metric.VISITORS, Metric.VISITS, Metric.PAGEVIEWS, Metric.BOUNCE_RATE),
        period=Period(at("2023-01-01"), at("2027-01-01"), "Etc/UTC"),
        imports=True,
    )
    result = await workspace.store.query(asked)
    return result.imports, *result.rows[0].metrics


async def own_event(workspace: Workspace, day: str) -> None:
    at = round(datetime.fromisoformat(f"{day}T12:00+00:00").timestamp() * 1000)
    await workspace.log.append([hit(at, site=SITE, hostname=SITE)])
    await workspace.settle()


async def test_sums_join_the_figures_once(workspace: Workspace) -> None:
    tables = {"visitors": visitors("2023-02-09", "2023-02-10")}
    done = await bring(workspace, tables, "/tmp/somewhere/\x1bexport.zip")
    assert done.added is not None
    assert (done.added.id, done.added.product, done.added.file) == (1, "plausible", "export.zip")
    assert (done.added.first_day, done.added.last_day) == ("2023-02-09", "2023-02-10")
    assert (done.rows, done.added.visitors, done.added.pageviews) == (2, 20, 60)
    assert await figures(workspace) == (Imports.INCLUDED, 20, 40, 60, 25)
    again = await bring(workspace, tables, "copy.zip")
    assert (again.rows, again.added, again.already) == (0, None, done.added)
    assert await figures(workspace) == (Imports.INCLUDED, 20, 40, 60, 25)


async def test_days_from_the_first_own_event_on_are_left_out(workspace: Workspace) -> None:
    await own_event(workspace, "2023-02-10")
    done = await bring(workspace, {"visitors": visitors("2023-02-09", "2023-02-10", "2023-02-11")})
    assert (done.rows, done.days_with_events) == (1, 2)
    assert await figures(workspace) == (Imports.INCLUDED, 11, 21, 31, 29)


async def test_days_that_another_import_has_are_left_out(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2023-02-09", "2023-02-12")})
    done = await bring(
        workspace, {"visitors": visitors("2023-02-08", "2023-02-11", "2023-02-13", visitors=20)}
    )
    assert (done.rows, done.days_of_other_imports) == (2, 1)
    none = await bring(workspace, {"visitors": visitors("2023-02-10")})
    assert (none.rows, none.added, none.days_of_other_imports) == (0, None, 1)
    assert [each.id for each in await workspace.store.imports(SITE)] == [1, 2]


async def test_sums_of_another_kind_are_no_overlap(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2023-02-09")})
    done = await bring(workspace, {"pages": "date,page,visitors\n2023-02-09,/a,3\n"})
    assert (done.rows, done.days_of_other_imports) == (1, 0)


async def test_days_left_out_are_counted_by_the_kind_of_sums(workspace: Workspace) -> None:
    page = "date,page,visitors\n"
    await bring(
        workspace,
        {"visitors": visitors("2023-02-09", "2023-02-10"), "pages": f"{page}2023-02-10,/a,3\n"},
    )
    pages = f"{page}2023-02-09,/a,3\n2023-02-10,/a,3\n2023-02-10,/b,3\n"
    done = await bring(
        workspace, {"visitors": visitors("2023-02-09", "2023-02-10", visitors=4), "pages": pages}
    )
    # The 9th is left out of visitors, though its pages got in.
    assert (done.rows, done.days_of_other_imports) == (1, 2)
    assert done.days_left_out_by_kind == {"pages": 1, "visitors": 2}


async def test_an_import_is_taken_out_as_a_whole(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2023-02-09")})
    await bring(workspace, {"visitors": visitors("2023-02-10", visitors=7)})
    job = OperationContext()
    removed = await importing_sums.remove(workspace, NamedImport(site=SITE, id=1), job)
    assert (removed.id, removed.visitors) == (1, 10)
    left = await importing_sums.every(workspace, ListImports(site=SITE), job)
    assert [(each.id, each.visitors) for each in left] == [(2, 7)]
    assert (await figures(workspace))[:2] == (Imports.INCLUDED, 7)
    with pytest.raises(NotFound, match="no import 1; it has 2"):
        await importing_sums.remove(workspace, NamedImport(site=SITE, id=1), job)


async def test_a_file_that_cannot_be_read_adds_nothing_and_leaves_no_file(
    workspace: Workspace,
) -> None:
    text = "date,visitors\n2023-02-09,1\n2023-02-10,many\n"
    with pytest.raises(Malformed, match="line 3"):
        await bring(workspace, {"visitors": text})
    assert await workspace.store.imports(SITE) == []
    assert not [*workspace.folder.scratch.glob("import-*")]


async def test_columns_that_are_not_known_are_named(workspace: Workspace) -> None:
    done = await bring(workspace, {"visitors": "date,visitors,likes\n2023-02-09,1,2\n"})
    assert done.ignored_columns == {"imported_visitors_20230209_20240123.csv": ["likes"]}


async def test_a_file_that_is_no_archive_is_named(workspace: Workspace) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"no archive"

    request = ImportSums(product="plausible", site=SITE, file="/tmp/export.zip", bytes=10)
    with pytest.raises(Malformed, match=r"^export\.zip: is not a ZIP archive"):
        await importing_sums.add(workspace, request, OperationContext(input=pieces()))


async def test_an_unknown_product_is_refused_with_those_that_are_known(
    workspace: Workspace,
) -> None:
    asked = ImportSums(product="plausable", site=SITE, file="export.zip")
    with pytest.raises(Malformed, match="plausible"):
        await importing_sums.add(workspace, asked, OperationContext())


async def test_erasing_everything_of_a_site_erases_its_imports(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2023-02-09")})
    await own_event(workspace, "2023-02-10")
    asked = erasing.Erase(site=SITE, visitor=None)
    job = OperationContext()
    assert (await erasing.count(workspace, asked, job)).imports == 1
    assert (await sites.attached(workspace, sites.NamedSite(site=SITE), job)).imports == 1
    done = await erasing.run(workspace, asked, job)
    assert (done.rows, done.imports) == (1, 1)
    assert await workspace.store.imports(SITE) == []
    assert (await figures(workspace))[0] is Imports.NO_IMPORTED_DATA


async def test_retention_is_about_events_and_leaves_sums(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2023-02-09")})
    await own_event(workspace, "2023-02-10")
    later = round(datetime(2023, 3, 1, tzinfo=UTC).timestamp() * 1000)
    await workspace.erases.retain(SITE, later)
    assert await figures(workspace) == (Imports.INCLUDED, 10, 20, 30, 25)


async def test_a_log_of_days_that_sums_have_is_warned_of(workspace: Workspace) -> None:
    await bring(workspace, {"visitors": visitors("2015-05-16", "2015-05-18")})
    lines = [
        f'192.0.2.1 - - [{day}/May/2015:10:05:0{n} +0000] "GET /{n} HTTP/1.1" 200 9 "-" "{agent}"'
        for day in (15, 16, 17, 20)
        for n, agent in enumerate((FIREFOX, GOOGLEBOT if day == 16 else FIREFOX))
    ]

    async def pieces() -> AsyncIterator[bytes]:
        yield "\n".join(lines).encode()

    request = importing.ImportPast(format="access-log", site=SITE)
    done = await importing.run(workspace, request, OperationContext(input=pieces()))
    assert (done.pageviews, done.bots, done.days_of_sums) == (8, 1, 2)
    # Of the days from the log's first on, the import's range has the 17th and 18th, too; brought
    # in again it would have neither, and the log has only the 17th.
    assert (done.first_day_of_people, done.days_of_sums_only) == ("2015-05-15", 1)
    await importing_sums.remove(workspace, NamedImport(site=SITE, id=1), OperationContext())
    again = await bring(workspace, {"visitors": visitors("2015-05-14", "2015-05-16")})
    assert (again.days_with_events, again.rows) == (1, 1)
