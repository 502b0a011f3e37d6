"""Cards through the whole service: list, queue, capture workers, light worker, store, answer."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from tests.e2e.stack import Stack, frames, picture
from tests.harness.sizes import sampled

COLD_S = 60  # on a machine that does much else; bench/cards.py measures it


def today() -> str:
    return datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(
    ("layout", "pieces"),
    sampled([("filmstrip", 1), ("mosaic", 16)], [("filmstrip", 1)], "the engine's tests draw every layout"),
)
def test_a_cold_card(oven: Stack, layout: str, pieces: int) -> None:
    started = time.monotonic()
    fallback = oven.get(f"/kidlisp-og.png?layout={layout}")
    assert (fallback.status_code, fallback.headers["x-cache"]) == (302, "NONE")
    assert time.monotonic() - started < 2  # it never waits
    assert picture(oven.get(fallback.headers["location"])).size == (1200, 630)

    made = oven.get(f"/kidlisp-og?layout={layout}")  # joins what the first one has begun
    assert time.monotonic() - started < COLD_S
    assert (made.headers["x-cache"], made.headers["x-og-layout"]) == ("MISS", layout)
    assert (picture(made).format, picture(made).size) == ("PNG", (1200, 630))
    [card] = oven.rows("select * from captures_card where layout = ?", layout)
    grabs = oven.rows("select * from captures_grab where source = 'card'")
    assert (card["state"], {grab["state"] for grab in grabs}) == ("complete", {"complete"})
    assert len({grab["piece"] for grab in grabs}) >= pieces

    redirect = oven.get(f"/kidlisp-og.png?layout={layout}")
    assert (redirect.status_code, redirect.headers["x-cache"]) == (302, "CDN")
    assert oven.get(redirect.headers["location"]).content == made.content
    assert oven.file(f"og/kidlisp/{today()}-{layout}.png").read_bytes() == made.content


@pytest.mark.parametrize("layout", sampled(["featured", "code-split"], ["featured"], "a test below makes the other"))
def test_check_15_a_card_of_one_piece(oven: Stack, layout: str) -> None:
    made = oven.get(f"/kidlisp-og?layout={layout}")
    assert picture(made).size == (1200, 630)
    assert made.headers["content-type"] == "image/png"
    assert made.headers["cache-control"] == "public, max-age=86400"
    assert (made.headers["x-cache"], made.headers["x-og-layout"]) == ("MISS", layout)
    assert made.headers["x-og-featured"] and made.headers["x-og-generated"]
    assert made.headers["x-content-type-options"] == "nosniff"
    assert made.headers["access-control-allow-origin"] == "*"
    assert "X-OG-Layout" in made.headers["access-control-expose-headers"]
    assert oven.file(f"og/kidlisp/{today()}-{layout}.png").is_file()
    again = oven.get(f"/kidlisp-og?layout={layout}")
    assert (again.status_code, again.headers["x-cache"]) == (302, "HIT")


def test_check_15_notepat_is_always_the_picture_itself(oven: Stack) -> None:
    made, again = oven.get("/notepat-og.png"), oven.get("/notepat-og.png")
    assert [answer.headers["x-cache"] for answer in (made, again)] == ["MISS", "HIT"]
    assert made.content == again.content
    assert picture(made).size == (1200, 630)
    head = oven.http.head("/notepat-og.png")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(made.content)
    fresh = oven.get("/notepat-og.png", headers={"If-None-Match": made.headers["etag"]})
    assert (fresh.status_code, fresh.content) == (304, b"")


@pytest.mark.exhaustive("tests/captures/og_images has a backdrop's job; its capture is an animation like any other")
def test_the_backdrop_moves(oven: Stack) -> None:
    made = oven.get("/kidlisp-backdrop")
    assert (made.status_code, made.headers["x-cache"]) == (302, "MISS")
    assert made.headers["x-backdrop-piece"] in ("comet", "dial")
    found = frames(oven.get(made.headers["location"]))
    assert (len(found), found[0][0].size) == (90, (1024, 1024))
    again = oven.get("/kidlisp-backdrop.webp")
    assert (again.status_code, again.headers["x-cache"]) == (302, "CDN")
    assert again.headers["location"] == made.headers["location"]


def test_an_unknown_layout_lists_the_four_and_the_preview_leads_on(oven: Stack) -> None:
    wrong = oven.get("/kidlisp-og?layout=x")
    assert (wrong.status_code, len(wrong.json()["valid"])) == (400, 4)
    preview = oven.get("/kidlisp-og/preview")
    assert (preview.status_code, preview.headers["location"]) == (302, "/og-preview")
    assert oven.get("/og-preview").status_code == 200


def test_staff_make_a_card_again_while_the_old_one_serves(oven: Stack) -> None:
    oven.get("/kidlisp-og?layout=featured")
    old = oven.get("/kidlisp-og.png?layout=featured").headers["location"]
    forced = oven.later("/kidlisp-og?layout=featured&force=true", headers=oven.bearer)
    while not forced.done():
        assert oven.get("/kidlisp-og?layout=featured").status_code == 302
        time.sleep(0.05)
    assert (forced.result().status_code, forced.result().headers["x-cache"]) == (200, "MISS")
    assert Image.open(io.BytesIO(forced.result().content)).size == (1200, 630)
    assert oven.get("/kidlisp-og.png?layout=featured").headers["location"].split("?")[0] == old.split("?")[0]
    sources = oven.rows("select source from captures_card where layout = 'featured' order by id")
    assert [row["source"] for row in sources] == ["api", "force"]


def test_the_command_makes_cards_without_a_server(oven: Stack, site: Any, tmp_path: Any, settings: Any) -> None:
    from django.core.management import CommandError, call_command

    settings.OVEN_PIECE_ORIGIN = site.origin
    call_command("og", "code-split", "notepat", out=tmp_path / "cards", quiet=True)
    made = {path.name: Image.open(path).size for path in (tmp_path / "cards").iterdir()}
    assert made == {"code-split.png": (1200, 630), "notepat.png": (1200, 630)}
    with pytest.raises(CommandError, match="--force"):
        call_command("og", "notepat", out=tmp_path / "cards", quiet=True)
    call_command("og", "notepat", out=tmp_path / "cards", force=True, quiet=True)
    with pytest.raises(CommandError, match="no such layout"):
        call_command("og", "poster", out=tmp_path, quiet=True)
    settings.OVEN_CARD_LIST_URL = "{origin}/nowhere?{limit}"
    with pytest.raises(CommandError, match="HTTP 404"):
        call_command("og", "featured", out=tmp_path, quiet=True)
