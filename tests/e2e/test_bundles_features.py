"""What modules may do besides importing each other: it works in a bundle as it does on a site, wherever it is allowed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.spec import BundleSpec, Picture, Program, SiteShape, SourceTree
from tests.bundles.demo import NOW
from tests.e2e.bundled_pages import opened, served
from tests.harness.sizes import sampled

SOURCES = Path(__file__).resolve().parents[1] / "bundles"
EVERYWHERE = ("file", "policy", "strict policy", "sandbox", "sandbox with policy", "data")
UNRESTRICTED = ("file", "sandbox", "data")
CASES = [
    *(("language", place) for place in EVERYWHERE),
    *(("requests", place) for place in UNRESTRICTED),  # one of them is a data address, which a policy refuses
    *(("workers", place) for place in EVERYWHERE),
    *(("looks", place) for place in (*UNRESTRICTED, "policy")),
    *(("wasm", place) for place in UNRESTRICTED),
    *(("sound", place) for place in ("file",)),  # a frame on a file has no worklets
]
LIVE = """<!doctype html><main id="aesthetic-computer"></main>
<script type="application/json" id="piece">{config}</script><script type="module" src="/main.mjs"></script>"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(EngineOptions(tmp_path_factory.mktemp("bundles"))) as engine:
        yield engine


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> SourceTree:
    root = tmp_path_factory.mktemp("features")
    shutil.copy(SOURCES / "libraries" / "main.mjs", root)
    shutil.copytree(SOURCES / "features", root / "features")
    font = next(Path("/usr/share/fonts").rglob("DejaVuSansMono.ttf"))
    shutil.copy(font, root / "features" / "parts" / "own.ttf")
    return SourceTree(root, seeds=(), boot="main.mjs", pieces="features/", include=("features/parts/own.ttf",))


@pytest.fixture(scope="module")
def expected(chromium: Browser, tree: SourceTree) -> dict[str, str]:
    """What every piece answers on a site."""
    found = {}
    with served(tree.root) as origin:
        for piece in dict(CASES):
            (tree.root / "live.html").write_text(LIVE.format(config=json.dumps({"module": f"/features/{piece}.mjs"})))
            tab = chromium.new_page()
            tab.goto(f"{origin}/live.html")
            tab.wait_for_function("window.acPieceReady === true", timeout=10_000)
            found[piece] = str(tab.evaluate("window.result"))
            tab.close()
    return found


MINIFIED = [(*case, minify) for case in CASES for minify in (True, False)]
STRICTEST = "sandbox with policy"
GATE = [
    case for case in MINIFIED if case[2] and (case[0] == "language" or case[1] == STRICTEST or case[0] == "sound")
]
GATE += [(piece, "file", False) for piece in ("language", "workers")]


@pytest.mark.parametrize(
    ("piece", "place", "minify"),
    sampled(
        MINIFIED, GATE, "the gate has every place for one piece, every piece in the strictest, and two as written"
    ),
)
def test_a_bundle_answers_as_the_site_does(
    chromium: Browser,
    engine: Engine,
    tree: SourceTree,
    expected: dict[str, str],
    tmp_path: Path,
    piece: str,
    place: str,
    minify: bool,
) -> None:
    assert not expected[piece].startswith("failed"), expected[piece]
    # The piece is of the core here, as pieces of their own are not minified.
    whole = SourceTree(
        **{name: getattr(tree, name) for name in ("root", "boot", "pieces", "include")},
        seeds=(f"features/{piece}.mjs",),
    )
    made = engine.bundle(BundleSpec(NOW, piece=piece, minify=minify), whole)
    with opened(chromium, made.html, tmp_path, place) as found:
        found.wait()
        found.errors[:] = [error for error in found.errors if "it went wrong" not in error]
        assert found.evaluate("window.result") == expected[piece]


@pytest.mark.parametrize(
    "piece", sampled(list(dict(CASES)), ["language", "workers"], "the gate has the language and workers")
)
def test_the_same_from_the_pieces_half(
    chromium: Browser, engine: Engine, tree: SourceTree, expected: dict[str, str], tmp_path: Path, piece: str
) -> None:
    with opened(chromium, engine.bundle(BundleSpec(NOW, piece=piece), tree).html, tmp_path) as found:
        found.wait()
        found.errors[:] = [error for error in found.errors if "it went wrong" not in error]
        assert found.evaluate("window.result") == expected[piece]


class Gallery:
    """One program that pastes one painting."""

    def __init__(self, png: bytes) -> None:
        self.png = png

    def fetch_source(self, code: str) -> Program | None:
        return Program("paste #abc $other", "@ada") if code == "roz" else None

    def fetch_image(self, code: str) -> Picture | None:
        return Picture(self.png, "@ada", "2025.1.2")


PROBE = """
const config = JSON.parse(document.getElementById('piece').textContent);
const get = async (address) => { const answer = await fetch(address); return [answer.status, await answer.json()]; };
const { width, height, pixels } = window.acEMBEDDED_PAINTING_BITMAPS['#abc'];
window.result = [config.source, width, height, [...pixels.slice(0, 4)], await get('/api/painting-code?code=abc'),
  await get('/api/painting-code?code=zzz'), await get('/api/store-kidlisp?code=$roz'), await get('/api/store-kidlisp?code=no'),
  await get('/api/track-media'), (await (await fetch('/media/@ada/painting/2025.1.2.png')).blob()).size,
  (await fetch('/assets/cursors/precise.svg')).status];
window.acPieceReady = true;
"""


@pytest.mark.parametrize(
    "place", sampled(list(EVERYWHERE), ["file", STRICTEST], "the language is bundled for every place above")
)
def test_a_programs_paintings_and_look_ups_are_there_offline(
    chromium: Browser, engine: Engine, tree: SourceTree, tmp_path: Path, place: str
) -> None:
    png = (SOURCES / "features" / "parts" / "dot.png").read_bytes()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "main.mjs").write_text(PROBE)
    site = SourceTree(tmp_path / "site", seeds=(), boot="main.mjs", program_module="main.mjs")
    made = engine.bundle(BundleSpec(NOW, code="roz", programs=Gallery(png), shape=SiteShape()), site)
    with opened(chromium, made.html, tmp_path, place) as found:
        found.wait()
        source = "paste #abc $other"
        assert found.evaluate("window.result") == [
            *(source, 3, 2, [200, 30, 30, 255]),
            [200, {"handle": "@ada", "slug": "2025.1.2"}],
            [404, {"error": "no such painting"}],
            [200, {"source": source}],
            [404, {"error": "no such program"}],
            [404, {"error": "api/track-media is not in this bundle"}],
            len(png),
            200,
        ]
