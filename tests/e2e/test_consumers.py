"""The consumer contract: everybody who is known to call the service, with the very request and what they rely on.

Every row has to be answered: a route that this service does not have fails here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.bundles.sse_parser import parse_stream
from tests.e2e.conftest import SECRET
from tests.e2e.stack import Stack, frames, picture
from tests.harness.sizes import sampled
from tests.site_server import Site

SHORT_MS = 500
CODE = "roz"
TAPE = "/ac-tapes/auth0|1234/abc.zip"  # a raw vertical bar, as the site sends it
ORIGIN = {"Origin": "https://aesthetic.computer"}
PINATA = {"pinataKey": "key", "pinataSecret": "secret"}
KEEP = {"piece": f"${CODE}", "format": "webp", "width": 256, "height": 256, "density": 2, "duration": 8000, "fps": 10}
KEEP |= {"playbackFps": 20, "quality": 70, "skipCache": True, **PINATA}
Check = Callable[[httpx.Response], None]


@dataclass(frozen=True)
class Row:
    """Who asks for what, and what must be true of the answer. `route`: as in the OpenAPI document."""

    caller: str
    method: str
    path: str
    checks: tuple[Check, ...]
    route: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    follow: bool = True
    token: bool = False
    limit_s: float = 60.0


# --- what they rely on ----------------------------------------------------------------------------------------------


def good(response: httpx.Response) -> None:
    assert 200 <= response.status_code < 300, f"{response.status_code} {response.text[:300]}"


def status(*expected: int) -> Check:
    def check(response: httpx.Response) -> None:
        assert response.status_code in expected, f"{response.status_code} {response.text[:300]}"

    return check


def has(**kinds: type) -> Check:
    """JSON with these keys, of these kinds."""

    def check(response: httpx.Response) -> None:
        body = response.json()
        assert {name: isinstance(body.get(name), kind) for name, kind in kinds.items()} == dict.fromkeys(
            kinds, True
        ), body

    return check


def equals(**values: Any) -> Check:
    def check(response: httpx.Response) -> None:
        body = response.json()
        assert {name: body.get(name) for name in values} == values

    return check


def header(name: str, value: str = "") -> Check:
    def check(response: httpx.Response) -> None:
        assert name in response.headers
        assert response.headers[name].startswith(value)

    return check


def image(width: int, height: int, moves: bool = False) -> Check:
    def check(response: httpx.Response) -> None:
        assert picture(response).size == (width, height)
        assert response.headers["content-type"].startswith("image/")
        assert len(frames(response)) > 1 or not moves

    return check


def not_baking(response: httpx.Response) -> None:
    assert response.headers.get("x-oven-status") != "baking"
    assert len(response.content) > 300


def no_body(response: httpx.Response) -> None:
    assert response.content == b""


def no_redirect(response: httpx.Response) -> None:
    assert not response.history


def html_bundle(response: httpx.Response) -> None:
    assert base64.b64decode(response.json()["content"]).lstrip()[:5].lower() in (b"<!doc", b"<html")
    assert "error" not in response.json()


def streamed(response: httpx.Response) -> None:
    events = parse_stream(response.content)
    assert events[0][0] == "progress" and set(events[0][1]) >= {"stage", "message"}
    name, data = events[-1]
    assert name == "complete" and set(data) >= {"filename", "content", "sizeKB"}


def stream_failed(response: httpx.Response) -> None:
    name, data = parse_stream(response.content)[-1]
    assert name == "error" and data["error"]


def looks_like_html(response: httpx.Response) -> None:
    assert response.text.lstrip().splitlines()[0].lower().startswith(("<!doctype html", "<html"))


def shown_as_it_is(response: httpx.Response) -> None:
    assert isinstance(json.loads(response.text), dict)


def pinned(response: httpx.Response) -> None:
    body = response.json()
    assert response.status_code == 200, body
    assert body["success"] is True
    assert body["ipfsUri"].startswith("ipfs://")


def bake(code: str) -> dict[str, Any]:
    fields = {"mongoId": "65f0", "slug": "2026.01.01", "code": code, "callbackSecret": SECRET}
    return {**fields, "zipUrl": f"SITE{TAPE}", "callbackUrl": "SITE/api/oven-complete"}


# --- the table ------------------------------------------------------------------------------------------------------

GRAB, ICON, PREVIEW = "/grab/{format}/{width}/{height}/{piece}", "/icon/{size}/{piece}", "/preview/{size}/{piece}"
JSON_BUNDLE = has(content=str, filename=str, authorHandle=str, packDate=str, depCount=int)
G = "/grab/webp"
ROWS = [
    Row("track-media", "POST", "/bake", (good, has(message=str)), "/bake", bake("media1")),
    Row("track-media-stream", "POST", "/bake", (good,), "/bake", bake("stream1")),
    Row("retry-tape-bake", "POST", "/bake", (good, has(message=str)), "/bake", bake("media1")),
    Row(
        "oven-complete, on the way",
        "POST",
        "/bake-status",
        (good,),
        "/bake-status",
        {"code": "x", "status": "syncing"},
    ),
    Row(
        "oven-complete, at the end",
        "POST",
        "/bake-complete",
        (good,),
        "/bake-complete",
        {"code": "x", "success": True},
    ),
    Row(
        *("keep-mint, thumbnail", "POST", "/grab-ipfs", (pinned,), "/grab-ipfs"),
        body={**KEEP, "cacheKey": "src-abc"},
        token=True,
    ),
    Row(
        *("keep-mint, bundle", "GET", f"/bundle-html?code={CODE}&format=json&noboxart=1"),
        *((good, JSON_BUNDLE, html_bundle), "/bundle-html"),
    ),
    Row("keep-mint, progress", "GET", "/grab-status", (good, has(grabProgress=dict)), "/grab-status", limit_s=10),
    Row(
        *("keep-prepare-background", "POST", "/grab-ipfs", (pinned,), "/grab-ipfs"),
        body={**KEEP, "source": "keep", "author": "@jeffrey", "cacheKey": "src-abc"},
        token=True,
    ),
    Row(
        *("admin-rebake, bundle", "GET", f"/pack-html?code=${CODE}&format=json&keeplabel=1"),
        *((good, JSON_BUNDLE), "/pack-html"),
    ),
    Row(
        *("keeps command line", "POST", "/grab-ipfs", (pinned, has(success=bool)), "/grab-ipfs"),
        body={**KEEP, "source": "keep", "keepId": "7"},
        token=True,
    ),
    Row("contract metadata", "GET", "/keeps/latest", (status(302, 404),), "/keeps/latest", follow=False),
    Row("site proxy, icon", "GET", "/icon/96x96/anim.webp?frames=3&fps=8", (good, image(96, 96, moves=True)), ICON),
    Row("site proxy, preview", "GET", "/preview/640x360/anim.png", (good, image(640, 360)), PREVIEW),
    Row("site proxy, bundle", "GET", "/bundle-html?piece=orbit", (good, looks_like_html), "/bundle-html"),
    Row("parse, wide card", "GET", "/preview/1200x630/anim~wipe.png", (good, image(1200, 630)), PREVIEW),
    Row("parse, wider card", "GET", f"/preview/1800x900/${CODE}.png", (good, image(1800, 900)), PREVIEW),
    Row("parse, icon", "GET", f"/icon/128x128/${CODE}.png", (good, image(128, 128)), ICON),
    Row("parse, moving icon", "GET", f"/icon/128x128/${CODE}.webp", (good, image(128, 128)), ICON),
    Row(
        "keeps-social",
        "HEAD",
        f"/preview/1200x630/${CODE}.png",
        (status(200), no_body, header("content-type", "image/")),
        PREVIEW,
    ),
    Row("tv", "GET", f"{G}/100/100/${CODE}?duration=3000&fps=8&quality=80&density=1", (good, image(100, 100)), GRAB),
    Row(
        "news", "GET", f"{G}/320/320/${CODE}?duration=4000&fps=8&quality=80&density=1", (good, image(320, 320)), GRAB
    ),
    Row(
        *("keep piece, first", "GET", f"{G}/100/100/${CODE}?duration=2000&fps=8&quality=80&density=1"),
        *((status(200), no_redirect, image(100, 100, moves=True), header("access-control-allow-origin", "*")), GRAB),
        headers=ORIGIN,
        follow=False,
    ),
    Row(
        *("keep piece, again", "GET", f"{G}/100/100/${CODE}?duration=2000&fps=8&quality=80&density=1"),
        *((status(200), no_redirect, image(100, 100, moves=True), header("x-proxy")), GRAB),
        headers=ORIGIN,
        follow=False,
    ),
    Row("wallet piece", "GET", f"{G}/64/64/${CODE}?duration=2000&fps=8", (good, image(64, 64)), GRAB),
    Row(
        "keeps gallery, small",
        "GET",
        f"{G}/80/60/${CODE}?duration=2000&fps=8&nowait=true&source=gallery",
        (good, image(80, 60)),
        GRAB,
    ),
    Row(
        "keeps gallery, large",
        "GET",
        f"{G}/280/210/${CODE}?duration=2000&fps=8&nowait=true&source=gallery",
        (good, image(280, 210)),
        GRAB,
    ),
    Row("stats page", "GET", f"{G}/640/360/${CODE}?duration=2000&fps=8&nowait=true", (good, image(640, 360)), GRAB),
    Row("frame page", "GET", f"{G}/600/400/${CODE}?duration=1000&fps=8", (good, image(600, 400)), GRAB),
    Row("frame page, card", "GET", "/kidlisp-og.png", (status(200, 301, 302),), "/kidlisp-og.png", follow=False),
    Row(
        *("daily mint", "GET", "/grab/gif/512/512/anim?skipCache=true&duration=1000&fps=8"),
        *((good, image(512, 512, moves=True), not_baking), GRAB),
        token=True,
        limit_s=300,
    ),
    Row("prompt, code", "GET", f"/bundle-html?code=%24{CODE}&format=stream", (status(200), streamed), "/bundle-html"),
    Row("prompt, piece", "GET", "/bundle-html?piece=orbit&format=stream", (status(200), streamed), "/bundle-html"),
    Row(
        "prompt, unknown",
        "GET",
        "/bundle-html?piece=no-such-piece&format=stream",
        (status(200), stream_failed),
        "/bundle-html",
    ),
    Row(
        "prompt, device",
        "GET",
        f"/bundle-html?code={CODE}&format=m4d",
        (good, header("content-type", "application/octet-stream")),
        "/bundle-html",
    ),
    Row(
        "bundle piece",
        "GET",
        f"/bundle-html?code={CODE}",
        (good, header("content-disposition", "attachment")),
        "/bundle-html",
    ),
    Row("kiosk", "GET", f"/bundle-html?code={CODE}&nocompress=1", (status(200), looks_like_html), "/bundle-html"),
    Row("service panel", "GET", "/health", (good, shown_as_it_is), "/health", limit_s=5),
    Row("test-oven, health", "GET", "/health", (equals(status="ok"),), "/health"),
    Row("test-oven, status", "GET", "/grab-status", (has(active=list, recent=list),), "/grab-status"),
    Row("test-oven, keeps", "GET", "/keeps/latest", (status(302, 404),), "/keeps/latest", follow=False),
    Row(
        "test-oven, grab",
        "GET",
        "/grab/png/512/512/anim",
        (good, image(512, 512), header("content-type", "image/png")),
        GRAB,
    ),
    Row(
        "deploy script",
        "POST",
        "/bundle-prewarm",
        (good, has(commit=str, elapsed=int, fileCount=int)),
        "/bundle-prewarm",
        token=True,
        limit_s=120,
    ),
    Row("own pages, status", "GET", "/status", (good, has(grabs=dict, recent=list)), "/status"),
    Row("own pages, frozen", "GET", "/api/frozen", (good, has(frozen=list)), "/api/frozen"),
    Row(
        "own pages, screenshots",
        "GET",
        "/api/app-screenshots/prompt",
        (good, has(presets=dict, zipUrl=str)),
        "/api/app-screenshots/{piece}",
    ),
    Row(
        "login page",
        "GET",
        "/kidlisp-backdrop.webp",
        (status(200, 301, 302, 503),),
        "/kidlisp-backdrop.webp",
        follow=False,
    ),
    Row(
        "notepat",
        "GET",
        "/notepat-og.png",
        (good, image(1200, 630), header("content-type", "image/png")),
        "/notepat-og.png",
        follow=False,
    ),
    Row("nobody yet", "GET", "/keeps/all", (good, has(byPiece=dict)), "/keeps/all"),
    Row("an old script", "GET", "/thumbnail?code=x", (status(404), has(error=str)), ""),
]


@pytest.fixture(scope="module")
def routes(oven: Stack) -> set[str]:
    return set(oven.get("/docs/openapi.json").json()["paths"]) | {""}


def test_every_caller_has_a_name_of_its_own() -> None:
    assert len({row.caller for row in ROWS}) == len(ROWS)


ALIKE = (
    *("keep-prepare-background", "keeps command line", "news", "stats page", "frame page", "login page"),
    *("parse, wider card", "parse, moving icon", "tv", "wallet piece", "keeps gallery, large", "kiosk", "notepat"),
    *("frame page, card", "test-oven, grab", "bundle piece", "admin-rebake, bundle", "prompt, code", "deploy script"),
)


@pytest.mark.parametrize(
    "row",
    sampled(
        ROWS,
        [row for row in ROWS if row.caller not in ALIKE],
        "another row in the gate has the same route; test_bundles_served.py prewarms",
    ),
    ids=[row.caller for row in ROWS],
)
def test_what_a_caller_relies_on(oven: Stack, caller: Site, routes: set[str], row: Row, full_size: bool) -> None:
    """The gate asks for half a second where callers ask for up to eight."""
    assert row.route in routes
    body = {k: v.replace("SITE", caller.origin) if isinstance(v, str) else v for k, v in (row.body or {}).items()}
    path = row.path
    if not full_size:
        path = re.sub(r"(?<=[?&]duration=)\d+", str(SHORT_MS), path)
        body |= {"duration": SHORT_MS} if "duration" in body else {}
    headers = {**row.headers, **(oven.bearer if row.token else {})}
    answer = oven.http.request(
        row.method,
        path,
        json=body if row.body is not None else None,
        headers=headers,
        follow_redirects=row.follow,
        timeout=row.limit_s,
    )
    assert answer.headers.get("access-control-allow-origin") == "*"
    for check in row.checks:
        check(answer)
