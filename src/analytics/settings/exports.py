"""The settings of exports on a schedule."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, SecretStr, field_validator

from analytics.settings.section import Section, parts, setting, web_address


class ExportsSettings(Section):
    """Every day's events as Parquet, in a folder or a bucket (docs/operations.md)."""

    target: str = setting(
        "",
        'Destination: a folder, or "s3://bucket/prefix" (needs the extra s3); empty exports '
        "nothing. In a cluster, set it on one replica.",
    )
    sites: Annotated[tuple[str, ...], BeforeValidator(parts)] = setting(
        (), "Sites to export; empty for all."
    )
    hour: int = setting(3, "The hour (UTC) at which a run begins each day.", ge=0, le=23)
    s3_endpoint: str = setting("", "Address of an S3-compatible server; without it, Amazon S3.")
    s3_region: str = setting("us-east-1", "Region of the bucket.")
    s3_access_key_id: str = setting("", "Access key ID for the bucket.")
    s3_secret_access_key: SecretStr = setting(
        SecretStr(""), "Secret access key of exports.s3_access_key_id."
    )

    @field_validator("target")
    @classmethod
    def _folder_or_bucket(cls, value: str) -> str:
        if "://" in value and not value.removeprefix("s3://").strip("/"):
            raise ValueError("name the bucket, as in s3://bucket/prefix")
        if "://" in value and not value.startswith("s3://"):
            raise ValueError('give a folder, or "s3://bucket/prefix"')
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value:
            web_address(value, "https://s3.example.com")
        return value
