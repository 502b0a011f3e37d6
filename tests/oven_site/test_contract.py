from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.db import OperationalError
from django.urls import URLPattern, URLResolver, get_resolver

from oven.events.stream import JobView
from oven.http.errors import CORS, MAX_BODY
from oven_site.api import api
from tests.harness.sizes import sampled
from tests.support import awaited, request

pytestmark = pytest.mark.django_db

# Every route of the contract: how nobody is answered on an empty database. A new route needs a row.
ROUTES = {
    ("GET", "/health"): ("/health", 200),
    ("GET", "/status"): ("/status", 200),
    ("GET", "/status/{job_id}"): ("/status/none-12345678", 404),
    ("POST", "/grab"): ("/grab", 401),
    ("GET", "/grab/{format}/{width}/{height}/{piece}"): ("/grab/webp/1/1/orbit", 400),
    ("GET", "/icon/{size}/{piece}"): ("/icon/128/orbit.png", 400),
    ("GET", "/preview/{size}/{piece}"): ("/preview/1200x630/example.com.png", 400),
    ("GET", "/app-screenshots/download/{piece}"): ("/app-screenshots/download/example.com", 400),
    ("GET", "/app-screenshots/{preset}/{piece}"): ("/app-screenshots/x/orbit.png", 400),
    ("GET", "/api/app-screenshots/{piece}"): ("/api/app-screenshots/orbit", 200),
    ("GET", "/grab-status"): ("/grab-status", 200),
    ("POST", "/grab-cleanup"): ("/grab-cleanup", 401),
    ("POST", "/grab-clear"): ("/grab-clear", 401),
    ("POST", "/api/requeue"): ("/api/requeue", 401),
    ("GET", "/api/frozen"): ("/api/frozen", 200),
    ("DELETE", "/api/frozen/{piece}"): ("/api/frozen/still", 401),
    ("POST", "/grab-ipfs"): ("/grab-ipfs", 401),
    ("GET", "/keeps/latest"): ("/keeps/latest", 404),
    ("GET", "/keeps/latest/{piece}"): ("/keeps/latest/orbit", 404),
    ("GET", "/keeps/all"): ("/keeps/all", 200),
    ("GET", "/ipfs/{cid}"): ("/ipfs/none", 400),
    ("POST", "/bake"): ("/bake", 400),  # the fields are looked at before the secret
    ("POST", "/bake-incoming"): ("/bake-incoming", 401),
    ("POST", "/bake-status"): ("/bake-status", 400),
    ("POST", "/bake-complete"): ("/bake-complete", 400),
    ("GET", "/bundle-html"): ("/bundle-html", 400),
    ("GET", "/pack-html"): ("/pack-html", 400),
    ("GET", "/bundles/{bundle_id}"): ("/bundles/none-12345678", 404),
    ("POST", "/bundle-prewarm"): ("/bundle-prewarm", 401),
    ("GET", "/bundle-status"): ("/bundle-status", 200),
    ("GET", "/live"): ("/live", 200),
    ("GET", "/ready"): ("/ready", 503),  # no workers
    ("GET", "/pressure"): ("/pressure", 200),
    ("GET", "/metrics"): ("/metrics", 401),
    ("GET", "/kidlisp-og.png"): ("/kidlisp-og.png", 302),
    ("GET", "/kidlisp-og"): ("/kidlisp-og?force=true", 401),
    ("GET", "/kidlisp-og/status"): ("/kidlisp-og/status", 200),
    ("GET", "/kidlisp-og/preview"): ("/kidlisp-og/preview", 302),
    ("GET", "/og-preview"): ("/og-preview", 200),
    ("GET", "/notepat-og.png"): ("/notepat-og.png?force=true", 401),
    ("GET", "/kidlisp-backdrop"): ("/kidlisp-backdrop?force=true", 401),
    ("GET", "/kidlisp-backdrop.webp"): ("/kidlisp-backdrop.webp?force=true", 401),
}
# Those of the contract that answer with a page.
PAGES = {"/og-preview"}
# What else the site answers: pages for people, and files.
OTHERS = {"app-screenshots", "gallery", "gallery/refresh", "", "sign-in"}
OTHERS |= {"sign-in/provider", "sign-in/provider/callback", "sign-in/passkey", "sign-in/passkey/begin"}
OTHERS |= {f"admin/passkeys/{page}" for page in ("", "begin", "add", "<int:pk>/remove", "confirm")}
OTHERS |= {"live/state", "live/done", "live/frozen", "live/log", "live/vitals", "live/charts", "live/alerts"}
OTHERS |= {"live/start/<str:kind>", "live/job/<str:public_id>/<str:action>", "live/freeze", "live/unfreeze"}
OTHERS |= {"live/bulk", "live/bulk/<str:public_id>", "live/bulk/<str:public_id>/undo"}
OTHERS |= {"files/<str:store>/<path:key>", "docs", "docs/openapi.json", "api-root"}

ASKED = [(method, *answer) for (method, _), answer in ROUTES.items()]
rows = pytest.mark.parametrize(("method", "url", "status"), ASKED)


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Every answer may look at it."""


def openapi() -> dict[str, Any]:
    return dict(api.get_openapi_schema())


def patterns(resolver: URLResolver) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield str(entry.pattern)
        elif str(entry.pattern) != "admin/":
            yield from patterns(entry)


# --- the routes -----------------------------------------------------------------------------------------------------


def test_every_route_of_the_api_has_a_row_here_and_is_in_the_openapi() -> None:
    documented = {(method.upper(), path) for path, item in openapi()["paths"].items() for method in item}
    assert documented == set(ROUTES)


def test_no_route_is_outside_of_the_openapi_unknown_to_this_test() -> None:
    contract = {path.lstrip("/").replace("{", "<").replace("}", ">") for _, path in ROUTES}
    served = {pattern.replace("<path:piece>", "<piece>") for pattern in patterns(get_resolver())}
    assert served - OTHERS == contract


@rows
def test_every_route_answers_nobody_as_agreed(method: str, url: str, status: int) -> None:
    answer = request(method, url)
    assert answer.status == status
    kind = "text/html" if url in PAGES or status == 302 else "application/json"
    assert answer.headers["Content-Type"].startswith(kind)
    assert (status < 400) or answer.json["error"]


@rows
def test_cors_is_on_every_answer(method: str, url: str, status: int) -> None:
    headers = request(method, url).headers
    assert {name: headers.get(name) for name in CORS} == CORS


@pytest.mark.parametrize("url", ["/docs", "/docs/openapi.json", "/nowhere", "/files/art/none.png", "/api"])
def test_cors_is_on_all_other_answers_too(url: str) -> None:
    headers = request("GET", url).headers
    assert {name: headers.get(name) for name in CORS} == CORS


@pytest.mark.parametrize(
    ("method", "url", "status"),
    sampled(ASKED, ASKED[::4], "one rule for all; the gate has every fourth route"),
)
def test_paths_are_read_in_any_case_and_with_a_trailing_slash(method: str, url: str, status: int) -> None:
    path, mark, query = url.partition("?")
    first, *rest = path.lstrip("/").split("/")
    for name in (first.upper(), first.title()):
        assert request(method, "/" + "/".join([name, *rest]) + mark + query).status == status
    assert request(method, path + "/" + mark + query).status == status


def test_the_case_of_a_piece_counts(people: Any) -> None:
    answer = request("DELETE", "/API/FROZEN/StilL", headers=people.bearer(people.steering_token))
    assert (answer.status, answer.json["piece"]) == (200, "StilL")


@pytest.mark.parametrize(
    ("method", "url", "status"),
    sampled(ASKED, ASKED[1::4], "one rule for all; the gate has every fourth route"),
)
def test_a_wrong_method_is_404(method: str, url: str, status: int) -> None:
    wrong = {"GET": "PUT", "POST": "PATCH", "DELETE": "PUT"}[method]
    answer = request(wrong, url)
    assert answer.status == 404
    assert wrong in answer.json["error"]


@pytest.mark.parametrize("url", ["/", "/grab", "/nowhere", "/grab/webp/64/64/orbit", "/api/frozen/x", "/ws", "//"])
def test_options_is_ok_on_any_path(url: str) -> None:
    answer = request("OPTIONS", url)
    assert (answer.status, answer.body) == (200, b"OK")
    assert {name: answer.headers[name] for name in CORS} == CORS


@pytest.mark.parametrize(
    "url", ["/nowhere", "/grab-nothing", "/status/a/b", "/%00", "//", "/api", "/grab/webp/64/64"]
)
def test_an_unknown_path_is_404_in_json(url: str) -> None:
    answer = request("GET", url)
    assert answer.status == 404
    assert list(answer.json) == ["error"]


@pytest.mark.parametrize("url", ["/health", "/status", "/grab-status", "/api/frozen", "/og-preview"])
def test_a_head_is_answered_like_a_get(url: str) -> None:
    assert request("HEAD", url).status == 200


# --- bodies ---------------------------------------------------------------------------------------------------------


def post_grab(people: Any, body: bytes | Any) -> Any:
    return request("POST", "/grab", headers=people.bearer(people.grabbing_token), body=body)


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"piece": }', b"\xff\xfe", b'{"piece": "orbit"'])
def test_malformed_json_is_400(people: Any, body: bytes) -> None:
    answer = post_grab(people, body)
    assert (answer.status, answer.json["field"]) == (400, "body")


@pytest.mark.parametrize("body", [[], "orbit", 7, None])
def test_a_body_that_is_no_object_is_400(people: Any, body: Any) -> None:
    answer = post_grab(people, json.dumps(body))
    assert (answer.status, answer.json["field"]) == (400, "body")


def test_a_wrong_field_is_named_with_what_is_right(people: Any) -> None:
    answer = post_grab(people, {"piece": "orbit", "format": "bmp"})
    assert (answer.status, answer.json["field"]) == (400, "format")
    assert answer.json["valid"] == ["webp", "gif", "png", "mp4"]


@pytest.mark.parametrize("number", ["1e999", "9" * 400, "NaN", "-Infinity", "[]", "{}", "true"])
def test_no_number_breaks_the_service(people: Any, number: str) -> None:
    for field in ("fps", "density", "duration"):
        answer = post_grab(people, f'{{"piece": "orbit", "{field}": {number}}}')
        assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_a_large_body_is_413_before_anything_is_asked(method: str) -> None:
    answer = request(method, "/grab", body=b"x" * (MAX_BODY + 1))
    assert answer.status == 413
    assert answer.json["limit"] == MAX_BODY


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 400), (MAX_BODY + 1, 413), (MAX_BODY * 10, 413)])
@pytest.mark.django_db(transaction=True)  # the handler has a connection of its own
@awaited
async def test_a_large_body_of_unsaid_length_is_413(people: Any, size: int, status: int) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"transfer-encoding", b"chunked"),
        (b"authorization", f"Bearer {people.grabbing_token}".encode()),
    ]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/grab", "headers": headers}
    call = ApplicationCommunicator(get_asgi_application(), {**scope, "query_string": b"", "raw_path": b"/grab"})
    await call.send_input({"type": "http.request", "body": b" " * size, "more_body": False})
    start = await call.receive_output(5)
    assert start["status"] == status
    await call.receive_output(5)
    await call.wait(5)


# --- the service's own routes ---------------------------------------------------------------------------------------


def test_health_says_who_and_when() -> None:
    found = request("GET", "/health").json
    assert set(found) == {"status", "service", "timestamp"}
    assert (found["status"], found["service"]) == ("ok", "oven")


def test_health_needs_no_database(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        request("GET", "/health")


def test_status_has_the_shape_of_the_contract(settings: Any) -> None:
    found = request("GET", "/status").json
    assert {"version", "serverStartTime", "uptime", "incoming", "active", "recent"} <= set(found)
    assert {"grabs", "grabProgress", "concurrency"} <= set(found)
    assert set(found["grabs"]) == {"active", "recent", "queue", "ipfsThumbs"}
    assert found["version"] == settings.VERSION


def test_one_job_is_found_by_its_id(grab: Any) -> None:
    job = grab()
    found = request("GET", f"/status/{job.public_id}")
    assert found.status == 200
    assert set(found.json) == set(JobView.__annotations__)
    assert (found.json["id"], found.json["state"]) == (job.public_id, "queued")


def test_an_unknown_job_is_404() -> None:
    found = request("GET", "/status/none-12345678")
    assert (found.status, found.json["field"]) == (404, "jobId")


def test_the_docs_are_a_page() -> None:
    answer = request("GET", "/docs")
    assert answer.status == 200
    assert b"openapi.json" in answer.body


def test_the_docs_describe_what_is_served(settings: Any) -> None:
    served = request("GET", "/docs/openapi.json").json
    assert served["info"]["version"] == settings.VERSION
    assert set(served["paths"]) == {path for _, path in ROUTES}


def test_pages_for_people_are_not_part_of_the_contract() -> None:
    answer = request("GET", "/admin/login/")
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_database_that_does_not_answer_is_503_and_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from oven.events import snapshot

    def locked(private: bool) -> dict[str, Any]:
        raise OperationalError("database is locked")

    monkeypatch.setitem(snapshot._providers, "locked", locked)
    answer = request("GET", "/status")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "locked" not in str(answer.json)


def test_an_unexpected_error_is_500_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    from oven.events import snapshot

    monkeypatch.setitem(snapshot._providers, "broken", lambda private: {}["secret"])
    answer = request("GET", "/status")
    assert answer.status == 500
    assert "secret" not in str(answer.json)
