"""The contract of every `Catalog`: subclass it, and provide the fixtures `catalog` and `clock`."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import pytest

from analytics.actor import acting_as
from analytics.catalog.audit_log import KEPT_DAYS, KEPT_ENTRIES, AuditAction
from analytics.catalog.base import Catalog, SaltMissing, Sites
from analytics.errors import Conflict, Malformed, NotFound, Unauthenticated
from analytics.person import Scope
from analytics.site import Shields, Site
from analytics.units import DAY_MS

PASSWORD: Final = "correct horse battery"  # noqa: S105 - not a secret


async def _replace(sites: Sites, site: Site) -> None:
    await sites.edit(site.domain, lambda _: site)


class HandClock:
    """A clock that moves only when the test sets it."""

    def __init__(self, at_ms: int = 1_700_000_000_000) -> None:
        self.at_ms = at_ms

    def __call__(self) -> int:
        return self.at_ms


class SitesContract:
    """The tests of `Sites`."""

    async def test_a_new_site_is_found_by_domain_id_and_number(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Asia/Tehran")
        assert site.timezone == "Asia/Tehran"
        assert catalog.sites.get("example.com") == site
        assert catalog.sites.get(site.id) == site
        assert catalog.sites.get(str(site.number)) == site

    async def test_a_domain_is_kept_in_one_spelling(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("WWW.Bücher.Example", timezone="Etc/UTC")
        assert site.domain == "xn--bcher-kva.example"
        assert catalog.sites.get("bücher.example") == site
        assert catalog.sites.get("www.XN--bcher-kva.example") == site

    async def test_a_domain_is_taken_once(self, catalog: Catalog) -> None:
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        with pytest.raises(Conflict, match=r"example\.com is a site already"):
            await catalog.sites.add("www.example.com", timezone="Etc/UTC")

    async def test_of_two_who_add_the_same_site_one_is_told(self, catalog: Catalog) -> None:
        results = await asyncio.gather(
            *(catalog.sites.add("example.com", timezone="Etc/UTC") for _ in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Conflict) for result in results) == 4
        assert len(catalog.sites.all()) == 1

    async def test_sites_that_are_added_at_once_are_all_known(self, catalog: Catalog) -> None:
        names = [f"s{n}.example" for n in range(30)]
        await asyncio.gather(*(catalog.sites.add(name, timezone="Etc/UTC") for name in names))
        assert [name for name in names if catalog.sites.get(name) is None] == []

    @pytest.mark.parametrize("domain", ["", "a b.com", "ftp://a.com/", "a.com/x", "a.com:x", "a"])
    async def test_what_is_no_host_is_refused(self, catalog: Catalog, domain: str) -> None:
        with pytest.raises(Malformed) as caught:
            await catalog.sites.add(domain, timezone="Etc/UTC")
        assert caught.value.field == "domain"

    async def test_an_unknown_zone_names_its_nearest(self, catalog: Catalog) -> None:
        with pytest.raises(Malformed, match="the nearest is Asia/Tehran"):
            await catalog.sites.add("example.com", timezone="Asia/Teheran")

    async def test_sites_are_listed_by_domain(self, catalog: Catalog) -> None:
        for domain in ("b.example", "c.example", "a.example"):
            await catalog.sites.add(domain, timezone="Etc/UTC")
        assert [site.domain for site in catalog.sites.all()] == [
            "a.example",
            "b.example",
            "c.example",
        ]

    async def test_a_change_is_seen_at_once(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        changed = msgspec.structs.replace(
            site, honour_dnt=True, shields=Shields(addresses=("10.0.0.0/8",), countries=("DE",))
        )
        await _replace(catalog.sites, changed)
        assert catalog.sites.get("example.com") == changed

    async def test_a_change_keeps_id_and_number(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        await _replace(catalog.sites, msgspec.structs.replace(site, id="other", number=9))
        assert catalog.sites.get("example.com") == site

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("timezone", "Nowhere/Land"),
            ("retention_days", 0),
            ("shields", Shields(addresses=("10.0.0",))),
            ("shields", Shields(countries=("germany",))),
            ("shields", Shields(countries=("XX",))),
            ("shields", Shields(pages=("admin",))),
            ("shields", Shields(hostnames=("https://example.com/",))),
            ("shields", Shields(pages=tuple(f"/{n}" for n in range(501)))),
            ("other_hostnames", ("a b",)),
            ("retention_days", 36_501),
            ("revenue_ceiling", -1),
            ("revenue_ceiling", 10**14 + 1),
            ("custom_properties", ("a" * 301,)),
            ("custom_properties", ("line\nbreak",)),
            ("custom_properties", tuple(map(str, range(301)))),
        ],
    )
    async def test_a_change_without_sense_is_refused(
        self, catalog: Catalog, field: str, value: object
    ) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        with pytest.raises(Malformed):
            await _replace(catalog.sites, msgspec.structs.replace(site, **{field: value}))
        assert catalog.sites.get("example.com") == site

    async def test_settings_are_kept_in_one_spelling(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        shields = Shields(countries=("de", " DE"), hostnames=("WWW.Example.com", ""))
        changed = msgspec.structs.replace(site, shields=shields, other_hostnames=("*.A.example",))
        await _replace(catalog.sites, changed)
        stored = catalog.sites.get("example.com")
        assert stored is not None
        assert stored.shields == Shields(countries=("DE",), hostnames=("www.example.com",))
        assert stored.other_hostnames == ("*.a.example",)

    async def test_a_site_that_is_not_there_cannot_be_changed(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        await catalog.sites.remove("example.com")
        with pytest.raises(NotFound):
            await _replace(catalog.sites, site)

    async def test_a_removed_site_is_gone(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("example.com", timezone="Etc/UTC")
        await catalog.sites.remove("example.com")
        assert catalog.sites.get("example.com") is None
        assert catalog.sites.get(site.id) is None
        with pytest.raises(NotFound):
            await catalog.sites.remove("example.com")

    async def test_a_number_is_never_given_twice(self, catalog: Catalog) -> None:
        first = await catalog.sites.add("a.example", timezone="Etc/UTC")
        await catalog.sites.remove("a.example")
        second = await catalog.sites.add("b.example", timezone="Etc/UTC")
        assert second.number > first.number


class PeopleContract:
    """The tests of `People`."""

    async def test_who_knows_the_password_is_logged_in(self, catalog: Catalog) -> None:
        person = await catalog.people.add("Ada@Example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in(" ada@example.com", PASSWORD)
        assert await catalog.people.logged_in(token) == person
        assert person.email == "ada@example.com"

    async def test_a_wrong_password_and_an_unknown_email_read_alike(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        with pytest.raises(Unauthenticated) as wrong:
            await catalog.people.log_in("ada@example.com", PASSWORD + "!")
        with pytest.raises(Unauthenticated) as unknown:
            await catalog.people.log_in("bob@example.com", PASSWORD)
        assert str(wrong.value) == str(unknown.value)

    async def test_a_session_ends_by_logging_out(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        other = await catalog.people.log_in("ada@example.com", PASSWORD)
        await catalog.people.log_out(token)
        await catalog.people.log_out(token)
        assert await catalog.people.logged_in(token) is None
        assert await catalog.people.logged_in(other) is not None

    async def test_a_session_ends_after_thirty_days(
        self, catalog: Catalog, clock: HandClock
    ) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        for _ in range(3):
            clock.at_ms += 10 * DAY_MS
            assert await catalog.people.logged_in(token) is not None
        clock.at_ms += 1
        assert await catalog.people.logged_in(token) is None

    async def test_a_session_that_is_not_used_ends_after_fourteen_days(
        self, catalog: Catalog, clock: HandClock
    ) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        clock.at_ms += 14 * DAY_MS
        assert await catalog.people.logged_in(token) is not None
        clock.at_ms += 14 * DAY_MS + 1
        assert await catalog.people.logged_in(token) is None
        assert await catalog.people.sessions("ada@example.com") == ()

    async def test_sessions_are_listed_and_ended_one_by_one(
        self, catalog: Catalog, clock: HandClock
    ) -> None:
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        await catalog.people.add("bob@x.example", PASSWORD, owner=True)
        phone = await catalog.people.log_in("ada@x.example", PASSWORD, browser="Safari on iOS")
        clock.at_ms += DAY_MS
        mine = await catalog.people.log_in("ada@x.example", PASSWORD, browser="Firefox on Linux")
        await catalog.people.log_in("bob@x.example", PASSWORD)
        newest, oldest = await catalog.people.sessions("ada@x.example", token=mine)
        assert (newest.browser, newest.own) == ("Firefox on Linux", True)
        assert (oldest.browser, oldest.own) == ("Safari on iOS", False)
        assert newest.created_at - oldest.created_at == DAY_MS
        assert phone not in repr((newest, oldest))
        with pytest.raises(NotFound):
            await catalog.people.end_session("bob@x.example", oldest.id)
        await catalog.people.end_session("ada@x.example", oldest.id)
        assert await catalog.people.logged_in(phone) is None
        assert await catalog.people.logged_in(mine) is not None
        with pytest.raises(NotFound):
            await catalog.people.end_session("ada@x.example", oldest.id)

    async def test_sessions_are_ended_everywhere_at_once(self, catalog: Catalog) -> None:
        tokens = {}
        for name in ("ada", "bob"):
            await catalog.people.add(f"{name}@x.example", PASSWORD, owner=True)
            tokens[name] = [
                await catalog.people.log_in(f"{name}@x.example", PASSWORD) for _ in range(3)
            ]
        mine = tokens["ada"][0]
        assert await catalog.people.end_sessions("ADA@x.example", keep=mine) == 2
        assert await catalog.people.logged_in(mine) is not None
        assert await catalog.people.logged_in(tokens["ada"][1]) is None
        assert await catalog.people.logged_in(tokens["bob"][0]) is not None
        assert await catalog.people.end_sessions(None) == 4
        assert await catalog.people.logged_in(mine) is None
        assert await catalog.people.logged_in(tokens["bob"][0]) is None
        with pytest.raises(NotFound):
            await catalog.people.end_sessions("eve@x.example")

    async def test_a_password_is_checked_without_a_session(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        await catalog.people.check("ADA@x.example", PASSWORD)
        assert await catalog.people.sessions("ada@x.example") == ()
        with pytest.raises(Unauthenticated):
            await catalog.people.check("ada@x.example", PASSWORD + "!")

    async def test_a_new_password_has_a_new_key_for_devices(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        before = await catalog.people.device_key("ADA@x.example")
        assert await catalog.people.device_key("ada@x.example") == before
        await catalog.people.set_password("ada@x.example", "another long one")
        assert await catalog.people.device_key("ada@x.example") not in (None, before)
        assert await catalog.people.device_key("eve@x.example") is None

    async def test_removing_somebody_ends_their_sessions(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        token = await catalog.people.log_in("ada@example.com", PASSWORD)
        await catalog.people.remove("ADA@example.com")
        assert await catalog.people.logged_in(token) is None
        assert await catalog.people.all() == ()
        with pytest.raises(NotFound):
            await catalog.people.remove("ada@example.com")

    async def test_a_person_is_given_another_site_and_another_role(self, catalog: Catalog) -> None:
        bob = await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=("a.example",))
        token = await catalog.people.log_in("bob@x.example", PASSWORD)
        both = msgspec.structs.replace(bob, sites=("a.example", "b.example"))
        await catalog.people.change(both)
        assert await catalog.people.logged_in(token) == both
        owner = msgspec.structs.replace(both, owner=True)
        await catalog.people.change(owner)
        assert await catalog.people.logged_in(token) == owner
        with pytest.raises(NotFound):
            await catalog.people.change(msgspec.structs.replace(bob, email="eve@x.example"))

    async def test_somebody_owns_what_others_see(self, catalog: Catalog) -> None:
        ada = await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        bob = await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=("a.example",))
        with pytest.raises(Conflict, match="only owner"):
            await catalog.people.remove("ada@x.example")
        with pytest.raises(Conflict, match="only owner"):
            await catalog.people.change(msgspec.structs.replace(ada, owner=False))
        assert await catalog.people.all() == (ada, bob)
        await catalog.people.change(msgspec.structs.replace(bob, owner=True))
        await catalog.people.remove("ada@x.example")

    async def test_viewers_without_any_owner_can_be_changed(self, catalog: Catalog) -> None:
        bob = await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=("a.example",))
        await catalog.people.change(msgspec.structs.replace(bob, sites=()))
        assert [person.sites for person in await catalog.people.all()] == [()]

    async def test_a_new_password_ends_the_other_sessions(self, catalog: Catalog) -> None:
        ada = await catalog.people.add("ada@x.example", PASSWORD, owner=True, must_change=True)
        mine = await catalog.people.log_in("ada@x.example", PASSWORD)
        other = await catalog.people.log_in("ada@x.example", PASSWORD)
        assert await catalog.people.logged_in(mine) == ada
        await catalog.people.set_password("ADA@x.example", "another long one", keep=mine)
        assert await catalog.people.logged_in(mine) == msgspec.structs.replace(
            ada, must_change=False
        )
        assert await catalog.people.logged_in(other) is None
        with pytest.raises(Unauthenticated):
            await catalog.people.log_in("ada@x.example", PASSWORD)
        assert await catalog.people.log_in("ada@x.example", "another long one")
        await catalog.people.set_password("ada@x.example", PASSWORD, must_change=True)
        assert await catalog.people.all() == (ada,)
        with pytest.raises(Malformed):
            await catalog.people.set_password("ada@x.example", "short")
        with pytest.raises(NotFound):
            await catalog.people.set_password("eve@x.example", PASSWORD)

    async def test_an_email_has_one_account(self, catalog: Catalog) -> None:
        await catalog.people.add("ada@example.com", PASSWORD, owner=True)
        with pytest.raises(Conflict):
            await catalog.people.add("ADA@example.com", PASSWORD, owner=False)

    async def test_everybody_is_listed_with_what_they_see(self, catalog: Catalog) -> None:
        bob = await catalog.people.add("bob@x.example", PASSWORD, owner=False, sites=("a.example",))
        ada = await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        assert await catalog.people.all() == (ada, bob)
        assert bob.sees("a.example")
        assert not bob.sees("b.example")
        assert ada.sees("b.example")

    @pytest.mark.parametrize(
        ("email", "password", "field"),
        [
            ("ada", PASSWORD, "email"),
            ("a b@x.example", PASSWORD, "email"),
            ("ada@x.example", "short", "password"),
        ],
    )
    async def test_no_email_and_no_password_is_refused_by_name(
        self, catalog: Catalog, email: str, password: str, field: str
    ) -> None:
        with pytest.raises(Malformed) as caught:
            await catalog.people.add(email, password, owner=True)
        assert caught.value.field == field


class KeysContract:
    """The tests of `Keys`."""

    async def test_a_key_is_found_by_its_secret_alone(self, catalog: Catalog) -> None:
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        key, secret = await catalog.keys.create(
            scopes=[Scope.STATS_READ], site="example.com", label="report"
        )
        assert catalog.keys.find(secret) == key
        assert catalog.keys.find(secret[:-1]) is None
        assert catalog.keys.find(key.id) is None
        assert key.allows(Scope.STATS_READ, "example.com")
        assert not key.allows(Scope.STATS_READ, "other.example")

    async def test_a_key_for_a_site_that_was_just_removed_is_refused(
        self, catalog: Catalog
    ) -> None:
        """The caller had looked the site up before."""
        await catalog.sites.add("example.com", timezone="Etc/UTC")
        await catalog.sites.remove("example.com")
        with pytest.raises(NotFound) as unknown:
            await catalog.sites.remove("example.com")
        with pytest.raises(NotFound) as refused:
            await catalog.keys.create(scopes=[Scope.STATS_READ], site="example.com")
        assert str(refused.value) == str(unknown.value)
        assert list(await catalog.keys.all()) == []

    async def test_a_secret_is_shown_once(self, catalog: Catalog) -> None:
        _, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None)
        assert secret not in repr(await catalog.keys.all())
        assert secret.startswith("ak_")
        assert len(secret) == 43

    async def test_keys_are_listed_oldest_first(self, catalog: Catalog, clock: HandClock) -> None:
        created = []
        for label in ("first", "second", "third"):
            created.append((await catalog.keys.create(scopes=[*Scope], site=None, label=label))[0])
            clock.at_ms += 1
        assert list(await catalog.keys.all()) == created

    async def test_a_revoked_key_is_gone_at_once(self, catalog: Catalog) -> None:
        key, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None)
        await catalog.keys.revoke(key.id)
        assert catalog.keys.find(secret) is None
        with pytest.raises(NotFound):
            await catalog.keys.revoke(key.id)

    async def test_a_key_that_may_do_nothing_is_refused(self, catalog: Catalog) -> None:
        with pytest.raises(Malformed, match="stats:read"):
            await catalog.keys.create(scopes=[], site=None)

    async def test_a_key_expires(self, catalog: Catalog, clock: HandClock) -> None:
        until = clock.at_ms + 30 * DAY_MS
        key, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None, days=30)
        assert key.expires_at == key.created_at + 30 * DAY_MS == until
        clock.at_ms = until - 1
        assert catalog.keys.find(secret) == key
        clock.at_ms = until
        assert catalog.keys.find(secret) is None
        assert list(await catalog.keys.all()) == [key]
        for days in (0, -1, 3_651):
            with pytest.raises(Malformed, match="days"):
                await catalog.keys.create(scopes=[Scope.STATS_READ], site=None, days=days)

    async def test_the_last_day_of_a_keys_use_is_known(
        self, catalog: Catalog, clock: HandClock
    ) -> None:
        key, secret = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None)
        unused, _ = await catalog.keys.create(scopes=[Scope.STATS_READ], site=None)
        assert await catalog.keys.last_used() == {}
        for _ in range(3):
            catalog.keys.find(secret)
        today = clock.at_ms // DAY_MS
        assert await catalog.keys.last_used() == {key.id: today}
        await catalog.flush()
        clock.at_ms += 2 * DAY_MS
        assert await catalog.keys.last_used() == {key.id: today}
        catalog.keys.find(secret)
        await catalog.flush()
        assert await catalog.keys.last_used() == {key.id: today + 2}
        await catalog.keys.revoke(key.id)
        assert await catalog.keys.last_used() == {}
        await catalog.keys.revoke(unused.id)


async def _change_everything(catalog: Catalog) -> None:
    """Make every change that a catalog knows, some of them twice."""
    people, sites, keys = catalog.people, catalog.sites, catalog.keys
    site = await sites.add("a.example", timezone="Etc/UTC")
    shields = Shields(addresses=("203.0.113.0/24",))
    await _replace(sites, msgspec.structs.replace(site, retention_days=30, shields=shields))
    await people.add("ada@x.example", PASSWORD, owner=True)
    bob = await people.add("bob@x.example", PASSWORD, owner=False, sites=("a.example",))
    await people.change(msgspec.structs.replace(bob, sites=("a.example", "b.example")))
    token = await people.log_in("bob@x.example", PASSWORD)
    await people.log_out(token)
    await people.log_in("bob@x.example", PASSWORD)
    (session,) = await people.sessions("bob@x.example")
    await people.end_session("bob@x.example", session.id)
    await people.end_sessions(None)
    await people.set_password("bob@x.example", "another long one")
    await people.remove("bob@x.example")
    key, _ = await keys.create(scopes=[Scope.STATS_READ], site="a.example", label="report")
    await keys.revoke(key.id)
    await sites.remove("a.example")
    await catalog.audit_log.record(AuditAction.DATA_ERASED, about="3 events", site="a.example")


class AuditContract:
    """The tests of the audit log."""

    async def test_what_changes_nothing_is_not_written_down(self, catalog: Catalog) -> None:
        site = await catalog.sites.add("a.example", timezone="Etc/UTC")
        ada = await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        before = await catalog.audit_log.recent(100)
        await _replace(catalog.sites, site)
        await catalog.people.change(ada)
        assert await catalog.audit_log.recent(100) == before
        await _replace(catalog.sites, msgspec.structs.replace(site, public=True))
        await catalog.people.change(msgspec.structs.replace(ada, sites=("a.example",)))
        whats = [each.what.value for each in await catalog.audit_log.recent(2)]
        assert whats == ["person-changed", "site-changed"]

    async def test_every_change_is_written_down(self, catalog: Catalog, clock: HandClock) -> None:
        with acting_as("ada@x.example"):
            await _change_everything(catalog)
        entries = [*reversed(await catalog.audit_log.recent(100))]
        assert [(each.what.value, each.who, each.site) for each in entries] == [
            ("site-added", "ada@x.example", "a.example"),
            ("site-changed", "ada@x.example", "a.example"),
            ("person-added", "ada@x.example", ""),
            ("person-added", "ada@x.example", ""),
            ("person-changed", "ada@x.example", ""),
            ("logged-in", "bob@x.example", ""),
            ("logged-out", "bob@x.example", ""),
            ("sessions-ended", "ada@x.example", ""),
            ("sessions-ended", "ada@x.example", ""),
            ("password-changed", "ada@x.example", ""),
            ("person-removed", "ada@x.example", ""),
            ("key-created", "ada@x.example", "a.example"),
            ("key-revoked", "ada@x.example", "a.example"),
            ("site-removed", "ada@x.example", "a.example"),
            ("data-erased", "ada@x.example", "a.example"),
        ]
        assert {each.at for each in entries} == {clock.at_ms}
        about = [each.about for each in entries]
        assert about[1] == "shields, retention days"
        assert about[4] == "bob@x.example, who sees a.example, b.example"
        assert about[8] == "everybody"
        assert about[11].startswith("report, stats:read (")
        assert entries[5].times == 2

    async def test_no_address_and_no_secret_is_written_down(self, catalog: Catalog) -> None:
        await _change_everything(catalog)
        text = repr(await catalog.audit_log.recent(100))
        for hidden in ("203.0.113", PASSWORD, "another long one", "ak_"):
            assert hidden not in text

    async def test_what_was_refused_is_no_change(self, catalog: Catalog) -> None:
        await catalog.sites.add("a.example", timezone="Etc/UTC")
        with pytest.raises(Conflict):
            await catalog.sites.add("a.example", timezone="Etc/UTC")
        with pytest.raises(NotFound):
            await catalog.people.remove("eve@x.example")
        assert len(await catalog.audit_log.recent(10)) == 1

    async def test_wrong_logins_are_folded_by_the_hour(
        self, catalog: Catalog, clock: HandClock
    ) -> None:
        await catalog.people.add("ada@x.example", PASSWORD, owner=True)
        for _ in range(2):
            for guess in range(2):
                for email in ("ada@x.example", f"nobody{guess}@x.example"):
                    with pytest.raises(Unauthenticated):
                        await catalog.people.log_in(email, "guess")
                await catalog.flush()
            clock.at_ms += DAY_MS // 24
        refused = [
            (each.about, each.times)
            for each in await catalog.audit_log.recent(100)
            if each.what is AuditAction.LOGIN_REFUSED
        ]
        assert sorted(refused) == [
            ("ada@x.example", 2),
            ("ada@x.example", 2),
            ("an unknown email address", 2),
            ("an unknown email address", 2),
        ]

    async def test_it_is_read_page_by_page_and_site_by_site(self, catalog: Catalog) -> None:
        for number in range(6):
            await catalog.sites.add(f"s{number % 2}.s{number}.example", timezone="Etc/UTC")
        first = await catalog.audit_log.recent(4)
        rest = await catalog.audit_log.recent(4, before=first[-1].id)
        assert [each.site[:5] for each in (*first, *rest)] == [
            "s1.s5", "s0.s4", "s1.s3", "s0.s2", "s1.s1", "s0.s0",
        ]  # fmt: skip
        (one,) = await catalog.audit_log.recent(4, site="s0.s2.example")
        assert one.site == "s0.s2.example"

    async def test_it_does_not_grow_for_ever(self, catalog: Catalog, clock: HandClock) -> None:
        for number in range(KEPT_ENTRIES + 5):
            await catalog.audit_log.record(AuditAction.BACKUP_MADE, about=str(number))
        entries = await catalog.audit_log.recent(KEPT_ENTRIES * 2)
        assert (len(entries), entries[-1].about) == (KEPT_ENTRIES, "5")
        clock.at_ms += KEPT_DAYS * DAY_MS + 1
        await catalog.audit_log.record(AuditAction.BACKUP_MADE, about="x" * 10_000)
        (last,) = await catalog.audit_log.recent(10)
        assert len(last.about) <= 300


class SaltsContract:
    """The tests of `Salts`."""

    async def test_a_day_has_one_salt_of_its_own(self, catalog: Catalog) -> None:
        await catalog.salts.make([100, 101], today=100)
        salt = catalog.salts.of(100, today=100)
        assert len(salt) == 16
        await catalog.salts.make([100, 101, 102], today=101)
        assert catalog.salts.of(100, today=101) == salt
        assert catalog.salts.of(101, today=101) != salt

    async def test_a_day_without_a_salt_is_named(self, catalog: Catalog) -> None:
        await catalog.salts.make([100], today=100)
        with pytest.raises(SaltMissing) as raised:
            catalog.salts.of(101, today=101)
        assert raised.value.day == 101

    async def test_a_salt_is_over_after_two_days(self, catalog: Catalog) -> None:
        await catalog.salts.make([100, 101], today=99)
        salt = catalog.salts.of(100, today=100)
        await catalog.salts.make([101, 102], today=102)
        assert catalog.salts.of(100, today=102) == salt
        with pytest.raises(SaltMissing):
            catalog.salts.of(100, today=103)  # though nobody has dropped it yet
        await catalog.salts.make([103], today=103)
        with pytest.raises(SaltMissing):
            catalog.salts.of(100, today=102)
        await catalog.salts.make([100], today=103)
        assert catalog.salts.of(100, today=103) != salt

    async def test_a_back_dated_day_keeps_its_salt_as_long(self, catalog: Catalog) -> None:
        await catalog.salts.make([5], today=100)
        salt = catalog.salts.of(5, today=100)
        await catalog.salts.make([6, 100], today=100)
        await catalog.salts.make([101], today=101)
        assert catalog.salts.of(5, today=102) == salt
        with pytest.raises(SaltMissing):
            catalog.salts.of(5, today=103)
        await catalog.salts.make([5], today=103)
        assert catalog.salts.of(5, today=103) != salt


class CatalogContract(SitesContract, PeopleContract, KeysContract, SaltsContract, AuditContract):
    """The whole suite."""
