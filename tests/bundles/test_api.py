from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from bundles.models import Bundle, CoreBuild
from oven.accounts.models import ApiToken
from oven.jobs import lifecycle
from tests.bundles.conftest import PAGE
from tests.bundles.sse_parser import parse_stream
from tests.support import request, until

pytestmark = pytest.mark.django_db


def ask(**query: str) -> Any:
    return request("GET", "/bundle-html", query=query)


# --- what is answered without any work ------------------------------------------------------------------------------


def test_somebody_who_names_nothing_is_told_how() -> None:
    for query in ({}, {"format": "stream"}):
        answer = ask(**query)
        assert answer.status == 400
        assert set(answer.json) == {"error", "field", "usage"}
        assert set(answer.json["usage"]) == {"kidlisp", "javascript"}


def test_the_device_page_is_a_frame_on_the_live_piece(settings: Any) -> None:
    assert ask(mode="device").status == 400
    assert ask(mode="device").headers["Content-Type"].startswith("text/plain")
    answer = ask(mode="device", code="$roz")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=60")
    assert f'<iframe src="{settings.OVEN_PIECE_ORIGIN}/$roz?'.encode() in answer.body
    assert ask(mode="device", piece="../x").status == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"piece": "../../etc/passwd"}, "piece"),
        ({"piece": "Orbit"}, "piece"),
        ({"piece": "a" * 101}, "piece"),
        ({"piece": "a\x00b"}, "piece"),
        ({"code": "a/b"}, "code"),
        ({"code": "$" + "x" * 101}, "code"),
        ({"code": "<script>"}, "code"),
        ({"piece": "orbit", "format": "zip"}, "format"),
        ({"piece": "orbit", "density": "17"}, "density"),
        ({"piece": "orbit", "density": "-1"}, "density"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_queued(query: dict[str, str], field: str) -> None:
    answer = ask(**query)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert answer.json["valid"]
    assert not Bundle.objects.exists()


# --- a finished bundle ----------------------------------------------------------------------------------------------


def test_a_bundle_is_an_attachment_that_may_reach_nothing(bundled: Any) -> None:
    bundled()
    answer = ask(piece="orbit")
    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="orbit-2026.html"')
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["X-Cache"] == "HIT"
    assert Bundle.objects.get().hits == 1


def test_inline_it_opens_in_a_sandbox(bundled: Any) -> None:
    row = bundled()
    for answer in (ask(piece="orbit", inline="1"), request("GET", f"/bundles/{row.public_id}")):
        assert "Content-Disposition" not in answer.headers
        assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts;")
        assert "X-Frame-Options" not in answer.headers  # a site may show it in a frame
    assert "Content-Disposition" in request("GET", f"/bundles/{row.public_id}", query={"download": "1"}).headers


def test_pages_have_an_origin_of_their_own_where_one_is_configured(bundled: Any, settings: Any) -> None:
    row = bundled()
    settings.OVEN_BUNDLE_ORIGIN = "https://bundles.example"
    answer = ask(piece="orbit", inline="1")
    assert (answer.status, answer.headers["Location"]) == (
        302,
        "https://bundles.example/bundle-html?piece=orbit&inline=1",
    )
    assert request("GET", f"/bundles/{row.public_id}").status == 302
    assert ask(piece="orbit").status == 200


@pytest.mark.parametrize("format_", ["json", "base64"])
def test_as_json_it_has_the_keys_of_the_contract(bundled: Any, format_: str) -> None:
    bundled()
    answer = ask(piece="orbit", format=format_)
    assert set(answer.json) == {"filename", "sizeKB", "progress", "content"}
    assert base64.b64decode(answer.json["content"]) == PAGE
    bundled(piece="", code="roz")
    found = ask(code="$roz", format=format_, noboxart="1", ts="5", keeplabel="1").json
    assert set(found) - {"filename", "sizeKB", "progress", "content"} == {
        *("sourceCode", "authorHandle", "userCode", "packDate", "depCount"),
    }
    assert (found["sourceCode"], found["depCount"], found["userCode"]) == ("wipe red", 2, None)


def test_a_warm_answer_asks_the_database_little(bundled: Any, core: Any, django_assert_max_num_queries: Any) -> None:
    core()
    bundled()
    with django_assert_max_num_queries(4):
        assert ask(piece="orbit").status == 200


def test_both_spellings_of_a_code_are_one_bundle(bundled: Any) -> None:
    bundled(piece="", code="roz")
    assert ask(code="$roz").headers["X-Cache"] == "HIT"
    assert ask(code="roz").headers["X-Cache"] == "HIT"


def test_every_option_shapes_the_file(asked: Any) -> None:
    options: list[dict[str, str]] = [{}, {"nocompress": "1"}, {"nominify": "1"}, {"density": "2"}, {"format": "m4d"}]
    keys = {asked(**fields).bundle.capture_key for fields in options}
    assert len(keys) == len(options)


def test_a_new_tree_makes_new_bundles(bundled: Any, core: Any, asked: Any) -> None:
    core(tree="one")
    bundled()
    assert asked().cached
    core(tree="two")
    assert not asked().cached


# --- the cache is skipped by those who may --------------------------------------------------------------------------


def test_strangers_get_what_there_is(bundled: Any, people: Any, settings: Any) -> None:
    bundled()
    settings.OVEN_BUNDLE_WAIT_S = 0.1
    assert ask(piece="orbit", nocache="1").headers["X-Cache"] == "HIT"
    answer = request("GET", "/bundle-html", query={"piece": "orbit", "nocache": "1"}, user=people.staff)
    assert answer.status == 504
    assert Bundle.objects.count() == 2


# --- failures -------------------------------------------------------------------------------------------------------


def ending(code: str, message: str) -> threading.Thread:
    """Takes the next bundle up and lets it fail, as a worker would."""

    def work() -> None:
        row = until(lambda: Bundle.objects.filter(state="queued").first())
        claimed: Any = lifecycle.claim("bundle", row.pk, "test:1:1")
        lifecycle.fail(claimed, code, message, retry=False)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("code", "status"), [("not_found", 404), ("syntax", 500), ("missing_import", 500), ("disk", 500)]
)
def test_a_failure_is_json_with_its_reason(valkey: Any, code: str, status: int) -> None:
    thread = ending(code, "There is no piece orbit.")
    answer = ask(piece="orbit")
    thread.join()
    assert (answer.status, answer.json["code"], answer.json["error"]) == (status, code, "There is no piece orbit.")


@pytest.mark.django_db(transaction=True)
def test_in_a_stream_a_failure_is_the_last_event(valkey: Any) -> None:
    thread = ending("not_found", "There is no piece orbit.")
    answer = ask(piece="orbit", format="stream")
    thread.join()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
    name, data = parse_stream(answer.body)[-1]
    assert (name, data["error"]) == ("error", "There is no piece orbit.")


def test_a_full_queue_says_when_to_come_back(asked: Any, settings: Any) -> None:
    asked(piece="waves")
    settings.OVEN_QUEUE_CEILING = 1
    answer = ask(piece="orbit")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert parse_stream(ask(piece="orbit", format="stream").body)[-1][0] == "error"


# --- the event stream -----------------------------------------------------------------------------------------------


def test_a_stream_ends_with_the_whole_bundle_in_one_line(bundled: Any) -> None:
    bundled()
    answer = ask(piece="orbit", format="stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "no-cache"
    events = parse_stream(answer.body)
    assert events[0] == ("progress", {"stage": "cache-hit", "message": "It has been bundled before"})
    name, data = events[-1]
    assert (name, set(data)) == ("complete", {"filename", "content", "sizeKB"})
    assert base64.b64decode(data["content"]) == PAGE


# --- prewarm and status ---------------------------------------------------------------------------------------------


@pytest.fixture
def token(db: None) -> dict[str, str]:
    row = ApiToken(name="bundle", scopes=["bundle"])
    secret = row.renew()
    row.save()
    return {"Authorization": f"Bearer {secret}"}


def test_prewarming_needs_a_token(valkey: Any, people: Any, token: dict[str, str], settings: Any) -> None:
    settings.OVEN_BUNDLE_WAIT_S = 0.1
    assert request("POST", "/bundle-prewarm").status == 401
    assert request("POST", "/bundle-prewarm", headers=people.bearer(people.grabbing_token)).status == 403
    assert not CoreBuild.objects.exists()
    assert request("POST", "/bundle-prewarm", headers=token).status == 504
    assert request("POST", "/bundle-prewarm", user=people.staff).status == 504
    assert CoreBuild.objects.count() == 1  # both wait for the same build


def test_the_status_has_the_keys_of_the_contract(core: Any, token: dict[str, str]) -> None:
    empty = request("GET", "/bundle-status").json
    assert (empty["cached"], empty["fileCount"], empty["acSourceDir"], empty["acSourceExists"]) == (
        False,
        0,
        None,
        True,
    )
    core()
    found = request("GET", "/bundle-status").json
    assert {"cached", "commit", "fileCount", "acSourceDir", "acSourceExists"} <= set(found)
    assert (found["cached"], found["fileCount"], found["acSourceDir"]) == (True, 2, None)
    assert found["errors"] == ["runtime/odd.mjs: 1:2: odd"]
    assert request("GET", "/bundle-status", headers=token).json["acSourceDir"]


def test_a_failed_build_is_told_and_changes_nothing(core: Any) -> None:
    good = core(tree="one")
    core(error="The runtime does not run offline.", tree="two")
    assert CoreBuild.objects.in_service() == good
    assert request("GET", "/bundle-status").json["lastFailure"] == "The runtime does not run offline."
