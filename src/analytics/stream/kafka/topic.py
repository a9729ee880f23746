"""Creates the topics when they are missing, and refuses settings that would lose hits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from analytics.errors import LogUnavailable, Misconfigured
from analytics.settings import KafkaSettings
from analytics.stream.kafka.connection import failure, options
from analytics.units import HOUR_MS

log = structlog.get_logger()

_TIMEOUT_MS: Final = 10_000
_TRIES: Final = 50
_PAUSE_S: Final = 0.1


async def ensure(settings: KafkaSettings) -> None:
    """Make our topics where they are missing, and look whether they keep what they are given.

    Raises `LogUnavailable` when no broker answers, `Misconfigured` when a topic can't be used.
    """
    async with administration(settings) as admin:
        existing = set(await admin.list_topics())
        if settings.topic not in existing:
            await _create(admin, settings, settings.topic, settings.partitions)
        if settings.dead_topic not in existing:
            await _create(admin, settings, settings.dead_topic, 1)
        _check(settings, await _configuration(admin, settings.topic))


async def brokers(settings: KafkaSettings) -> Set[int]:
    """Return the ids of the live brokers. Raises `LogUnavailable` when none answers."""
    async with administration(settings) as admin:
        cluster = await admin.describe_cluster()
        return {broker["node_id"] for broker in cluster["brokers"]}


async def kept_ms(settings: KafkaSettings) -> int | None:
    """Return how many milliseconds the topic keeps a record; None when it has no limit.

    Raises `LogUnavailable` when no broker answers.
    """
    async with administration(settings) as admin:
        kept = int((await _configuration(admin, settings.topic)).get("retention.ms", -1))
    return None if kept < 0 else kept


@asynccontextmanager
async def administration(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        request_timeout_ms=_TIMEOUT_MS, **options(settings, client="analytics-topics")
    )
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as exc:
        what = f"Kafka at {settings.bootstrap[0]} does not answer"
        raise await failure(settings, what, exc) from exc
    finally:
        await admin.close()


async def _create(
    admin: AIOKafkaAdminClient, settings: KafkaSettings, name: str, partitions: int
) -> None:
    if settings.min_insync > settings.replication:
        raise Misconfigured(
            f"kafka.min_insync is {settings.min_insync}, more than the {settings.replication} "
            "copies that kafka.replication asks for: nothing could ever be written"
        )
    topic = NewTopic(
        name,
        partitions,
        settings.replication,
        topic_configs={
            "retention.ms": str(settings.retention_h * HOUR_MS),
            "min.insync.replicas": str(settings.min_insync),
            "cleanup.policy": "delete",
            # The job's watermark follows the time of appending, which no sender can choose.
            "message.timestamp.type": "LogAppendTime",
        },
    )
    reply = await admin.create_topics([topic], timeout_ms=_TIMEOUT_MS)
    for _name, code, *message in reply.topic_errors:
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            return  # another replica was first
        if code:
            message_text = (message and message[0]) or error.description
            raise Misconfigured(f"the topic {name} can't be made: {message_text}")
    log.info("topic_created", topic=name, partitions=partitions)


async def _configuration(admin: AIOKafkaAdminClient, name: str) -> Mapping[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    for _ in range(_TRIES):
        (reply, *_) = await admin.describe_configs([resource])
        ((code, message, _kind, _name, entries),) = reply.resources
        error = for_code(code)
        if error is UnknownTopicOrPartitionError:
            await asyncio.sleep(_PAUSE_S)  # the broker that was asked has not heard of it yet
        elif code:
            raise error(message)
        else:
            return {entry[0]: entry[1] for entry in entries}
    raise LogUnavailable(f"the topic {name} was made, and no broker knows of it")


def _check(settings: KafkaSettings, config: Mapping[str, str]) -> None:
    """Raise `Misconfigured` when the topic would forget what it was given."""
    kept_ms = int(config.get("retention.ms", -1))
    if 0 <= kept_ms < settings.retention_h * HOUR_MS:
        raise Misconfigured(
            f"the topic {settings.topic} keeps records for {kept_ms / HOUR_MS:g} h only, and "
            f"kafka.retention_h asks for {settings.retention_h}: raise its retention.ms, or the "
            "setting's value down to what you can live with"
        )
    if int(config.get("retention.bytes", -1)) >= 0:
        raise Misconfigured(
            f"the topic {settings.topic} keeps {config['retention.bytes']} bytes of each partition,"
            " however young what is beyond them: set its retention.bytes to -1"
        )
    if "compact" in config.get("cleanup.policy", ""):
        raise Misconfigured(
            f"the topic {settings.topic} is compacted, which deletes all but a visitor's last "
            "hit: set its cleanup.policy to delete"
        )
