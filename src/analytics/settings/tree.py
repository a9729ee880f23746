"""The tree of settings: each one's type, unit, default, one line of help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, PrivateAttr, field_validator
from pydantic.fields import FieldInfo

from analytics import bounds
from analytics.settings.assistants import McpSettings
from analytics.settings.backends import (
    CassandraSettings,
    ClusterSettings,
    IgniteSettings,
    KafkaSettings,
    LogSettings,
)
from analytics.settings.discovery import DiscoverSettings, EurekaSettings, RegistrySettings
from analytics.settings.exports import ExportsSettings
from analytics.settings.section import (
    GIB,
    KIB,
    MIB,
    Bytes,
    Section,
    absent,
    currency_code,
    header_names,
    networks,
    origin,
    parts,
    setting,
)
from analytics.settings.spark import SparkSettings

Module = Literal["ingest", "dashboard", "admin"]


class ServeSettings(Section):
    """Where the server listens, and what it serves."""

    host: str = setting("127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all.")
    port: int = setting(8000, "Port to listen on; 0 picks a free one.", ge=0, le=65535)
    public_url: str = setting(
        "",
        'Public URL behind a proxy, such as "https://stats.example.com": for the snippet, and for '
        "secure cookies. Without it, requests decide.",
    )
    modules: Annotated[tuple[Module, ...], BeforeValidator(parts)] = setting(
        ("ingest", "dashboard", "admin"),
        "Modules that this server runs: ingest, dashboard, admin.",
        min_length=1,
    )
    drain_s: float = setting(
        0,
        "How long a stopping server keeps serving while /health/ready answers 503, so that "
        "balancers notice.",
        unit="seconds",
        ge=0,
    )

    @field_validator("public_url")
    @classmethod
    def _origin_alone(cls, value: str) -> str:
        return origin(value)


class IngestSettings(Section):
    """What is accepted from visitors."""

    max_event_bytes: Bytes = setting(64 * KIB, "Maximum body of one event.", unit="bytes")
    max_batch_bytes: Bytes = setting(
        5_000_000,
        "Maximum body of a batch sent with a key of the scope events:write.",
        unit="bytes",
    )
    max_open_batch_bytes: Bytes = setting(
        bounds.OPEN_BATCH_BYTES, "Maximum body of a batch sent without such a key.", unit="bytes"
    )
    max_open_batch_events: int = setting(
        bounds.OPEN_BATCH_EVENTS, "Maximum events of a batch sent without such a key.", ge=1
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(networks)] = setting(
        ("127.0.0.0/8", "::1/128"),
        "Addresses and networks of trusted proxies. They name the visitor's address in one of "
        "address_headers, else in X-Forwarded-For, else in Forwarded.",
    )
    address_headers: Annotated[tuple[str, ...], BeforeValidator(header_names)] = setting(
        (),
        "Further headers in which these proxies name the visitor's address; the first one present "
        'wins: "CF-Connecting-IP" behind Cloudflare, "X-Plausible-IP". Add a header only if the '
        "proxy removes it from visitors' requests; otherwise anybody can claim any address.",
    )
    mmdb: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None,
        "A .mmdb file for country, region and city, reopened when it is replaced; without one, "
        "the built-in table of countries.",
    )
    spam_referrers: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None,
        "A file of further spam referrers, one hostname a line; read at startup.",
    )
    machine_ranges: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None,
        "A folder of files (gptbot.json, google.json) with the address ranges that operators of "
        "machines publish; a client that claims to be one from another address is unverified. "
        "Read at startup.",
    )
    rate_per_s: float = setting(
        100,
        "Events per second that one address, or one IPv6 /64, may send; a /48 eight times as many; "
        "0 for no limit. An event counts once for each site that it names, or for each 4 KiB.",
        ge=0,
    )
    rate_burst: int = setting(1000, "Events that one address may send in a burst.", ge=1)


class GatewaySettings(Section):
    """What holds for pages and for the API."""

    rate_per_s: float = setting(
        100,
        "Requests per second that one address, or one IPv6 /64, may make; a /48 eight times as "
        "many; 0 for no limit.",
        ge=0,
    )
    rate_burst: int = setting(1000, "Requests that one address may make in a burst.", ge=1)
    key_rate_per_s: float = setting(
        100,
        "Requests per second that one key may make, events included; 0 for no limit. A batch "
        "counts as one for each 100 of its events.",
        ge=0,
    )
    key_rate_burst: int = setting(1000, "Requests that one key may make in a burst.", ge=1)
    max_body_bytes: Bytes = setting(
        1 * MIB, "Maximum body of a request that is not an event.", unit="bytes"
    )
    max_upload_bytes: Bytes = setting(
        bounds.UPLOAD_BYTES,
        "Memory for the bodies of unfinished requests; one address, or one IPv6 /64, may use a "
        "quarter of it. Requests beyond it get 503.",
        unit="bytes",
    )
    max_connections_per_address: int = setting(
        bounds.CONNECTIONS_OF_SENDER,
        "Maximum connections of one address or one IPv6 /64; further ones get 429. 0 for no limit. "
        "Trusted proxies, this machine and private networks have no limit.",
        ge=0,
    )
    max_streams: int = setting(
        bounds.STREAMS,
        "Maximum pages that receive live figures; others keep those of when they were loaded.",
        ge=0,
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(parts)] = setting(
        (),
        'Origins whose pages may call the API with a key, such as "https://example.com"; * for '
        "all. Events are accepted from every origin.",
    )


class JournalSettings(Section):
    """The durable log of hits."""

    segment_bytes: Bytes = setting(
        32 * MIB, "Size at which a new segment file begins.", unit="bytes"
    )
    max_backlog_bytes: Bytes = setting(
        8 * GIB,
        "Maximum size of hits not yet in the store; beyond it, new hits get 503.",
        unit="bytes",
    )
    min_free_bytes: Bytes = setting(
        256 * MIB, "Free disk space below which new hits get 503.", unit="bytes"
    )
    warn_days_left: float = setting(
        7,
        "Warn where the disk is full sooner than that at the present rate; 0 never warns.",
        unit="days",
        ge=0,
    )


class StoreSettings(Section):
    """The database of rows."""

    backend: Literal["duckdb", "ignite"] = setting(
        "duckdb",
        "Where rows, sites and people are kept: duckdb in the data folder, or ignite for all "
        "replicas together.",
    )
    memory_limit: Bytes = setting(1 * GIB, "Memory limit of all queries together.", unit="bytes")
    threads: int = setting(0, "Threads for queries; 0 for one per processor.", ge=0)
    hot_days: int = setting(
        0,
        "In a cluster, how long a replica keeps rows; the Spark job answers queries about older "
        "ones. 0 keeps them forever.",
        unit="days",
        ge=0,
    )
    queue_timeout_s: float = setting(
        20,
        "How long a page or an API query may wait in the queue; then it gets 503.",
        unit="seconds",
        gt=0,
    )
    query_timeout_s: float = setting(30, "Time limit of a query.", unit="seconds", gt=0)
    exchange_rates: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None,
        "A file of exchange rates by day (the ECB's eurofxref-hist.csv), by which revenue is "
        "summed in a goal's currency; read again when it changes. The same on every replica.",
    )
    exchange_base: Annotated[str, AfterValidator(currency_code)] = setting(
        "EUR", "The currency of one unit of which the file gives the worth in others."
    )
    sql_memory: Bytes = setting(
        512 * MIB,
        "Memory limit of the process that answers a query in SQL.",
        unit="bytes",
        ge=192 * MIB,
    )
    sql_rows: int = setting(
        10_000,
        "Maximum rows in the answer to a query in SQL; a truncated answer says so.",
        ge=1,
        le=1_000_000,
    )
    sql_at_once: int = setting(2, "Queries in SQL that run at a time; others wait.", ge=1)


class LogsSettings(Section):
    """The server's own log, on standard error."""

    format: Literal["auto", "json", "pretty"] = setting(
        "auto", "json, pretty, or auto: pretty on a terminal, json elsewhere."
    )
    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Minimum level that is written: debug, info, warning, error."
    )


class Settings(Section):
    """All settings in force."""

    data: Path = setting(Path("analytics-data"), "The folder that holds everything.")
    serve: ServeSettings = ServeSettings()
    ingest: IngestSettings = IngestSettings()
    gateway: GatewaySettings = GatewaySettings()
    journal: JournalSettings = JournalSettings()
    store: StoreSettings = StoreSettings()
    logs: LogsSettings = LogsSettings()
    log: LogSettings = LogSettings()
    kafka: KafkaSettings = KafkaSettings()
    ignite: IgniteSettings = IgniteSettings()
    cassandra: CassandraSettings = CassandraSettings()
    spark: SparkSettings = SparkSettings()
    registry: RegistrySettings = RegistrySettings()
    eureka: EurekaSettings = EurekaSettings()
    discover: DiscoverSettings = DiscoverSettings()
    cluster: ClusterSettings = ClusterSettings()
    mcp: McpSettings = McpSettings()
    exports: ExportsSettings = ExportsSettings()

    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _ignored: Sequence[str] = PrivateAttr(default=())

    @property
    def is_replica(self) -> bool:
        """Whether this server is a replica of a cluster; False in the embedded mode."""
        return self.store.backend == "ignite"

    def origin(self, name: str) -> str:
        """Return the origin of the value of the setting *name* (`serve.port`)."""
        return self._origins.get(name, "default")

    def ignored(self) -> Sequence[str]:
        """The environment variables that look like ours, but are not settings."""
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
        """Return its value in *settings*."""
        value: object = settings
        for part in self.name.split("."):
            value = getattr(value, part)
        return value


def every() -> Iterator[Setting]:
    """Yield every setting in the order of the tree; inherited fields come last in each section."""
    for name, field in Settings.model_fields.items():
        if isinstance(section := field.default, Section):
            leaves = type(section).model_fields
            shared = [
                inner for inner in leaves if inner not in vars(type(section))["__annotations__"]
            ]
            for inner in sorted(leaves, key=shared.__contains__):
                yield _described(f"{name}.{inner}", leaves[inner])
        else:
            yield _described(name, field)


def sections() -> Mapping[str, type[Section]]:
    """Return the sections by name."""
    return {
        name: type(field.default)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, Section)
    }


def _described(name: str, field: FieldInfo) -> Setting:
    extra = field.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    return Setting(name, field.default, unit, field.description or "")
