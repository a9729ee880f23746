"""Small documents that a cluster shares in Ignite, replaced by compare-and-set."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from pyignite import GenericObjectMeta
from pyignite.datatypes import ByteArrayObject, LongObject, String

from analytics.guard import Guard
from analytics.settings import IgniteSettings
from analytics.store.ignite.client import IgniteClient
from analytics.store.ignite.tables import CATALOG, ColumnType

_TYPES: Final = {
    ColumnType.TEXT: String,
    ColumnType.LONG: LongObject,
    ColumnType.BYTES: ByteArrayObject,
}
_Value: Any = GenericObjectMeta(
    "_Value",
    (),
    {},
    type_name=CATALOG.value_type,
    schema=OrderedDict((each.name, _TYPES[each.kind]) for each in CATALOG.columns),
)


class SharedDocument:
    """The document with this *name*. For one thread at a time.

    Every method raises `StoreUnavailable` if Ignite does not answer.
    """

    def __init__(self, settings: IgniteSettings, name: str, guard: Guard | None = None) -> None:
        self._client = IgniteClient(settings, guard)
        self._name = name
        self._known: Any = None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def revision(self) -> int | None:
        """Return the current revision; None if the document is not in Ignite's memory."""
        rows = self._client.rows(
            f"SELECT revision FROM {CATALOG.name} WHERE document_id = ?",  # noqa: S608 - our own name
            (self._name,),
        )
        return int(rows[0][0]) if rows else None

    def load(self) -> tuple[int, bytes] | None:
        """Return (revision, body), loaded from Cassandra if need be; None without a document."""
        self._known = self._client.get(CATALOG.name, [self._name]).get(self._name)
        return None if self._known is None else (self._known.revision, bytes(self._known.body))

    def replace(self, revision: int, body: bytes) -> bool:
        """Replace the version that `load` or `replace` saw last; return False if it has changed.

        If it raises `StoreUnavailable`, the document may have been replaced or not.
        """
        value = _Value(kind="document", owner="", revision=revision, body=body)
        if self._client.swap(CATALOG.name, self._name, self._known, value):
            self._known = value
            return True
        return False
