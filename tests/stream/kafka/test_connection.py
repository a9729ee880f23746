"""Kafka that lets in only whom it knows: what works, and what is said when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from pydantic import SecretStr
from tests.authority import Authority, Identity
from tests.secured import Started, by_certificate, by_scram
from tests.sockets import open_sockets

from analytics.errors import AnalyticsError, LogUnavailable, Misconfigured
from analytics.settings import KafkaSettings
from analytics.stream.base import Position
from analytics.stream.kafka.connection import failure, options
from analytics.stream.kafka.log import KafkaLog
from analytics.testing.builders import numbered_hit
from analytics.testing.contracts.event_log import read

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


async def test_what_is_appended_is_read_back_whichever_way_we_log_in(
    secured_kafka: KafkaSettings, secured_servers: Started, us: Identity
) -> None:
    for number, settings in enumerate(
        (
            secured_kafka,
            by_scram(secured_kafka),
            by_certificate(secured_kafka, secured_servers.plan, us),
        )
    ):
        async with KafkaLog(settings) as log:
            (position,) = await log.append([numbered_hit(number)])
            found = await read(log, position, 1)
            assert [record for _, record in found] == [numbered_hit(number)]
            ends = {end.partition: end.offset for _, end in await log.ends()}
            assert ends[position.partition] == position.offset + 1


WRONG: Mapping[str, tuple[Mapping[str, object], str]] = {
    "password": ({"password": SecretStr("wrong")}, r"does not know us: see kafka\.username"),
    "nobody": ({"username": "nobody"}, r"does not know us: see kafka\.username"),
    "mechanism": (
        {"sasl_mechanism": "SCRAM-SHA-256"},
        r"wants a login by PLAIN or SCRAM-SHA-512, and kafka\.sasl_mechanism is SCRAM-SHA-256",
    ),
    "no login": (
        {"sasl_mechanism": "", "username": ""},
        r"wants a login by PLAIN or SCRAM-SHA-512, and kafka\.sasl_mechanism is empty",
    ),
    "plain": ({"tls": False}, r"speaks TLS, and kafka\.tls is false: set it to true"),
    "system's certificates": ({"tls_ca": None}, r"can't vouch for .*set kafka\.tls_ca"),
    "topic": ({"topic": "not.ours"}, r"not\.ours can't be made: Authorization failed"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_named_before_anything_starts(
    secured_kafka: KafkaSettings, case: str
) -> None:
    changes, said = WRONG[case]
    with pytest.raises(Misconfigured, match=said) as caught:
        async with KafkaLog(secured_kafka.model_copy(update=changes)):
            pass
    print(f"{case}: {caught.value}")


async def test_a_scram_password_that_is_wrong_is_named(secured_kafka: KafkaSettings) -> None:
    settings = by_scram(secured_kafka).model_copy(update={"password": SecretStr("wrong")})
    with pytest.raises(Misconfigured, match=r"whether they were made for SCRAM-SHA-512"):
        async with KafkaLog(settings):
            pass


async def test_no_connection_stays_open_when_it_is_said_what_is_wrong(
    secured_kafka: KafkaSettings,
) -> None:
    settings = secured_kafka.model_copy(update={"password": SecretStr("wrong")})
    before = open_sockets()
    assert isinstance(await failure(settings, "it fails", KafkaError()), Misconfigured)
    assert open_sockets() <= before


async def test_an_untrusted_ca_is_named(secured_kafka: KafkaSettings, tmp_path: Path) -> None:
    settings = secured_kafka.model_copy(update={"tls_ca": Authority(tmp_path).ca})
    with pytest.raises(Misconfigured, match=r"can't vouch for .*set kafka\.tls_ca"):
        async with KafkaLog(settings):
            pass
    with pytest.raises(Misconfigured, match=r"can't vouch for"):
        await KafkaLog(settings).ends()
    with pytest.raises(Misconfigured, match=r"can't vouch for"):
        await read(KafkaLog(settings), Position(0, 0), 1)


async def test_a_port_that_asks_for_our_certificate_is_named(
    secured_kafka: KafkaSettings, secured_servers: Started, us: Identity
) -> None:
    settings = by_certificate(secured_kafka, secured_servers.plan, us)
    without = settings.model_copy(update={"tls_certificate": None, "tls_key": None})
    with pytest.raises(Misconfigured, match=r"asks for a certificate of ours"):
        async with KafkaLog(without):
            pass


async def test_a_port_that_asks_for_no_login_is_named(
    secured_kafka: KafkaSettings, secured_servers: Started
) -> None:
    inside = (f"127.0.0.1:{secured_servers.plan.kafka(1)}",)
    settings = secured_kafka.model_copy(update={"bootstrap": inside, "tls": False})
    with pytest.raises(Misconfigured, match=r"does not ask who we are"):
        async with KafkaLog(settings):
            pass


async def test_a_port_without_tls_is_suspected(
    secured_kafka: KafkaSettings, secured_servers: Started
) -> None:
    inside = (f"127.0.0.1:{secured_servers.plan.kafka(1)}",)
    settings = secured_kafka.model_copy(update={"bootstrap": inside})
    with pytest.raises(LogUnavailable, match=r"breaks off when TLS begins"):
        await KafkaLog(settings).ends()


def test_half_a_login_is_refused() -> None:
    with pytest.raises(AnalyticsError, match=r"kafka\.username is not"):
        options(KafkaSettings(sasl_mechanism="PLAIN"), client="test")
    with pytest.raises(AnalyticsError, match=r"kafka\.sasl_mechanism is not"):
        options(KafkaSettings(username="analytics"), client="test")
