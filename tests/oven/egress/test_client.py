from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from oven.egress import client
from oven.egress.client import Door, FetchError, background, download, normalised, post
from oven.egress.policy import Decision
from tests.pinning_server import PinningServer
from tests.site_server import Handler, Site, hang


@pytest.fixture
def server() -> Iterator[Site]:
    with Site() as found:
        yield found


def door(server: Site, **fields: Any) -> Door:
    return Door(origins=(server.origin,), **fields)


def fetch(url: str, path: Path, door: Door) -> int:
    return background(download(url, path, door)).result(20)


def refused(url: str, path: Path, door: Door) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, path, door)
    return caught.value


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://a.b/x|y/z.zip", "https://a.b/x%7Cy/z.zip"),
        ("https://a.b/x y?q=ä#part", "https://a.b/x%20y?q=%C3%A4"),
        ("https://a.b/x%20y?a=%2F", "https://a.b/x%20y?a=%2F"),
        (" https://a.b/ ", "https://a.b/"),
    ],
)
def test_addresses_are_encoded_where_they_must_be(url: str, wanted: str) -> None:
    assert normalised(url) == wanted


def test_only_known_origins_are_asked(server: Site, tmp_path: Path) -> None:
    error = refused(f"{server.origin}/x", tmp_path / "x", Door(origins=("https://elsewhere.example",)))
    assert (error.code, error.retry) == ("unknown_origin", False)
    assert server.fetched == []


def test_a_private_address_is_refused_unless_it_is_named(server: Site, tmp_path: Path) -> None:
    assert refused(f"{server.origin}/x", tmp_path / "x", Door()).code == "refused"
    assert refused(f"{server.origin}/x", tmp_path / "x", Door(origins=("http://127.*:*",))).code == "refused"
    assert server.fetched == []


def test_the_connection_goes_to_the_address_that_was_decided(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name resolves to a moment later."""
    monkeypatch.setattr(client, "decide", lambda url, **_: Decision(True, addresses=("127.0.0.1",)))
    server.pages["/x"] = lambda handler: handler.answer(200, str(handler.headers["Host"]).encode())
    name = f"nowhere.invalid:{server.server_port}"
    assert fetch(f"http://{name}/x", tmp_path / "x", Door())
    assert (tmp_path / "x").read_text() == name


# --- redirects ------------------------------------------------------------------------------------------------------


def test_each_hop_is_decided_again(server: Site, tmp_path: Path) -> None:
    server.pages["/away"] = lambda handler: handler.answer(302, Location="http://127.0.0.1:9/secret")
    assert refused(f"{server.origin}/away", tmp_path / "x", door(server)).code == "unknown_origin"


def test_redirects_within_a_known_origin_are_followed_up_to_a_limit(server: Site, tmp_path: Path) -> None:
    server.pages["/one"] = lambda handler: handler.answer(302, Location="/two")
    server.pages["/two"] = b"here"
    server.pages["/loop"] = lambda handler: handler.answer(301, Location="/loop")
    assert fetch(f"{server.origin}/one", tmp_path / "x", door(server)) == 4
    error = refused(f"{server.origin}/loop", tmp_path / "x", door(server))
    assert (error.code, server.fetched.count("/loop")) == ("redirects", 4)


# --- limits ---------------------------------------------------------------------------------------------------------


def test_a_file_that_says_it_is_too_large_is_not_fetched(server: Site, tmp_path: Path) -> None:
    server.pages["/x"] = b"x" * 2000
    error = refused(f"{server.origin}/x", tmp_path / "x", door(server, max_bytes=1000))
    assert (error.code, error.retry) == ("too_large", False)
    assert not (tmp_path / "x").exists()


def _endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 4096)
    except OSError:
        handler.close_connection = True


def test_one_that_never_ends_is_cut_at_the_limit(server: Site, tmp_path: Path) -> None:
    server.pages["/x"] = _endless
    assert refused(f"{server.origin}/x", tmp_path / "x", door(server, max_bytes=1 << 20)).code == "too_large"
    assert (tmp_path / "x").stat().st_size <= (1 << 20) + client.CHUNK


def _drip(handler: Handler) -> None:
    """A byte of the head now and then, for ever: each is in time, the whole is not."""
    try:
        for _ in range(100):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize("behaviour", [hang(5), _drip])
def test_a_slow_one_is_ended_in_time(server: Site, tmp_path: Path, behaviour: Any) -> None:
    server.pages["/x"] = behaviour
    started = time.monotonic()
    error = refused(f"{server.origin}/x", tmp_path / "x", door(server, idle_s=2, total_s=0.5))
    assert (error.code in ("too_slow", "unreachable"), error.retry) == (True, True)
    assert time.monotonic() - started < 2


def test_one_that_is_cut_short_is_an_error(server: Site, tmp_path: Path) -> None:
    def short(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x" * 10)
        handler.close_connection = True

    server.pages["/x"] = short
    assert refused(f"{server.origin}/x", tmp_path / "x", door(server)).retry


@pytest.mark.parametrize(("status", "retry"), [(404, False), (403, False), (500, True), (503, True), (429, True)])
def test_an_error_status_says_whether_a_retry_may_help(
    server: Site, tmp_path: Path, status: int, retry: bool
) -> None:
    server.pages["/x"] = lambda handler: handler.answer(status)
    error = refused(f"{server.origin}/x", tmp_path / "x", door(server))
    assert (error.code, error.retry) == ("http_status", retry)


def test_it_can_be_ended_at_any_moment(server: Site, tmp_path: Path) -> None:
    server.pages["/x"] = hang(20)
    future = background(download(f"{server.origin}/x", tmp_path / "x", door(server)))
    time.sleep(0.2)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(1)


def test_progress_is_told(server: Site, tmp_path: Path) -> None:
    server.pages["/x"] = b"x" * 300_000
    seen: list[tuple[int, int | None]] = []
    background(download(f"{server.origin}/x", tmp_path / "x", door(server), lambda *at: seen.append(at))).result(5)
    assert seen[-1] == (300_000, 300_000)


# --- posting --------------------------------------------------------------------------------------------------------


def test_any_status_is_an_answer(server: Site) -> None:
    server.answers = [lambda handler: handler.answer(418, b"no coffee", Retry_After="7")]
    reply = asyncio.run(post(f"{server.origin}/hook", b"{}", {"X-One": "1"}, door(server)))
    assert (reply.status, reply.text, reply.retry_after_s) == (418, "no coffee", 7.0)
    assert server.received[0].headers["x-one"] == "1"


def test_the_status_counts_even_when_the_answer_is_too_long(server: Site) -> None:
    server.answers = [lambda handler: handler.answer(200, b"x" * 100_000)]
    assert asyncio.run(post(f"{server.origin}/hook", b"{}", {}, door(server, max_bytes=1000))).status == 200


def test_a_redirect_of_a_post_is_not_followed(server: Site) -> None:
    server.answers = [lambda handler: handler.answer(307, Location="/elsewhere")]
    assert asyncio.run(post(f"{server.origin}/hook", b"{}", {}, door(server))).status == 307
    assert len(server.received) == 1


@pytest.mark.parametrize("said", ["\xb2", "9" * 5000, "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_to_wait_that_is_no_number_is_none(server: Site, said: str) -> None:
    server.answers = [lambda handler: handler.answer(503, b"", Retry_After=said)]
    reply = asyncio.run(post(f"{server.origin}/hook", b"{}", {}, door(server)))
    assert (reply.status, reply.retry_after_s) == (503, None)


# --- forms and short answers ----------------------------------------------------------------------------------------


def test_a_form_carries_a_file_from_the_disk_and_fields(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00\xff" * 100_000)
    with PinningServer() as service:
        form = client.Form(tmp_path / "a", "ünï cöde.webp", {"pinataOptions": '{"cidVersion": 1}'})
        reply = background(
            post(f"{service.origin}/pinning/", form, {"X-A": "b"}, Door(origins=(service.origin,)))
        ).result(9)
        [upload] = service.uploads
    assert reply.status == 200
    assert (upload.data, upload.headers["x-a"]) == (b"\x00\xff" * 100_000, "b")
    assert upload.fields == {"pinataOptions": '{"cidVersion": 1}'}


def test_any_status_of_a_short_answer_is_an_answer(server: Site) -> None:
    server.pages["/busy"] = lambda handler: handler.answer(429, b"later", Retry_After="7")
    for path, status, text, after in (("/busy", 429, "later", 7.0), ("/none", 404, "{}", None)):
        reply = background(client.get(f"{server.origin}{path}", {}, door(server))).result(9)
        assert (reply.status, reply.text, reply.retry_after_s) == (status, text, after)


def test_a_redirect_is_followed_only_as_far_as_the_door_says(server: Site) -> None:
    server.pages["/away"] = lambda handler: handler.answer(302, Location="/none")
    with pytest.raises(FetchError) as caught:
        background(client.get(f"{server.origin}/away", {"Authorization": "x"}, door(server, redirects=0))).result(9)
    assert caught.value.code == "redirects"
    assert server.fetched == ["/away"]
