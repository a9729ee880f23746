"""The tree of settings: each one's type, unit, default, one line of help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr
from pydantic.fields import FieldInfo

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

_UNITS: Final = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": KIB, "mib": MIB, "gib": GIB, "tib": 1024 * GIB,
}  # fmt: skip
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def _bytes(value: object) -> object:
    """A size as people write it: 67108864, "64 MiB", "5 MB"."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError('give a size such as "64 MiB" or 67108864')
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _parts(value: object) -> object:
    """A list, also as text with commas: the environment and the flags have no other way."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _networks(value: object) -> object:
    value = _parts(value)
    if isinstance(value, list | tuple):
        for part in value:
            if not isinstance(part, str):
                raise TypeError('give addresses or networks as text, such as "10.0.0.0/8"')
            ip_network(part, strict=False)
    return value


def _absent(value: object) -> object:
    return None if value == "" else value


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
Module = Literal["ingest", "dashboard", "admin"]


def _setting(default: object, help_: str, *, unit: str = "", **limits: float) -> Any:
    """A field with its one line of help and the unit of its value."""
    return Field(default, description=help_, json_schema_extra={"unit": unit}, **limits)  # type: ignore[call-overload]


class Section(BaseModel):
    """A group of settings; frozen, and it knows all its names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Serve(Section):
    """Where the server listens, and for what."""

    host: str = _setting("127.0.0.1", "Address to listen on; 0.0.0.0 or :: for every one.")
    port: int = _setting(8000, "Port to listen on; 0 takes a free one.", ge=0, le=65535)
    modules: Annotated[tuple[Module, ...], BeforeValidator(_parts)] = _setting(
        ("ingest", "dashboard", "admin"),
        "What this server answers for: ingest, dashboard, admin.",
        min_length=1,
    )


class Ingest(Section):
    """What is accepted from visitors."""

    max_event_bytes: Bytes = _setting(64 * KIB, "Largest body of one event.", unit="bytes")
    max_batch_bytes: Bytes = _setting(5_000_000, "Largest body of a batch.", unit="bytes")
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_networks)] = _setting(
        ("127.0.0.0/8", "::1/128"),
        "Addresses and networks whose X-Forwarded-For is believed.",
    )
    mmdb: Annotated[Path | None, BeforeValidator(_absent)] = _setting(
        None, "A MaxMind-format file for country, region and city; without one, country only."
    )
    rate_per_s: float = _setting(
        100, "Requests a second that one address may make; 0 for no limit.", ge=0
    )
    rate_burst: int = _setting(1000, "Requests that one address may make at once.", ge=1)


class Journal(Section):
    """The durable log of hits."""

    segment_bytes: Bytes = _setting(32 * MIB, "Size at which a new file begins.", unit="bytes")
    max_backlog_bytes: Bytes = _setting(
        8 * GIB, "Hits not yet in the store, beyond which new ones get 503.", unit="bytes"
    )
    min_free_bytes: Bytes = _setting(
        256 * MIB, "Free disk space below which new hits get 503.", unit="bytes"
    )


class Store(Section):
    """The database of rows."""

    memory_limit: Bytes = _setting(1 * GIB, "Most memory that queries use together.", unit="bytes")
    threads: int = _setting(0, "Threads for queries; 0 for one a processor.", ge=0)
    query_timeout_s: float = _setting(
        30, "Time after which a query is given up.", unit="seconds", gt=0
    )


class Logs(Section):
    """What the server says about itself, on standard error."""

    format: Literal["auto", "json", "pretty"] = _setting(
        "auto", "json, pretty, or auto: pretty on a terminal, json elsewhere."
    )
    level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "The least level that is written: debug, info, warning, error."
    )


class Settings(Section):
    """Everything that can be set, as it is in force."""

    data: Path = _setting(Path("analytics-data"), "The folder that holds everything.")
    serve: Serve = Serve()
    ingest: Ingest = Ingest()
    journal: Journal = Journal()
    store: Store = Store()
    logs: Logs = Logs()

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _ignored: Sequence[str] = PrivateAttr(default=())

    def origin(self, name: str) -> str:
        """Where the value of the setting *name* (`serve.port`) came from."""
        return self._origins.get(name, "default")

    def ignored(self) -> Sequence[str]:
        """The environment variables that look like ours, and are not read."""
        return self._ignored


class Setting(NamedTuple):
    """One setting, described."""

    name: str
    """Dotted: `serve.port`."""
    default: object
    unit: str
    help: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "ANALYTICS_" + self.name.upper().replace(".", "__")

    def of(self, settings: Settings) -> object:
        """Its value in *settings*."""
        value: object = settings
        for part in self.name.split("."):
            value = getattr(value, part)
        return value


def every() -> Iterator[Setting]:
    """Every setting, in the order of the tree."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            for inner, leaf in type(field.default).model_fields.items():
                yield _described(f"{name}.{inner}", leaf)
        else:
            yield _described(name, field)


def sections() -> Mapping[str, type[Section]]:
    """The sections by name."""
    return {
        name: type(field.default)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, Section)
    }


def _described(name: str, field: FieldInfo) -> Setting:
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    return Setting(name, field.default, unit, field.description or "")
