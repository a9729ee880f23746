"""From a visitor's browser through one replica of a cluster to the pages of the other."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import cycle

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from starlette.routing import Route
from tests.browser.test_visit import PERSON
from tests.browser.web import Pages, serving
from tests.cluster.replicas import Replica, replicas
from tests.real import PATIENCE_S, machine_in

from analytics.localcluster.launcher import ClusterStatus

pytestmark = [
    pytest.mark.browser,
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1800),
]

SITE, ANOTHER = "shop.test", "load.test"
OWNER, PASSWORD = "owner@shop.test", "a long password"
PROBES = 300
EVERY_MS = 150
LOAD_EVERY_S = 0.05
ASKED_EVERY_MS = 200
"""To ask more often would be a load of its own. A figure counts as late by as much."""
SEEN_MS = PATIENCE_S * 1000
WARM_BATCHES = 40

# The time at which each pageview was answered with 202.
ACKED = """
  window.acked = [];
  const send = window.fetch;
  window.fetch = async (to, how) => {
    const reply = await send(to, how);
    if (reply.status === 202 && JSON.parse(how.body).n === 'pageview') acked.push(Date.now());
    return reply;
  };"""
PROBE = """async ([count, every]) => {
  for (let number = 0; number < count; number++) {
    history.pushState({}, '', '/probe/' + number);
    await new Promise(done => setTimeout(done, every));
  }
}"""
SHOWN = """const shown = root =>
  +(root.querySelector('#card-pageviews .figure-value')?.title.replace(/[^0-9]/g, '') ?? 0);"""
# For each figure up to the goal, the time at which a page that is asked for again and again had it.
ASKED = f"""async goal => {{
  {SHOWN}
  const times = [];
  while (times.length < goal) {{
    const answer = await fetch(location.href, {{ headers: {{ Accept: 'text/html' }} }});
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const figure = shown(page);
    while (times.length < Math.min(figure, goal)) times.push(Date.now());
    await new Promise(done => setTimeout(done, {ASKED_EVERY_MS}));
  }}
  return times;
}}"""
# The same for the page that lies open, and is changed by its own script.
WATCHED = f"""goal => new Promise(done => {{
  {SHOWN}
  const times = [];
  const look = () => {{
    while (times.length < Math.min(shown(document), goal)) times.push(Date.now());
    if (times.length < goal) setTimeout(look, 50); else done(times);
  }};
  look();
}})"""


@pytest.fixture(scope="module")
def status(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStatus]:
    machine = machine_in(tmp_path_factory.mktemp("cluster"))
    try:
        yield asyncio.run(machine.up())
    finally:
        machine.down()


@pytest.fixture(scope="module")
def cluster(status: ClusterStatus) -> list[Replica]:
    return replicas(status)


@pytest_asyncio.fixture(loop_scope="session")
async def report(browser: Browser, cluster: list[Replica]) -> AsyncIterator[Page]:
    """The report of `SITE` at the second replica, before its owner."""
    one, other = cluster
    for site in (SITE, ANOTHER):
        await one.command("site", "add", site)
    await one.command("user", "add", OWNER, "--owner", "--password-stdin", stdin=PASSWORD.encode())
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{other.url}/login?next=/{SITE}")
    await page.fill("[name=email]", OWNER)
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button")
    yield page
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(cluster: list[Replica]) -> AsyncIterator[Pages]:
    """The site whose events go to the first replica."""
    pages = Pages(f"http://stats.test:{cluster[0].port}/tracker.js")
    async with serving(Route("/{path:path}", pages.answer)) as pages.port:
        yield pages


@asynccontextmanager
async def load(cluster: list[Replica]) -> AsyncIterator[None]:
    """While the block runs, visitors of another site send twenty events a second."""

    async def run() -> None:
        async with httpx2.AsyncClient(timeout=60) as client:
            for number, replica in enumerate(cycle(cluster)):
                body = {
                    "n": "pageview",
                    "u": f"https://{ANOTHER}/{number % 50}",
                    "d": ANOTHER,
                    "id": str(uuid.uuid4()),
                    "vid": f"visitor-{number % 40}",
                }
                reply = await client.post(f"{replica.url}/api/event", json=body)
                assert reply.status_code == 202, reply.text
                await asyncio.sleep(LOAD_EVERY_S)

    running = asyncio.create_task(run())
    try:
        yield
    finally:
        if running.done():
            running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def batches(status: ClusterStatus) -> tuple[float, float]:
    """How many batches the job has folded, and how many seconds all of them took."""
    (job,) = [each for each in status.servers if each.name == "spark-job"]
    async with httpx2.AsyncClient(timeout=60) as client:
        text = (await client.get(f"http://{job.address}/metrics")).text
    found = dict(re.findall(r"^analytics_job_batch_seconds_(count|sum) (\S+)$", text, re.MULTILINE))
    return float(found["count"]), float(found["sum"])


async def warm(status: ClusterStatus) -> None:
    """Return when the job has folded some batches: its first ones, Java has yet to compile."""
    async with asyncio.timeout(PATIENCE_S):
        while (await batches(status))[0] < WARM_BATCHES:
            await asyncio.sleep(0.5)


async def test_the_other_replica_shows_a_visitor_arrive(
    browser: Browser,
    status: ClusterStatus,
    cluster: list[Replica],
    report: Page,
    shop: Pages,
) -> None:
    current = report.locator("[data-current]")
    await expect(current).to_have_text("0", timeout=SEEN_MS)
    person = await browser.new_context(user_agent=PERSON)
    try:
        page = await person.new_page()
        await page.add_init_script(ACKED)
        await page.goto(shop.at("/"))
        await expect(current).to_have_text("1", timeout=SEEN_MS)
        await page.goto(shop.at("/another"))
        await expect(report.get_by_text("/another")).to_be_visible(timeout=SEEN_MS)
        await page.wait_for_function("acked.length === 1")
        await page.evaluate("acked.length = 0")
        async with load(cluster):
            await warm(status)
            before = await batches(status)
            asked = await report.context.new_page()
            await asked.goto(report.url)
            _, pulled, pushed = await asyncio.gather(
                page.evaluate(PROBE, [PROBES, EVERY_MS]),
                asked.evaluate(ASKED, 2 + PROBES),
                report.evaluate(WATCHED, 2 + PROBES),
            )
        count, took = (then - now for now, then in zip(before, await batches(status), strict=True))
        print(f"{count:.0f} batches of the job, of {took / count:.2f} s each")
        acked = await page.evaluate("acked")
        assert len(acked) == PROBES
        tell("a page that is asked for", acked, pulled[2:])
        tell("a page that lies open", acked, pushed[2:])
        await expect(report.locator("#card-pageviews .figure-value")).to_have_attribute(
            "title", f"{2 + PROBES}"
        )
    finally:
        await person.close()
    rows = [await replica.rows(SITE) for replica in cluster]
    assert rows[0] == rows[1]
    views = [row["path"] for row in rows[0] if row["name"] == "pageview"]
    assert views == ["/", "/another", *(f"/probe/{number}" for number in range(PROBES))]
    assert len({row["visitor"] for row in rows[0]}) == 1
    assert len({row["event_id"] for row in rows[0]}) == len(rows[0])
    for replica in cluster:
        await replica.balance()


def tell(what: str, acked: list[int], shown: list[int]) -> None:
    """Print how long it took from each 202 to the figure with that event in it."""
    took = sorted((there - sent) / 1000 for sent, there in zip(sorted(acked), shown, strict=True))
    p50, p95 = (took[round(share * (len(took) - 1))] for share in (0.5, 0.95))
    print(f"202 to the figure, {what}: p50 {p50:.2f} s, p95 {p95:.2f} s ({len(took)} events)")
