"""Every form is answered by a redirect, or by a page that says what is wrong."""

from __future__ import annotations

import pytest
from starlette.routing import Route
from tests.dashboard.conftest import Client
from tests.dashboard.world import OWNER, PASSWORD, VIEWER

from analytics import dashboard
from analytics.catalog.sqlite import SqliteCatalog
from analytics.dashboard import DashboardContext, admin_page
from analytics.person import Scope
from analytics.testing.builders import SITE

FORMS: dict[str, list[dict[str, str]]] = {
    "/setup": [{"token": "one-time", "email": OWNER, "password": PASSWORD, "again": PASSWORD}],
    "/login": [{"email": OWNER, "password": PASSWORD}, {"email": OWNER, "password": "wrong"}],
    "/logout": [{}],
    "/account": [
        {"current": PASSWORD, "password": "another one", "again": "another one"},
        {"current": "wrong", "password": "another one", "again": "another one"},
    ],
    "/sites/new": [{"domain": "new.example", "timezone": "Etc/UTC"}, {"domain": "a b"}],
    "/admin": [
        {"form": "key", "scope": "stats:read"},
        {"form": "revoke", "key": "$key"},
        {"form": "role", "email": VIEWER, "role": "owner"},
        {"form": "password", "email": VIEWER, "password": "another one"},
        {"form": "remove-person", "email": VIEWER},
        {"form": "remove-person", "email": OWNER},
        {"form": "nothing"},
    ],
    "/{domain:site}/settings": [
        {"form": "general", "timezone": "Asia/Tehran"},
        {"form": "privacy"},
        {"form": "shields", "countries": "DE"},
        {"form": "shields", "countries": "XX"},
        {"form": "retention", "days": "30"},
        {"form": "key", "scope": "stats:read"},
        {"form": "revoke", "key": "$key"},
        {"form": "person", "email": "new@shop.example", "password": "long enough"},
        {"form": "remove-person", "email": VIEWER},
        {"form": "goal", "event": "signup"},
        {"form": "goal", "page": "thanks"},
        {"form": "remove-goal", "goal": "1"},
        {"form": "remove-segment", "segment": "1"},
        {"form": "link", "name": "Agency"},
        {"form": "link", "name": ""},
        {"form": "revoke-link", "link": "x"},
        {"form": "remove-site", "domain": "wrong"},
        {"form": "remove-site", "domain": SITE},
    ],
    "/{domain:site}/segments": [{"f": "is,country,DE", "name": "Germany"}, {"name": "Nothing"}],
    "/share/{domain}/unlock": [{"password": "wrong"}],
}


def test_every_form_is_tried(deps: DashboardContext) -> None:
    routes = [*admin_page.routes(deps), *dashboard.routes(deps)]
    posts = {r.path for r in routes if isinstance(r, Route) and "POST" in (r.methods or ())}
    assert posts == set(FORMS)


@pytest.mark.parametrize(
    ("path", "form"), [(path, form) for path, forms in FORMS.items() for form in forms]
)
async def test_no_form_is_answered_by_a_page_that_a_reload_would_send_again(
    owner: Client, peopled: SqliteCatalog, path: str, form: dict[str, str]
) -> None:
    key, _ = await peopled.keys.create(scopes=[*Scope], site=SITE)
    sent = {name: value.replace("$key", key.id) for name, value in form.items()}
    answer = await owner.post(
        path.replace("{domain:site}", SITE).replace("{domain}", SITE), data=sent
    )
    assert answer.status_code == 303 or 400 <= answer.status_code < 500, answer.text
    if answer.status_code != 303:
        assert answer.headers["content-type"].startswith("text/html")
