"""The script is handed out, or the browser told that its copy is still good."""

from __future__ import annotations

import gzip

import brotli
import pytest
from tests.ingest.world import Ingesting

from analytics import assets


@pytest.mark.parametrize("path", ["/tracker.js", "/js/script.js"])
async def test_the_script_may_be_used_by_any_page(world: Ingesting, path: str) -> None:
    answer = await world.ask("GET", path)
    assert (answer.status, answer.body) == (200, assets.tracker().read_bytes())
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age" in answer.headers["cache-control"]


async def test_a_copy_that_is_still_good_is_not_sent_again(world: Ingesting) -> None:
    etag = (await world.ask("GET", "/tracker.js")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        again = await world.ask("GET", "/tracker.js", if_none_match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert (await world.ask("GET", "/tracker.js", if_none_match='"other"')).status == 200


async def test_it_is_fetched_and_not_posted(world: Ingesting) -> None:
    assert (await world.ask("HEAD", "/tracker.js")).status == 200
    assert (await world.ask("POST", "/tracker.js")).status == 405


async def test_it_is_compressed_for_those_who_take_that(world: Ingesting) -> None:
    plain = await world.ask("GET", "/tracker.js")
    packed = await world.ask("GET", "/tracker.js", accept_encoding="gzip, deflate")
    smaller = await world.ask("GET", "/tracker.js", accept_encoding="gzip, deflate, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert smaller.headers["content-encoding"] == "br"
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert gzip.decompress(packed.body) == brotli.decompress(smaller.body) == plain.body
    assert len(smaller.body) < len(packed.body) < len(plain.body) * 0.6
    refused = await world.ask("GET", "/tracker.js", accept_encoding="gzip;q=0")
    assert refused.body == plain.body
