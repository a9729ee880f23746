"""The export of Plausible is read as its documentation describes it, within bounds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from tests.imported import export

from analytics import localtime
from analytics.errors import Malformed
from analytics.imported import plausible_export
from analytics.imported.daily_sums import DailySum, SumKind

DAY = localtime.day_number(date(2023, 2, 9))
TODAY = DAY + 1000


def read(tmp_path: Path, tables: dict[str, export.Table | str]) -> list[DailySum]:
    return list(plausible_export.read(export.write(tmp_path / "export.zip", tables), TODAY))


# The rows are of the kinds that https://plausible.io/docs/csv-import describes.
BROWSERS = """"date","browser","browser_version","visitors","visits","visit_duration","bounces",\
"pageviews"
"2023-02-09","Safari","16.3",5,6,512,2,10
"2023-02-09","Microsoft Edge","111.0",1,1,987,0,3
"""


def test_every_kind_of_file_is_read_by_the_names_that_values_have_here(tmp_path: Path) -> None:
    sums = read(
        tmp_path,
        {
            "browsers": BROWSERS,
            "visitors": "date,visitors,pageviews,bounces,visits,visit_duration\n"
            "2023-02-09,119,304,77,134,21070\n",
            "sources": "date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,"
            "utm_term,pageviews,visitors,visits,visit_duration,bounces\n"
            "2023-02-09,DuckDuckGo,duckduckgo.com,,,,,,2,1,1,19,0\n"
            "2023-02-09,,,,,,,,5,4,4,0,4\n"
            "2023-02-09,shop news,,shop news,email,,,,1,1,1,0,1\n",
            "pages": "date,hostname,page,visits,visitors,pageviews,total_scroll_depth,"
            "total_scroll_depth_visits,total_time_on_page,total_time_on_page_visits\n"
            "2023-02-09,example.com,/docs,8,7,9,320,6,90,5\n",
            "entry_pages": "date,entry_page,visitors,entrances,visit_duration,bounces,pageviews\n"
            "2023-02-09,/docs,28,29,3573,13,64\n",
            "exit_pages": "date,exit_page,visitors,visit_duration,exits,bounces,pageviews\n"
            "2023-02-09,/docs,14,224,15,13,23\n",
            "custom_events": "date,name,link_url,path,visitors,events\n"
            "2023-02-09,404,,/no-such-page,1,2\n"
            "2023-02-09,Outbound Link: Click,https://example.org/,,3,4\n",
            "locations": "date,country,region,city,visitors,visits,visit_duration,bounces,"
            "pageviews\n2023-02-09,FR,FR-PAC,3027647,1,1,4,0,2\n2023-02-09,EE,EE-37,588409,1,1,4,0,2\n2023-02-09,ZZ,,0,1,1,4,0,2\n",
            "devices": "date,device,visitors,visits,visit_duration,bounces,pageviews\n"
            "2023-02-09,Laptop,19,21,3545,11,36\n",
            "operating_systems": "date,operating_system,operating_system_version,visitors,visits,"
            "visit_duration,bounces,pageviews\n2023-02-09,Mac,10.14,1,1,19,0,2\n",
        },
    )
    assert {each.kind for each in sums} == frozenset(SumKind)
    assert {each.day for each in sums} == {DAY}

    def of(kind: SumKind) -> list[DailySum]:
        return [each for each in sums if each.kind is kind]

    assert of(SumKind.VISITORS) == [
        DailySum(
            kind=SumKind.VISITORS,
            day=DAY,
            visitors=119,
            visits=134,
            pageviews=304,
            events=304,
            bounces=77,
            seconds=21070,
        )
    ]
    assert [(s.entry_browser, s.entry_browser_version) for s in of(SumKind.BROWSERS)] == [
        ("Safari", "16.3"),
        ("Edge", "111.0"),
    ]
    assert [(s.entry_source, s.entry_channel) for s in of(SumKind.SOURCES)] == [
        ("DuckDuckGo", "Organic Search"),
        ("", "Direct"),
        ("shop news", "Email"),
    ]
    (page,) = of(SumKind.PAGES)
    assert (page.name, page.hostname, page.path) == ("pageview", "example.com", "/docs")
    assert (page.scroll_sum, page.scroll_visits) == (320, 6)
    assert (page.engaged_s, page.engaged_visits) == (90, 5)
    assert [(s.entry_path, s.visits) for s in of(SumKind.ENTRY_PAGES)] == [("/docs", 29)]
    assert [(s.exit_path, s.visits) for s in of(SumKind.EXIT_PAGES)] == [("/docs", 15)]
    assert [(s.name, s.props, s.events, s.pageviews) for s in of(SumKind.CUSTOM_EVENTS)] == [
        ("404", {"path": "/no-such-page"}, 2, 0),
        ("Outbound Link: Click", {"url": "https://example.org/"}, 4, 0),
    ]
    assert [(s.entry_country, s.entry_region, s.entry_city) for s in of(SumKind.LOCATIONS)] == [
        ("FR", "FR-PAC", "3027647"),  # the table does not have it
        ("EE", "EE-37", "Tallinn"),
        ("", "", ""),
    ]
    assert [s.entry_device for s in of(SumKind.DEVICES)] == ["Desktop"]
    assert [s.entry_os for s in of(SumKind.OPERATING_SYSTEMS)] == ["Mac OS X"]


def test_columns_may_be_missing_or_of_a_later_version(tmp_path: Path) -> None:
    path = export.write(
        tmp_path / "export.zip", {"pages": "page,date,visitors,likes\n/a,2023-02-09,3,7\n"}
    )
    ignored: dict[str, Sequence[str]] = {}
    (one,) = plausible_export.read(path, TODAY, ignore=ignored.__setitem__)
    assert (one.path, one.day, one.visitors, one.pageviews) == ("/a", DAY, 3, 0)
    assert ignored == {"imported_pages_20230209_20240123.csv": ["likes"]}


@pytest.mark.parametrize(
    ("kind", "header", "reason"),
    [
        ("visitors", "date,visiters,page_views", "names no column of numbers"),
        ("visitors", "date", "names no column of numbers"),
        ("pages", "date,path,visitors", "names no column page"),
        ("custom_events", "date,event,visitors,events", "names no column name"),
        ("sources", "date,from,visitors", "names none of the columns source, referrer"),
    ],
)
def test_a_file_that_would_bring_nothing_but_zeros_or_empty_names_is_refused(
    tmp_path: Path, kind: str, header: str, reason: str
) -> None:
    with pytest.raises(Malformed) as failed:
        read(tmp_path, {kind: f"{header}\n2023-02-09,1,2,3\n"})
    assert failed.value.field == f"imported_{kind}_20230209_20240123.csv, line 1"
    assert reason in failed.value.reason


def test_a_row_of_nothing_but_zeros_is_no_sum(tmp_path: Path) -> None:
    text = "date,visitors,pageviews\n2023-02-09,0,0\n2023-02-10,0,2\n2023-02-11,,\n"
    assert [each.day for each in read(tmp_path, {"visitors": text})] == [DAY + 1]


def packed(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def test_a_day_of_visitors_is_in_an_archive_once(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"line 3: date: 2023-02-09 is in line 2, too"):
        read(tmp_path, {"visitors": "date,visitors\n2023-02-09,1\n2023-02-09,2\n"})


@pytest.mark.parametrize("kind", ["visitors", "pages"])
def test_two_files_of_a_kind_have_no_day_in_common(tmp_path: Path, kind: str) -> None:
    header = "date,page,visitors\n"
    first, second = f"imported_{kind}_20230209_20230210.csv", f"imported_{kind}.csv"
    files = {
        first: f"{header}2023-02-09,/a,1\n2023-02-10,/a,2\n",
        second: f"{header}2023-02-11,/a,1\n2023-02-10,/b,2\n",
    }
    with pytest.raises(Malformed) as failed:
        list(plausible_export.read(packed(tmp_path / "export.zip", files), TODAY))
    assert failed.value.field == f"{second}, line 3"
    assert f"2023-02-10 is in {first}, too" in failed.value.reason
    files[second] = f"{header}2023-02-11,/a,1\n"
    apart = plausible_export.read(packed(tmp_path / "export.zip", files), TODAY)
    assert [each.visitors for each in apart] == [1, 2, 1]


@pytest.mark.parametrize(
    ("days", "field", "reason"),
    [
        ("20230210_20230209", "", "ends before it begins"),
        ("20230230_20230301", "", "'20230230' in its name is not a day"),
        ("20230210_20230211", ", line 2", "2023-02-09 is not in the range of the file's name"),
        ("20230201_20230208", ", line 2", "2023-02-09 is not in the range of the file's name"),
    ],
)
def test_the_range_in_a_name_holds(tmp_path: Path, days: str, field: str, reason: str) -> None:
    name = f"imported_visitors_{days}.csv"
    path = packed(tmp_path / "export.zip", {name: "date,visitors\n2023-02-09,1\n"})
    with pytest.raises(Malformed) as failed:
        list(plausible_export.read(path, TODAY))
    assert failed.value.field == f"{name}{field}"
    assert reason in failed.value.reason


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("Germany,,", "country: 'Germany' is not an ISO 3166-1 code such as DE"),
        ("XX,,", "country: 'XX'"),
        ("de,,", "country: 'de'"),
        ("DE,Berlin,", "region: 'Berlin' is not an ISO 3166-2 code such as DE-BE"),
        ("DE,de-be,", "region: 'de-be'"),
    ],
)
def test_a_place_without_a_code_is_refused(tmp_path: Path, place: str, reason: str) -> None:
    text = f"date,country,region,city,visitors\n2023-02-09,XK,,0,1\n2023-02-09,{place},1\n"
    with pytest.raises(Malformed) as failed:
        read(tmp_path, {"locations": text})
    assert failed.value.field.endswith(", line 3")
    assert reason in failed.value.reason


def test_an_average_is_of_no_more_than_there_is(tmp_path: Path) -> None:
    text = "date,visitors,visits,bounces\n2023-02-09,1,2,5\n"
    (one,) = read(tmp_path, {"visitors": text})
    assert (one.visits, one.bounces) == (2, 2)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("date,visitors\n2023-02-09,1\n2023-02-30,1\n", 3, "'2023-02-30' is not a date"),
        ("date,visitors\n2023-02-09,-1\n", 2, "visitors: '-1' is not a whole number"),
        ("date,visitors\n2023-02-09,1e3\n", 2, "visitors: '1e3' is not a whole number"),
        ("date,visitors\n2023-02-09,٣\n", 2, "is not a whole number"),
        ("date,visitors\n2023-02-09,9999999999999\n", 2, "1,000,000,000,000"),
        ("date,visitors\n2023-02-09\n", 2, "has 1 values, and the first line 2"),
        ("date,visitors\n2199-01-01,1\n", 2, "2199-01-01 is yet to come"),
        ("visitors\n1\n", 1, "names no column date"),
        ("", 1, "names no column date"),
        ("date,visitors,visitors\n", 1, "names a column twice"),
        ('date,visitors\n2023-02-09,"1"2\n', 2, "is not CSV"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(
    tmp_path: Path, text: str, line: int, reason: str
) -> None:
    with pytest.raises(Malformed) as failed:
        read(tmp_path, {"visitors": text})
    assert failed.value.field == f"imported_visitors_20230209_20240123.csv, line {line}"
    assert reason in failed.value.reason


def test_text_that_is_not_utf_8_or_too_long_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:
        rows = b"2023-02-09,1,/a\n" * 900 + b"2023-02-09,1,/\xff\n"
        packed.writestr("imported_pages_20230209_20240123.csv", b"date,visitors,page\n" + rows)
    with pytest.raises(Malformed, match=r"line 902: is not in UTF-8"):
        list(plausible_export.read(path, TODAY))
    with pytest.raises(Malformed, match="8,192 characters"):
        read(tmp_path, {"pages": f"date,visitors,page\n2023-02-09,1,/{'a' * 8200}\n"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"date,visitors\n", "is not a ZIP archive"),
        (b"PK\x03\x04" + b"\0" * 40, "is cut short"),
        (export.archive({"visitors": "date,visitors\n2023-02-09,1\n"})[:-30], "is cut short"),
    ],
)
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "export.zip"
    path.write_bytes(data)
    with pytest.raises(Malformed, match=reason):
        list(plausible_export.read(path, TODAY))


def test_a_damaged_file_in_the_archive_is_no_archive_that_can_be_read(tmp_path: Path) -> None:
    data = bytearray(export.archive({"visitors": "date,visitors\n2023-02-09,1\n" * 500}))
    data[80:90] = b"\0" * 10
    path = tmp_path / "export.zip"
    path.write_bytes(data)
    with pytest.raises(Malformed):
        list(plausible_export.read(path, TODAY))


def test_a_file_of_another_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="imported_visitors, imported_sources"):
        read(tmp_path, {"weather": "date\n"})


def test_an_archive_that_holds_nothing_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("__MACOSX/._imported_visitors.csv", "")
        packed.writestr("folder/", "")
    with pytest.raises(Malformed, match="holds no imported_"):
        list(plausible_export.read(path, TODAY))


def test_files_may_lie_in_a_folder_and_have_no_dates_in_their_names(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("site/imported_visitors.csv", "date,visitors\n2023-02-09,3\n")
    assert [each.visitors for each in plausible_export.read(path, TODAY)] == [3]


def test_an_archive_that_unpacks_to_more_than_it_may_is_given_up(
    tmp_path: Path,
) -> None:
    text = "date,visitors,page\n" + f"2023-02-09,1,/{'a' * 1000}\n" * 2000
    path = export.write(tmp_path / "export.zip", {"pages": text})
    assert path.stat().st_size < 20_000
    with pytest.raises(Malformed, match="unpacks to more than 1 MiB"):
        list(plausible_export.read(path, TODAY, unpacked_bytes=1 << 20))


def test_more_rows_than_may_be_are_given_up(tmp_path: Path) -> None:
    tables = {"pages": "date,visitors,page\n" + "2023-02-09,1,/a\n" * 4}
    path = export.write(tmp_path / "export.zip", tables)
    with pytest.raises(Malformed, match="more than 3 rows"):
        list(plausible_export.read(path, TODAY, rows=3))


def test_an_encrypted_archive_says_so(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        packed.writestr("imported_visitors.csv", "date\n")
    raw = bytearray(data.getvalue())
    for at in (raw.index(b"PK\x03\x04") + 6, raw.index(b"PK\x01\x02") + 8):
        raw[at] |= 1  # the flag of encryption
    path = tmp_path / "export.zip"
    path.write_bytes(raw)
    with pytest.raises(Malformed, match="encrypted"):
        list(plausible_export.read(path, TODAY))
