"""The contract of every `SeriesStore`: subclass it, and provide a `taking` fixture.

`SeriesStoreContract` is for all stores; the others are for optional abilities, one for each
protocol of `analytics.store.base`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from msgspec import structs

from analytics.errors import Conflict, Malformed
from analytics.event import ENGAGEMENT, Drop, DropReason, Hit, LogRecord
from analytics.exploration import (
    Exploration,
    FunnelQuery,
    JourneyQuery,
    RetentionQuery,
    RetentionUnit,
)
from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.query import (
    Compare,
    CurrencyRates,
    DailyRates,
    Dimension,
    InSequence,
    Metric,
    NamedFilter,
    Op,
    Order,
    Period,
    Query,
    ResultRow,
    ScrolledTo,
)
from analytics.store.base import ExportFormat
from analytics.testing import sample
from analytics.testing.builders import NOON, SITE, hit
from analytics.testing.oracles import answers, paths
from analytics.visitor_id import COOKIELESS

OTHER: Final = "other.example"
ZONE: Final = "Europe/Berlin"
"""The zone of `SITE`, and of every other site."""
NAMED_GOALS: Final = (
    NamedFilter("Pricing", Compare(Op.MATCHES, Dimension.PAGE, ("^/pricing.*$",))),
    NamedFilter("Signup", Compare(Op.IS, Dimension.NAME, ("signup",))),
    NamedFilter("Read to the end", ScrolledTo(90)),
)
GOALS: Final = tuple(goal.filter for goal in NAMED_GOALS)
"""The goals of `SITE`: a store that builds cells is told of them."""
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MIDNIGHT: Final = NOON - 13 * HOUR
"""The beginning of that day in `ZONE`."""


class Taking(Protocol):
    """An open, empty store, and the pipeline that writes to it."""

    @property
    def store(self) -> Any:
        """The store, which has the methods that the inherited suites test."""

    async def take(self, records: Sequence[LogRecord]) -> None:
        """Process the next records of the log, and return when the store has their rows."""

    async def reopen(self) -> None:
        """Close the store, and open it again on the same data."""


def traffic() -> list[LogRecord]:
    """Return nine days of two sites, one after the other in the log."""
    return [
        *sample.records(SITE, until=NOON, days=9, a_day=6, seed=1),
        *sample.records(OTHER, until=NOON, days=9, a_day=2, seed=2),
    ]


def hits_of(records: Sequence[LogRecord]) -> list[Hit]:
    """Return the hits among *records*."""
    return [record for record in records if isinstance(record, Hit)]


def query(*dimensions: str, days: int = 9, **more: object) -> Query:
    """Return a query of `SITE` over the *days* up to the end of the day of `NOON`."""
    period = Period(MIDNIGHT - (days - 1) * DAY, MIDNIGHT + DAY, ZONE)
    metrics = (Metric.VISITORS, Metric.VISITS, Metric.PAGEVIEWS, Metric.BOUNCE_RATE)
    question = Query(site=SITE, metrics=metrics, period=period, dimensions=dimensions)
    return structs.replace(question, **more)


def queries() -> Iterator[Query]:
    """Yield queries of each kind."""
    for days in (2, 9):
        yield query(days=days)
        for dimension in (Dimension.PAGE, Dimension.SOURCE, Dimension.CITY, Dimension.DAY):
            yield query(dimension, days=days)
    yield query(Dimension.DAY, Dimension.COUNTRY)
    yield query(Dimension.SOURCE, filters=(Compare(Op.IS, Dimension.PAGE, ("/pricing",)),))
    signups = (Compare(Op.IS, Dimension.NAME, ("signup",)),)
    yield query(Dimension.PAGE, filters=signups)
    yield query(Dimension.PAGE, Dimension.DAY, filters=signups)
    yield query("event:props:plan", metrics=(Metric.EVENTS, Metric.VISITORS))
    by_bounce = (Order(Metric.BOUNCE_RATE),)
    yield query(Dimension.CITY, order_by=by_bounce, fewest_visitors=5)
    yield query(Dimension.PAGE, metrics=(Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH, Metric.EXITS))
    of_goals = (Metric.VISITORS, Metric.CONVERSIONS, Metric.CONVERSION_RATE)
    for days in (2, 9):
        yield query(Dimension.GOAL, days=days, metrics=of_goals, goals=NAMED_GOALS, base_filters=())


def explorations() -> Iterator[Exploration]:
    """Yield explorations of each kind, over the nine days of `traffic`."""
    period = query().period
    pricing = Compare(Op.IS, Dimension.PAGE, ("/pricing",))
    steps = (Compare(Op.IS, Dimension.PAGE, ("/",)), pricing)
    for within_days in (None, 2):
        for strict in (False, True):
            yield FunnelQuery(
                site=SITE, period=period, steps=steps, strict=strict, within_days=within_days
            )
    for forward in (True, False):
        yield JourneyQuery(site=SITE, period=period, start=pricing, forward=forward, most=2)
    for unit in RetentionUnit:
        yield RetentionQuery(site=SITE, period=period, unit=unit)
    yield RetentionQuery(site=SITE, period=query(days=3).period, filters=(InSequence(steps),))


class SeriesStoreContract:
    """The tests of `SeriesStore`."""

    @pytest.fixture
    async def taking(self) -> Taking:
        """A store without a row."""
        raise NotImplementedError

    async def test_figures_are_those_that_are_counted_by_hand(self, taking: Taking) -> None:
        records = traffic()
        half = len(records) // 2
        await taking.take(records[:half])
        for question in queries():
            answered = await taking.store.query(question)
            assert answered.rows == answers.answer(hits_of(records[:half]), question), question
        await taking.take(records[half:])
        for question in queries():
            answered = await taking.store.query(question)
            assert answered.rows == answers.answer(hits_of(records), question), question

    async def test_what_came_after_what_is_as_it_is_followed_by_hand(self, taking: Taking) -> None:
        records = traffic()
        await taking.take(records)
        for question in explorations():
            answered = await taking.store.explore(question)
            assert answered == paths.explore(hits_of(records), question), question

    async def test_what_was_taken_is_answered_at_once(self, taking: Taking) -> None:
        for visitor in (1, 2, 3):
            await taking.take([hit(NOON, visitor=visitor)])
            answered = await taking.store.query(query(metrics=(Metric.VISITORS,)))
            assert answered.rows == (ResultRow((), (visitor,)),)

    async def test_the_ledger_says_what_became_of_every_record(self, taking: Taking) -> None:
        drop = Drop(site=SITE, received_at=NOON + 5, reason=DropReason.SHIELD_IP)
        await taking.take([hit(NOON), hit(NOON + 1), drop, hit(NOON, site=OTHER)])
        await taking.take([drop, hit(NOON + 2), hit(NOON + HOUR)])
        assert await _ledger(taking, SITE) == {
            NOON: LedgerLine(5, 3, 0, {DropReason.SHIELD_IP.value: 2}, 0),
            NOON + HOUR: LedgerLine(1, 1, 0, {}, 0),
        }
        assert len(await taking.store.ledger()) == 3
        assert await taking.store.ledger("none.example") == {}

    async def test_it_knows_where_the_log_is_to_be_read_next(self, taking: Taking) -> None:
        assert sum((await taking.store.offsets()).values()) == 0
        await taking.take([hit(NOON + visitor, visitor=visitor) for visitor in range(20)])
        await taking.take([Drop(site=SITE, received_at=NOON, reason=DropReason.NOT_OK)])
        assert sum((await taking.store.offsets()).values()) == 21

    async def test_what_was_taken_is_there_after_reopening(self, taking: Taking) -> None:
        await taking.take([hit(NOON), hit(NOON + 1, visitor=2)])
        before = await taking.store.query(query()), await taking.store.ledger()
        offsets = await taking.store.offsets()
        await taking.reopen()
        assert (await taking.store.query(query()), await taking.store.ledger()) == before
        assert await taking.store.offsets() == offsets
        await taking.take([hit(NOON + 2, visitor=3)])
        assert (await taking.store.query(query())).rows[0].metrics[0] == 3

    async def test_a_site_without_rows_has_no_figures(self, taking: Taking) -> None:
        await taking.take([hit(NOON, site=OTHER)])
        assert (await taking.store.query(query(Dimension.PAGE))).rows == ()

    @pytest.mark.parametrize("text", ["'; DROP TABLE rows; --", '"\\', "\x00", "\u2028🜨", "a\r\nb"])
    async def test_any_text_is_kept_and_found_as_it_is(self, taking: Taking, text: str) -> None:
        await taking.take([hit(NOON, path=text, title=text, props={text: text}), hit(NOON)])
        question = query(
            Dimension.PAGE,
            f"event:props:{text}",
            metrics=(Metric.VISITORS,),
            filters=(Compare(Op.IS, Dimension.TITLE, (text,)),),
        )
        assert [row.dimensions for row in (await taking.store.query(question)).rows] == [
            (text, text)
        ]

    async def test_revenue_is_converted_by_the_rates_that_a_question_brings(
        self, taking: Taking
    ) -> None:
        today = MIDNIGHT // DAY + 1
        rates = DailyRates(
            (today - 3, today),
            (CurrencyRates("EUR", ("1", "1")), CurrencyRates("USD", ("1.0876", "1.1"))),
        )
        hits = [
            hit(NOON - age * DAY, visitor=age, name="buy", revenue=amount, currency=currency)
            for age, amount, currency in (
                (2, "10.99", "USD"),
                (1, "-0.01", "USD"),
                (0, "7", "EUR"),
                (0, "0.333", "USD"),
            )
        ]
        await taking.take(hits)
        money = (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE)
        for dimensions in ((), (Dimension.DAY,), (Dimension.CURRENCY,)):
            for known in (rates, None):
                asked = query(*dimensions, metrics=money, currency="EUR", rates=known)
                answered = await taking.store.query(asked)
                assert answered.rows == answers.answer(hits, asked), asked
                mixed = known is None and dimensions != (Dimension.CURRENCY,)
                assert answered.mixed_revenue is mixed

    async def test_machines_are_told_apart_by_name_operator_and_purpose(
        self, taking: Taking
    ) -> None:
        agents = (
            ("GPTBot", "crawler"),
            ("GPTBot", "crawler"),
            ("ChatGPT-User", "crawler"),
            ("Googlebot (unverified)", "unverified"),
            ("curl", "tool"),
            ("SomethingElse", "crawler"),
            ("", "no-user-agent"),
            ("Firefox", None),
        )
        hits = [
            hit(NOON + number, visitor=number, browser=browser, bot=bot)
            for number, (browser, bot) in enumerate(agents)
        ]
        await taking.take(hits)
        expected = {
            Dimension.BOT_NAME: {
                "GPTBot": 2,
                "ChatGPT-User": 1,
                "Googlebot (unverified)": 1,
                "curl": 1,
                "SomethingElse": 1,
                "Unnamed": 1,
                "People": 1,
            },
            Dimension.BOT_OPERATOR: {"OpenAI": 3, "Unverified": 1, "Unknown": 3, "People": 1},
            Dimension.BOT_PURPOSE: {
                "Training": 2,
                "Person's question": 1,
                "Unverified": 1,
                "Tool": 1,
                "Other": 2,
                "People": 1,
            },
        }
        for dimension, figures in expected.items():
            question = query(dimension, bots=True)
            answered = (await taking.store.query(question)).rows
            assert answered == answers.answer(hits, question)
            assert {row.dimensions[0]: row.metrics[0] for row in answered} == figures
            for op, values in ((Op.IS, ("Training", "People")), (Op.IS_NOT, ("People",))):
                wanted = Compare(op, Dimension.BOT_PURPOSE, values)
                question = query(dimension, bots=True, filters=(wanted,))
                rows = (await taking.store.query(question)).rows
                assert rows == answers.answer(hits, question)

    async def test_machines_are_left_out_unless_asked_for(self, taking: Taking) -> None:
        for visitor in (2, 3):
            await taking.take([hit(NOON), hit(NOON, visitor=visitor, bot="crawler")])
            for bots, visitors in ((False, 1), (True, visitor)):
                question = query(metrics=(Metric.VISITORS,), bots=bots)
                assert (await taking.store.query(question)).rows[0].metrics == (visitors,)

    async def test_limit_and_offset_page_through_all_rows(self, taking: Taking) -> None:
        await taking.take([hit(NOON + n, path=f"/{n}") for n in range(7)])
        whole = await taking.store.query(query(Dimension.PAGE))
        pages = [
            await taking.store.query(query(Dimension.PAGE, limit=3, offset=start, total_rows=True))
            for start in (0, 3, 6)
        ]
        assert [page.total_rows for page in pages] == [7, 7, 7]
        assert [len(page.rows) for page in pages] == [3, 3, 1]
        assert tuple(chain.from_iterable(page.rows for page in pages)) == whole.rows

    async def test_who_counts_visitor_days_is_told_so(self, taking: Taking) -> None:
        await taking.take([hit(NOON - DAY), hit(NOON, visitor=COOKIELESS | 7)])
        assert (await taking.store.query(query(days=2))).visitor_days
        assert not (await taking.store.query(query(days=1))).visitor_days

    @pytest.mark.parametrize(
        "question",
        [
            query(metrics=(Metric.SCROLL_DEPTH,)),
            query(Dimension.NAME, metrics=(Metric.BOUNCE_RATE,)),
            query(filters=(Compare(Op.MATCHES, Dimension.PAGE, ("(",)),)),
        ],
        ids=["scroll depth of no page", "bounces of an event's name", "no pattern"],
    )
    async def test_what_has_no_meaning_is_refused(self, taking: Taking, question: Query) -> None:
        await taking.take([hit(NOON)])
        with pytest.raises(Malformed):
            await taking.store.query(question)


class BuildsContract:
    """The tests of `Builds`."""

    async def test_answers_are_the_same_before_and_after_a_build(self, taking: Taking) -> None:
        records = traffic()
        await taking.take(records)
        before = [await taking.store.query(question) for question in queries()]
        for now in (NOON, NOON + 2 * DAY):
            assert await taking.store.build_cells(now) > 0
            assert [await taking.store.query(question) for question in queries()] == before
        assert await taking.store.build_cells(NOON + 2 * DAY) == 0

    async def test_what_comes_late_counts_in_days_that_were_built(self, taking: Taking) -> None:
        await taking.take([hit(NOON - 3 * DAY)])
        await taking.store.build_cells(NOON)
        await taking.take([hit(NOON - 3 * DAY, received_at=NOON, visitor=2)])
        for _ in range(2):
            assert (await taking.store.query(query())).rows[0].metrics[0] == 2
            await taking.store.build_cells(NOON)


class AuditsContract:
    """The tests of `Audits`."""

    async def test_a_recount_of_the_rows_is_what_the_ledger_says(self, taking: Taking) -> None:
        await taking.take(traffic())
        for site in (SITE, None):
            ledger = await taking.store.ledger(site)
            stored = {key: line.stored for key, line in ledger.items() if line.stored}
            assert stored
            assert await taking.store.recount(site) == stored


class ExportsContract:
    """The tests of `Exports`."""

    async def test_an_export_holds_every_event_of_the_span(
        self, taking: Taking, tmp_path: Path
    ) -> None:
        inside = [
            hit(NOON, name="signup", props={"plan": 'p"ro,\n'}, revenue="1.25", currency="EUR"),
            hit(NOON + 1, bot="crawler", visitor=2**64 - 1),
            hit(NOON + 2, name=ENGAGEMENT, scroll_depth=40, engaged_ms=1234),
        ]
        await taking.take([hit(NOON - 1), *inside, hit(NOON + 3), hit(NOON, site=OTHER)])
        path, progress = tmp_path / "out.ndjson", list[float]()
        exported = taking.store.export(
            SITE, NOON, NOON + 3, ExportFormat.NDJSON, path, progress.append
        )
        assert await exported == 3
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        signup, machine, ping = sorted(rows, key=lambda row: str(row["ts"]))
        assert [row["event_id"] for row in (signup, machine, ping)] == [h.event_id for h in inside]
        assert signup["ts"] == "2026-11-24T12:00:00.000Z"
        assert (signup["props"], signup["revenue"]) == ({"plan": 'p"ro,\n'}, 1.25)
        assert (machine["bot"], machine["visitor"]) == ("crawler", 2**64 - 1)
        assert (ping["scroll_depth"], ping["engaged_ms"]) == (40, 1234)
        assert progress[-1] == 1.0


class ErasesContract:
    """The tests of `Erases`."""

    async def test_a_visitor_who_is_erased_was_never_there(self, taking: Taking) -> None:
        records = traffic()
        deleted = hits_of(records)[0].visitor
        mine = [h for h in hits_of(records) if (h.site, h.visitor) == (SITE, deleted)]
        remaining = [h for h in hits_of(records) if (h.site, h.visitor) != (SITE, deleted)]
        await taking.take(records)
        for question in queries():
            assert (await taking.store.query(question)).rows, question
        assert await taking.store.erase_visitor(SITE, deleted) == len(mine)
        for question in queries():
            assert (await taking.store.query(question)).rows == answers.answer(
                remaining, question
            ), question
        await _balances(taking)
        assert await taking.store.erase_visitor(SITE, deleted) == 0

    async def test_a_site_that_is_deleted_leaves_its_ledger(self, taking: Taking) -> None:
        records = traffic()
        await taking.take(records)
        stored = sum(h.site == SITE for h in hits_of(records))
        assert await taking.store.delete_site(SITE) == stored
        assert (await taking.store.query(query(Dimension.PAGE))).rows == ()
        assert sum(line.erased for line in (await _ledger(taking, SITE)).values()) == stored
        await _balances(taking)

    async def test_retention_ends_at_a_day_and_spares_what_is_after_it(
        self, taking: Taking
    ) -> None:
        await taking.take(traffic())
        before = await taking.store.query(query(Dimension.DAY, days=3))
        assert len((await taking.store.query(query(Dimension.DAY, days=9))).rows) == 9
        # In the middle of a day: that day is kept whole.
        await taking.store.retain(SITE, NOON - 2 * DAY)
        await taking.take([])  # where it was only ordered, it is done by now
        erased = sum(line.erased for line in (await _ledger(taking, SITE)).values())
        assert erased > 0
        assert await taking.store.retain(SITE, NOON - 2 * DAY) == 0
        assert await taking.store.query(query(Dimension.DAY, days=3)) == before
        assert await taking.store.query(query(Dimension.DAY, days=9)) == before
        await _balances(taking)


class FirstAndNewestContract:
    """What of `Lookups` every store can say."""

    async def test_it_knows_its_first_event_and_its_newest(self, taking: Taking) -> None:
        assert (await taking.store.newest(), await taking.store.first_event(SITE)) == (None, None)
        await taking.take([hit(NOON), hit(NOON - DAY, received_at=NOON + 1)])
        assert await taking.store.newest() == NOON + 1
        assert await taking.store.first_event(SITE) == NOON - DAY
        assert await taking.store.first_event("none.example") is None


class OverviewsContract:
    """The tests of `Overviews`."""

    async def test_many_sites_at_once_have_the_figures_of_each(self, taking: Taking) -> None:
        await taking.take(traffic())
        figures = await taking.store.recent([SITE, OTHER, "none.example"], NOON)
        assert set(figures) == {SITE, OTHER}
        first = NOON + HOUR - DAY
        for site, recent in figures.items():
            assert recent.visitors == await _visitors(taking, site, NOON - DAY, NOON + 1)
            assert recent.before == await _visitors(taking, site, NOON - 2 * DAY, NOON - DAY)
            assert recent.current == await _visitors(taking, site, NOON - 5 * MINUTE, NOON + 1)
            hours = [first + number * HOUR for number in range(24)]
            assert list(recent.hours) == [
                await _visitors(taking, site, hour, hour + HOUR) for hour in hours
            ]
        assert figures[SITE].visitors > figures[OTHER].visitors > 0

    async def test_of_other_sites_nothing_is_told(self, taking: Taking) -> None:
        await taking.take([hit(NOON), hit(NOON, site=OTHER, hostname=OTHER)])
        assert set(await taking.store.recent([OTHER], NOON)) == {OTHER}
        assert await taking.store.recent([], NOON) == {}

    async def test_current_visitors_are_those_of_five_minutes(self, taking: Taking) -> None:
        hits = [
            hit(NOON),
            hit(NOON - 5 * MINUTE, visitor=2),
            hit(NOON - 5 * MINUTE - 1, visitor=3),
            hit(NOON, visitor=4, bot="crawler"),
            hit(NOON, visitor=5, name=ENGAGEMENT, engaged_ms=1000),
            hit(NOON - DAY, visitor=6, site=OTHER, hostname=OTHER),
        ]
        await taking.take(hits)
        assert await taking.store.current(NOON) == {SITE: 2}

    async def test_names_that_are_no_site_are_counted_most_hits_first(self, taking: Taking) -> None:
        unknown = DropReason.UNKNOWN_SITE
        drops = [
            *(Drop(site="b.example", received_at=NOON, reason=unknown) for _ in range(3)),
            Drop(site="a.example", received_at=NOON - HOUR, reason=unknown),
            Drop(site="a.example", received_at=NOON, reason=unknown),
            Drop(site="old.example", received_at=NOON - 2 * DAY, reason=unknown),
            Drop(site="", received_at=NOON, reason=unknown),
            Drop(site=SITE, received_at=NOON, reason=DropReason.OPTED_OUT),
        ]
        await taking.take([*drops, hit(NOON)])
        since = NOON - DAY
        every = [*await taking.store.unknown_sites(since, 9)]
        assert every == [("b.example", 3), ("a.example", 2)]
        assert [*await taking.store.unknown_sites(since, 1)] == every[:1]

    async def test_foreign_hosts_are_counted_by_name_and_in_the_ledger_as_one(
        self, taking: Taking
    ) -> None:
        def foreign(hostname: str, received_at: int = NOON, site: str = SITE) -> Drop:
            reason = DropReason.FOREIGN_HOST
            return Drop(site=site, received_at=received_at, reason=reason, hostname=hostname)

        drops = [
            *(foreign("b.test") for _ in range(3)),
            foreign("a.test"),
            foreign("a.test", NOON - HOUR),
            foreign("[2a00::1]"),
            foreign(""),  # one of too many to be named
            foreign("old.test", NOON - 2 * DAY),
            foreign("others.test", site=OTHER),
            Drop(site=SITE, received_at=NOON, reason=DropReason.OTHER_HOST),
        ]
        await taking.take([*drops, hit(NOON)])
        since = NOON - DAY
        every = [*await taking.store.foreign_hosts(SITE, since, 9)]
        assert every == [("b.test", 3), ("a.test", 2), ("[2a00::1]", 1)]
        assert [*await taking.store.foreign_hosts(SITE, since, 1)] == every[:1]
        ledger = await taking.store.ledger(SITE)
        noon = ledger[LedgerKey(SITE, NOON - NOON % HOUR)]
        assert noon.dropped == {"foreign-host": 6, "other-host": 1}
        assert noon.received == noon.stored + sum(noon.dropped.values())


class LookupsContract(FirstAndNewestContract):
    """The tests of `Lookups`."""

    async def test_ids_are_known_and_others_are_not(self, taking: Taking) -> None:
        old, new = hit(NOON - 900 * DAY, received_at=NOON), hit(NOON)
        await taking.take([old, new])
        question = [
            Unsure(SITE, old.event_id, old.ts, old.received_at + 9 * DAY),
            Unsure(SITE, new.event_id, new.ts + DAY, new.received_at + 9 * DAY),
            Unsure(OTHER, new.event_id, new.ts, new.received_at),
            Unsure(SITE, hit(NOON).event_id, NOON, NOON),
        ]
        assert await taking.store.seen(question) == {(SITE, old.event_id), (SITE, new.event_id)}
        assert await taking.store.seen([]) == set()

    async def test_recent_ids_and_visits_are_those_since_then(self, taking: Taking) -> None:
        recent = [hit(NOON + n, visitor=n % 5) for n in range(20)]
        await taking.take([hit(NOON - 2 * HOUR, visitor=9), *recent])
        async with aclosing(taking.store.recent_ids(NOON)) as parts:
            chunks = [part async for part in parts]
        assert sorted(chain.from_iterable(chunks)) == sorted((SITE, h.event_id) for h in recent)
        visits = await taking.store.recent_visits(NOON)
        assert [visit.visitor for visit in visits] == [0, 1, 2, 3, 4]
        assert await taking.store.visits([(SITE, 3), (SITE, 77)]) == [visits[3]]


class SnapshotsContract:
    """The tests of `Snapshots`."""

    async def test_a_snapshot_overwrites_nothing(self, taking: Taking, tmp_path: Path) -> None:
        await taking.take([hit(NOON)])
        copy = tmp_path / "it's a copy"
        await taking.store.snapshot(copy)
        written = copy.stat().st_size
        await taking.take([hit(NOON + 1)])
        with pytest.raises(Conflict):
            await taking.store.snapshot(copy)
        assert copy.stat().st_size == written > 0


async def _visitors(taking: Taking, site: str, start: int, end: int) -> object:
    """Return the visitors of a span, by a separate query."""
    query = Query(site=site, metrics=(Metric.VISITORS,), period=Period(start, end, ZONE))
    (row,) = (await taking.store.query(query)).rows
    return row.metrics[0]


async def _ledger(taking: Taking, site: str) -> Mapping[int, LedgerLine]:
    return {key.hour: line for key, line in (await taking.store.ledger(site)).items()}


async def _balances(taking: Taking) -> None:
    ledger, stored = await taking.store.ledger(), await taking.store.recount()
    for key, line in ledger.items():
        assert line.stored - line.erased == stored.get(key, 0), key
