"""Rows in Ignite that expire unless they are written again in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyignite import GenericObjectMeta
from pyignite.datatypes import LongObject, String

from analytics.settings import IgniteSettings
from analytics.store.ignite.client import IgniteClient
from analytics.store.ignite.tables import ColumnType, Table

_TYPES: Final = {ColumnType.TEXT: String, ColumnType.LONG: LongObject}


class LeasedRows:
    """The rows of *table*; each expires *lease_s* seconds after its last `put`. For one thread.

    Every method raises `StoreUnavailable` if Ignite does not answer.
    """

    def __init__(self, settings: IgniteSettings, table: Table, lease_s: float) -> None:
        self._client = IgniteClient(settings)
        self._table = table
        self._lease_s = lease_s
        self._value: Any = GenericObjectMeta(
            "_Value",
            (),
            {},
            type_name=table.value_type,
            schema=OrderedDict((each.name, _TYPES[each.kind]) for each in table.columns),
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def put(self, key: str, columns: Mapping[str, object]) -> None:
        """Store the row of *key*, or renew it; *columns* maps column names to values."""
        value = self._value(**columns)
        self._client.put(self._table.name, {key: value}, expires_after_s=self._lease_s)

    def remove(self, key: str) -> None:
        """Delete the row of *key*."""
        self._client.remove(self._table.name, [key])

    def all(self) -> Sequence[Mapping[str, Any]]:
        """Return every row as a mapping from column names, the key's included; sorted by key."""
        names = [self._table.key.name, *(each.name for each in self._table.columns)]
        sql = f"SELECT {', '.join(names)} FROM {self._table.name} ORDER BY {names[0]}"  # noqa: S608 - our own names
        return [dict(zip(names, row, strict=True)) for row in self._client.rows(sql)]
