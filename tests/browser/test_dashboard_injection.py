"""Nothing that a visitor can send, or an owner can type, runs in the dashboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.browser.dashboard import PASSWORD, SITE, now, reader, running, shoot

from analytics.dashboard.panels import PANELS
from analytics.event import Attributes, Drop, DropReason, Hit
from analytics.person import Scope

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ATTACKS = (
    '"><script>window.pwned = 1</script>',
    "'><img src=x onerror='window.pwned = 1'>",
    "javascript:window.pwned=1",
    "</title></script></table><svg onload=window.pwned=1>",
    '{{ 7 * 7 }}${7*7}<b onmouseover="window.pwned=1">\u202e\u0000x</b>',
)


def hits() -> list[Hit]:
    """Each attack in every field that is text."""
    made: list[Hit] = []
    for number, attack in enumerate(ATTACKS):
        fields = dict.fromkeys(Attributes.__struct_fields__, attack)
        for name in ("pageview", attack):
            hit = Hit(
                **fields,
                event_id=f"00000000-0000-4000-8000-{len(made):012}",
                site=SITE,
                ts=now(),
                received_at=now(),
                visitor=number,
                name=name,
                props={"plan": attack, attack: attack},
                currency=attack,
            )
            made.append(hit)
    return made


async def test_no_stored_value_runs_on_any_page(browser: Browser, tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.people_and_site()
        await server.take(
            [*hits(), Drop(site=SITE, received_at=now(), reason=DropReason.SHIELD_IP)]
        )
        await server.catalog.keys.create(scopes=[Scope.STATS_READ], site=SITE, label=ATTACKS[0])
        await server.catalog.people.add("a'b<i>@shop.test", PASSWORD, owner=False, sites=[SITE])
        async with reader(browser, server) as context:
            page = await context.new_page()
            tabs = [(key, tab.key) for key, panel in PANELS.items() for tab in panel.tabs]
            paths = [f"/{SITE}?period=day&prop=plan&{key}={tab}" for key, tab in tabs]
            paths += [f"/{SITE}/list/{tab}?period=day&prop=plan" for _, tab in tabs]
            paths += ["/", f"/{SITE}/ledger", f"/{SITE}/settings"]
            for path in paths:
                await page.goto(path)
                assert await page.evaluate("window.pwned === undefined && !complaints.length"), path
            await page.goto(f"/{SITE}?period=day")
            await shoot(page, "hostile")
            for attack in ATTACKS[:4]:
                row = page.locator("#pages").get_by_role("link", name=attack, exact=True)
                await expect(row).to_be_visible()
            for attack in ATTACKS[:4]:
                await page.goto(f"/{SITE}?period=day")
                await page.locator("#pages").get_by_role("link", name=attack, exact=True).click()
                await expect(page.locator(".chip b")).to_have_text(attack)
                await page.get_by_role("link", name="Details of Top pages").click()
                await expect(page.get_by_role("dialog").locator(".chip b")).to_have_text(attack)
                assert await page.evaluate("window.pwned") is None


@pytest.mark.parametrize("attack", ATTACKS)
async def test_nothing_in_an_address_or_a_form_runs(
    browser: Browser, tmp_path: Path, attack: str
) -> None:
    async with running(tmp_path) as server:
        await server.people_and_site()
        async with reader(browser, server) as context:
            page = await context.new_page()
            for name in ("period", "f", "metric", "sources", "prop", "from", "search", "sort"):
                for path in (f"/{SITE}", f"/{SITE}/list/top"):
                    query = await page.evaluate("(v) => encodeURIComponent(v)", attack)
                    await page.goto(f"{path}?{name}={query}")
                    assert await page.evaluate("window.pwned") is None
            await page.goto("/sites/new")
            await page.get_by_label("Domain").fill(attack)
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_role("alert")).to_be_visible()
            assert await page.evaluate("window.pwned") is None
