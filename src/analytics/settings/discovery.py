"""The settings of how replicas are found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr, ValidationInfo, field_validator

from analytics import parsing
from analytics.settings.section import Section, absent, parts, setting, web_address


class RegistrySettings(Section):
    """The registry, which lists the running replicas."""

    backend: Literal["none", "ignite", "eureka"] = setting(
        "none", "Registry of the replicas: none, ignite, eureka."
    )
    address: str = setting(
        "",
        "Address (host:port) at which balancers reach this server; without it, this machine's "
        "address towards the registry, with serve.port.",
    )
    lease_s: int = setting(
        15, "How long a replica stays listed after its last heartbeat.", unit="seconds", ge=1
    )
    heartbeat_s: float = setting(3, "Interval between heartbeats.", unit="seconds", gt=0)

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if value:
            parsing.host_and_port(value)
        return value

    @field_validator("heartbeat_s")
    @classmethod
    def _twice_in_a_lease(cls, value: float, info: ValidationInfo) -> float:
        lease_s = info.data.get("lease_s")
        if lease_s is not None and value * 2 > lease_s:
            raise ValueError(
                f"it must be half of registry.lease_s ({lease_s}) at most, or one lost heartbeat "
                "ends the lease"
            )
        return value


class EurekaSettings(Section):
    """A Eureka server as the registry."""

    urls: Annotated[tuple[str, ...], BeforeValidator(parts)] = setting(
        ("http://127.0.0.1:8761/eureka",),
        "Servers that replicate each other; the first that responds is used.",
        min_length=1,
    )
    app: str = setting("ANALYTICS", "Name under which the application is registered.", min_length=1)
    tls_ca: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None, "CA certificates (PEM) to trust; without it, those of the system."
    )
    username: str = setting("", "User name, if Eureka requires authentication.")
    password: SecretStr = setting(SecretStr(""), "The password of eureka.username.")

    @field_validator("urls")
    @classmethod
    def _web_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            web_address(each, "http://host:8761/eureka")
        return tuple(each.rstrip("/") for each in value)


class DiscoverSettings(Section):
    """What `analytics discover` does with the replicas that it finds."""

    socket: Path = setting(
        Path("/run/haproxy/admin.sock"), "HAProxy's runtime socket, of level admin."
    )
    every_s: float = setting(
        1, "How often the registry and HAProxy are compared.", unit="seconds", gt=0
    )
    drain_s: float = setting(
        30,
        "Time for a removed server to finish its requests before it is cut off.",
        unit="seconds",
        ge=0,
    )
    server_options: str = setting(
        "check inter 1s fastinter 200ms downinter 500ms fall 3 rise 1 observe layer4 error-limit 3 "
        "on-error sudden-death pool-purge-delay 5s",
        "Options of a server that is added, written as in haproxy.cfg.",
    )
    ingest_maxconn: int = setting(
        128, "Maximum concurrent requests to a server of the backend `ingest`.", ge=1
    )
    dashboard_maxconn: int = setting(
        1024, "Maximum concurrent requests to a server of the backend `dashboard`.", ge=1
    )
    admin_maxconn: int = setting(
        256, "Maximum concurrent requests to a server of the backend `admin`.", ge=1
    )

    def options_in(self, backend: str) -> str:
        """Return the options of a server that is added to *backend*."""
        limits = {
            "ingest": self.ingest_maxconn,
            "dashboard": self.dashboard_maxconn,
            "admin": self.admin_maxconn,
        }
        return f"maxconn {limits[backend]} {self.server_options}"
