"""The base of a section of settings, its fields, and the types in which people write values."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

_UNITS: Final = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": KIB, "mib": MIB, "gib": GIB, "tib": 1024 * GIB,
}  # fmt: skip
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")


def _bytes(value: object) -> object:
    """Convert a size as people write it: 67108864, "64 MiB", "5 MB"."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError('give a size such as "64 MiB" or 67108864')
    return int(float(match[1]) * _UNITS[match[2].lower()])


def parts(value: object) -> object:
    """Convert a list, also from text with commas, which environment and flags use."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def networks(value: object) -> object:
    value = parts(value)
    if isinstance(value, list | tuple):
        for part in value:
            if not isinstance(part, str):
                raise TypeError('give addresses or networks as text, such as "10.0.0.0/8"')
            ip_network(part, strict=False)
    return value


def header_names(value: object) -> object:
    value = parts(value)
    if isinstance(value, list | tuple):
        for part in value:
            if not isinstance(part, str) or not _HEADER.fullmatch(part):
                raise ValueError('give names of headers as text, such as "CF-Connecting-IP"')
    return value


def web_address(value: str, example: str) -> SplitResult:
    """Return the parts of an http(s) address. Raise `ValueError` for a name or password in it:
    addresses are shown, in logs and on pages."""
    try:
        address = urlsplit(value)
        port = address.port
    except ValueError:
        raise ValueError(f'give an address such as "{example}"') from None
    if address.scheme not in ("http", "https") or not address.hostname or port == 0:
        raise ValueError(f'give an address such as "{example}"')
    if "@" in address.netloc:
        raise ValueError("a name or a password does not belong in an address, which is shown")
    return address


def origin(value: str) -> str:
    """Return the scheme, host and port that *value* gives and that alone; "" for nothing."""
    if not value:
        return ""
    address = web_address(value, "https://stats.example.com")
    if address.path not in ("", "/") or address.query or address.fragment:
        raise ValueError("give the scheme and the host alone, such as https://stats.example.com")
    return f"{address.scheme}://{address.netloc.lower()}"


def currency_code(value: str) -> str:
    """Return *value*. Raise `ValueError` if it does not look like the code of a currency.

    Whether there is such a currency takes a table to tell, which not every command should load.
    """
    if not _CURRENCY.fullmatch(value):
        raise ValueError('give the code of a currency, such as "EUR"')
    return value


def absent(value: object) -> object:
    return None if value == "" else value


OptionalPath = Annotated[Path | None, BeforeValidator(absent)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]


def setting(default: object, help_: str, *, unit: str = "", **limits: float) -> Any:
    """Return a field with its one line of help and the unit of its value."""
    return Field(default, description=help_, json_schema_extra={"unit": unit}, **limits)  # type: ignore[call-overload]


class Section(BaseModel):
    """A group of settings; frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)
