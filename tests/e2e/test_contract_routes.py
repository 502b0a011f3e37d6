"""The REST contract's acceptance checks, as far as grabs and the service itself go (the numbers are the contract's)."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture

PNG = "/grab/png/128/128/%24roz"


def assert_cors(response: httpx.Response) -> None:
    assert response.headers["access-control-allow-origin"] == "*"
    assert {"GET", "POST", "OPTIONS"} <= set(response.headers["access-control-allow-methods"].split(", "))
    assert "Content-Type" in response.headers["access-control-allow-headers"]


def assert_error(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text[:300]
    assert_cors(response)
    body: dict[str, Any] = response.json()
    assert isinstance(body["error"], str) and body["error"]
    return body


# --- the service ----------------------------------------------------------------------------------------------------


def test_check_1_health_says_ok_with_an_iso_time(oven: Stack) -> None:
    response = oven.get("/health")
    assert response.status_code == 200
    assert_cors(response)
    body = response.json()
    assert (body["status"], body["service"]) == ("ok", "oven")
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nope"), ("GET", "/bake"), ("DELETE", "/grab"), ("PUT", "/status")]
)
def test_check_2_an_unknown_path_and_a_wrong_method_are_404(oven: Stack, method: str, path: str) -> None:
    assert_error(oven.http.request(method, path), 404)


@pytest.mark.parametrize("path", ["/grab", "/nope", "/api/frozen/%24roz", "/"])
def test_check_3_options_of_any_path_is_ok(oven: Stack, path: str) -> None:
    response = oven.http.options(path)
    assert (response.status_code, response.text) == (200, "OK")
    assert_cors(response)


def test_check_4_status_has_the_contract_s_keys(oven: Stack) -> None:
    body = oven.get("/status").json()
    assert all(isinstance(body[key], list) for key in ("incoming", "active", "recent"))
    assert isinstance(body["grabs"]["active"], list) and isinstance(body["grabs"]["recent"], list)
    assert isinstance(body["grabs"]["ipfsThumbs"], dict)
    assert isinstance(body["uptime"], int) and body["uptime"] > 0
    assert isinstance(body["version"], str) and body["version"]
    assert abs(body["serverStartTime"] + body["uptime"] - time.time() * 1000) < 60_000


def test_check_5_grab_status_has_the_contract_s_keys_and_a_null_stage_when_idle(oven: Stack) -> None:
    body = oven.until(lambda: status if not (status := oven.status())["active"] else None)
    assert all(isinstance(body[key], list) for key in ("active", "recent", "queue"))
    assert body["progress"]["stage"] is None
    assert set(body["progress"]) >= {
        "piece",
        "format",
        "stageDetail",
        "framesCaptured",
        "framesTotal",
        "percent",
        "previewFrame",
        "previewWidth",
        "previewHeight",
    }
    assert body["grabProgress"] == {}
    assert body["concurrency"] == {"active": 0, "max": 2, "queueDepth": 0}


@pytest.mark.parametrize("path", ["/HEALTH", "/health/", "/Grab-Status", "/API/Frozen/", "/GRAB/PNG/64/64/still/"])
def test_paths_are_known_in_any_case_and_with_a_trailing_slash(oven: Stack, path: str) -> None:
    response = oven.get(path)
    assert response.status_code in (200, 302), response.text


@pytest.mark.parametrize("path", ["/health", "/status", "/grab-status", "/api/frozen", "/docs"])
def test_head_is_answered_like_get_without_a_body(oven: Stack, path: str) -> None:
    response = oven.http.head(path)
    assert response.status_code == 200
    assert_cors(response)
    assert response.content == b""


def test_malformed_json_is_400_and_too_much_of_it_413(oven: Stack) -> None:
    headers = {**oven.bearer, "Content-Type": "application/json"}
    assert_error(oven.http.post("/grab", content=b'{"piece": "anim"', headers=headers), 400)
    assert_error(oven.http.post("/grab", content=b'["anim"]', headers=headers), 400)
    assert_error(oven.http.post("/grab", content=b" " * 103_000, headers=headers), 413)
    chunked = (b" " * 1030 for _ in range(100))
    assert_error(oven.http.post("/grab", content=chunked, headers=headers), 413)


def test_a_body_of_another_type_counts_as_empty(oven: Stack) -> None:
    headers = {**oven.bearer, "Content-Type": "text/plain"}
    body = assert_error(oven.http.post("/grab", content=b'{"piece": "anim"}', headers=headers), 400)
    assert body["field"] == "piece"


@pytest.mark.parametrize("path", ["/grab/png/64/64/%E0%A4%A", "/grab/png/64/64/%00", "/grab/png/64/64/%25", "/%"])
def test_a_bad_escape_in_a_path_is_refused_in_json(oven: Stack, path: str) -> None:
    response = oven.get(path)
    assert_error(response, response.status_code)
    assert response.status_code in (400, 404)


# --- grabs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/grab/bmp/512/512/prompt",
        "/grab/png/20/512/prompt",
        "/grab/png/512/1001/prompt",
        "/grab/png/512/512/example.com",
        "/grab/png/512/512/https%3A%2F%2Fexample.org%2F",
        "/grab/png/512/512/..%2Fadmin",
    ],
)
def test_check_12_a_bad_format_size_or_name_is_400(oven: Stack, path: str) -> None:
    assert_error(oven.get(path), 400)


def test_check_13_and_14_a_repeat_is_redirected_and_a_script_gets_the_bytes(oven: Stack) -> None:
    first = oven.get(PNG)
    assert picture(first).size == (128, 128)
    assert first.headers["content-type"] == "image/png"
    assert (first.headers["x-cache"], first.headers["cache-control"]) == ("MISS", "public, max-age=3600")
    assert first.headers["x-grab-id"].startswith("roz-")
    assert int(first.headers["content-length"]) == len(first.content)
    assert_cors(first)

    again = oven.get(PNG)
    assert (again.status_code, again.headers["x-cache"]) == (302, "HIT")
    assert again.headers["x-grab-id"] == first.headers["x-grab-id"]
    stored = oven.get(again.headers["location"])
    assert (stored.status_code, stored.content) == (200, first.content)
    assert_cors(stored)

    script = oven.get(PNG, headers={"Origin": "https://aesthetic.computer"})
    assert (script.status_code, script.content) == (200, first.content)
    assert (script.headers["x-cache"], script.headers["x-proxy"]) == ("HIT", "CDN")
    assert script.headers["content-type"] == "image/png"
    assert script.headers["cache-control"] == "public, max-age=3600"
    assert_cors(script)


def test_check_15_nowait_answers_with_a_stand_in_while_the_same_grab_bakes(oven: Stack, site: HeldSite) -> None:
    path = "/grab/webp/120/90/anim~nowait?duration=1000&fps=4"
    with site.holding("anim~nowait"):
        first = oven.later(f"{path}&nowait=true")  # the first one waits all the same
        oven.until(lambda: oven.running("anim~nowait"))
        started = time.monotonic()
        waiting = oven.get(f"{path}&nowait=true")
        took = time.monotonic() - started
    print(f"stand-in after {took:.2f} s")
    assert picture(waiting).size == (120, 90)
    assert took < 5
    assert waiting.headers["content-type"] == "image/webp"
    assert waiting.headers["x-oven-status"] == "baking"
    assert waiting.headers["x-queue-position"] == "0"
    assert int(waiting.headers["x-estimated-wait"]) > 0
    assert "no-store" in waiting.headers["cache-control"]
    assert_cors(waiting)
    good = first.result(60)
    assert picture(good).size == (120, 90)
    assert waiting.headers["x-grab-id"] == good.headers["x-grab-id"]
    assert "x-oven-status" not in good.headers


def test_check_16_head_captures_and_has_no_body(oven: Stack, site: HeldSite) -> None:
    path = "/grab/png/64/48/anim~head"
    head = oven.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["content-type"], head.headers["x-cache"]) == ("image/png", "MISS")
    assert oven.http.head(path).status_code == 302
    get = oven.get(path, follow_redirects=True)
    assert picture(get).size == (64, 48)
    assert site.count("/anim~head") == 1


@pytest.mark.parametrize("name", ["%40user%2Fpiece", "@user%2fpiece"])
def test_check_16_an_escaped_slash_is_part_of_the_piece_s_name(oven: Stack, site: HeldSite, name: str) -> None:
    before = site.count("/@user/piece?")
    body = assert_error(oven.get(f"/grab/png/64/64/{name}"), 500)  # the site has no such piece
    assert body["code"] == "http_status"
    assert oven.grab(body["grabId"])["piece"] == "@user/piece"
    assert site.count("/@user/piece?") == before + 1


def test_a_piece_of_two_segments_is_no_route(oven: Stack) -> None:
    assert_error(oven.get("/grab/png/64/64/user/piece"), 404)


# --- the frozen list ------------------------------------------------------------------------------------------------


def test_taking_a_piece_off_the_frozen_list_needs_a_token_and_always_succeeds(oven: Stack) -> None:
    assert_error(oven.http.delete("/api/frozen/%24roz"), 401)
    for path, piece in [("%24roz", "$roz"), ("%25", "%"), ("%40user%2Fpiece", "@user/piece"), ("100%2525", "100%25")]:
        response = oven.http.delete(f"/api/frozen/{path}", headers=oven.bearer)
        assert (response.status_code, response.json()) == (200, {"success": True, "piece": piece})


# --- the socket -----------------------------------------------------------------------------------------------------


def read(socket: ClientConnection, until: Any, limit_s: float = 30) -> list[dict[str, Any]]:
    """Messages up to the first that satisfies the condition."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + limit_s
    while not messages or not until(messages[-1]):
        messages.append(json.loads(socket.recv(timeout=max(0.1, deadline - time.monotonic()))))
    return messages


def ended(piece: str) -> Any:
    """Is this a state in which the piece's grab has ended?"""
    return lambda message: any(grab["piece"] == piece for grab in message.get("grabs", {}).get("recent", []))


def test_check_20_the_socket_sends_a_snapshot_then_states_and_log_lines(oven: Stack) -> None:
    with connect(f"{oven.base.replace('http', 'ws')}/ws") as socket:
        snapshot = json.loads(socket.recv(timeout=10))
        state_keys = {"version", "serverStartTime", "uptime", "incoming", "active", "recent", "grabs"}
        assert set(snapshot) >= state_keys | {"frozen", "recentLogs"}
        assert len(snapshot["recentLogs"]) <= 50
        socket.send('{"grabs": null, "command": "clear"}')
        socket.send(b"\x00\xff")

        started = time.monotonic()
        answer = oven.later("/grab/webp/96/96/anim~socket?duration=3000&fps=20")
        messages = read(socket, ended("anim~socket"))
        took = time.monotonic() - started
        assert answer.result(30).status_code == 200

        logs = [message["logEntry"] for message in messages if "logEntry" in message]
        states = [message for message in messages if "grabs" in message]
        assert len(logs) + len(states) == len(messages)
        assert logs and all(set(entry) == {"time", "type", "icon", "msg"} for entry in logs)
        assert all(datetime.fromisoformat(entry["time"]) for entry in logs)
        assert states and all(set(state) >= state_keys for state in states)
        assert not any("recentLogs" in state or "frozen" in state for state in states)
        print(f"{len(states)} states in {took:.1f} s")
        assert len(states) <= 5 * took + 3

        socket.send("still there?")
        oven.get("/grab/png/64/64/anim~socket")
        read(socket, lambda message: "grabs" in message)


def test_progress_on_the_socket_goes_forward_through_the_stages_and_then_vanishes(oven: Stack) -> None:
    with connect(f"{oven.base.replace('http', 'ws')}/ws") as socket:
        answer = oven.later("/grab/webp/256/256/anim~stages?duration=4000&fps=20")
        messages = read(socket, ended("anim~stages"), limit_s=60)
        assert answer.result(30).status_code == 200
        states = [message for message in messages if "grabs" in message]
    seen = [entry for state in states for entry in state["grabProgress"].values() if entry["piece"] == "anim~stages"]
    order = ["starting", "loading", "settling", "capturing", "encoding", "uploading"]
    places = [order.index(entry["stage"]) for entry in seen]
    percents = [entry["percent"] for entry in seen]
    assert places == sorted(places) and percents == sorted(percents)
    assert "capturing" in [entry["stage"] for entry in seen]
    assert {entry["framesTotal"] for entry in seen if entry["stage"] == "capturing"} == {80}
    assert any(entry["previewFrame"] for entry in seen)
    assert not any(entry["piece"] == "anim~stages" for entry in states[-1]["grabProgress"].values())


def test_a_socket_on_another_path_is_refused(oven: Stack) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"{oven.base.replace('http', 'ws')}/nope"):
        pass
    assert refused.value.response.status_code in (403, 404)
