"""The fold: every record of a batch ends in exactly one place."""

from __future__ import annotations

from typing import get_type_hints

from analytics.event import Attributes, Drop, DropReason, Hit, Row
from analytics.pipeline.fold import FoldResult, fold
from analytics.pipeline.ledger import LedgerKey, LedgerLine
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState
from analytics.pipeline.visit import Entry
from analytics.testing.builders import hit

NOW = 1_790_035_200_000
HOUR = 3_600_000


def view(event_id: str, *, site: str = "a.org", at: int = NOW) -> Hit:
    return hit(at, event_id=event_id, site=site)


def folded(*records: Hit | Drop, known: frozenset[tuple[str, str]] = frozenset()) -> FoldResult:
    return fold(list(enumerate(records)), PipelineState(Sources()), known)


def every_field_its_own_value() -> Hit:
    values: dict[str, object] = {}
    for number, (field, kind) in enumerate(get_type_hints(Hit).items()):
        values[field] = number if kind in (int, int | None) else f"text of {field}"
    values |= {"props": {"plan": "pro"}, "interactive": False, "name": "signup", "utm_source": "hn"}
    return Hit(**values)  # type: ignore[arg-type]


def test_every_column_of_the_hit_and_of_the_entry_comes_to_its_own_place() -> None:
    sent = every_field_its_own_value()
    row = fold([(77, sent)], PipelineState(Sources()), frozenset()).rows[0]
    for field in Hit.__struct_fields__:
        assert getattr(row, field) == getattr(sent, field), field
    for field in Entry.__struct_fields__:
        assert getattr(row, f"entry_{field}") == getattr(row, field), field
    assert (row.source, row.channel, row.log_offset) == ("Hacker News", "Organic Social", 77)


def test_the_entry_columns_of_a_row_are_those_of_an_entry_in_order() -> None:
    columns = [f for f in Row.__struct_fields__ if f.startswith("entry_")]
    assert columns == [f"entry_{field}" for field in Entry.__struct_fields__]
    assert Hit.__struct_fields__[: len(Attributes.__struct_fields__)] == (
        Attributes.__struct_fields__
    )


def test_of_copies_in_a_batch_the_first_wins() -> None:
    outcome = folded(view("1"), view("1", at=NOW + 5), view("2"))
    assert [(row.event_id, row.ts) for row in outcome.rows] == [("1", NOW), ("2", NOW)]
    (line,) = outcome.ledger.values()
    assert (line.received, line.stored, line.duplicate) == (3, 2, 1)


def test_what_is_stored_already_is_a_copy() -> None:
    outcome = folded(view("1"), view("1", site="b.org"), known=frozenset({("a.org", "1")}))
    assert [row.site for row in outcome.rows] == ["b.org"]


def test_an_id_of_an_earlier_batch_is_unsure_in_the_next() -> None:
    state = PipelineState(Sources())
    first, second = [(0, view("1"))], [(1, view("1")), (2, view("2"))]
    assert state.unsure(first) == []
    fold(first, state, frozenset())
    assert [unsure.event_id for unsure in state.unsure(second)] == ["1"]


def test_an_old_hit_is_always_unsure_so_that_an_import_never_doubles() -> None:
    old = Hit(event_id="1", site="a.org", ts=NOW - 25 * HOUR, received_at=NOW, visitor=1)
    assert [u.ts for u in PipelineState(Sources()).unsure([(0, old)])] == [NOW - 25 * HOUR]


def test_the_ledger_has_a_line_for_each_site_and_hour_and_balances() -> None:
    outcome = folded(
        view("1"),
        view("2", at=NOW + HOUR),
        Drop(site="a.org", received_at=NOW + 1, reason=DropReason.SHIELD_IP),
        Drop(site="b.org", received_at=NOW + 1, reason=DropReason.UNKNOWN_SITE),
        view("1", at=NOW + 2),
    )
    assert outcome.ledger == {
        LedgerKey("a.org", NOW): LedgerLine(3, 1, 1, {"shield-ip": 1}, 0),
        LedgerKey("a.org", NOW + HOUR): LedgerLine(1, 1, 0, {}, 0),
        LedgerKey("b.org", NOW): LedgerLine(1, 0, 0, {"unknown-site": 1}, 0),
    }


def test_a_batch_without_hits_is_counted_too() -> None:
    outcome = folded(Drop(site="a.org", received_at=NOW, reason=DropReason.OPTED_OUT))
    assert outcome.rows == []
    assert sum(line.received for line in outcome.ledger.values()) == 1
