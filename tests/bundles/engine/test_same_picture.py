"""A bundle shows what the live page shows, at the same moment of virtual time, by the browser that makes the grabs."""

from __future__ import annotations

import html
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bundles.engine.engine import Engine
from bundles.engine.spec import SourceTree
from captures.engine.chromium import BrowserOptions
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode
from pieces import serve
from tests.bundles.demo import HANGS, PIECES, PROGRAMS, TREE, spec_for
from tests.harness.sizes import sampled
from tests.piece_server import PieceServer

SIDE = 256
# However long each took to load, both start on the same tick of the virtual clock; ticks are 50 ms apart. In the copy of
# the demo site the runtime waits before it plays, and the worker before it draws.
WAITS = {
    "runtime/main.mjs": {
        "\nplay(piece, api);": "\nawait new Promise((go) => setTimeout(go, 720 - performance.now()));\nplay(piece, api);"
    },
    "pieces/worker.mjs": {"phase: random() * 6": "phase: random() * 6, start: performance.timeOrigin + 820"},
    "pieces/worker-scene.mjs": {
        "  requestAnimationFrame(onFrame);\n}\n\n/** @param {number} now */": "  const wait = data.start - performance.timeOrigin - performance.now();\n"
        "  setTimeout(() => requestAnimationFrame(onFrame), wait);\n}\n\n/** @param {number} now */",
    },
}
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
FRAME = "<!doctype html><style>body {{ margin: 0 }} iframe {{ display: block; border: 0 }}</style>"
SANDBOX = FRAME + '<iframe width="{side}" height="{side}" sandbox="allow-scripts" srcdoc="{page}"></iframe>'

# Not on the border between two sixtieths of a second, which programs count; and those one before and after: a piece that
# counts its frames may have begun with another one, as a site's files come one by one.
MOMENTS_MS = (507, 490, 524)

Shot = np.ndarray


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceTree]:
    """The demo site, live and for bundling, with its waits."""
    root = tmp_path_factory.mktemp("site") / "pieces"
    shutil.copytree(TREE.root, root, ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in WAITS.items():
        text = (root / name).read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (root / name).write_text(text)
    patch = pytest.MonkeyPatch()
    patch.setattr(serve, "HERE", root)
    yield replace(TREE, root=root)
    patch.undo()


@pytest.fixture(scope="module")
def live(tree: SourceTree) -> Iterator[PieceServer]:
    with PieceServer() as server:
        yield server


@pytest.fixture(scope="module")
def host() -> Iterator[EngineHost]:
    with EngineHost() as host:
        yield host


@pytest.fixture(scope="module")
def offline_host() -> Iterator[EngineHost]:
    with EngineHost(BrowserOptions(proxy="http://127.0.0.1:9", extra_flags=(OFFLINE,))) as host:
        yield host


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[EngineHost, str], tuple[Shot, CaptureResult]]:
    def shoot(host: EngineHost, url: str, settle_ms: int = MOMENTS_MS[0]) -> tuple[Shot, CaptureResult]:
        spec = CaptureSpec(
            url=url,
            format=Format.PNG,
            width=SIDE,
            height=SIDE,
            ready_expression="false",
            ready_limit_ms=1500,
            settle_still_ms=settle_ms,
            modes=(Mode.VIRTUAL,),
        )
        result = host.capture(spec, tmp_path).result(60)
        with Image.open(result.path) as picture:
            return np.asarray(picture.convert("RGB")).astype(float), result

    return shoot


def _mean(values: Shot, window: int = 8) -> Shot:
    """Of every square window, by its corners in a table of sums."""
    sums = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    table = sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window] + sums[:-window, :-window]
    return table / window**2


def similarity(a: Shot, b: Shot) -> float:
    """The structural similarity of two channels, 1 for equal ones."""
    mean_a, mean_b = _mean(a), _mean(b)
    spread_a, spread_b = _mean(a * a) - mean_a**2, _mean(b * b) - mean_b**2
    shared = _mean(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
    return float((light * (2 * shared + 58.5225) / (spread_a + spread_b + 58.5225)).mean())


def alike(a: Shot, b: Shot) -> float:
    return min(similarity(a[..., channel], b[..., channel]) for channel in range(3))


def address(live: PieceServer, name: str) -> str:
    return f"{live.origin}/{name.replace('$', '%24')}?nogap=true&nolabel=true"


@pytest.mark.parametrize(
    "name",
    sampled(
        [name for name in PIECES + PROGRAMS if name != HANGS],
        ["worker"],
        "the gate has the hardest; tests/e2e/test_bundles_pages.py the others",
    ),
)
def test_a_bundle_shows_what_the_site_shows(  # type: ignore[no-untyped-def]
    name: str, engine: Engine, tree: SourceTree, live: PieceServer, host, offline_host, shoot, tmp_path: Path
) -> None:
    page = engine.bundle(spec_for(name), tree).html
    (tmp_path / "bundle.html").write_bytes(page)
    framed = SANDBOX.format(side=SIDE, page=html.escape(page.decode()))
    (tmp_path / "framed.html").write_text(framed)
    shown = cache(lambda moment_ms: shoot(host, address(live, name), moment_ms)[0])
    for file in ("bundle.html", "framed.html"):
        bundled, result = shoot(offline_host, (tmp_path / file).as_uri())
        assert result.mode is Mode.VIRTUAL
        for kind in ("page_errors", "console_errors", "failed_requests"):
            assert result.evidence[kind] == [], file
        assert any(alike(shown(moment_ms), bundled) >= 0.99 for moment_ms in MOMENTS_MS), file


def test_the_measure_tells_pictures_apart(host: EngineHost, live: PieceServer, shoot) -> None:  # type: ignore[no-untyped-def]
    orbit, prism = (shoot(host, address(live, name))[0] for name in ("orbit", "prism"))
    assert alike(orbit, prism) < 0.9 and alike(orbit, orbit) == 1
