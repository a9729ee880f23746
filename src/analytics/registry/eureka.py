"""The registry of replicas in a Eureka server, through its REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

import httpx2
import msgspec

from analytics import parsing
from analytics.errors import UNDECODABLE, Misconfigured, RegistryUnavailable
from analytics.parsing import host_and_port
from analytics.registry.base import Listed, Registry, Replica
from analytics.settings import EurekaSettings

_TIMEOUT_S: Final = 1.5
_HEADERS: Final = {"accept": "application/json"}
_UP: Final = "UP"
_DOWN: Final = "DOWN"
_OUT_OF_SERVICE: Final = "OUT_OF_SERVICE"
_ATTEMPTS: Final = 3


class EurekaRegistry:
    """A `Registry` with leases of *lease_s* seconds, renewed every *heartbeat_s*.

    By default, a Eureka server removes ended leases once a minute, and lists replicas from a cache
    that is up to half a minute old.
    """

    def __init__(
        self,
        settings: EurekaSettings,
        *,
        lease_s: int,
        heartbeat_s: float,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._client: httpx2.AsyncClient | None = None
        self._registered: Replica | None = None
        self._changed_at = 0

    async def __aenter__(self) -> Self:
        settings = self._settings
        auth = None
        if settings.username:
            auth = (settings.username, settings.password.get_secret_value())
        self._client = httpx2.AsyncClient(
            auth=auth, headers=_HEADERS, timeout=_TIMEOUT_S, verify=_trusted(settings)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def announce(self, replica: Replica) -> None:
        """See `Registry.announce`. An unchanged replica is renewed, not sent again."""
        if replica == self._registered:
            instance = self._instance(replica.address)
            renewal = {"status": _status(replica), "lastDirtyTimestamp": str(self._changed_at)}
            if await self._ask("PUT", instance, params=renewal):
                return
        await self._register(replica)
        self._registered = replica

    async def _register(self, replica: Replica) -> None:
        """Send the state of *replica*, and check that Eureka has kept it.

        Eureka keeps the state with the latest timestamp, whichever came last. If it kept another,
        because this clock was set back, send the state again with a later timestamp.
        """
        for _ in range(_ATTEMPTS):
            self._changed_at = max(self._clock(), self._changed_at + 1)
            await self._ask("POST", self._app, json={"instance": self._described(replica)})
            reply = await self._ask("GET", self._instance(replica.address))
            kept_at = _decoded(reply, _One).instance.changed_at if reply else 0
            if kept_at <= self._changed_at:
                return
            self._changed_at = kept_at
        raise RegistryUnavailable(
            f"Eureka keeps an older state of {replica.address}: does another program register it?"
        )

    async def withdraw(self, address: str) -> None:
        """See `Registry.withdraw`."""
        self._registered = None
        await self._ask("DELETE", self._instance(address))

    async def replicas(self) -> Sequence[Listed]:
        """See `Registry.replicas`. Instances that other programs registered are left out."""
        reply = await self._ask("GET", self._app)
        if not reply:
            return []
        instances = _decoded(reply, _Reply).application.instance
        listed = [
            _listed(each)
            for each in instances
            if parsing.digits(each.metadata.get("startedAt", "")) is not None
        ]
        return sorted(listed, key=lambda each: each.replica.address)

    @property
    def _app(self) -> str:
        return f"/apps/{self._settings.app}"

    def _instance(self, address: str) -> str:
        return f"{self._app}/{address}"

    async def _ask(self, method: str, path: str, **more: Any) -> bytes | None:
        """Return a server's reply, None for 404. Raise `RegistryUnavailable` if all fail."""
        assert self._client is not None, "open it first"  # noqa: S101 - a mistake of ours
        fault = ""
        for url in self._settings.urls:
            try:
                reply = await self._client.request(method, url + path, **more)
            except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
                fault = f"Eureka does not answer at {url}: {exc!r}"
                continue
            if reply.status_code == 404:
                return None
            if reply.is_success:
                return reply.content or b"\n"
            fault = f"Eureka answers {reply.status_code} at {url}{path}"
        raise RegistryUnavailable(fault)

    def _described(self, replica: Replica) -> Mapping[str, Any]:
        """Return *replica* as an instance of Eureka."""
        plain, port = host_and_port(replica.address)
        app = self._settings.app
        return {
            "instanceId": replica.address,
            "app": app,
            "hostName": plain,
            "ipAddr": plain,
            "vipAddress": app.lower(),
            "secureVipAddress": app.lower(),
            "status": _status(replica),
            "port": {"$": int(port), "@enabled": "true"},
            "securePort": {"$": 443, "@enabled": "false"},
            "homePageUrl": f"http://{replica.address}/",
            "statusPageUrl": f"http://{replica.address}/health/ready",
            "healthCheckUrl": f"http://{replica.address}/health/ready",
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                "name": "MyOwn",
            },
            "leaseInfo": {
                "renewalIntervalInSecs": max(1, round(self._heartbeat_s)),
                "durationInSecs": self._lease_s,
            },
            "metadata": {
                "modules": ",".join(replica.modules),
                "version": replica.version,
                "startedAt": str(replica.started_at),
                "fault": replica.fault,
            },
            "lastDirtyTimestamp": str(self._changed_at),
        }


class _Lease(msgspec.Struct, rename="camel"):
    registration_timestamp: int = 0
    last_renewal_timestamp: int = 0
    duration_in_secs: int = 0


class _Instance(msgspec.Struct, rename="camel"):
    instance_id: str
    status: str
    lease_info: _Lease
    metadata: dict[str, str] = {}
    last_dirty_timestamp: str = "0"

    @property
    def changed_at(self) -> int:
        """Return its timestamp by the sender's clock, in UTC milliseconds; 0 if it has none."""
        return parsing.digits(self.last_dirty_timestamp) or 0


class _One(msgspec.Struct):
    instance: _Instance


class _Application(msgspec.Struct):
    instance: list[_Instance]


class _Reply(msgspec.Struct):
    application: _Application


_T = TypeVar("_T")


def _decoded(reply: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(reply, type=kind)
    except UNDECODABLE as exc:
        raise RegistryUnavailable(f"Eureka's answer cannot be understood: {exc}") from exc


def _listed(instance: _Instance) -> Listed:
    metadata = instance.metadata
    fault = metadata.get("fault", "")
    if instance.status != _UP and not fault:
        fault = f"Eureka lists it as {instance.status}"
    return Listed(
        Replica(
            address=instance.instance_id,
            modules=tuple(metadata.get("modules", "").split(",")),
            version=metadata.get("version", ""),
            started_at=int(metadata["startedAt"]),
            fault=fault,
        ),
        seen_at=_seen_at(instance.lease_info),
        out_of_service=instance.status == _OUT_OF_SERVICE,
    )


def _seen_at(lease: _Lease) -> int:
    """Return the time of the last renewal: Eureka stores it with the lease's duration added."""
    if lease.last_renewal_timestamp <= lease.registration_timestamp:
        return lease.registration_timestamp
    renewed = lease.last_renewal_timestamp - lease.duration_in_secs * 1000
    return max(renewed, lease.registration_timestamp)


def _status(replica: Replica) -> str:
    return _DOWN if replica.fault else _UP


def _trusted(settings: EurekaSettings) -> Any:
    if settings.tls_ca is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=str(settings.tls_ca))
    except (OSError, ssl.SSLError) as exc:
        raise Misconfigured(f"eureka.tls_ca: {settings.tls_ca} cannot be read: {exc}") from exc


_: type[Registry] = EurekaRegistry
