"""haproxy.cfg does what it says, in the real HAProxy before real replicas, on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from tests.front.haproxy import PATIENCE_S, HAProxy
from tests.server import Server, free_port

SITE = "front.example"
EVENT = {"n": "x", "u": f"https://{SITE}/", "d": SITE}
pytestmark = [pytest.mark.front, pytest.mark.asyncio(loop_scope="module")]
Started = Callable[..., Awaitable[HAProxy]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    server = Server(Path(tmp_path_factory.mktemp("behind")) / "data")
    await server.command("site", "add", SITE)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def started(equipped: None) -> AsyncIterator[Started]:
    """Starts a HAProxy with the settings that it is given."""
    running: list[HAProxy] = []
    with tempfile.TemporaryDirectory(prefix="front-") as short:
        Path(short).chmod(0o755)

        async def start(*, ready: bool = True, **settings: str) -> HAProxy:
            usual = {
                "FRONT_HTTP": f"127.0.0.1:{free_port()}",
                "FRONT_STATISTICS": f"127.0.0.1:{free_port()}",
            }
            made = HAProxy(Path(short) / str(len(running)), **{**usual, **settings})
            running.append(made)
            await made.start(ready=ready)
            return made

        try:
            yield start
        finally:
            for each in running:
                each.end()


def client(haproxy: HAProxy, setting: str = "FRONT_HTTP") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://{haproxy.settings[setting]}", timeout=30)


def behind(*servers: Server) -> dict[str, str]:
    return {f"FRONT_REPLICA_{n}": f"127.0.0.1:{each.port}" for n, each in enumerate(servers, 1)}


# Who the visitor is


async def test_a_visitor_cannot_say_who_they_are(server: Server, started: Started) -> None:
    async with client(await started(**behind(server))) as asker:
        lies = {"x-forwarded-for": "203.0.113.9", "forwarded": "for=203.0.113.9"}
        reply = await asker.get("/api/whoami", headers=lies)
    assert reply.json()["address"] == "127.0.0.1"


async def test_a_proxy_in_front_is_believed_when_it_is_named(
    server: Server, started: Started
) -> None:
    haproxy = await started(FRONT_FORWARDED_FROM="127.0.0.1 192.0.2.0/24", **behind(server))
    async with client(haproxy) as asker:
        said = {"x-forwarded-for": "198.51.100.1, 203.0.113.9"}
        reply = await asker.get("/api/whoami", headers=said)
    assert reply.json()["address"] == "203.0.113.9", "what it added itself, not what it was told"


async def test_a_balancer_in_front_may_speak_the_proxy_protocol(
    server: Server, started: Started
) -> None:
    haproxy = await started(FRONT_PROXY_PROTOCOL_FROM="127.0.0.1", **behind(server))
    host, _, port = haproxy.settings["FRONT_HTTP"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PROXY TCP4 203.0.113.7 192.0.2.1 4242 80\r\n")
    writer.write(b"GET /api/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["address"] == "203.0.113.7"


# Limits


async def test_one_address_that_asks_too_much_is_told_so_and_others_are_not(
    server: Server, started: Started
) -> None:
    haproxy = await started(FRONT_FORWARDED_FROM="127.0.0.1", FRONT_RATE="20", **behind(server))
    async with client(haproxy) as asker:

        async def send(address: str) -> httpx2.Response:
            return await asker.post("/api/event", json=EVENT, headers={"x-forwarded-for": address})

        many = [await send("203.0.113.1") for _ in range(40)]
        other = await send("203.0.113.2")
        neighbours = [await send(f"2001:db8::{number:x}") for number in range(1, 41)]
    assert [reply.status_code for reply in many] == [202] * 20 + [429] * 20
    assert many[-1].headers["retry-after"] == "10"
    assert many[-1].headers["access-control-allow-origin"] == "*"
    assert many[-1].json()["code"] == "too_many"
    assert other.status_code == 202
    assert neighbours[-1].status_code == 429, "a network of 64 bits is one address"


async def test_one_address_may_have_so_many_connections(server: Server, started: Started) -> None:
    haproxy = await started(
        FRONT_PROXY_PROTOCOL_FROM="127.0.0.1", FRONT_CONNECTIONS="3", **behind(server)
    )
    host, _, port = haproxy.settings["FRONT_HTTP"].rpartition(":")

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PROXY TCP4 203.0.113.7 192.0.2.1 4242 80\r\n")
        writer.write(b"GET /api/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        return reader, writer

    connections = [await connect() for _ in range(4)]
    answers = []
    for reader, _ in connections:
        try:
            answers.append((await reader.read(12)).decode())
        except ConnectionError:
            answers.append("")
    for _, writer in connections:
        writer.close()
    assert sorted(answers) == ["", *["HTTP/1.1 200"] * 3]


async def test_without_a_replica_senders_are_told_when_to_come_back(started: Started) -> None:
    haproxy = await started(ready=False)
    async with client(haproxy) as asker:
        reply = await asker.post("/api/event", json=EVENT)
    assert reply.status_code == 503
    assert reply.json()["code"] == "unavailable"
    assert reply.headers["retry-after"] == "2"
    assert reply.headers["access-control-allow-origin"] == "*"


# Ids, and what is not for everybody


async def test_every_request_has_an_id_of_its_own(server: Server, started: Started) -> None:
    async with client(await started(**behind(server))) as asker:
        lie = {"x-request-id": "mine"}
        ids = {(await asker.get("/api/whoami", headers=lie)).headers["x-request-id"]}
        ids.add((await asker.get("/login")).headers["x-request-id"])
    assert len(ids) == 2
    assert "mine" not in ids


async def test_the_replicas_metrics_are_not_for_visitors(server: Server, started: Started) -> None:
    haproxy = await started(**behind(server))
    async with client(haproxy) as asker:
        for path in ("/metrics", "/%6detrics", "/%6Detric%73"):
            # The replica's own answer has a body that is not HAProxy's.
            answer = await asker.get(path)
            assert (answer.status_code, "error" in answer.text) == (404, False), path
    async with client(haproxy, "FRONT_STATISTICS") as operator:
        assert "haproxy_server_status" in (await operator.get("/metrics")).text
        assert "Statistics Report" in (await operator.get("/")).text
        assert (await operator.get("/alive")).status_code == 200


async def test_no_address_of_a_visitor_is_written_down(server: Server, started: Started) -> None:
    haproxy = await started(FRONT_FORWARDED_FROM="127.0.0.1", FRONT_RATE="1", **behind(server))
    async with client(haproxy) as asker:
        await server.kill()
        for number in range(2):
            said = {"x-forwarded-for": f"203.0.113.{number}"}
            reply = await asker.get("/login?secret=1", headers=said)
            assert reply.status_code == 503
        await server.start()
    line = next(line for line in haproxy.log().splitlines() if '"status":503' in line)
    assert json.loads(line[line.index("{") :])["id"]
    assert "203.0.113" not in haproxy.log()
    assert "secret" not in haproxy.log()


# TLS


async def test_with_a_certificate_it_speaks_tls_and_http_2(
    server: Server, started: Started, tmp_path: Path
) -> None:
    pair, tls = tmp_path / "pair.pem", free_port()
    key = tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", pair),
        ],
        check=True,
        capture_output=True,
    )
    trusted = ssl.create_default_context(cafile=pair)
    with pair.open("a") as file:
        file.write(key.read_text())
    pair.chmod(0o644)
    haproxy = await started(
        FRONT_CERTIFICATE=str(pair), FRONT_HTTPS=f"127.0.0.1:{tls}", **behind(server)
    )
    async with client(haproxy) as asker:
        reply = await asker.post("/api/event", json=EVENT)
    assert reply.status_code == 308
    assert reply.headers["location"].startswith("https://")
    async with httpx2.AsyncClient(verify=trusted) as asker:
        reply = await asker.post(f"https://localhost:{tls}/api/event", json=EVENT)
    assert reply.status_code == 202
    assert reply.headers["strict-transport-security"] == "max-age=31536000"
    trusted.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("localhost", tls, ssl=trusted)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    writer.close()


# Replicas that come and go


async def test_each_path_goes_to_who_serves_its_module(
    server: Server, started: Started, tmp_path: Path
) -> None:
    """The servers are added while it runs, as `analytics discover` does it."""
    apart = {name: Server(tmp_path / name) for name in ("ingest", "dashboard", "admin")}
    for name, each in apart.items():
        await each.command("site", "add", SITE)
        await each.start(ANALYTICS_SERVE__MODULES=name)
    try:
        haproxy = await started(ready=False)
        for name, each in apart.items():
            made = f"{name}/dynamic-1"
            asked = haproxy.ask(f"add server {made} 127.0.0.1:{each.port} check inter 200ms")
            assert "New server registered" in asked
            haproxy.ask(f"enable health {made}; enable server {made}")
        async with asyncio.timeout(PATIENCE_S):
            while any(haproxy.servers(name) != {"dynamic-1": "UP"} for name in apart):
                await asyncio.sleep(0.05)
        async with client(haproxy) as asker:
            event = await asker.post("/api/event", json=EVENT)
            page = await asker.get("/login")  # where nobody has an account, it leads to the setup
            ledger = await asker.get("/api/ledger")
        assert (event.status_code, page.status_code, ledger.status_code) == (202, 303, 401)
    finally:
        for each in apart.values():
            await each.stop()


async def test_a_replica_that_stops_serves_on_until_the_balancer_has_noticed(
    server: Server, started: Started, tmp_path: Path
) -> None:
    leaving = Server(tmp_path / "data")
    await leaving.command("site", "add", SITE)
    await leaving.start(ANALYTICS_SERVE__DRAIN_S="600")
    haproxy = await started(**behind(server, leaving))
    await haproxy.sees(replica_1="UP", replica_2="UP")
    assert leaving.process is not None
    leaving.process.send_signal(signal.SIGTERM)
    await haproxy.sees(replica_1="UP", replica_2="DOWN")
    async with httpx2.AsyncClient(base_url=leaving.url) as asker:
        assert (await asker.post("/api/event", json=EVENT)).status_code == 202
        ready = await asker.get("/health/ready")
    assert ready.json()["checks"]["server"] == "it is stopping"
    await leaving.stop()  # the second signal: at once
