"""A record that is none of ours is told as one, whatever is wrong with it."""

from __future__ import annotations

import pytest

from analytics.errors import Corrupt
from analytics.event import Drop, DropReason
from analytics.stream import record

DROP = Drop(site="example.com", received_at=7, reason=DropReason.FOREIGN_HOST, hostname="evil.test")


def test_a_record_comes_back_as_it_was() -> None:
    assert record.decode(record.encode(DROP)) == DROP


def test_a_record_from_before_a_member_was_added_is_read() -> None:
    old = (
        record.encode(DROP).replace(b"\x85", b"\x84", 1).replace(b"\xa8hostname\xa9evil.test", b"")
    )
    assert record.decode(old) == Drop(site=DROP.site, received_at=7, reason=DROP.reason)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        record.encode(DROP)[:-1],
        record.encode(DROP).replace(b"example.com", b"example.\xff\xfe\xfd"),  # no UTF-8
        record.encode(DROP).replace(b"drop", b"pord"),
        b"\x91" * 100_000,  # deeper than anything of ours
    ],
)
def test_what_is_no_record_is_corrupt(payload: bytes) -> None:
    with pytest.raises(Corrupt, match="not a log record"):
        record.decode(payload)
