"""A password is its owner's own, and a new one ends what the old one opened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD, VIEWER

from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard.session import COOKIE
from analytics.testing.builders import SITE

NEW = "quite another one"
FORM = {"current": PASSWORD, "password": NEW, "again": NEW}


async def test_a_person_changes_the_password_and_other_sessions_end(
    viewer: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    elsewhere = connect(token=await peopled.people.log_in(VIEWER, PASSWORD))
    assert (await elsewhere.get(f"/{SITE}")).status_code == 200
    done = await viewer.post("/account", data=FORM)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert "Your password has been changed" in (await viewer.get("/account")).text
    assert (await elsewhere.get(f"/{SITE}")).headers["location"].startswith("/login")
    assert await peopled.people.log_in(VIEWER, NEW)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"current": "wrong"}, "current password is wrong"),
        ({"again": "something else"}, "passwords differ"),
        ({"password": "short", "again": "short"}, "10 to 256"),
        ({"password": PASSWORD, "again": PASSWORD}, "password other than"),
    ],
)
async def test_a_mistake_changes_no_password(
    viewer: Client, peopled: SqliteCatalog, change: dict[str, str], problem: str
) -> None:
    answer = await viewer.post("/account", data={**FORM, **change})
    assert answer.status_code == 400
    assert problem in answer.text
    assert await peopled.people.log_in(VIEWER, PASSWORD)


async def test_the_current_password_cannot_be_guessed_by_the_thousand(viewer: Client) -> None:
    wrong = {**FORM, "current": "wrong"}
    answers = [await viewer.post("/account", data=wrong) for _ in range(15)]
    assert {answer.status_code for answer in answers} == {400, 429}
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_first_password_opens_nothing_but_the_way_to_another(
    owner: Client, connect: Callable[..., Client], peopled: SqliteCatalog
) -> None:
    form = {"form": "person", "email": "new@shop.example", "password": PASSWORD}
    await owner.post(f"/{SITE}/settings", data=form)
    new = connect()
    entered = await new.post("/login", data={"email": "new@shop.example", "password": PASSWORD})
    assert COOKIE in entered.cookies
    for path in ("/", f"/{SITE}", f"/{SITE}/live"):
        assert (await new.get(path)).headers["location"] == "/account"
    assert "Choose your password" in (await new.get("/account")).text
    assert (await new.post("/account", data=FORM)).status_code == 303
    assert (await new.get(f"/{SITE}")).status_code == 200


async def test_an_owner_sets_a_forgotten_password(
    owner: Client, viewer: Client, peopled: SqliteCatalog
) -> None:
    form = {"form": "password", "email": VIEWER, "password": NEW}
    assert (await owner.post("/admin", data=form)).headers["location"] == "/admin#people"
    assert "logged out everywhere" in (await owner.get("/admin")).text
    assert (await viewer.get(f"/{SITE}")).headers["location"].startswith("/login")
    people = {person.email: person for person in await peopled.people.all()}
    assert people[VIEWER].must_change
    mine = await owner.post("/admin", data={**form, "email": OWNER})
    assert mine.status_code == 400
