"""An erasure survives the end of the process at any moment, and nothing brings rows back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs
from tests.marks import found

from analytics.admin import auditing, erasing
from analytics.admin.auditing import Audit
from analytics.admin.erasing import Erase
from analytics.admin.operation_context import OperationContext
from analytics.errors import Malformed, StoreUnavailable
from analytics.event import Erasure, Hit
from analytics.maintenance import Compaction
from analytics.resources import Resources
from analytics.settings import Settings
from analytics.startup import open_resources
from analytics.stream.journal import Journal
from analytics.testing.builders import numbered_hit

SITE = "example.com"
MARK = "markd41d8cd98f00b204e9800998ecf8427e"


def visit(number: int, at: int, *, visitor: int = 7, path: str = f"/{MARK}") -> Hit:
    return structs.replace(
        numbered_hit(number, site=SITE), ts=at, received_at=at, visitor=visitor, path=path
    )


async def paths(parts: Resources) -> list[tuple[str, str]]:
    """The page of each row and the page at which its visit came in."""
    await parts.settle()
    return await parts.store._threads.read(  # type: ignore[attr-defined, no-any-return]
        lambda c: c.rows("SELECT path, entry_path FROM rows ORDER BY log_offset")
    )


def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


async def test_an_order_that_was_taken_is_obeyed_after_a_kill(tmp_path: Path) -> None:
    """Killed once the order was durable: the next start carries it out, to the last byte."""
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await parts.log.append([visit(1, now), visit(2, now, visitor=8, path="/stays")])
        await parts.settle()
    # What a process writes that is killed before its projector has come to it.
    async with Journal(tmp_path / "data" / "journal") as journal:
        await journal.append([Erasure(site=SITE, until=now, visitor=7, shard=0)])
    async with open_resources(settings(tmp_path)) as parts:
        assert await paths(parts) == [("/stays", "/stays")]
        assert found(tmp_path / "data", [MARK]) != {}, "until the upkeep comes"
        await Compaction(parts).step()
        assert found(tmp_path / "data", [MARK]) == {}


async def test_what_follows_an_erasure_in_the_same_batch_opens_another_visit(
    tmp_path: Path,
) -> None:
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.log.append(
            [
                visit(1, now),
                Erasure(site=SITE, until=now, visitor=7, shard=0),
                visit(2, now, path="/on"),
            ]
        )
        assert await paths(parts) == [("/on", "/on")]


async def test_a_copy_of_an_erased_event_is_a_duplicate(tmp_path: Path) -> None:
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await parts.log.append([visit(1, now), visit(2, now, visitor=8, path="/stays")])
        await parts.settle()
        await erasing.run(parts, Erase(site=SITE, visitor=7), OperationContext())
        await parts.log.append([visit(1, now)])
        assert await paths(parts) == [("/stays", "/stays")]
    async with open_resources(settings(tmp_path)) as parts:
        await parts.log.append([visit(1, now)])
        assert await paths(parts) == [("/stays", "/stays")]
        (line,) = [v for k, v in (await parts.store.ledger(SITE)).items()]
        assert (line.received, line.stored, line.duplicate, line.erased) == (4, 2, 2, 1)


async def test_rows_are_taken_and_kept_while_and_after_the_file_is_written_anew(
    tmp_path: Path,
) -> None:
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        for number in range(6):
            await parts.log.append([visit(number, now, visitor=number, path=f"/{number}")])
            await parts.settle()
            await erasing.run(parts, Erase(site=SITE, visitor=number - 1), OperationContext())
    async with open_resources(settings(tmp_path)) as parts:
        assert await paths(parts) == [("/5", "/5")]
        assert await parts.erases.compaction_due() is False


async def test_what_a_killed_compaction_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_resources(settings(tmp_path)) as parts:
        await parts.log.append([visit(1, parts.clock(), path="/stays")])
        await parts.settle()
    (data / "store.duckdb.compacted").write_bytes(b"half a copy")
    (data / "store.duckdb.tmp").mkdir()
    (data / "store.duckdb.tmp" / "duckdb_temp_block").write_bytes(MARK.encode())
    async with open_resources(settings(tmp_path)) as parts:
        assert await paths(parts) == [("/stays", "/stays")]
    assert {each.name for each in data.glob("store.duckdb*")} == {"store.duckdb"}


@pytest.mark.parametrize("small_disk", [60], indirect=True)
async def test_without_room_the_rows_are_gone_and_the_bytes_are_said_to_remain(
    small_disk: Path, tmp_path: Path
) -> None:
    limits = {"segment_bytes": 1 << 20, "min_free_bytes": 1 << 20}
    cramped = Settings.model_validate({"data": small_disk / "data", "journal": limits})
    async with open_resources(cramped) as parts:
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await parts.log.append([visit(1, parts.clock())])
        await parts.settle()
        with pytest.raises(StoreUnavailable, match=r"still holds .* MiB are needed, .* are free"):
            await erasing.run(parts, Erase(site=SITE, visitor=7), OperationContext())
        assert await paths(parts) == []
        assert await parts.erases.compaction_due() is True


async def erase_by(parts: Resources, *filters: str, **span: str) -> erasing.EraseResult:
    asked = Erase(site=SITE, visitor=None, filters=filters, **span)
    counts = await erasing.count(parts, asked, OperationContext())
    done = await erasing.run(parts, asked, OperationContext())
    assert done == counts, "it says beforehand what it will do"
    return done


async def test_visits_that_did_something_are_erased_as_a_whole_and_from_every_file(
    tmp_path: Path,
) -> None:
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        await parts.log.append(
            [
                visit(1, now, path=f"/in/{MARK}"),
                visit(2, now, path="/x"),
                structs.replace(visit(3, now, path="/x"), name="engagement", engaged_ms=9),
                visit(4, now, visitor=8, path="/stays"),
                structs.replace(visit(5, now, visitor=9, path="/x"), site="other.example"),
                structs.replace(visit(6, now, visitor=10, path="/x"), bot="crawler"),
                structs.replace(
                    visit(7, now, visitor=11, path="/x"), name="engagement", engaged_ms=9
                ),
            ]
        )
        done = await erase_by(parts, "event:page is /x")
        assert (done.visits, done.rows) == (2, 5), "the visit, the machine's, the lone ping"
        assert found(tmp_path / "data", [MARK]) == {}
        # The visitor goes on: a new visit, which does not say where the old one came in.
        await parts.log.append([visit(8, now, path="/on")])
        assert await paths(parts) == [("/stays", "/stays"), ("/x", "/x"), ("/on", "/on")]
        assert (await auditing.run(parts, Audit(), OperationContext())).balanced


async def test_filters_and_a_time_must_all_hold(tmp_path: Path) -> None:
    async with open_resources(settings(tmp_path)) as parts:
        now = parts.clock()
        await parts.catalog.sites.add(SITE, timezone="Etc/UTC")
        past = now - 9 * 86_400_000
        await parts.log.append(
            [
                visit(1, past, visitor=1, path="/x"),
                visit(2, now, visitor=2, path="/x"),
                visit(3, past, visitor=3, path="/y"),
                structs.replace(visit(4, past, visitor=4, path="/x"), props={"plan": "Pro"}),
            ]
        )
        day = datetime.fromtimestamp(past / 1000, UTC).date().isoformat()
        with pytest.raises(Malformed, match="operators are is, is_not, contains"):
            await erase_by(parts, "event:page equals /x")
        with pytest.raises(Malformed, match="event:pages"):
            await erase_by(parts, "event:pages is /x")
        with pytest.raises(Malformed, match="not both"):
            await erasing.run(parts, Erase(site=SITE, visitor=1, start=day), OperationContext())
        done = await erase_by(parts, "event:page is /x", "event:props:plan is Pro")
        assert (done.visits, done.rows) == (1, 1)
        done = await erase_by(parts, "visit:exit_page contains /x", start=day, end=day)
        assert (done.visits, done.rows) == (1, 1)
        done = await erase_by(parts, start=day, end=day)
        assert (done.visits, done.rows) == (1, 1)
        assert await paths(parts) == [("/x", "/x")]
