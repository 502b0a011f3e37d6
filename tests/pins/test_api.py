"""The routes of keeps, through the whole site."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from captures.models import Grab
from oven.errors import BadRequest
from oven.jobs import lifecycle, worker
from oven.jobs.models import Attempt
from oven.jobs.reconcile import sweep
from oven.jobs.states import ACTIVE, State
from oven.storage import stores
from pins.models import Keep, Pin
from pins.requests import parse_keep
from pins.services import pin
from tests.pinning_server import PinningServer, hang, tell_tale, wrong
from tests.support import Answer, finished, picture, request

pytestmark = pytest.mark.django_db
# Requests and pins are run by threads with connections of their own.
BY_THREADS = pytest.mark.django_db(transaction=True)
KEYS = {"pinataKey": "key-7f3a", "pinataSecret": "secret-9b1c"}
PNG = {"piece": "$roz", "format": "png"}
DATA = b"\x89PNG pretend"


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


@pytest.fixture
def post(people: Any, tmp_path: Path) -> Callable[..., Answer]:
    """POST /grab-ipfs by somebody who may, while workers do what there is to do."""
    headers = people.bearer(people.grabbing_token)

    def ask(body: Any) -> Answer:
        try:
            return request("POST", "/grab-ipfs", body=body, headers=headers)
        finally:
            connections.close_all()  # this thread's

    def call(body: Any, fail: bool = False) -> Answer:
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(ask, body)
            while not asked.done():
                _work(tmp_path, fail)
                time.sleep(0.02)
            return asked.result()

    return call


def _work(scratch: Path, fail: bool) -> None:
    """As the capture worker, the light worker and the scheduler would."""
    for grab in Grab.objects.filter(state=State.QUEUED):
        if fail:
            row: Any = lifecycle.claim("grab", grab.pk, "a:1:1")
            lifecycle.fail(row, "blank", "It drew nothing.", retry=False)
        else:
            finished(grab, scratch)
    sweep()
    for row in Pin.objects.filter(state__in=ACTIVE):
        worker.perform("pin", row.pk)


# --- what callers may say -------------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_contract(service: PinningServer) -> None:
    wish, keys = parse_keep({"piece": "$roz"})
    assert (wish.width, wish.height, wish.duration_ms, wish.fps, wish.playback_fps) == (96, 96, 8000, 10.0, 20.0)
    assert (wish.density, wish.quality, wish.format, keys) == (2.0, 70, "webp", None)


def test_a_default_and_the_same_value_said_are_one_capture(service: PinningServer) -> None:
    said = {
        "width": 96,
        "height": "96",
        "duration": 8000,
        "fps": 10,
        "playbackFps": "20",
        "density": 2,
        "quality": 70,
    }
    assert parse_keep({"piece": "$roz", **said})[0].capture_key == parse_keep({"piece": "$roz"})[0].capture_key
    assert parse_keep({"piece": "$roz", **dict.fromkeys(said, None)})[0] == parse_keep({"piece": "$roz"})[0]


def test_all_that_shapes_the_capture_arrives(service: PinningServer) -> None:
    """The original lost the cache key on this way."""
    wish, _ = parse_keep({"piece": "$roz", "cacheKey": "src-1", "width": 256, "height": None, "author": "x"})
    assert (wish.cache_key, wish.width, wish.height) == ("src-1", 256, 96)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "piece"),
        ({"piece": "example.com", "format": "bmp"}, "piece"),
        ({"piece": "https://example.org/x"}, "piece"),
        ({"piece": "roz", "pinataKey": "k", "format": "bmp"}, "pinataSecret"),
        ({"piece": "roz", "pinataSecret": "s"}, "pinataKey"),
        ({"piece": "roz", "pinataKey": ["k"], "pinataSecret": "s"}, "pinataKey"),
        ({"piece": "roz", "pinataKey": "k\r\nX-Evil: 1", "pinataSecret": "s"}, "pinataKey"),
        ({"piece": "roz", **KEYS, "format": "bmp"}, "format"),
        ({"piece": "roz", **KEYS, "width": 5}, "width"),
        ({"piece": "roz", **KEYS, "width": 2000, "height": 2000, "density": 8}, "density"),
        ({"piece": "roz", **KEYS, "duration": 30_001}, "duration"),
    ],
)
def test_checks_come_in_their_order_and_name_the_field(body: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as bad:
        parse_keep(body)
    assert bad.value.field == field


def test_without_keys_the_service_must_have_its_own(people: Any, settings: Any) -> None:
    settings.OVEN_PINNING = "pinata"
    answer = request("POST", "/grab-ipfs", body={"piece": "$roz"}, headers=people.bearer(people.grabbing_token))
    assert (answer.status, answer.json["field"]) == (400, "pinataKey")
    assert not Grab.objects.exists()


def test_only_those_who_may_grab_may_pin(people: Any) -> None:
    assert request("POST", "/grab-ipfs", body=PNG).status == 401
    assert request("POST", "/grab-ipfs", body=PNG, headers=people.bearer(people.steering_token)).status == 403
    assert request("POST", "/grab-ipfs", body=PNG, user=people.outsider).status == 401


# --- check 17 -------------------------------------------------------------------------------------------------------


@BY_THREADS
def test_keep_from_the_first_request_to_the_gateway(service: PinningServer, post: Any, settings: Any) -> None:
    settings.OVEN_PINATA_JWT = ""  # only the caller has keys
    nothing = request("GET", "/keeps/latest")
    assert (nothing.status, set(nothing.json)) == (404, {"error", "hint"})
    assert post(PNG).status == 400
    answer = post({**PNG, **KEYS, "author": "jas", "pieceCreatedAt": "2026", "source": "keep", "keepId": 9})
    found = answer.json
    assert (answer.status, found["success"], found["piece"]) == (200, True, "roz")
    assert (found["format"], found["mimeType"], found["size"]) == ("png", "image/png", len(DATA))
    assert found["ipfsUri"] == f"ipfs://{found['ipfsCid']}"
    assert found["grabDuration"] >= 0
    for path in ("/keeps/latest", "/keeps/latest/roz", "/keeps/latest/$roz", "/keeps/latest/%24roz", "/KEEPS/LATEST"):
        for method in ("GET", "HEAD"):
            led = request(method, path)
            assert (led.status, led.headers["Location"]) == (
                302,
                f"https://ipfs.aesthetic.computer/ipfs/{found['ipfsCid']}",
            )
    listed = request("GET", "/keeps/all").json
    assert listed["latest"] == listed["byPiece"]["roz"]
    assert {"ipfsCid", "ipfsUri", "piece", "format", "mimeType", "size", "timestamp"} <= set(listed["latest"])
    assert listed["latest"]["keepId"] == "9"
    assert request("GET", "/keeps/latest/other").status == 404
    status = request("GET", "/status").json["grabs"]
    assert status["ipfsThumbs"]["roz"]["ipfsCid"] == found["ipfsCid"]
    assert status["recent"][0]["ipfsUri"] == found["ipfsUri"]


@BY_THREADS
def test_the_callers_keys_reach_the_service_and_nothing_else(
    service: PinningServer, post: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.answers = [500]
    answers = [post({**PNG, **KEYS})]
    service.answers = [tell_tale]
    service.pinned.clear()  # else it is found before anything is sent
    answers.append(post({**PNG, **KEYS, "keepId": "2"}))
    assert [answer.status for answer in answers] == [200, 500]
    assert answers[1].json["code"] == "credentials"
    sent = [upload.headers for upload in service.uploads]
    assert {headers["pinata_api_key"] for headers in sent} == {KEYS["pinataKey"]}
    assert {headers["pinata_secret_api_key"] for headers in sent} == {KEYS["pinataSecret"]}
    assert not any("authorization" in headers for headers in sent)
    rows = [list(model._default_manager.values()) for model in (Pin, Attempt, Keep, Grab)]
    told = [answer.body for answer in answers]
    for secret in KEYS.values():
        assert secret not in f"{rows}{told}{caplog.text}"


def test_keys_whose_request_is_gone_are_gone(service: PinningServer, done: Any, wish: Any, ended_here: Any) -> None:
    from pins.services import capture_and_pin

    done(piece="$roz")
    row = capture_and_pin(wish(**PNG), own_keys=True).pin
    Pin.objects.update(due_at=None)
    row = ended_here(row)
    assert (row.state, row.error_code, service.uploads) == (State.FAILED, "keys_gone", [])


# --- answers --------------------------------------------------------------------------------------------------------


@BY_THREADS
def test_a_cached_capture_says_so_and_is_pinned_once(service: PinningServer, post: Any) -> None:
    first, second = post(PNG).json, post(PNG).json
    assert (first["cached"], second["cached"]) == (False, True)
    assert "grabDuration" not in second
    assert first["ipfsUri"] == second["ipfsUri"]
    assert list(service.times.values()) == [1]


@BY_THREADS
def test_skipping_the_cache_captures_anew(service: PinningServer, post: Any) -> None:
    post(PNG)
    assert post({**PNG, "skipCache": True}).json["cached"] is False
    assert Grab.objects.count() == 2


@BY_THREADS
def test_a_failed_capture_is_a_500_that_says_why(service: PinningServer, post: Any) -> None:
    answer = post(PNG, fail=True)
    assert (answer.status, answer.json["success"], answer.json["code"]) == (500, False, "capture")
    assert "It drew nothing." in answer.json["error"]


@BY_THREADS
def test_a_failed_pin_is_a_500_that_says_why(service: PinningServer, post: Any) -> None:
    service.answers = [wrong]
    answer = post(PNG)
    assert (answer.status, answer.json["success"], answer.json["code"]) == (500, False, "cid_mismatch")
    assert request("GET", "/keeps/latest").status == 404


@BY_THREADS
def test_a_slow_pin_is_a_504_that_says_where_it_goes_on(service: PinningServer, post: Any, settings: Any) -> None:
    settings.OVEN_PIN_WAIT_S = 1.0
    service.answers = [hang(2)]
    answer = post(PNG)
    assert (answer.status, answer.json["success"], answer.json["code"]) == (504, False, "not_yet")
    assert request("GET", answer.json["statusUrl"]).json["kind"] == "pin"


@BY_THREADS
@pytest.mark.parametrize(("body", "status"), [({**PNG, **KEYS}, 500), (PNG, 504)])
def test_a_service_that_cannot_be_reached_is_told_in_time(
    service: PinningServer, post: Any, settings: Any, body: dict[str, Any], status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        settings.OVEN_PINATA_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings.OVEN_PIN_DELAYS_S = [1.0, 8.0]
    settings.OVEN_PIN_WAIT_S = 5.0
    settings.OVEN_WAIT_S = 12.0
    started = time.monotonic()
    answer = post(body)
    assert time.monotonic() - started < 8
    assert (answer.status, answer.json["success"], answer.json["code"]) == (status, False, "unreachable")
    assert "The connection failed" in answer.json["error"]


def test_a_full_queue_is_a_503(service: PinningServer, people: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 0
    answer = request("POST", "/grab-ipfs", body=PNG, headers=people.bearer(people.grabbing_token))
    assert (answer.status, answer.json["success"], answer.headers["Retry-After"]) == (503, False, "30")


# --- the files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def keep(service: PinningServer, done: Any, ended_here: Any) -> Keep:
    ended_here(pin(done(piece="$roz"), backend="local"))
    return Keep.objects.get()


def test_a_kept_file_is_served_under_its_cid_for_good(keep: Keep) -> None:
    answer = request("GET", f"/ipfs/{keep.cid}")
    assert (answer.status, answer.body) == (200, DATA)
    headers = answer.headers
    assert (headers["Content-Type"], headers["Content-Length"]) == ("image/png", str(len(DATA)))
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["ETag"] == f'"{keep.cid}"'
    assert request("GET", f"/ipfs/{keep.cid}", headers={"If-None-Match": headers["ETag"]}).status == 304
    assert request("HEAD", f"/ipfs/{keep.cid}").headers["ETag"] == headers["ETag"]


def test_parts_of_it_can_be_asked_for(keep: Keep) -> None:
    part = request("GET", f"/ipfs/{keep.cid}", headers={"Range": "bytes=1-3"})
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, b"PNG", f"bytes 1-3/{len(DATA)}")
    beyond = request("GET", f"/ipfs/{keep.cid}", headers={"Range": "bytes=500-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


def test_every_spelling_of_a_cid_leads_to_it(
    service: PinningServer, done: Any, ended_here: Any, settings: Any
) -> None:
    from pins.ipfs.cid import parse

    settings.OVEN_CID_VERSION = 0
    ended_here(pin(done(), backend="local"))
    keep = Keep.objects.get()
    assert keep.cid.startswith("Qm")
    for text in parse(keep.cid).texts:
        assert request("GET", f"/ipfs/{text}").body == DATA


@pytest.mark.parametrize(
    ("cid", "status"),
    [
        ("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e", 404),
        ("Qm", 400),
        ("..%2F..%2Fetc", 404),
        ("x" * 3000, 400),
    ],
)
def test_what_is_not_kept_is_not_served(keep: Keep, cid: str, status: int) -> None:
    answer = request("GET", f"/ipfs/{cid}")
    assert answer.status == status
    assert answer.json["error"]


def test_a_pinned_page_runs_in_a_sandbox(service: PinningServer, ended_here: Any, tmp_path: Path) -> None:
    from bundles.models import Bundle

    page = stores.keep(picture(tmp_path / "p", b"<p>"), "bundles/x", "application/octet-stream", store="blobs")
    bundle = Bundle.objects.create(public_id="bundle-roz-1", piece="$roz", state=State.COMPLETE, artifact=page)
    cid = ended_here(pin(bundle)).cid
    answer = request("GET", f"/ipfs/{cid}")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none'")


def test_the_list_of_all_is_not_sent_twice(keep: Keep) -> None:
    answer = request("GET", "/keeps/all")
    same = request("GET", "/keeps/all", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")


def test_looking_costs_no_more_with_many_keeps(keep: Keep, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        Keep.objects.create(
            piece=f"p{number}",
            artifact=keep.artifact,
            cid=keep.cid,
            format="png",
            mime="image/png",
            bytes=1,
            backend="local",
        )
    for path in ("/keeps/latest", "/keeps/latest/roz", f"/ipfs/{keep.cid}"):
        with django_assert_max_num_queries(1):
            request("GET", path)
    with django_assert_max_num_queries(2):
        assert len(request("GET", "/keeps/all").json["byPiece"]) == 21
