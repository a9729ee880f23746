"""Writes archives as Plausible exports them, and brings them in."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from analytics import localtime
from analytics.imported import plausible_export
from analytics.store.base import ImportedFile, KeepsImports

Table = Sequence[Mapping[str, object]]


def csv_of(rows: Table) -> str:
    """Return *rows* as CSV; all have the names of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def archive(tables: Mapping[str, Table | str]) -> bytes:
    """Return a ZIP archive with a file `imported_<name>_….csv` for each of *tables*."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, rows in tables.items():
            text = rows if isinstance(rows, str) else csv_of(rows)
            packed.writestr(f"imported_{name}_{_days(rows)}.csv", text)
    return data.getvalue()


def _days(rows: Table | str) -> str:
    """Return a range of days that *rows* lie in, as the name of a file has it."""
    days = ["20230209", "20240123"]
    if not isinstance(rows, str):
        days += [str(row["date"]).replace("-", "") for row in rows]
    return f"{min(days)}_{max(days)}"


def write(path: Path, tables: Mapping[str, Table | str]) -> Path:
    """Write that archive to *path*."""
    path.write_bytes(archive(tables))
    return path


async def bring(
    store: KeepsImports, folder: Path, site: str, tables: Mapping[str, Table | str]
) -> None:
    """Bring an export with *tables* into *store*, as the command does."""
    path = write(folder / "export.zip", tables)
    today = localtime.day_of("Etc/UTC", 4_000_000_000_000)
    lines = msgspec.json.Encoder().encode_lines([*plausible_export.read(path, today)])
    sums = folder / "sums.ndjson"
    sums.write_bytes(lines)
    digest = sha256(lines).hexdigest()
    added = ImportedFile("plausible", path.name, sums, digest, 0)
    await store.add_import(site, "Etc/UTC", added)
