"""What comes out of a backup is what went in, or it is refused."""

from __future__ import annotations

import asyncio
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_
from hypothesis import strategies as st
from tests.marks import found

from analytics.admin import auditing, backup
from analytics.admin.auditing import Audit
from analytics.admin.operation_context import OperationContext, Progress
from analytics.catalog.base import SaltMissing
from analytics.errors import AnalyticsError, Corrupt, Malformed, Misconfigured
from analytics.person import Scope
from analytics.settings import Settings, load
from analytics.startup import open_workspace
from analytics.testing.builders import numbered_hit

NOW = 1_795_478_400_000


hit = partial(numbered_hit, ts=NOW, received_at=NOW)


def quiet(_: Progress) -> None:
    """Nobody watches."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    return load(None, {"data": tmp_path / "restored"}, environment={})


@pytest.fixture
async def file(settings: Settings, tmp_path: Path) -> Path:
    """A backup of ten hits, made while more came in."""
    async with open_workspace(settings) as workspace:
        await workspace.catalog.sites.add("example.com", timezone="Etc/UTC")
        await workspace.log.append([hit(n) for n in range(10)])
        job = OperationContext(report=lambda _: None)
        done, *_ = await asyncio.gather(
            backup.run(workspace, backup.Backup(), job),
            *(workspace.log.append([hit(n)]) for n in range(10, 20)),
        )
        return Path(done.file).rename(tmp_path / "backup.tar")


async def test_a_restored_folder_holds_everything_and_balances(
    file: Path, elsewhere: Settings
) -> None:
    backup.restore(file, elsewhere.data, quiet)
    async with open_workspace(elsewhere) as workspace:
        assert workspace.catalog.sites.get("example.com") is not None
        audited = await auditing.run(workspace, Audit(), OperationContext())
        assert audited.balanced, audited.faults
        before = audited.sites[0].stored
        assert before >= 10
        await workspace.log.append([hit(3), hit(100)])
        await workspace.settle()
        (site,) = (await auditing.run(workspace, Audit(), OperationContext())).sites
    assert (site.stored, site.duplicate) == (before + 1, 1)


async def test_a_backup_is_for_its_owner_only(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600


async def test_nothing_is_left_behind_in_the_folder(file: Path, settings: Settings) -> None:
    assert [*(settings.data / "tmp").iterdir()] == []


def test_a_folder_with_data_is_never_overwritten(file: Path, settings: Settings) -> None:
    with pytest.raises(Misconfigured, match="is not empty; restore into a new folder"):
        backup.restore(file, settings.data, quiet)


def _flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 0xFF


def _cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def _cut_the_manifest(data: bytearray) -> None:
    del data[data.rindex(b"manifest.json") :]


@pytest.mark.parametrize("damage", [_flip, _cut, _cut_the_manifest])
def test_a_damaged_backup_is_refused_and_leaves_no_folder_to_run_on(
    file: Path, elsewhere: Settings, damage: Callable[[bytearray], None]
) -> None:
    data = bytearray(file.read_bytes())
    damage(data)
    file.write_bytes(data)
    with pytest.raises(Corrupt, match=r"damaged|cut short"):
        backup.restore(file, elsewhere.data, quiet)
    assert [*elsewhere.data.iterdir()] == []


def test_what_is_no_backup_is_refused(tmp_path: Path, elsewhere: Settings) -> None:
    file = tmp_path / "holiday.tar"
    file.write_bytes(b"no tar at all" * 100)
    with pytest.raises(Malformed, match="is not a backup") as refused:
        backup.restore(file, elsewhere.data, quiet)
    assert "`analytics backup`" in str(refused.value)
    assert "ReadError" not in str(refused.value)


def test_a_tar_that_reaches_out_of_the_folder_is_refused(
    tmp_path: Path, elsewhere: Settings
) -> None:
    (tmp_path / "evil").write_text("x")
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as tar:
        tar.add(tmp_path / "evil", "../evil2")
    with pytest.raises(Malformed, match=r"it holds '\.\./evil2'"):
        backup.restore(file, elsewhere.data, quiet)


async def test_keys_and_accounts_come_along(settings: Settings, elsewhere: Settings) -> None:
    async with open_workspace(settings) as workspace:
        _, secret = await workspace.catalog.keys.create(scopes=[*Scope], site=None)
        done = await backup.run(workspace, backup.Backup(), OperationContext())
        backup.restore(Path(done.file), elsewhere.data, quiet)
    async with open_workspace(elsewhere) as workspace:
        assert workspace.catalog.keys.find(secret) is not None


async def test_a_backup_has_no_salts_and_what_is_restored_makes_its_own(
    settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    async with open_workspace(settings) as workspace:
        await workspace.catalog.salts.make([100], today=100)
        salt = workspace.catalog.salts.of(100, today=100)
        done = await backup.run(workspace, backup.Backup(), OperationContext())
        assert found(Path(done.file), [salt]) == {}
        backup.restore(Path(done.file), elsewhere.data, quiet)
    async with open_workspace(elsewhere) as workspace:
        with pytest.raises(SaltMissing):
            workspace.catalog.salts.of(100, today=100)
        await workspace.catalog.salts.make([100], today=100)
        assert workspace.catalog.salts.of(100, today=100) != salt


def entry(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


ODD = {
    "a way up": [entry("journal/..")],
    "a way here": [entry("journal/.")],
    "a folder of the journal's": [entry("journal/x.seg")],
    "one name twice": [entry("folder.json"), entry("folder.json")],
    "a folder where a file is to be": [entry("store.duckdb", b"", type=tarfile.DIRTYPE)],
    "a link": [entry("catalog.sqlite", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a hard link": [entry("catalog.sqlite", b"", type=tarfile.LNKTYPE, linkname="folder.json")],
    "a pipe": [entry("store.duckdb", b"", type=tarfile.FIFOTYPE)],
    "a device": [entry("store.duckdb", b"", type=tarfile.CHRTYPE)],
    "salts": [entry("catalog.salts/20000")],
    "a manifest that is none": [entry("manifest.json", b"[]")],
    "a long manifest": [entry("manifest.json", b"[" * (2 << 20))],
    "a stamp that is none": [entry("folder.json", b"{}"), entry("manifest.json", b'{"files":{}}')],
    "a name of bytes": [entry("journal/\udcff.seg")],
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_tar_is_refused_in_one_line_and_leaves_nothing(
    odd: str, tmp_path: Path, elsewhere: Settings
) -> None:
    file = tmp_path / "odd.tar"
    with tarfile.open(file, "w", errors="surrogateescape") as tar:
        for info, content in ODD[odd]:
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises((Malformed, Corrupt)) as refused:
        backup.restore(file, elsewhere.data, quiet)
    assert "\n" not in str(refused.value)
    assert [*elsewhere.data.iterdir()] == []
    assert {*tmp_path.iterdir()} == {file, elsewhere.data}


@settings_(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.integers(0, 4095), st.binary(max_size=8)), max_size=6),
    packed=st.sampled_from([bytes, gzip.compress, lzma.compress]),
    end=st.integers(1, 4096),
)
def test_whatever_a_backup_was_made_of_is_refused_or_restored(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[tuple[int, bytes]],
    packed: Callable[[bytes], bytes],
    end: int,
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("folder.json", "journal/00000000000000000000.seg", "manifest.json"):
            info, content = entry(name, b'{"files":{}}')
            tar.addfile(info, io.BytesIO(content))
    data = bytearray(packed(made.getvalue()))
    for at, piece in cuts:
        data[at : at + len(piece)] = piece
    (folder / "odd.tar").write_bytes(data[:end])
    with suppress(AnalyticsError):
        backup.restore(folder / "odd.tar", folder / "restored", quiet)
