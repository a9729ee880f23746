"""What a sender said becomes a hit, a counted drop, or a refusal; the address ends here."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from tests.ingest.world import ADDRESS, FIREFOX, NOW, SITE, Ingesting, sent, visitor

from analytics.catalog.base import SaltMissing
from analytics.errors import Forbidden, Malformed, Unauthenticated
from analytics.event import Drop, DropReason
from analytics.ingest.enricher import HOURLY_UNKNOWN_SITES, MAX_UNKNOWN_SITES
from analytics.person import Key, Scope
from analytics.site import Shields
from analytics.stream import record
from analytics.units import DAY_MS, HOUR_MS
from analytics.visitor_id import is_cookieless

HOUR = 3_600_000
DAY = 24 * HOUR
WRITER = Key(id="k", scopes=(Scope.EVENTS_WRITE,), site=None, created_at=0)


async def test_a_page_view_has_all_that_is_known_of_it(world: Ingesting) -> None:
    hit = world.hit(
        sent(
            url="https://www.example.com/a?utm_campaign=c&gclid=1",
            referrer="https://www.google.com/search?q=1",
            title="A",
            screen="800x600",
            props={"a": "b"},
        ),
        visitor(address="8.8.8.8"),
    )
    assert (hit.site, hit.hostname, hit.path, hit.title) == (SITE, SITE, "/a", "A")
    assert (hit.referrer, hit.utm_campaign, hit.click_id) == ("google.com/search", "c", "gclid")
    assert (hit.browser, hit.os, hit.device, hit.bot) == ("Firefox", "Linux", "Desktop", None)
    assert (hit.language, hit.country, hit.screen, hit.props) == ("de", "US", "800x600", {"a": "b"})
    assert (hit.ts, hit.received_at, hit.skew_ms) == (NOW, NOW, 0)


async def test_an_event_without_an_id_gets_a_uuid_in_the_order_of_time(world: Ingesting) -> None:
    ids = []
    for world.now in range(NOW, NOW + 50):
        ids.append(world.hit(sent()).event_id)
    assert ids == sorted(ids)
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert {uuid.UUID(each).variant for each in ids} == {uuid.RFC_4122}
    given = str(uuid.uuid4())
    assert world.hit(sent(id=given)).event_id == given


async def test_nothing_of_address_and_agent_is_in_the_record(world: Ingesting) -> None:
    # An address in a cookieless hit, with an agent whose text would be found again.
    marked = FIREFOX.replace("X11", "Fingerprint-4711")
    for cookieless in (False, True):
        await world.site(cookieless=cookieless)
        hit = world.hit(sent(vid="cookie-4711"), visitor(user_agent=marked))
        text = record.encode(hit) + msgspec.json.encode(hit)
        for secret in (ADDRESS, "203.0.113", marked, "Fingerprint", "cookie-4711"):
            assert secret.encode() not in text


# Sites


async def test_a_site_goes_by_its_domain_its_id_and_its_number(world: Ingesting) -> None:
    site = world.catalog.sites.all()[0]
    spelt = [f"{SITE}.", f"https://{SITE}", f"http://www.{SITE}/", f"{SITE}/", f"{SITE}:443"]
    for name in (SITE, "WWW.Example.com", site.id, str(site.number), *spelt):
        assert world.hit(sent(domains=(name,))).site == SITE


async def test_an_unknown_site_is_a_counted_drop(world: Ingesting) -> None:
    dropped = world.accepted(sent(domains=("Nobody\x00.example" + "x" * 400,)))
    assert isinstance(dropped, Drop)
    assert dropped.reason is DropReason.UNKNOWN_SITE
    assert dropped.site == ("nobody.example" + "x" * 400)[:253]


async def test_made_up_names_cannot_fill_the_ledger(world: Ingesting) -> None:
    dropped = [
        world.accepted(sent(domains=(f"{number}.example",)))
        for number in (*range(MAX_UNKNOWN_SITES), 0, MAX_UNKNOWN_SITES)
    ]
    assert all(isinstance(each, Drop) for each in dropped)
    assert len({each.site for each in dropped[:-1]}) == MAX_UNKNOWN_SITES
    assert dropped[-1].site == ""


async def test_made_up_names_hide_no_later_days_and_have_a_line_a_day(world: Ingesting) -> None:
    def drop(name: str) -> Drop:
        dropped = world.accepted(sent(domains=(name,)))
        assert isinstance(dropped, Drop)
        return dropped

    world.now += HOUR_MS
    made_up = [drop(f"{number}.example") for number in range(MAX_UNKNOWN_SITES + 1)]
    day = world.now - world.now % DAY_MS
    assert {each.received_at for each in made_up[:HOURLY_UNKNOWN_SITES]} == {world.now}
    assert {each.received_at for each in made_up[HOURLY_UNKNOWN_SITES:-1]} == {day}
    assert (made_up[-1].site, made_up[-1].received_at) == ("", world.now)
    world.now += DAY_MS
    assert drop("misspelt.example").site == "misspelt.example"


async def test_several_sites_make_a_record_each(world: Ingesting) -> None:
    await world.catalog.sites.add("b.example", timezone="Etc/UTC")
    one, other, unknown = world.enricher.accept(
        sent(domains=(SITE, "b.example", "c.example"), vid="ada"), visitor()
    )
    assert [r.site for r in (one, other, unknown)] == [SITE, "b.example", "c.example"]
    assert isinstance(unknown, Drop)
    # The same cookie says nothing across sites.
    assert one.visitor != other.visitor  # type: ignore[union-attr]


# Time


async def test_an_event_of_a_while_ago_keeps_its_time(world: Ingesting) -> None:
    hit = world.hit(sent(ts=NOW - 72 * HOUR))
    assert (hit.ts, hit.received_at, hit.skew_ms) == (NOW - 72 * HOUR, NOW, 0)


async def test_an_older_event_needs_a_key(world: Ingesting) -> None:
    old = sent(ts=NOW - 72 * HOUR - 1)
    with pytest.raises(Forbidden, match=r"ts:.*72 hours.*events:write"):
        world.accepted(old)
    await world.salted(old.ts or 0, 0)
    assert world.hit(old, key=WRITER).ts == NOW - 72 * HOUR - 1
    assert world.hit(sent(ts=0), key=WRITER).ts == 0


async def test_a_future_time_is_now_and_the_skew_is_noted(world: Ingesting) -> None:
    hit = world.hit(sent(ts=NOW + 5000))
    assert (hit.ts, hit.skew_ms) == (NOW, 5000)


# Rights


async def test_a_key_acts_on_its_own_site_and_by_its_scope_only(world: Ingesting) -> None:
    theirs = msgspec.structs.replace(WRITER, site="other.example")
    readers = msgspec.structs.replace(WRITER, scopes=(Scope.STATS_READ,))
    for key in (theirs, readers):
        with pytest.raises(Forbidden, match=SITE):
            world.accepted(sent(), key=key)
    assert world.hit(sent(), key=msgspec.structs.replace(WRITER, site=SITE)).site == SITE


@pytest.mark.parametrize("field", ["ip", "user_agent"])
async def test_to_speak_for_others_needs_a_key(world: Ingesting, field: str) -> None:
    member = {"ip": "address", "user_agent": "user_agent"}[field]
    for key in (None, msgspec.structs.replace(WRITER, scopes=(Scope.STATS_READ,))):
        with pytest.raises(Forbidden, match=f"{field}:"):
            world.accepted(sent(**{member: "8.8.8.8"}), key=key)


async def test_who_forwards_lends_none_of_its_own_headers(world: Ingesting) -> None:
    await world.site(honour_dnt=True)
    server = visitor(opted_out=True, language="xx", user_agent="python-requests/2")
    hit = world.hit(sent(address="8.8.8.8", user_agent=FIREFOX), server, WRITER)
    assert (hit.country, hit.browser, hit.bot, hit.language) == ("US", "Firefox", None, "")
    assert world.hit(sent(address="8.8.8.8"), visitor(), WRITER).bot == "no-user-agent"


async def test_a_forwarded_address_must_be_one(world: Ingesting) -> None:
    with pytest.raises(Malformed) as refusal:
        world.accepted(sent(address="nonsense"), key=WRITER)
    assert refusal.value.field == "ip"


async def test_an_authorization_is_a_known_key_or_refused(world: Ingesting) -> None:
    secret = await world.key(Scope.EVENTS_WRITE)
    found = world.enricher.key(f"Bearer {secret}")
    assert found is not None
    assert found.scopes == (Scope.EVENTS_WRITE,)
    assert world.enricher.key(f"bearer  {secret} ") == found
    assert world.enricher.key("") is None
    for other in (secret, f"Basic {secret}", "Negotiate abc"):
        assert world.enricher.key(other) is None
    for wrong in ("Bearer", "Bearer nonsense", "Bearer \x00"):
        with pytest.raises(Unauthenticated):
            world.enricher.key(wrong)
    await world.catalog.keys.revoke(found.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        world.enricher.key(f"Bearer {secret}")


# What a site refuses


async def test_a_wish_not_to_be_counted_counts_where_the_site_says_so(world: Ingesting) -> None:
    unwilling = visitor(opted_out=True)
    assert world.hit(sent(), unwilling)
    await world.site(honour_dnt=True)
    assert world.accepted(sent(), unwilling) == Drop(
        site=SITE, received_at=NOW, reason=DropReason.OPTED_OUT
    )
    assert world.hit(sent(), visitor())


async def test_shields_drop_with_their_reason(world: Ingesting) -> None:
    cases = {
        DropReason.SHIELD_IP: Shields(addresses=("203.0.113.0/24",)),
        DropReason.SHIELD_COUNTRY: Shields(countries=("US",)),
        DropReason.SHIELD_PAGE: Shields(pages=("/a*",)),
        DropReason.SHIELD_HOSTNAME: Shields(hostnames=("only.example",)),
    }
    for reason, shields in cases.items():
        await world.site(shields=shields)
        address = "8.8.8.8" if reason is DropReason.SHIELD_COUNTRY else ADDRESS
        dropped = world.accepted(sent(), visitor(address=address))
        assert dropped == Drop(site=SITE, received_at=NOW, reason=reason)


# Visitors


async def test_a_cookie_makes_one_visitor_wherever_and_whenever(world: Ingesting) -> None:
    first = world.hit(sent(vid="ada")).visitor
    world.now = NOW + 400 * DAY
    assert world.hit(sent(vid="ada"), visitor(address="8.8.8.8", user_agent="x")).visitor == first
    assert world.hit(sent(vid="bob")).visitor != first
    assert not is_cookieless(first)


async def test_without_a_cookie_a_visitor_is_one_for_a_day(world: Ingesting) -> None:
    morning = world.hit(sent()).visitor
    assert is_cookieless(morning)
    world.now = NOW - NOW % DAY + DAY - 1
    assert world.hit(sent()).visitor == morning
    assert world.hit(sent(), visitor(address="203.0.113.10")).visitor != morning
    assert world.hit(sent(), visitor(user_agent=FIREFOX + "x")).visitor != morning
    world.now += 1
    assert world.hit(sent()).visitor != morning


async def test_a_late_event_belongs_to_the_visitor_of_its_own_day(world: Ingesting) -> None:
    yesterday = world.hit(sent()).visitor
    world.now = NOW + DAY
    assert world.hit(sent(ts=NOW)).visitor == yesterday
    world.now = NOW + 3 * DAY
    with pytest.raises(SaltMissing):
        world.hit(sent(ts=NOW))
    await world.salted()
    assert world.hit(sent(ts=NOW)).visitor != yesterday  # that day's salt is gone


async def test_a_reading_of_a_sitting_over_midnight_belongs_to_who_began_it(
    world: Ingesting,
) -> None:
    midnight = NOW // DAY * DAY
    evening = world.hit(sent(ts=midnight - 60_000)).visitor
    reading = world.hit(sent(name="engagement", ts=midnight + 600_000, engaged_ms=660_000))
    assert reading.visitor == evening
    assert world.hit(sent(ts=midnight + 600_000)).visitor != evening


async def test_a_cookieless_site_ignores_cookies(world: Ingesting) -> None:
    await world.site(cookieless=True)
    assert world.hit(sent(vid="ada")).visitor == world.hit(sent(vid="bob")).visitor
    assert is_cookieless(world.hit(sent(vid="ada")).visitor)
