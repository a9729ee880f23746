"""Strategies for what may lie in a log: late, doubled, of machines, over midnight."""

from __future__ import annotations

from uuid import UUID

from hypothesis import strategies as st

from analytics.event import ENGAGEMENT, PAGEVIEW, Drop, DropReason, Hit, LogRecord

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = 1_795_521_600_000


@st.composite
def logs(draw: st.DrawFn, max_size: int = 40) -> list[LogRecord]:
    """A few visitors' records, in the order of the log."""
    now = NOON
    made: list[LogRecord] = []
    for _ in range(draw(st.integers(0, max_size))):
        now += draw(st.sampled_from([0, 1000, MINUTE, 20 * MINUTE, 31 * MINUTE, 5 * HOUR, DAY]))
        if draw(st.integers(0, 9)) == 0:
            made.append(Drop(site="a.example", received_at=now, reason=DropReason.SHIELD_IP))
            continue
        late = draw(st.sampled_from([0, 0, 0, 5 * MINUTE, 40 * MINUTE, 3 * HOUR, 2 * DAY]))
        made.append(
            Hit(
                # Copies come within a day: longer, nobody promises to know them.
                event_id=str(UUID(int=now // DAY * 100 + draw(st.integers(1, 30)))),
                site=draw(st.sampled_from(["a.example", "b.example"])),
                ts=now - late,
                received_at=now,
                visitor=draw(st.sampled_from([1, 2, (1 << 64) - 1])),
                name=draw(st.sampled_from([PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"])),
                path=draw(st.sampled_from(["/", "/a", "/ä"])),
                interactive=draw(st.booleans()),
                bot=draw(st.sampled_from([None, None, None, "agent"])),
                props=draw(st.sampled_from([{}, {"plan": "pro", "x": ""}])),
                revenue=draw(st.sampled_from([None, "12.50"])),
                scroll_depth=draw(st.sampled_from([None, 0, 100])),
            )
        )
    return made
