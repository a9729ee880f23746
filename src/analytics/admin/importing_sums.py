"""The operations on the figures of other products: bring them in, list them, take them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from analytics import bounds, localtime, printable
from analytics.admin.operation_context import OperationContext, Progress
from analytics.admin.workspace import Workspace
from analytics.errors import Malformed, StoreUnavailable, TooLarge
from analytics.imported.daily_sums import DailySum
from analytics.imported.products import READERS
from analytics.store.base import ImportAdded, ImportedFile, SiteImport
from analytics.suggestions import unknown

_FILE_NAME_CHARS: Final = 200
_FILES_WITH_IGNORED: Final = 20
"""Files whose unknown columns are named."""
_BATCH: Final = 5_000


class ImportSums(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`import` of another product's export."""

    product: str
    site: str
    file: str
    """The name of the file, for people."""
    bytes: int = 0
    """The size of the input, for progress reports; 0 if unknown."""


class ListImports(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`import list`."""

    site: str


class NamedImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`import remove`."""

    site: str
    id: int


class ImportShown(msgspec.Struct, frozen=True, kw_only=True):
    """An import as scripts read it."""

    site: str
    id: int
    product: str
    file: str
    imported_at: int
    """UTC milliseconds."""
    first_day: str
    last_day: str
    rows: int
    """The daily sums that it holds."""
    visitors: int
    """The sum of each day's."""
    pageviews: int


class SumsImported(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result: what counts from now on, and what does not."""

    site: str
    rows: int
    """The daily sums that were added."""
    days_with_events: int
    """Days that were left out because the site has its own events from then on."""
    days_of_other_imports: int
    """Days of which sums were left out because another import has them."""
    days_left_out_by_kind: Mapping[str, int] = {}
    """Those days by the kind of the sums that were left out."""
    ignored_columns: Mapping[str, Sequence[str]] = {}
    """Columns that are not known and so were passed over, by the file of the export."""
    added: ImportShown | None = None
    already: ImportShown | None = None
    """The equal import that was there before."""


async def add(workspace: Workspace, request: ImportSums, job: OperationContext) -> SumsImported:
    """Import the sums in the input, a product's export; what counts already adds nothing.

    Raise `Malformed` for what cannot be read, naming the file and the line, and `TooLarge`.
    """
    if (reader := READERS.get(request.product)) is None:
        raise Malformed("product", unknown("product", request.product, READERS))
    site = workspace.site(request.site)
    scratch = workspace.folder.scratch
    name = printable.stripped(Path(request.file).name)[:_FILE_NAME_CHARS]
    ignored: dict[str, list[str]] = {}
    export, sums = (scratch / f"import-{uuid4()}.{kind}" for kind in ("export", "ndjson"))
    try:
        await _receive(export, job, request.bytes)
        now = workspace.clock()
        today = localtime.day_of(site.timezone, now)
        read = partial(reader, export, today, ignore=partial(_note_ignored, ignored))
        try:
            digest = await asyncio.to_thread(_read, read, sums)
        except Malformed as exc:
            # The reader knows the archive by the name that it has while it is read.
            archive = "standard input" if name == "-" else name
            raise Malformed(archive if exc.field == "file" else exc.field, exc.reason) from exc
        await workspace.settle()  # its own events decide which days count
        file = ImportedFile(request.product, name, sums, digest, now)
        outcome = await workspace.store.add_import(site.domain, site.timezone, file)
    finally:
        for path in (export, sums):
            path.unlink(missing_ok=True)
    return _result(site.domain, outcome, ignored)


async def every(
    workspace: Workspace, request: ListImports, _: OperationContext
) -> Sequence[ImportShown]:
    """Return the imports of a site in the order in which they came."""
    site = workspace.site(request.site).domain
    return [shown(site, each) for each in await workspace.store.imports(site)]


async def remove(workspace: Workspace, request: NamedImport, _: OperationContext) -> ImportShown:
    """Delete an import with all its sums; return what it was."""
    site = workspace.site(request.site).domain
    return shown(site, await workspace.store.remove_import(site, request.id))


def shown(site: str, each: SiteImport) -> ImportShown:
    """Return an import of *site* as commands print it."""
    return ImportShown(
        site=site,
        id=each.id,
        product=each.product,
        file=each.file,
        imported_at=each.imported_at,
        first_day=localtime.date_of(each.first_day).isoformat(),
        last_day=localtime.date_of(each.last_day).isoformat(),
        rows=each.rows,
        visitors=each.visitors,
        pageviews=each.pageviews,
    )


def _note_ignored(ignored: dict[str, list[str]], file: str, columns: Sequence[str]) -> None:
    if len(ignored) < _FILES_WITH_IGNORED:
        ignored[file] = list(columns)


def _result(site: str, outcome: ImportAdded, ignored: dict[str, list[str]]) -> SumsImported:
    one = None if outcome.site_import is None else shown(site, outcome.site_import)
    return SumsImported(
        site=site,
        rows=one.rows if one is not None and outcome.is_new else 0,
        days_with_events=outcome.days_with_events,
        days_of_other_imports=outcome.days_of_other_imports,
        days_left_out_by_kind=outcome.days_left_out_by_kind,
        ignored_columns=ignored,
        added=one if outcome.is_new else None,
        already=None if outcome.is_new else one,
    )


async def _receive(path: Path, job: OperationContext, size: int) -> None:
    """Write the input to *path*. Raise `TooLarge`."""
    received = 0
    try:
        with path.open("xb") as file:
            async for piece in _bounded(job.input):
                await asyncio.to_thread(file.write, piece)
                received += len(piece)
                job.report(Progress(received, size, "receiving"))
    except OSError as exc:
        raise StoreUnavailable(
            f"The data folder cannot take the export ({exc.strerror}); make room there."
        ) from exc


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    bytes_left = bounds.IMPORT_BYTES
    async for piece in pieces:
        bytes_left -= len(piece)
        if bytes_left < 0:
            raise TooLarge(
                f"An export has at most {bounds.IMPORT_BYTES >> 20:,} MiB: export fewer days, and"
                " import one export after the other."
            )
        yield piece


def _read(read_export: Callable[[], Iterator[DailySum]], sums: Path) -> str:
    """Write the sums in an export to *sums*, one a line; return the digest of all."""
    digest = sha256()
    encoder = msgspec.json.Encoder()
    try:
        with sums.open("xb") as file:
            read = read_export()
            while batch := list(islice(read, _BATCH)):
                lines = encoder.encode_lines(batch)
                digest.update(lines)
                file.write(lines)
    except OSError as exc:
        raise StoreUnavailable(
            f"The data folder cannot take the sums ({exc.strerror}); make room there."
        ) from exc
    return digest.hexdigest()
