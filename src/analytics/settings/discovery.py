"""The settings of how replicas are found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr, ValidationInfo, field_validator

from analytics import parsing
from analytics.settings.section import Section, absent, parts, setting, web_address


class RegistrySettings(Section):
    """The list of the replicas that are there."""

    backend: Literal["none", "ignite", "eureka"] = setting(
        "none", "Where replicas say that they are there: none, ignite, eureka."
    )
    address: str = setting(
        "",
        "host:port at which balancers reach this server; without it, the address that this "
        "machine has towards the registry, with serve.port.",
    )
    lease_s: int = setting(
        15, "How long a replica is listed after it last said so.", unit="seconds", ge=1
    )
    heartbeat_s: float = setting(3, "How often a replica says so.", unit="seconds", gt=0)

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
                f"it must be half of registry.lease_s ({lease_s}) at most, or one lost beat ends "
                "the lease"
            )
        return value


class EurekaSettings(Section):
    """A Eureka server, where replicas are listed there."""

    urls: Annotated[tuple[str, ...], BeforeValidator(parts)] = setting(
        ("http://127.0.0.1:8761/eureka",),
        "Servers that copy each other; the first that answers is asked.",
        min_length=1,
    )
    app: str = setting("ANALYTICS", "The application's name there.", min_length=1)
    tls_ca: Annotated[Path | None, BeforeValidator(absent)] = setting(
        None, "Certificates (PEM) that are trusted; without it, the system's."
    )
    username: str = setting("", "Who we are to Eureka, where it asks.")
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
        "How long a server that leaves may finish what it has begun, before it is cut off.",
        unit="seconds",
        ge=0,
    )
    server_options: str = setting(
        "check inter 1s fastinter 200ms downinter 500ms fall 3 rise 1 observe layer4 error-limit 3 "
        "on-error sudden-death pool-purge-delay 5s",
        "What stands behind the address of a server that is added, as in haproxy.cfg.",
    )
    ingest_maxconn: int = setting(
        128, "Requests that a server is handed at once in the backend `ingest`.", ge=1
    )
    dashboard_maxconn: int = setting(
        1024, "Requests that a server is handed at once in the backend `dashboard`.", ge=1
    )
    admin_maxconn: int = setting(
        256, "Requests that a server is handed at once in the backend `admin`.", ge=1
    )

    def options_in(self, backend: str) -> str:
        """What stands behind the address of a server that is added to *backend*."""
        limits = {
            "ingest": self.ingest_maxconn,
            "dashboard": self.dashboard_maxconn,
            "admin": self.admin_maxconn,
        }
        return f"maxconn {limits[backend]} {self.server_options}"
