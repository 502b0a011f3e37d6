"""Every demo piece as a bundle, wherever a bundle may be opened."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from bundles.engine.engine import Engine, EngineOptions
from tests.bundles.demo import HANGS, PIECES, PROGRAMS, TREE, spec_for
from tests.e2e.bundled_pages import PLACES, Opened, document_in, opened, served
from tests.harness.sizes import sampled

UNREADY = {"never"}
FLAT = {"solid", "black"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(EngineOptions(tmp_path_factory.mktemp("bundles"))) as engine:
        yield engine


def drawn(found: Opened) -> bool:
    shot = np.asarray(Image.open(io.BytesIO(found.page.screenshot(animations="allow"))).convert("RGB")).astype(int)
    return bool(shot.std(axis=(0, 1)).max() > 5)


NAMES = [name for name in PIECES + PROGRAMS[:4] if name != HANGS]
EVERYWHERE = [(name, place) for name in NAMES for place in PLACES]
GATE = [("orbit", "file"), ("orbit", "data")]
GATE += [(name, place) for name in ("worker", "prism", PROGRAMS[0]) for place in ("sandbox with policy",)]


@pytest.mark.parametrize(
    ("name", "place"),
    sampled(
        EVERYWHERE,
        GATE,
        "the gate has each kind of piece; test_bundles_features.py opens its language piece everywhere",
    ),
)
def test_a_piece_runs_offline(chromium: Browser, engine: Engine, tmp_path: Path, name: str, place: str) -> None:
    page = engine.bundle(spec_for(name), TREE).html
    with opened(chromium, page, tmp_path, place) as found:
        if name in UNREADY:
            found.wait("!!document.querySelector('canvas')")
            found.page.wait_for_timeout(200)
        else:
            found.wait()
        found.page.wait_for_timeout(100)
        assert drawn(found) or name in FLAT


PACKING = [{"compress": False}, {"minify": False}, {"compress": False, "minify": False}]
PACKED = [(name, fields) for name in ("orbit", "worker", "$roz") for fields in PACKING]


@pytest.mark.parametrize(
    ("name", "fields"),
    sampled(PACKED, [PACKED[0], PACKED[4], PACKED[8]], "the gate has each packing and each piece once"),
)
def test_a_piece_runs_however_it_is_packed(
    chromium: Browser, engine: Engine, tmp_path: Path, name: str, fields: dict[str, bool]
) -> None:
    with opened(chromium, engine.bundle(spec_for(name, **fields), TREE).html, tmp_path) as found:
        found.wait()


def test_density_is_that_of_the_bundle(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    with opened(chromium, engine.bundle(spec_for("orbit", density=3), TREE).html, tmp_path) as found:
        found.wait()
        assert found.evaluate("document.querySelector('canvas').width") == 85  # CSS pixels to a side of an art pixel


def test_parameters_reach_the_piece(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    with opened(chromium, engine.bundle(spec_for("orbit", params=("3",)), TREE).html, tmp_path) as found:
        found.wait()
        assert found.evaluate("JSON.parse(document.getElementById('piece').textContent).params") == ["3"]


def test_the_globals_are_set_before_the_runtime(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    with opened(chromium, engine.bundle(spec_for("$roz", version="abc1234"), TREE).html, tmp_path) as found:
        found.wait()
        assert found.evaluate("[acPACK_MODE, acKEEP_MODE, acPACK_PIECE, acPACK_DATE, acPACK_GIT]") == [
            True,
            True,
            "$roz",
            "February 13, 2026 at 1:05:09 PM",
            "abc1234",
        ]
        colophon = found.evaluate("acPACK_COLOPHON")
        assert colophon["piece"]["isKidLisp"] and colophon["build"]["author"] == "rosa"
        assert found.evaluate("Object.keys(VFS).sort()") == found.evaluate(
            "[...modulePaths, 'pieces/roz.lisp'].sort()"
        )
        assert found.evaluate("Object.values(VFS_BLOB_URLS).every((url) => url.startsWith('blob:'))")
        assert found.evaluate("acPAINTING_BITMAPS_READY") is True


def test_nothing_is_left_of_the_payload(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    with opened(chromium, engine.bundle(spec_for("orbit"), TREE).html, tmp_path) as found:
        found.wait()
        assert found.evaluate("document.querySelectorAll('[data-pack]').length") == 0


def test_a_damaged_bundle_says_so(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    page = engine.bundle(spec_for("orbit"), TREE).html.replace(b'data-pack="core">H4s', b'data-pack="core">AAA')
    (tmp_path / "bundle.html").write_bytes(page)
    tab = chromium.new_page()
    tab.goto((tmp_path / "bundle.html").as_uri())
    tab.wait_for_function("document.body.innerText.includes('Bundle error: ')")
    tab.close()


def test_a_piece_that_fails_to_boot_says_so(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    page = engine.bundle(spec_for("orbit", compress=False), TREE).html
    assert b"export function boot(" in page
    broken = page.replace(b"export function boot(", b"throw new Error('no \\u003cb>luck');export function boot(")
    (tmp_path / "bundle.html").write_bytes(broken)
    tab = chromium.new_page()
    tab.goto((tmp_path / "bundle.html").as_uri())
    tab.wait_for_function("document.body.innerText === 'Boot failed: no <b>luck'")
    tab.close()


def test_a_served_bundle_asks_its_server_for_nothing(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "x.html").write_text(document_in("file", engine.bundle(spec_for("worker"), TREE).html.decode()))
    asked: list[str] = []
    with served(tmp_path) as origin:
        tab = chromium.new_page()
        tab.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
        tab.goto(f"{origin}/x.html")
        tab.wait_for_function("window.acPieceReady === true")
        tab.wait_for_timeout(200)
        tab.close()
    assert asked == [f"{origin}/x.html"]
