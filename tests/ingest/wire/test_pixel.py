"""A page view from where no script runs."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.ingest.world import SITE, Answer, Ingesting, ingesting

from analytics.event import Hit
from analytics.limiter import Limiter

GIF = b"GIF89a"


async def fetched(world: Ingesting, query: str | dict[str, str], **headers: str) -> Answer:
    text = query if isinstance(query, str) else urlencode(query)
    return await world.ask("GET", "/pixel.gif", query=text, **headers)


async def only(world: Ingesting) -> Hit:
    (hit,) = await world.records()
    assert isinstance(hit, Hit)
    return hit


async def test_a_picture_that_nobody_keeps_counts_a_page_view(world: Ingesting) -> None:
    answer = await fetched(world, {"d": SITE, "u": f"https://{SITE}/mail?utm_source=letter"})
    assert answer.status == 200
    assert answer.body.startswith(GIF)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-analytics-receipt"] == "0-0"
    hit = await only(world)
    assert (hit.name, hit.path, hit.utm_source) == ("pageview", "/mail", "letter")


async def test_the_page_is_the_referer_when_it_is_not_named(world: Ingesting) -> None:
    assert (await fetched(world, {"d": SITE}, referer=f"https://{SITE}/b")).status == 200
    assert (await only(world)).path == "/b"


@pytest.mark.parametrize(
    ("referer", "host"),
    [
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://STATS.example.com/", "stats.example.com"),
        ("https://stats.example.com:443/login", "stats.example.com"),
        ("https://user:x@stats.example.com/", "stats.example.com:443"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
async def test_this_server_itself_is_never_the_page(
    world: Ingesting, referer: str, host: str
) -> None:
    answer = await fetched(world, {"d": SITE}, referer=referer, host=host)
    assert (answer.status, answer.json["field"]) == (400, "u")
    assert await world.records() == []


async def test_this_server_is_known_by_the_name_that_a_proxy_has_for_it(world: Ingesting) -> None:
    names = {"host": "127.0.0.1:8000", "x_forwarded_host": "stats.example.com"}
    answer = await fetched(world, {"d": SITE}, referer="https://stats.example.com/", **names)
    assert (answer.status, answer.json["field"]) == (400, "u")


@pytest.mark.parametrize(
    ("referer", "host"),
    [
        ("http://localhost:3000/a", "localhost:8000"),
        (f"https://{SITE}/a", SITE),  # the site's own server hands the path on to us
        (f"https://www.{SITE}/a", f"www.{SITE}"),
        (f"https://blog.{SITE}/a", f"stats.{SITE}"),
    ],
)
async def test_a_page_beside_this_server_is_one(world: Ingesting, referer: str, host: str) -> None:
    assert (await fetched(world, {"d": SITE}, referer=referer, host=host)).status == 200
    assert (await only(world)).path == "/a"


@pytest.mark.parametrize("asked", ["1", "0"])
async def test_a_picture_may_ask_to_honour_who_opts_out(world: Ingesting, asked: str) -> None:
    query = {"d": SITE, "u": f"https://{SITE}/", "dnt": asked}
    answer = await fetched(world, query, sec_gpc="1")
    assert answer.headers.get("x-analytics-dropped") == ("opted-out" if asked == "1" else None)


async def test_name_title_and_referrer_may_be_given(world: Ingesting) -> None:
    given = {"name": "opened", "title": "Létter", "referrer": "https://t.co/x"}
    await fetched(world, {"domain": SITE, "url": f"https://{SITE}/", **given})
    hit = await only(world)
    assert (hit.name, hit.title, hit.referrer) == ("opened", "Létter", "t.co/x")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "u"),
        (f"d={SITE}", "u"),
        ("u=https://e.com/", "domain"),
        (f"d={SITE}&u=data:x", "url"),
        (f"d={SITE}&u=/&id=x", "id"),
        (f"d={SITE}&u=/&vid=%00", "vid"),
    ],
)
async def test_what_is_wrong_is_named(world: Ingesting, query: str, field: str) -> None:
    answer = await fetched(world, query)
    assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize("u", ["%FF%FE", "%ED%A0%80", "%00", "%3Cscript%3E", "&u=&u=/x;%27--"])
async def test_hostile_text_is_kept_harmless_or_refused(world: Ingesting, u: str) -> None:
    answer = await fetched(world, f"d={SITE}&u=/a{u}&t={u}&r={u}&n=x{u}")
    assert answer.status == 200
    assert (await only(world)).path.startswith("/")


MAIL_PROXIES = [
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0",
]


@pytest.mark.parametrize("proxy", MAIL_PROXIES)
async def test_a_mails_picture_that_a_proxy_loads_is_an_opened_mail(
    world: Ingesting, proxy: str
) -> None:
    await fetched(world, f"d={SITE}&u=/letter", user_agent=proxy)
    hit = await only(world)
    assert (hit.bot, hit.device, hit.os) == (None, "Other", "")


@pytest.mark.parametrize("proxy", MAIL_PROXIES)
async def test_elsewhere_such_a_proxy_is_a_machine(world: Ingesting, proxy: str) -> None:
    body = f'{{"n":"pageview","u":"https://{SITE}/","d":"{SITE}"}}'.encode()
    await world.ask("POST", "/api/event", body=body, user_agent=proxy)
    assert (await only(world)).bot is not None


async def test_a_crawler_opens_no_mail(world: Ingesting) -> None:
    await fetched(world, f"d={SITE}&u=/letter", user_agent="Googlebot-Image/1.0")
    assert (await only(world)).bot == "crawler"


async def test_a_drop_says_why(world: Ingesting) -> None:
    answer = await fetched(world, "d=nobody.example&u=/")
    assert (answer.status, answer.headers["x-analytics-dropped"]) == (200, "unknown-site")


async def test_only_get_and_the_rate_limit_hold(tmp_path: Path) -> None:
    async with ingesting(tmp_path, limiter=Limiter(1, 1)) as world:
        assert (await world.ask("POST", "/pixel.gif")).status == 405
        query = f"d={SITE}&u=/"
        assert (await fetched(world, query, x_forwarded_for="8.8.8.8")).status == 200
        assert (await fetched(world, query, x_forwarded_for="8.8.8.8")).status == 429


@pytest.mark.parametrize(
    ("header", "left_out"),
    [
        ("prefetch;prerender", True),
        ("prefetch", True),
        ("prefetch;anonymous-client-ip", True),
        ("", False),
        ("somethingelse", False),
    ],
)
async def test_a_page_that_a_browser_fetches_ahead_is_not_counted(
    world: Ingesting, header: str, *, left_out: bool
) -> None:
    answer = await fetched(world, {"d": SITE, "u": f"https://{SITE}/"}, sec_purpose=header)
    body = json.dumps({"n": "pageview", "u": f"https://{SITE}/", "d": SITE}).encode()
    sent = await world.ask("POST", "/api/event", body, sec_purpose=header)
    assert (answer.status, sent.status) == (200, 202)
    for each in (answer, sent):
        assert each.headers.get("x-analytics-dropped") == ("prerendered" if left_out else None)
