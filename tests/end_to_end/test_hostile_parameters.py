"""Whatever stands in a query string or a form, the answer is never a fault of the server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server import ROOT

from analytics.app import compose
from analytics.dashboard.panels import PANELS
from analytics.dashboard.session import COOKIE
from analytics.person import Scope
from analytics.settings import Settings
from analytics.startup import open_resources

SITE = "a.example"
OWNER = "owner@a.example"
PASSWORD = "a long password"
NUMBERS = [
    "9" * 5000, "0" * 5000, "000000001" + "0" * 60, "000000001999999", "²", "٣", "-1", "+1", "1.5",
    "1e5", "NaN", "0x10", "1_000", "1 1", "1\x00", "18446744073709551616", "99999999999999999999",
]  # fmt: skip
DATES = [
    "0001-01-05", "0202-01-05", "1969-12-31", "9999-12-31", "2026-02-30", "2026-13-01",
    "2026-W01-1", "20260101", "٢٠٢٦-٠١-٠١", "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+14:00", "-2026-01-01", "01/05/2026", "9" * 5000,
]  # fmt: skip
TEXTS = ["", "'", "<b>", "{{7*7}}", "../..", ",", ",,,", ";", "%", "\x00", "\ud7ff", "x" * 9000]
HOSTILE = [*NUMBERS, *DATES, *TEXTS]
READ = re.compile(
    r"(?:(?:query|params|asked|query_params|given|form)\.get(?:list)?\("
    r'|_param\((?:request\.)?(?:query_)?params,)\s*"([a-z_]+)"'
)
NAMES = sorted(
    {
        name
        for path in (ROOT / "src/analytics").rglob("*.py")
        for name in READ.findall(path.read_text())
    }
    | PANELS.keys()
)
"""Every parameter and every field of a form that the program reads."""

# Of each module's tests one event loop, so that one application serves them all.
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Asking:
    """The whole application, asked by its owner and by a key for everything."""

    def __init__(self, client: httpx2.AsyncClient, key: str, routes: list[tuple[str, str]]) -> None:
        self.client = client
        self.key = key
        self.routes = routes

    async def ask(self, method: str, path: str, values: dict[str, str]) -> httpx2.Response:
        headers = {"origin": "http://a.example"}
        if path.startswith("/api/"):
            headers["authorization"] = f"Bearer {self.key}"
        sent = {"site_id": SITE, **values}
        if method == "POST":
            answer = await self.client.post(path, data=sent, headers=headers)
        else:
            answer = await self.client.get(path, params=sent, headers=headers)
        where = (method, path, {name: value[:60] for name, value in values.items()})
        assert answer.status_code < 500, (where, answer.text[:300])
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asking]:
    data: Path = tmp_path_factory.mktemp("hostile") / "data"
    async with open_resources(Settings(data=data)) as parts:
        await parts.catalog.sites.add(SITE, timezone="Asia/Tehran")
        await parts.catalog.people.add(OWNER, PASSWORD, owner=True)
        token = await parts.catalog.people.log_in(OWNER, PASSWORD)
        _, key = await parts.catalog.keys.create(scopes=[*Scope], site=None, label="")
        gate = compose(parts, setup_token=None).gate
        transport = httpx2.ASGITransport(gate, raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://a.example", cookies={COOKIE: token}
        ) as client:
            event = {"n": "pageview", "u": "https://a.example/", "d": SITE}
            assert (await client.post("/api/event", json=event)).status_code == 202
            await parts.settle()
            yield Asking(client, key, _routes(gate))


def _routes(gate: object) -> list[tuple[str, str]]:
    """Every route that answers at once, and changes nothing that the next one needs."""
    routes = []
    for line in gate.table():  # type: ignore[attr-defined]
        path = line.path.replace("{domain}", SITE).replace("{tab}", "source")
        if path.endswith(("/live", "…", "/logout")):
            continue
        routes += [(method, path) for method in line.methods.split(", ")]
    return routes


async def test_parameters_are_known() -> None:
    assert {"limit", "page", "date", "period", "day", "from", "to", "wait", "days"} <= {*NAMES}


async def test_every_parameter_of_every_route_takes_hostile_values(asking: Asking) -> None:
    values = cycle(HOSTILE)
    for method, path in asking.routes:
        for name in NAMES:
            await asking.ask(method, path, {name: next(values)})


TAKING = [
    ("/api/v1/stats/breakdown", "limit", {"property": "event:page"}),
    ("/api/v1/stats/breakdown", "page", {"property": "event:page"}),
    (f"/{SITE}/list/source", "page", {}),
]


@pytest.mark.parametrize(("path", "name", "more"), TAKING, ids=lambda each: str(each))
async def test_no_number_but_a_plain_one_in_bounds_is_taken(
    asking: Asking, path: str, name: str, more: dict[str, str]
) -> None:
    for text in NUMBERS:
        answer = await asking.ask("GET", path, {**more, name: text})
        assert answer.status_code == 400, (text[:30], answer.text[:300])
    assert (await asking.ask("GET", path, {**more, name: "1"})).status_code == 200


DATED = [
    *(
        (f"/api/v1/stats/{kind}", "date", {"property": "event:page", "period": period})
        for kind in ("aggregate", "timeseries", "breakdown")
        for period in ("day", "7d", "30d", "month", "6mo", "12mo", "year")
    ),
    (f"/{SITE}/ledger", "day", {}),
    (f"/{SITE}", "from", {"to": "2026-01-31"}),
    (f"/{SITE}", "to", {"from": "2026-01-01"}),
]


@pytest.mark.parametrize(("path", "name", "more"), DATED, ids=lambda each: str(each))
async def test_no_date_but_a_plain_one_of_an_event_is_taken(
    asking: Asking, path: str, name: str, more: dict[str, str]
) -> None:
    for text in DATES:
        answer = await asking.ask("GET", path, {**more, name: text})
        assert answer.status_code == 400, (text, answer.text[:300])
    assert (await asking.ask("GET", path, {**more, name: "2026-01-05"})).status_code == 200


@pytest.mark.parametrize("days", [*NUMBERS, "0", "36501"], ids=lambda days: repr(days[:16]))
async def test_no_retention_but_a_plain_number_of_days_is_kept(asking: Asking, days: str) -> None:
    answer = await asking.ask("POST", f"/{SITE}/settings", {"form": "retention", "days": days})
    if days.strip() != "1":
        assert answer.status_code == 400, answer.text[:300]


@pytest.mark.parametrize("date_range", DATES)
async def test_no_hostile_date_is_in_a_question(asking: Asking, date_range: str) -> None:
    for pair in ([date_range, "2026-01-31"], ["2026-01-01", date_range], date_range):
        question = {"site_id": SITE, "metrics": ["visitors"], "date_range": pair}
        headers = {"authorization": f"Bearer {asking.key}"}
        answer = await asking.client.post("/api/v2/query", json=question, headers=headers)
        assert (answer.status_code, answer.json()["field"]) == (400, "date_range")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(min_value=0),
    st.dictionaries(
        st.sampled_from(NAMES), st.sampled_from(HOSTILE) | st.text(max_size=40), max_size=4
    ),
)
async def test_no_mixture_of_parameters_is_a_fault_of_the_server(
    asking: Asking, number: int, values: dict[str, str]
) -> None:
    method, path = asking.routes[number % len(asking.routes)]
    await asking.ask(method, path, values)
