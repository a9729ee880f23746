"""The ledger's sums."""

from __future__ import annotations

from analytics.pipeline.ledger import DeadLetter, LedgerKey, LedgerLine, add, count_dead

HOUR = 3_600_000


def test_a_record_that_nobody_can_read_is_counted_under_no_site() -> None:
    letters = [DeadLetter(n, HOUR + n, "not a log record", b"\xff") for n in range(3)]
    assert count_dead(letters) == {LedgerKey("", HOUR): LedgerLine(3, 0, 0, {}, 3)}


def test_two_ledgers_add_line_by_line() -> None:
    a, b = LedgerKey("a.org", 0), LedgerKey("b.org", 0)
    one = {a: LedgerLine(4, 1, 1, {"shield-ip": 2}, 0)}
    other = {
        a: LedgerLine(3, 1, 0, {"shield-ip": 1, "opted-out": 1}, 0),
        b: LedgerLine(1, 1, 0, {}, 0),
    }
    assert add(one, other) == {
        a: LedgerLine(7, 2, 1, {"opted-out": 1, "shield-ip": 3}, 0),
        b: LedgerLine(1, 1, 0, {}, 0),
    }
