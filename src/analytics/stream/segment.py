"""The byte format of a journal segment: a header, then groups of records synced together.

    header  "anaJ" version:u32 base:u64                     base = offset of the first record
    group   "anaG" size:u32 crc:u32 count:u32, then size bytes: count × (length:u32 payload)

All integers are little-endian. The checksum covers count and the body. A group is written only
after the one before it was synced, so a damaged group with an intact one behind it was once
durable: that is corruption. A damaged group with nothing behind it is a torn tail: it was never
acknowledged, and it is cut off.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from zlib import crc32

from analytics.errors import Corrupt

VERSION: Final = 1
_HEADER: Final = struct.Struct("<4sIQ")
_GROUP: Final = struct.Struct("<4sIII")
_U32: Final = struct.Struct("<I")
_MAGIC: Final = b"anaJ"
_GROUP_MAGIC: Final = b"anaG"
HEADER_BYTES: Final = _HEADER.size


class SyncedGroup(NamedTuple):
    """One synced group: *first* is the offset of its first record, *end* the byte behind it."""

    first: int
    records: Sequence[bytes]
    end: int


def header(base: int) -> bytes:
    """Return the header of a segment whose first record has offset *base*."""
    return _HEADER.pack(_MAGIC, VERSION, base)


def pack(records: Sequence[bytes]) -> bytes:
    """Return *records* as the bytes of one group."""
    pieces = []
    for record in records:
        pieces.append(_U32.pack(len(record)))
        pieces.append(record)
    body = b"".join(pieces)
    count = len(records)
    return _GROUP.pack(_GROUP_MAGIC, len(body), crc32(body, count), count) + body


def packed_size(count: int, size: int) -> int:
    """Return the length of what `pack` returns for *count* records of *size* bytes together."""
    return _GROUP.size + count * _U32.size + size


def base_of(data: bytes | memoryview, name: str) -> int:
    """Return the offset of a segment's first record. Raises `Corrupt` for any other file."""
    if len(data) < HEADER_BYTES:
        raise Corrupt(f"{name}: shorter than a segment's header")
    magic, version, base = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise Corrupt(f"{name}: not a journal segment")
    if version > VERSION:
        raise Corrupt(f"{name}: written by a newer version (format {version}, we read {VERSION})")
    return int(base)


def groups(data: bytes | memoryview, name: str, *, start: int, first: int) -> Iterator[SyncedGroup]:
    """Yield the intact groups of *data* from byte *start* on, where record *first* begins.

    Stop at a torn tail. Raise `Corrupt` for a damaged group with an intact one behind it.
    """
    view = memoryview(data)
    at, offset = start, first
    while at < len(view):
        group = _group_at(view, at, offset)
        if group is None:
            if _intact_behind(view, at + 1):
                raise Corrupt(
                    f"{name}: damaged at byte {at} (record {offset}), with intact records behind "
                    "it. Stop the server, keep a copy of this file, and restore from a backup"
                )
            return
        yield group
        at = group.end
        offset += len(group.records)


def _group_at(view: memoryview, at: int, offset: int) -> SyncedGroup | None:
    body_at = at + _GROUP.size
    if body_at > len(view):
        return None
    magic, size, crc, count = _GROUP.unpack_from(view, at)
    end = body_at + size
    if magic != _GROUP_MAGIC or end > len(view) or crc32(view[body_at:end], count) != crc:
        return None
    records = []
    while body_at < end:
        (length,) = _U32.unpack_from(view, body_at)
        body_at += 4
        records.append(bytes(view[body_at : body_at + length]))
        body_at += length
    return SyncedGroup(offset, records, end)


def _intact_behind(view: memoryview, at: int) -> bool:
    rest = bytes(view[at:])
    start = rest.find(_GROUP_MAGIC)
    while start >= 0:
        if _group_at(view, at + start, 0) is not None:
            return True
        start = rest.find(_GROUP_MAGIC, start + 1)
    return False
