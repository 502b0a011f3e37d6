"""Every demo piece and time code in real Chromium."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from pieces.serve import kidlisp
from tests.bundles.demo import PIECES, PROGRAMS, WAYS
from tests.harness.sizes import sampled
from tests.piece_server import PieceServer
from tests.support import until
from tests.timecode import decode, decode_css, series_errors

CHROMIUM = "/usr/lib/chromium/chromium-headless-shell"
UNREADY = {"never", "loop"}
STILL = {"still", "black"}
FLAT = {"solid", "black"}
READY = "window.acPieceReady === true"
WORDS = """wipe ink thick line box circle tri plot write random wiggle choose hsl rainbow later def repeat if not
sin cos abs floor sqrt pow min max pi frame time"""
READYING = [name for name in PIECES + PROGRAMS if name not in UNREADY]
# One for each way to draw and to behave, and programs that together use every word that any program uses.
SHOWN = [*(name for name in WAYS if name not in UNREADY), "solid", "$dial", "$moth", "$loom", "$hello", "$bloom"]

pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def watched(page: Page) -> Iterator[Page]:
    """Fail when the page has an error meanwhile."""
    errors: list[str] = []
    handlers: dict[Any, Any] = {
        "pageerror": lambda error: errors.append(str(error)),
        "console": lambda line: errors.append(line.text) if line.type == "error" else None,
        "requestfailed": lambda request: errors.append(f"failed: {request.url}"),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    yield page
    for event, handler in handlers.items():
        page.remove_listener(event, handler)
    assert errors == []


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """Return the one page of these tests; it fails its test when it had an error."""
    tab.set_viewport_size({"width": 256, "height": 256})
    with watched(tab):
        yield tab
    tab.goto("about:blank")


@pytest.fixture
def clocked(browser: Browser) -> Iterator[Page]:
    """Return a page of its own whose clock only `advance` moves."""
    opened = browser.new_page(viewport={"width": 256, "height": 256})
    opened.add_init_script(CLOCK)
    with watched(opened):
        yield opened
    opened.close()


@pytest.fixture(scope="module")
def language(browser: Browser, site: PieceServer) -> Iterator[Page]:
    """Return a page of the site, to run programs on."""
    opened = browser.new_page()
    with watched(opened):
        opened.goto(f"{site.origin}/")
        yield opened
    opened.close()


def show(page: Page, site: PieceServer, name: str, query: str = "nogap=true&nolabel=true") -> None:
    page.goto(f"{site.origin}/{name.replace('$', '%24')}?{query}")
    page.wait_for_function(READY, timeout=20_000)


def changed(page: Page, before: np.ndarray) -> np.ndarray:
    """Return by how much each pixel differs now."""
    return np.abs(picture(page) - before).max(axis=2)  # type: ignore[no-any-return]


def is_drawn(shot: np.ndarray) -> bool:
    """Return whether a picture is of more than one colour."""
    return bool(shot.std(axis=(0, 1)).max() > 5)


def picture(page: Page, **options: bool) -> np.ndarray:
    png = page.screenshot(animations="allow", **options)  # type: ignore[arg-type]
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


@pytest.mark.parametrize(
    "name",
    sampled(READYING, SHOWN, "the gate has one for each way to draw and each word"),
)
def test_a_piece_draws_and_moves(page: Page, site: PieceServer, name: str) -> None:
    show(page, site, name)
    if name not in FLAT:  # what a worker has drawn is shown a frame or more after it says that it is ready
        until(lambda: is_drawn(picture(page)), 20)
    before = picture(page)
    assert is_drawn(before) == (name not in FLAT)
    if name in STILL:
        page.wait_for_timeout(900)
        assert not changed(page, before).any()
    elif name in FLAT:
        until(lambda: changed(page, before).any(), 20)
    else:
        until(lambda: (changed(page, before) > 24).mean() > 0.002, 20)  # seen, not merely measured


def test_the_gate_has_every_word_of_every_program() -> None:
    sources = {f"${code}": re.sub(";.*", "", entry["source"]) for code, entry in kidlisp().items()}
    words = {name: set(re.findall("[a-z]+", source)) & set(WORDS.split()) for name, source in sources.items()}
    used = set().union(*words.values())
    assert used >= {"later", "repeat", "if", "wiggle", "write", "rainbow", "tri"}
    assert set().union(*(words.get(name, set()) for name in SHOWN)) == used


def test_never_animates_but_is_never_ready(page: Page, site: PieceServer) -> None:
    page.goto(f"{site.origin}/never")
    page.wait_for_timeout(600)
    before = picture(page)
    until(lambda: changed(page, before).any(), 20)
    assert not page.evaluate("!!window.acPieceReady")


def test_loop_hangs_before_it_is_ready(browser: Browser, site: PieceServer) -> None:
    page = browser.new_page()
    page.goto(f"{site.origin}/loop", wait_until="commit")
    page.wait_for_timeout(500)
    with pytest.raises(Exception, match="Timeout"):
        page.wait_for_function("true", timeout=500)
    devtools = browser.new_browser_cdp_session()
    for target in devtools.send("Target.getTargets")["targetInfos"]:
        if target["url"].endswith("/loop"):
            devtools.send("Target.closeTarget", {"targetId": target["targetId"]})
    devtools.detach()


def test_flat_pieces_are_flat(page: Page, site: PieceServer) -> None:
    for name in FLAT:
        show(page, site, name)
        assert np.ptp(picture(page)[..., :3].reshape(-1, 3), axis=0).max() == 0


def test_glass_is_clear(page: Page, site: PieceServer) -> None:
    show(page, site, "glass")
    alpha = picture(page, omit_background=True)[..., 3]
    assert alpha[0, 0] == 0 and 0 < alpha[alpha > 0].min() < 255


CLOCK = """
let now = 0, queue = [];
performance.now = () => now;
window.requestAnimationFrame = (callback) => queue.push(callback);
window.advance = (ms) => { now += ms; const due = queue; queue = []; due.forEach((f) => f(now)); };
"""


@pytest.mark.parametrize(
    "name",
    sampled(
        ["orbit", "prism", "waves", "notes", "$moth", "$rain"],
        ["$moth"],
        "the gate has one; tests/engine captures pieces by the clock twice",
    ),
)
def test_the_clock_alone_decides_the_picture(clocked: Page, site: PieceServer, name: str) -> None:
    page = clocked
    shots = []
    for step in (20, 50):
        page.goto(f"{site.origin}/{name.replace('$', '%24')}?nogap=true&nolabel=true")
        page.wait_for_function("() => { advance(0); return window.acPieceReady; }", polling=20)
        page.evaluate(f"for (let t = 0; t < 1000; t += {step}) advance({step})")
        # Drawings of the SVG piece are compared as what was drawn: rastering the same SVG twice may differ by a level,
        # and its SMIL parts follow the document's own timeline.
        drawn = page.evaluate("document.querySelector('svg')?.outerHTML")
        shots.append(drawn or picture(page).tobytes())
    assert shots[0] == shots[1]


def test_density_sets_the_art_pixels(page: Page, site: PieceServer) -> None:
    size = "[document.querySelector('canvas').width, document.querySelector('canvas').height]"
    show(page, site, "orbit", "nogap=true&density=0.5")
    assert page.evaluate(size) == [512, 512]
    show(page, site, "orbit", "nogap=true&density=4")
    assert page.evaluate(size) == [64, 64]
    show(page, site, "orbit", "")
    assert page.evaluate(size) == [240, 240]  # less the gap of 8 on each side


def test_label_and_gap_can_be_left_out(page: Page, site: PieceServer) -> None:
    show(page, site, "orbit", "")
    assert page.locator("#label").is_visible()
    show(page, site, "orbit", "nolabel=true&nogap=true")
    assert not page.locator("#label").is_visible()
    assert page.evaluate("document.querySelector('#aesthetic-computer').clientWidth") == 256


@pytest.mark.parametrize("query", ["", "?tv=true"])
def test_tv_disables_input(page: Page, site: PieceServer, query: str) -> None:
    page.goto(f"{site.origin}/prompt{query}")
    page.wait_for_function(READY)
    page.keyboard.type("orbit")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.url.endswith("/orbit") == (query == "")


RUN = """async (source) => {
  const { parse, run } = await import('/runtime/kidlisp.mjs');
  const calls = [];
  const note = (name) => (...args) => { calls.push([name, ...args]); };
  const host = { screen: { width: 100, height: 50 }, time: 1500, frame: 90 };
  for (const name of ['wipe', 'ink', 'thick', 'line', 'box', 'circle', 'poly', 'plot', 'write'])
    host[name] = note(name);
  const { value, errors } = run(parse(source), host);
  return { value, errors, calls };
}"""


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("(+ 1 2 3)", 6),
        ("+ 1 2 ; a comment", 3),
        ("(- 5)", -5),
        ("(/ 8 2 2)", 2),
        ("(% -1 5)", 4),
        ("w/2", 50),
        ("def x 4\n(* x x)", 16),
        ("(later twice n (* 2 n))\n(twice (twice 3))", 12),
        ("(if (> 1 2) 10 20)", 20),
        ("def n 3, (repeat n i (+ i 1))", 3),
        ("frame", 90),
        ("(+ (sin 0) (cos 0))", 1),
    ],
)
def test_kidlisp_values(language: Page, source: str, value: float) -> None:
    assert language.evaluate(RUN, source) == {"value": value, "errors": [], "calls": []}


def test_kidlisp_draws(language: Page) -> None:
    source = 'navy\nink 255 0 0 (line 0 0 w h)\nwrite "hi there" 1 2 9, plot 3 4'
    ran = language.evaluate(RUN, source.replace(" (line", "\n(line"))
    assert ran["errors"] == []
    assert ran["calls"] == [
        ["wipe", "navy"],
        ["ink", 255, 0, 0],
        ["line", 0, 0, 100, 50],
        ["write", "hi there", 1, 2, 9],
        ["plot", 3, 4],
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("wipe black\n(blom 5)", "unknown word: blom"),
        ("(repeat 999999999 (sin 1))", "too much work for one frame"),
        ("(later f (f))\n(f)", "too deep"),
    ],
)
def test_kidlisp_mistakes_are_told(language: Page, source: str, error: str) -> None:
    assert language.evaluate(RUN, source)["errors"] == [error]


@pytest.mark.parametrize("source", sampled(["(blom 5)", "(circle 5 5"], ["(blom 5)"], "drawn alike"))
def test_a_mistake_is_drawn_red_and_logged_once(browser: Browser, site: PieceServer, source: str) -> None:
    page = browser.new_page(viewport={"width": 256, "height": 256})
    logged: list[str] = []
    page.on("console", lambda line: logged.append(line.text) if line.type == "error" else None)
    page.route(
        "**/%24bloom*",
        lambda route: route.fulfill(
            response=(answer := route.fetch()),
            body=answer.text().replace('"source": "', f'"source": "{source}\\n'),
        ),
    )
    show(page, site, "$bloom")
    page.wait_for_timeout(300)
    shot = picture(page)[:24]
    assert ((shot[..., 0] > 180) & (shot[..., 1] < 120)).sum() > 20
    assert len(logged) == 1 and logged[0].startswith("$bloom: ")
    page.close()


@pytest.mark.parametrize(
    "name",
    sampled(
        ["canvas", "webgl", "css", "mixed", "svg", "worker"],
        [],
        "tests/engine/test_frame_times.py captures them all",
    ),
)
def test_time_codes_tell_the_time(page: Page, site: PieceServer, name: str) -> None:
    page.set_viewport_size({"width": 512, "height": 64})
    show(page, site, f"tc-{name}")
    read = decode_css if name == "css" else decode
    times, before, after = [], [], []
    for _ in range(3):
        before.append(page.evaluate("performance.now()"))
        times.append(read(picture(page)))
        after.append(page.evaluate("performance.now()"))
        page.wait_for_timeout(200)
    assert times == sorted(times)
    # One offset puts every picture between the clock before and after it was taken, give or take three frames.
    least = max(t - a for t, a in zip(times, after, strict=True))
    most = min(t - b for t, b in zip(times, before, strict=True))
    assert least <= most + 50
    assert series_errors(times, 5)[1] == 0


@pytest.mark.parametrize(
    "name",
    sampled(
        ["anim", "mixed-flash", "black-flash", "palette", "dot", "alpha", "bad-busy"],
        [],
        "the engine's tests capture them all",
    ),
)
def test_fixtures_that_are_good_move(page: Page, site: PieceServer, name: str) -> None:
    page.set_viewport_size({"width": 512, "height": 512})
    show(page, site, name)
    first = picture(page)
    until(lambda: changed(page, first).any(), 20)


def test_page_idle_loads_without_a_signal(page: Page, site: PieceServer) -> None:
    page.goto(f"{site.origin}/page-idle")
    assert picture(page).std() > 5
    assert not page.evaluate("!!window.acPieceReady")


def test_the_gallery_fits_narrow_screens(page: Page, site: PieceServer) -> None:
    for width in (320, 700, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{site.origin}/")
        assert page.evaluate("document.documentElement.scrollWidth") == width
