"""Every route for every kind of caller, from the URL table: a new route without a row here fails.

Sockets are in `test_matrix_sockets.py`, admin pages in `tests/dashboard/test_admin_roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from oven.accounts.models import ApiToken, Scope
from oven.accounts.roles import WATCH
from oven_site.api import api
from tests.support import request

pytestmark = pytest.mark.django_db
PEOPLE = ("anonymous", "outsider", "viewer", "operator", "administrator")
TOKENS = ("without a scope", "with the scope", "expired", "of another scope", "made up")
CALLERS = (*PEOPLE, *TOKENS)
FORBIDDEN, UNKNOWN, SIGN_IN = 403, 401, 302


@dataclass(frozen=True)
class Door:
    """What lies behind a route: how somebody who may is answered, and who may.

    `needs`: a scope (of tokens; of people the permission of the same). `checks`: a bad token is refused although
    nobody needs one. `body`: of a write. `page`: for people only; "watch" or a permission; those who are signed in
    and no staff are answered `outsiders`.
    """

    url: str
    served: int = 200
    needs: Scope | None = None
    checks: bool = False
    body: Any = None
    page: str = ""
    outsiders: int = FORBIDDEN

    def expected(self, who: str, user: Any) -> int:
        if self.page:
            return self._expected_of_page(user)
        if who in ("expired", "made up") and (self.needs or self.checks):
            return UNKNOWN
        if self.needs is None:
            return self.served
        if user is not None:
            return self._expected_of_member(user)
        return {"with the scope": self.served, "anonymous": UNKNOWN}.get(who, FORBIDDEN)

    def _expected_of_member(self, user: Any) -> int:
        assert self.needs is not None
        if not user.is_staff:
            return UNKNOWN
        return self.served if user.has_perm(self.needs.permission) else FORBIDDEN

    def _expected_of_page(self, user: Any) -> int:
        if user is None:
            return SIGN_IN
        if not (user.is_staff and user.has_perm(WATCH)):
            return self.outsiders
        return self.served if self.page == "watch" or user.has_perm(self.page) else FORBIDDEN


G, S, B, K, W = Scope.GRAB, Scope.STEER, Scope.BUNDLE, Scope.BAKE, Scope.WATCH
CODE = {"code": "none"}
# Method and route: one or more doors. The answers are those on an empty database, with fields that nobody would accept
# where a good one would start work.
API: dict[tuple[str, str], list[Door]] = {
    ("GET", "/health"): [Door("/health")],
    ("GET", "/live"): [Door("/live")],
    ("GET", "/ready"): [Door("/ready", 503)],
    ("GET", "/pressure"): [Door("/pressure")],
    ("GET", "/metrics"): [Door("/metrics", needs=W)],
    ("GET", "/status"): [Door("/status", checks=True)],
    ("GET", "/status/{job_id}"): [Door("/status/none-12345678", 404)],
    ("POST", "/grab"): [Door("/grab", 400, needs=G, body={"piece": ""})],
    ("GET", "/grab/{format}/{width}/{height}/{piece}"): [
        Door("/grab/bmp/64/64/orbit", 400, checks=True),
        Door("/grab/png/64/64/orbit?skipCache=true", 504, needs=G),
        Door("/grab/png/64/64/orbit?source=keep", 504, needs=G),
    ],
    ("GET", "/icon/{size}/{piece}"): [Door("/icon/128/orbit.png", 400)],
    ("GET", "/preview/{size}/{piece}"): [Door("/preview/1200x630/example.com.png", 400)],
    ("GET", "/app-screenshots/download/{piece}"): [Door("/app-screenshots/download/example.com", 400)],
    ("GET", "/app-screenshots/{preset}/{piece}"): [
        Door("/app-screenshots/x/orbit.png", 400),
        Door("/app-screenshots/x/orbit.png?force=true", 400, needs=G),
    ],
    ("GET", "/api/app-screenshots/{piece}"): [Door("/api/app-screenshots/orbit")],
    ("GET", "/grab-status"): [Door("/grab-status")],
    ("POST", "/grab-cleanup"): [Door("/grab-cleanup", needs=S)],
    ("POST", "/grab-clear"): [Door("/grab-clear", needs=S)],
    ("POST", "/api/requeue"): [Door("/api/requeue", 400, needs=S, body={})],
    ("GET", "/api/frozen"): [Door("/api/frozen")],
    ("DELETE", "/api/frozen/{piece}"): [Door("/api/frozen/still", needs=S)],
    ("POST", "/grab-ipfs"): [Door("/grab-ipfs", 400, needs=G, body={"piece": ""})],
    ("GET", "/keeps/latest"): [Door("/keeps/latest", 404)],
    ("GET", "/keeps/latest/{piece}"): [Door("/keeps/latest/orbit", 404)],
    ("GET", "/keeps/all"): [Door("/keeps/all")],
    ("GET", "/ipfs/{cid}"): [Door("/ipfs/none", 400)],
    ("POST", "/bake"): [Door("/bake", 400)],  # whose secret is in the body
    ("POST", "/bake-incoming"): [Door("/bake-incoming", 400, needs=K)],
    ("POST", "/bake-status"): [Door("/bake-status", checks=True, body=CODE)],
    ("POST", "/bake-complete"): [Door("/bake-complete", checks=True, body=CODE)],
    ("GET", "/bundle-html"): [Door("/bundle-html", 400), Door("/bundle-html?piece=x&minify=no", 504, checks=True)],
    ("GET", "/pack-html"): [Door("/pack-html", 400), Door("/pack-html?piece=x&minify=no", 504, checks=True)],
    ("GET", "/bundles/{bundle_id}"): [Door("/bundles/none-12345678", 404)],
    ("POST", "/bundle-prewarm"): [Door("/bundle-prewarm", 504, needs=B)],
    ("GET", "/bundle-status"): [Door("/bundle-status", checks=True)],
    ("GET", "/kidlisp-og.png"): [Door("/kidlisp-og.png", 302)],
    ("GET", "/kidlisp-og"): [
        Door("/kidlisp-og?layout=none", 400),
        Door("/kidlisp-og?force=true", 504, needs=G),
    ],
    ("GET", "/kidlisp-og/status"): [Door("/kidlisp-og/status")],
    ("GET", "/kidlisp-og/preview"): [Door("/kidlisp-og/preview", 302)],
    ("GET", "/og-preview"): [Door("/og-preview", checks=True)],
    ("GET", "/notepat-og.png"): [
        Door("/notepat-og.png", 504, checks=True),
        Door("/notepat-og.png?force=1", 504, needs=G),
    ],
    ("GET", "/kidlisp-backdrop"): [Door("/kidlisp-backdrop?force=1", 504, needs=G)],
    ("GET", "/kidlisp-backdrop.webp"): [Door("/kidlisp-backdrop.webp?force=1", 504, needs=G)],
}
ADD = "captures.add_grab"
# The patterns of the other routes, with their method.
PAGES: dict[tuple[str, str], list[Door]] = {
    ("GET", ""): [Door("/", page="watch")],
    ("GET", "sign-in"): [Door("/sign-in", 403)],
    # Unless they are configured, the further ways to sign in are not there, for nobody: tests/oven/accounts/login.
    ("GET", "sign-in/provider"): [Door("/sign-in/provider", 404)],
    ("GET", "sign-in/provider/callback"): [Door("/sign-in/provider/callback", 404)],
    ("POST", "sign-in/passkey"): [Door("/sign-in/passkey", 404)],
    ("POST", "sign-in/passkey/begin"): [Door("/sign-in/passkey/begin", 404)],
    ("GET", "admin/passkeys/"): [Door("/admin/passkeys/", 404)],
    ("POST", "admin/passkeys/begin"): [Door("/admin/passkeys/begin", 404)],
    ("POST", "admin/passkeys/add"): [Door("/admin/passkeys/add", 404)],
    ("POST", "admin/passkeys/<int:pk>/remove"): [Door("/admin/passkeys/1/remove", 404)],
    ("POST", "admin/passkeys/confirm"): [Door("/admin/passkeys/confirm", 404)],
    ("GET", "live/state"): [Door("/live/state", page="watch")],
    ("GET", "live/done"): [Door("/live/done", page="watch")],
    ("GET", "live/frozen"): [Door("/live/frozen", page="watch")],
    ("GET", "live/vitals"): [Door("/live/vitals", page="watch")],
    ("GET", "live/alerts"): [Door("/live/alerts", page="watch")],
    ("GET", "live/charts"): [Door("/live/charts", page="watch")],
    ("GET", "live/log"): [Door("/live/log", page="watch")],
    ("POST", "live/start/<str:kind>"): [Door("/live/start/grab", 400, page=ADD)],
    ("POST", "live/job/<str:public_id>/<str:action>"): [Door("/live/job/none-1/cancel", 404, page="watch")],
    ("POST", "live/freeze"): [Door("/live/freeze", 400, page="captures.add_frozenpiece")],
    ("POST", "live/unfreeze"): [Door("/live/unfreeze", 404, page="captures.delete_frozenpiece")],
    ("POST", "live/bulk"): [Door("/live/bulk", 400, page="watch")],
    ("GET", "live/bulk/<str:public_id>"): [Door("/live/bulk/none", 404, page="watch")],
    ("POST", "live/bulk/<str:public_id>/undo"): [Door("/live/bulk/none/undo", 404, page="watch")],
    ("GET", "files/<str:store>/<path:key>"): [Door("/files/art/none.png", 404)],
    ("GET", "app-screenshots"): [Door("/app-screenshots")],
    ("GET", "gallery"): [Door("/gallery", page="watch", outsiders=SIGN_IN)],
    ("POST", "gallery/refresh"): [Door("/gallery/refresh", 400, page=ADD, outsiders=SIGN_IN)],
    ("GET", "docs"): [Door("/docs")],
    ("GET", "docs/openapi.json"): [Door("/docs/openapi.json")],
}
DOORS = [(method, door) for table in (API, PAGES) for (method, _), doors in table.items() for door in doors]


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture(scope="module")
def sessions(module_people: Any, _valkey: Any) -> dict[str, str]:
    """Everybody's key: signed in once for all routes."""
    found = {}
    for who in PEOPLE[1:]:
        client = Client()
        client.force_login(getattr(module_people, who))
        found[who] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return found


def patterns(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield str(entry.pattern)
        elif str(entry.pattern) != "admin/":  # tests/dashboard/test_admin_roles.py has every page of it
            yield from patterns(entry)


def test_every_route_of_the_api_has_a_row() -> None:
    paths = api.get_openapi_schema()["paths"]
    assert {(method.upper(), path) for path, item in paths.items() for method in item} == set(API)


def test_every_other_route_has_a_row() -> None:
    of_api = {path.lstrip("/").replace("{", "<").replace("}", ">") for _, path in API}
    served = {pattern.replace("<path:piece>", "<piece>") for pattern in patterns(get_resolver())}
    assert served - of_api == {pattern for _, pattern in PAGES}


def token(who: str, door: Door) -> str:
    """The secret of a token of that kind."""
    if who == "made up":
        return "oven_made-up"
    others = [scope.value for scope in Scope if scope is not door.needs]
    mine = [door.needs.value] if door.needs else []
    scopes = {
        "without a scope": [],
        "with the scope": mine,
        "expired": list(Scope.values),
        "of another scope": others,
    }
    row = ApiToken(name=who, scopes=scopes[who])
    if who == "expired":
        row.expires_at = timezone.now() - timedelta(seconds=1)
    secret = row.renew()
    row.save()
    return secret


@pytest.mark.parametrize(("method", "door"), DOORS, ids=[f"{m} {d.url}" for m, d in DOORS])
def test_every_route_lets_in_whom_it_may(
    method: str, door: Door, people: Any, sessions: Any, valkey: Any, settings: Any
) -> None:
    settings.OVEN_WAIT_S = settings.OVEN_BUNDLE_WAIT_S = 0.001  # no worker is there to wait for
    found, expected = {}, {}
    for who in CALLERS:
        user = getattr(people, who) if who in PEOPLE and who != "anonymous" else None
        headers = people.bearer(token(who, door)) if who in TOKENS else {}
        session = sessions.get(who, "")
        found[who] = request(method, door.url, session=session, headers=headers, body=door.body).status
        expected[who] = door.expected(who, user)
    assert found == expected
