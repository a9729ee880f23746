"""The composition root gives every part what the settings say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from analytics.admin import status
from analytics.admin.operation_context import OperationContext, nothing
from analytics.app import compose
from analytics.catalog.domain import TAKEN
from analytics.dashboard.session import COOKIE
from analytics.errors import QueryTooLong
from analytics.query import Metric, Period, Query
from analytics.settings import Settings, load
from analytics.startup import open_resources
from analytics.store.base import ExportFormat
from analytics.store.connection import Connection
from analytics.store.duckdb import executor

WEEK = Query(site="a.example", metrics=(Metric.VISITORS,), period=Period(0, 604_800_000, "Etc/UTC"))


def takes_for_ever(connection: Connection, query: Query) -> None:
    connection.rows("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")


async def test_a_query_is_given_up_after_the_time_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(
        None, {"data": tmp_path / "data"}, environment={"ANALYTICS_STORE__QUERY_TIMEOUT_S": "0.05"}
    )
    async with open_resources(settings) as parts:
        monkeypatch.setattr(executor, "answer", takes_for_ever)
        with pytest.raises(QueryTooLong, match=r"longer than 0\.05 s"):
            await parts.store.query(WEEK)


async def test_no_site_can_have_the_name_of_another_page(tmp_path: Path) -> None:
    # With everything that a setting adds.
    settings = load(None, {"data": tmp_path / "data"}, environment={"ANALYTICS_MCP__HTTP": "true"})
    async with open_resources(settings) as parts:
        gate = compose(parts, setup_token=None).gate
    begin = {line.path.split("/")[1] for line in gate.table()}
    assert begin - {"", "{domain}"} == TAKEN


async def test_without_its_geo_database_it_keeps_events_and_says_what_they_lack(
    tmp_path: Path,
) -> None:
    settings = load(
        None,
        {"data": tmp_path / "data"},
        environment={"ANALYTICS_INGEST__MMDB": str(tmp_path / "gone.mmdb")},
    )
    async with open_resources(settings) as parts:
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        gate = compose(parts, setup_token=None).gate
        transport = httpx2.ASGITransport(gate)
        async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
            event = {"n": "pageview", "u": "https://a.example/", "d": "a.example"}
            headers = {"x-forwarded-for": "8.8.8.8"}
            answer = await client.post("/api/event", json=event, headers=headers)
            assert answer.status_code == 202
            ready = await client.get("/health/ready")
        await parts.settle()
        path = tmp_path / "rows.ndjson"
        assert await parts.store.export("a.example", 0, 1 << 60, ExportFormat.NDJSON, path) == 1
    assert ready.status_code == 200
    assert set(ready.json()["degraded"]) == {"geo"}
    assert json.loads(path.read_text())["country"] == ""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A whole application with one site, asked by nobody who is logged in."""
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        gate = compose(parts, setup_token=None).gate
        transport = httpx2.ASGITransport(gate, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://a.example") as client:
            yield client


async def test_what_programs_ask_for_is_never_a_page_to_log_in_on(
    server: httpx2.AsyncClient,
) -> None:
    for path in ("/api", "/api/", "/api/v2", "/api/v1/site", "/api/live", "/api/start", "/API",
                 "/api/settings", "/api/list/pages", "/openapi.json", "/api/openapi.yaml",
                 "/health", "/health/x", "/metrics/x", "/a.example/openapi.json"):  # fmt: skip
        answer = await server.get(path)
        said = (answer.status_code, answer.headers["content-type"], answer.json()["code"])
        assert said == (404, "application/json", "not_found"), path
    for path in ("/robots.txt", "/sitemap.xml", "/wp-login.php", "/static", "/js/x.js"):
        assert (await server.get(path)).status_code == 404, path
    for path in ("/a.example", "/nobody.example/settings"):
        assert (await server.get(path)).status_code == 303, path


async def test_a_wrong_method_is_405_and_the_right_one_is_named(
    server: httpx2.AsyncClient,
) -> None:
    for method, path, allow in (
        ("GET", "/api/v2/query", "POST"),
        ("DELETE", "/api/event", "POST"),
        ("POST", "/api/whoami", "GET, HEAD"),
        ("PUT", "/tracker.js", "GET, HEAD"),
        ("POST", "/pixel.gif", "GET, HEAD"),
        ("POST", "/api/v1/stats/aggregate", "GET, HEAD"),
        ("PUT", "/api/ledger", "GET, HEAD"),
    ):
        answer = await server.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), path
        assert answer.headers["allow"] == allow, path
    for method, path, allow in (
        ("PUT", "/login", "GET, HEAD, POST"),
        ("GET", "/logout", "POST"),
        ("DELETE", "/a.example", "GET, HEAD"),
        ("PUT", "/a.example/settings", "GET, HEAD, POST"),
        ("POST", "/favicon.ico", "GET, HEAD"),
    ):
        answer = await server.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow), path
        assert answer.headers["content-type"].startswith("text/html")


async def test_a_password_that_somebody_else_chose_opens_no_ledger(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        people, email = parts.catalog.people, "ada@a.example"
        await people.add(email, "chosen for her", owner=True, must_change=True)
        cookies = {COOKIE: await people.log_in(email, "chosen for her") or ""}
        transport = httpx2.ASGITransport(compose(parts, setup_token=None).gate)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://a.example", cookies=cookies
        ) as client:
            refused = await client.get("/api/ledger")
            await people.set_password(email, "chosen by her", keep=cookies[COOKIE])
            answer = await client.get("/api/ledger")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "/account" in refused.json()["error"]
    assert answer.status_code == 200


async def test_no_head_and_no_options_counts(server: httpx2.AsyncClient) -> None:
    event = {"d": "a.example", "u": "https://a.example/", "n": "pageview"}
    for method in ("HEAD", "OPTIONS"):
        for path in ("/pixel.gif", "/api/event", "/api/events"):
            answer = await server.request(method, path, params=event, json=event)
            assert "x-analytics-receipt" not in answer.headers, (method, path)
    first = await server.get("/pixel.gif", params=event)
    assert first.headers["x-analytics-receipt"] == "0-0"


KEYED = (
    ("POST", "/api/event"),
    ("POST", "/api/events"),
    ("POST", "/api/v2/query"),
    ("GET", "/api/v1/stats/realtime/visitors"),
    ("GET", "/api/v1/stats/aggregate"),
    ("GET", "/api/v1/stats/timeseries"),
    ("GET", "/api/v1/stats/breakdown"),
    ("GET", "/api/ledger"),
)


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "bearer nobody", "BEARER  x y"])
async def test_a_wrong_key_is_told_the_same_everywhere(
    server: httpx2.AsyncClient, authorization: str
) -> None:
    event = {"d": "a.example", "u": "https://a.example/", "n": "pageview"}
    for method, path in KEYED:
        headers = {"authorization": authorization}
        answer = await server.request(method, path, json=event, headers=headers)
        assert answer.status_code == 401, path
        assert answer.json()["error"] == "this key is unknown, was revoked or has expired", path


async def test_a_password_for_a_proxy_in_front_of_us_is_no_key(server: httpx2.AsyncClient) -> None:
    event = {"d": "a.example", "u": "https://a.example/", "n": "pageview"}
    headers = {"authorization": "Basic dXNlcjpwYXNzd29yZA=="}
    answer = await server.post("/api/event", json=event, headers=headers)
    assert (answer.status_code, answer.headers["x-analytics-receipt"]) == (202, "0-0")
    for method, path in KEYED[2:]:
        answer = await server.request(method, path, json=event, headers=headers)
        assert answer.status_code == 401, path
        assert answer.json()["error"].startswith("send a key with the scope stats:read"), path


async def test_a_proxy_that_is_not_set_up_is_named_for_the_doctor(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        transport = httpx2.ASGITransport(compose(parts, setup_token="one-time").gate)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://stats.example.org"
        ) as client:
            welcome = await client.get("/")
        found = await status.run(parts, status.AskStatus(), OperationContext(input=nothing()))
    assert (welcome.status_code, "one-time" in welcome.text) == (200, False)
    (warning,) = found.warnings
    assert "Let it set X-Forwarded-For" in warning


async def test_an_owner_sees_by_which_way_a_request_came(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        people = parts.catalog.people
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        await people.add("ada@a.example", "a password of hers", owner=True)
        await people.add("bob@a.example", "a password of his", owner=False, sites=("a.example",))
        gate = compose(parts, setup_token=None).gate
        seen = {}
        for email, password in (("ada", "a password of hers"), ("bob", "a password of his")):
            cookies = {COOKIE: await people.log_in(f"{email}@a.example", password)}
            transport = httpx2.ASGITransport(gate)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=cookies
            ) as client:
                seen[email] = (await client.get("/api/whoami")).json()
    assert (seen["ada"]["peer"], "peer" in seen["bob"]) == ("127.0.0.1", False)


async def test_no_key_and_no_viewer_learns_which_other_sites_there_are(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as parts:
        for domain in ("a.example", "secret.example"):
            await parts.catalog.sites.add(domain, timezone="Etc/UTC")
        _, key = await parts.catalog.keys.create(scopes=["stats:read"], site="a.example")
        people = parts.catalog.people
        await people.add("bob@a.example", "a password of his", owner=False, sites=("a.example",))
        cookies = {COOKIE: await people.log_in("bob@a.example", "a password of his")}
        transport = httpx2.ASGITransport(compose(parts, setup_token=None).gate)
        paths = ("/api/ledger?site={}", "/{}", "/{}/ledger", "/{}/settings", "/{}/live",
                 "/api/v1/stats/aggregate?site_id={}&metrics=visitors",
                 "/api/v1/stats/realtime/visitors?site_id={}")  # fmt: skip
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for headers in (
                {"authorization": f"Bearer {key}", "x-request-id": "one"},
                {"cookie": f"{COOKIE}={cookies[COOKIE]}", "x-request-id": "one"},
            ):
                for path in paths:
                    told = []
                    for name in ("secret.example", "nobody.example"):
                        answer = await client.get(path.format(name), headers=headers)
                        told.append((answer.status_code, answer.text.replace(name, "?")))
                    assert told[0] == told[1], (path, headers)


async def test_a_server_with_a_public_address_tells_browsers_to_stay_with_https(
    tmp_path: Path,
) -> None:
    environment = {"ANALYTICS_SERVE__PUBLIC_URL": "https://stats.example.com/"}
    settings = load(None, {"data": tmp_path / "data"}, environment=environment)
    async with open_resources(settings) as parts:
        await parts.catalog.sites.add("a.example", timezone="Etc/UTC")
        transport = httpx2.ASGITransport(compose(parts, setup_token=None).gate)
        async with httpx2.AsyncClient(transport=transport, base_url="http://made-up.example") as c:
            for path in ("/", "/login", "/tracker.js", "/api/whoami", "/health/live"):
                answer = await c.get(path)
                assert answer.headers["strict-transport-security"] == "max-age=31536000", path


async def test_no_redirect_repeats_a_host_that_somebody_made_up(
    server: httpx2.AsyncClient,
) -> None:
    for path, to in (
        ("/login/", "/login"),
        ("/a.example/?period=day", "/a.example?period=day"),
    ):
        answer = await server.get(path, headers={"host": "evil.example"})
        location = answer.headers.get("location", "")
        assert location == to, path
    plain = await server.get("/login")
    assert "strict-transport-security" not in plain.headers
