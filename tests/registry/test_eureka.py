"""The registry in a real Eureka server passes the suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx2
import pytest
from msgspec import structs
from tests.eureka.server import EurekaServer

from analytics.errors import Misconfigured, RegistryUnavailable
from analytics.registry.base import Registry
from analytics.registry.eureka import EurekaRegistry
from analytics.resources import clock
from analytics.settings import EurekaSettings
from analytics.testing.contracts.registry import LEASE_S, ONE, OTHER, RegistryContract, told

_numbers = count(1)


def registry(*urls: str, app: str = "TEST", **more: str) -> EurekaRegistry:
    settings = EurekaSettings.model_validate({"urls": urls, "app": app, **more})
    return EurekaRegistry(settings, lease_s=LEASE_S, heartbeat_s=1, clock=clock)


@pytest.mark.cluster
@pytest.mark.timeout(1800)
class TestEurekaRegistry(RegistryContract):
    @pytest.fixture
    async def registries(self, eureka: EurekaServer) -> AsyncIterator[tuple[Registry, Registry]]:
        app = f"TEST-{next(_numbers)}"
        async with registry(eureka.url, app=app) as one, registry(eureka.url, app=app) as other:
            yield one, other

    async def test_the_first_server_that_answers_is_asked(self, eureka: EurekaServer) -> None:
        app = f"TEST-{next(_numbers)}"
        async with registry("http://127.0.0.1:1/eureka", f"{eureka.url}/", app=app) as one:
            await one.announce(ONE)
            assert told(await one.replicas()) == [ONE]

    async def test_eureka_itself_has_the_replica_with_its_state(self, eureka: EurekaServer) -> None:
        """Whoever else reads Eureka (a gateway of Spring's) finds what it expects."""
        app = f"TEST-{next(_numbers)}"
        async with registry(eureka.url, app=app) as one:
            await one.announce(ONE)
            await one.announce(OTHER)
        reply = httpx2.get(f"{eureka.url}/apps/{app}", headers={"accept": "application/json"})
        found = {each["instanceId"]: each for each in reply.json()["application"]["instance"]}
        assert found[ONE.address]["status"] == "UP"
        assert found[ONE.address]["ipAddr"] == "10.0.0.1"
        assert found[ONE.address]["port"]["$"] == 8000
        assert found[ONE.address]["vipAddress"] == app.lower()
        assert found[ONE.address]["healthCheckUrl"] == "http://10.0.0.1:8000/health/ready"
        assert found[OTHER.address]["status"] == "DOWN"

    async def test_a_clock_that_was_set_back_keeps_no_state_from_being_known(
        self, eureka: EurekaServer
    ) -> None:
        app, now = f"TEST-{next(_numbers)}", clock()
        settings = EurekaSettings.model_validate({"urls": [eureka.url], "app": app})
        hands = [now]
        async with EurekaRegistry(
            settings, lease_s=LEASE_S, heartbeat_s=1, clock=lambda: hands[0]
        ) as one:
            faulty = structs.replace(ONE, fault="it is starting")
            await one.announce(faulty)
            hands[0] = now - 5_000
            await one.announce(ONE)
            assert told(await one.replicas()) == [ONE]
            await one.announce(ONE)
            assert told(await one.replicas()) == [ONE]
        # Begun anew on a machine whose clock went back, it does not know what it once said.
        async with EurekaRegistry(
            settings, lease_s=LEASE_S, heartbeat_s=1, clock=lambda: now - 3_600_000
        ) as again:
            await again.announce(faulty)
            assert told(await again.replicas()) == [faulty]
            await again.announce(ONE)
            assert told(await again.replicas()) == [ONE]

    async def test_who_is_out_of_service_in_eureka_is_said_to_be(
        self, eureka: EurekaServer
    ) -> None:
        app = f"TEST-{next(_numbers)}"
        status = f"{eureka.url}/apps/{app}/{ONE.address}/status"
        async with registry(eureka.url, app=app) as one:
            await one.announce(ONE)
            assert httpx2.put(status, params={"value": "OUT_OF_SERVICE"}).status_code == 200
            (listed,) = await one.replicas()
            assert listed.out_of_service
            await one.announce(structs.replace(ONE, fault="its disk is full"))
            await one.announce(ONE)
            (listed,) = await one.replicas()
            assert (listed.out_of_service, listed.replica.fault) == (
                True,
                "Eureka has it as OUT_OF_SERVICE",
            )
            assert httpx2.delete(status, params={"value": "UP"}).status_code == 200
            await one.announce(ONE)
            assert [(e.replica, e.out_of_service) for e in await one.replicas()] == [(ONE, False)]

    async def test_instances_that_are_none_of_ours_are_left_out(self, eureka: EurekaServer) -> None:
        app = f"TEST-{next(_numbers)}"
        other = {
            "instance": {
                "instanceId": "other",
                "app": app,
                "hostName": "other",
                "ipAddr": "10.0.0.9",
                "status": "UP",
                "port": {"$": 80, "@enabled": "true"},
                "metadata": {"startedAt": "soon"},
                "dataCenterInfo": {
                    "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                    "name": "MyOwn",
                },
            }
        }
        assert httpx2.post(f"{eureka.url}/apps/{app}", json=other).status_code == 204
        async with registry(eureka.url, app=app) as one:
            await one.announce(ONE)
            assert told(await one.replicas()) == [ONE]


async def test_a_server_that_is_away_is_unavailable() -> None:
    async with registry("http://127.0.0.1:1/eureka") as one:
        with pytest.raises(RegistryUnavailable, match="Eureka does not answer at http://127"):
            await one.replicas()
        with pytest.raises(RegistryUnavailable):
            await one.announce(ONE)


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"eureka\.tls_ca"):
        async with registry("https://127.0.0.1:1", tls_ca=str(tmp_path / "none.pem")):
            pass
