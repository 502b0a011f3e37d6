"""Libraries that nobody here wrote, bundled: they do in a bundle what they do on a site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.spec import BundleSpec, SourceTree
from tests.bundles.demo import NOW
from tests.bundles.packages import copy_into, installed
from tests.e2e.bundled_pages import opened, served
from tests.harness.sizes import sampled

PIECES = Path(__file__).resolve().parents[1] / "bundles" / "libraries"
D3 = sorted(path.name for path in installed().glob("d3-*"))
ALIASES = {
    "three": "/npm/three/build/three.module.js",
    "p5-1": "/npm/p5-1/lib/p5.js",
    "p5-2": "/npm/p5-2/lib/p5.esm.js",
    "d3": "/npm/d3/dist/d3.mjs",
    **{name: f"/npm/{name}/dist/{name}.mjs" for name in D3},
    "internmap": "/npm/internmap/src/index.js",
    "delaunator": "/npm/delaunator/index.js",
    "robust-predicates": "/npm/robust-predicates/index.js",
    "preact": "/npm/preact/dist/preact.mjs",
    "preact/hooks": "/npm/preact/hooks/dist/hooks.mjs",
    "lodash-es": "/npm/lodash-es/lodash.js",
}
OF_SOURCES = {"three": "/npm/three/src/Three.js"}
FOLDERS = [
    *("three/build", "three/src", "p5-1/lib", "p5-2/lib", "d3/dist", *(f"{name}/dist" for name in D3)),
    *("internmap/src", "delaunator", "robust-predicates", "preact", "lodash-es"),
]
LIVE = """<!doctype html><script type="importmap">{imports}</script><main id="aesthetic-computer"></main>
<script type="application/json" id="piece">{config}</script><script type="module" src="/main.mjs"></script>"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(EngineOptions(tmp_path_factory.mktemp("bundles"))) as engine:
        yield engine


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("libraries")
    copy_into(root, *FOLDERS)
    shutil.copy(PIECES / "main.mjs", root)
    shutil.copytree(PIECES, root / "pieces")
    return root


def live_result(chromium: Browser, root: Path, piece: str, aliases: dict[str, str]) -> str:
    config = json.dumps({"module": f"/pieces/{piece}.mjs"})
    (root / "live.html").write_text(LIVE.format(imports=json.dumps({"imports": aliases}), config=config))
    with served(root) as origin:
        tab = chromium.new_page(viewport={"width": 256, "height": 256})
        tab.goto(f"{origin}/live.html")
        tab.wait_for_function("window.acPieceReady === true", timeout=60_000)
        result = str(tab.evaluate("window.result"))
        tab.close()
    return result


LIBRARIES = [
    ("three", {}, 2),
    ("three", OF_SOURCES, 190),
    ("p5-1", {}, 1),
    ("p5-2", {}, 1),
    ("d3", {}, 33),
    ("preact", {}, 5),
    ("lodash", {}, 600),
]
CASES = [(*library, minify) for library in LIBRARIES for minify in (True, False)]
SMALL = [case for case in CASES if case[0] in ("preact", "d3") and case[3]]


@pytest.mark.parametrize(
    ("piece", "aliases", "modules", "minify"),
    sampled(CASES, SMALL, "large libraries; the gate bundles preact and d3 (33 modules), minified"),
)
def test_a_library_does_in_a_bundle_what_it_does_on_a_site(
    chromium: Browser,
    engine: Engine,
    root: Path,
    tmp_path: Path,
    piece: str,
    aliases: dict[str, str],
    modules: int,
    minify: bool,
) -> None:
    imports = {**ALIASES, **aliases}
    tree = SourceTree(root, seeds=(), boot="main.mjs", aliases=imports)
    made = engine.bundle(BundleSpec(NOW, piece=piece, minify=minify), tree)
    assert made.file_count >= modules
    expected = live_result(chromium, root, piece, imports)
    assert not expected.startswith("failed"), expected
    with opened(chromium, made.html, tmp_path, "sandbox") as found:
        found.wait(limit_ms=60_000)
        assert found.evaluate("window.result") == expected
