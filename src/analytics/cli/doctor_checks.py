"""The checks of `analytics doctor`."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from analytics import __version__, assets, zones
from analytics.admin import status
from analytics.cli.run import run as run_operation
from analytics.control import unix_socket
from analytics.data_folder import DataFolder, check_version
from analytics.errors import AnalyticsError
from analytics.settings import Settings, StoreSettings
from analytics.settings.example import toml_value
from analytics.settings.tree import every
from analytics.wording import counted


class Check(msgspec.Struct, frozen=True):
    """The result of one check."""

    name: str
    ok: bool
    detail: str
    warning: bool = False
    """Whether it works, but should be fixed."""


class InForce(msgspec.Struct, frozen=True):
    """A setting with where its value came from."""

    name: str
    value: str
    origin: str


class Checkup(msgspec.Struct, frozen=True):
    """The results of all checks."""

    ok: bool
    checks: list[Check]
    settings: list[InForce]


def run(read_settings: Callable[[], Settings]) -> Checkup:
    """Run all checks; a fault in one does not hide the others."""
    try:
        settings = read_settings()
    except AnalyticsError as exc:
        return Checkup(False, [Check("settings", False, str(exc))], [])
    checks = [*_checks(settings)]
    in_force = [
        InForce(each.name, toml_value(each.of(settings), each.unit), settings.origin(each.name))
        for each in every()
    ]
    return Checkup(all(check.ok for check in checks), checks, in_force)


def _checks(settings: Settings) -> Iterator[Check]:
    yield _settings(settings)
    folder = DataFolder(settings.data)
    yield _tried("data folder", lambda: _folder(folder))
    if folder.path.is_dir():
        yield _room(settings)
    if folder.stamp_file.is_file():
        yield from _contents(settings)
        yield from _exposure(folder)
    yield _tried("places", lambda: _places(settings.ingest.mmdb))
    yield _tried("spam referrers", lambda: _spam(settings.ingest.spam_referrers))
    yield _tried("machines", lambda: _ranges(settings.ingest.machine_ranges))
    yield _rates(settings.store)
    yield Check("time zones", True, f"IANA's table {zones.VERSION}, of the package tzdata")
    yield _tried("tracker", lambda: _tracker(assets.tracker()))
    yield _port(settings, folder)


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (AnalyticsError, OSError) as exc:
        return Check(name, False, str(exc))


def _settings(settings: Settings) -> Check:
    if ignored := settings.ignored():
        names = ", ".join(ignored)
        return Check("settings", True, f"understood; not read, and not ours to judge: {names}")
    return Check("settings", True, "understood")


def _folder(folder: DataFolder) -> str:
    stamp = folder.stamp()
    if stamp is None:
        return f"{folder.path} is not there yet; the first command that adds something makes it"
    check_version(stamp, str(folder.path))
    return f"{folder.path} is of version {stamp.version}, made by analytics {stamp.program}"


def _exposure(folder: DataFolder) -> Iterator[Check]:
    """Warn of a folder that other users can reach; check after opening it, which closes it."""
    if (exposure := folder.exposure(folder.user())) is not None:
        yield Check("data folder", True, exposure, warning=True)


def _room(settings: Settings) -> Check:
    free, least = shutil.disk_usage(settings.data).free, settings.journal.min_free_bytes
    detail = f"{free:,} bytes are free"
    if free < least:
        return Check("disk", False, f"{detail}; below {least:,} (journal.min_free_bytes) hits fail")
    return Check("disk", True, detail)


def _contents(settings: Settings) -> Iterator[Check]:
    name = "contents"
    try:
        summary = run_operation(settings, "status", status.AskStatus(), status.Status)
    except (AnalyticsError, OSError) as exc:
        yield Check(name, False, str(exc))
        return
    if summary.program != __version__:
        yield Check(
            name,
            False,
            f"the server is of version {summary.program} and this command of {__version__}: "
            "restart the server",
        )
        return
    yield Check(
        name,
        True,
        f"{counted(summary.sites, 'site')}, {counted(summary.people, 'person', 'people')}, "
        f"{counted(summary.keys, 'key')}; "
        f"{counted(summary.received, 'hit')} received, "
        f"{summary.behind:,} of them not in the figures yet",
    )
    for warning in summary.warnings:
        yield Check("proxy", False, warning)


def _places(mmdb: Path | None) -> str:
    # Here, because it takes longer to load than all that `--help` needs.
    from analytics.ingest import geolocation

    table = geolocation.table(mmdb)
    days = (datetime.now(UTC).date() - table.made).days
    better = "" if mmdb else "; ingest.mmdb names a newer or better one"
    return f"{table}, {days} days ago{better}"


def _spam(further: Path | None) -> str:
    from analytics.ingest.spam import SpamReferrers

    return f"{counted(SpamReferrers(further).known, 'host')} known"


def _ranges(folder: Path | None) -> str:
    from analytics.ingest.machine_ranges import MachineRanges

    machines = len(MachineRanges(folder).machines)
    return f"{counted(machines, 'machine')} verified" if folder else "no machine is verified"


def _rates(store: StoreSettings) -> Check:
    from analytics import exchange_rates

    name = "exchange rates"
    if store.exchange_rates is None:
        detail = "none; revenue in several currencies has no sum (store.exchange_rates)"
        return Check(name, True, detail)
    try:
        rates = exchange_rates.read(store.exchange_rates, store.exchange_base)
    except (AnalyticsError, OSError) as exc:
        return Check(name, False, str(exc))
    currencies = counted(rates.currencies, "currency", "currencies")
    detail = f"of {currencies} up to {rates.last_day}; fingerprint {rates.fingerprint}"
    age = (datetime.now(UTC).date() - rates.last_day).days
    if age > exchange_rates.DAYS_KEPT:
        detail += (
            f"; too old for today: without a newer file, amounts of the days after"
            f" {rates.last_day + timedelta(exchange_rates.DAYS_KEPT)} stay in their own currency"
        )
    elif age < -1:
        detail += "; its last day is yet to come: is this the right file?"
    return Check(name, True, detail, warning=not -1 <= age <= exchange_rates.DAYS_KEPT)


def _tracker(path: Path) -> str:
    return f"{path} has {path.stat().st_size:,} bytes"


def _port(settings: Settings, folder: DataFolder) -> Check:
    where = f"{settings.serve.host}:{settings.serve.port}"
    connection = unix_socket.connect(folder.socket) if folder.path.is_dir() else None
    if connection is not None:
        connection.close()
        return Check("server", True, f"runs on this folder, as process {folder.owner()}")
    family = socket.AF_INET6 if ":" in settings.serve.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.serve.host, settings.serve.port))
    except OSError as exc:
        return Check(
            "server", False, f"none on this folder, and {where} cannot be had: {exc.strerror}"
        )
    return Check("server", True, f"none on this folder; {where} is free for it")
