"""The live page in a real browser, under a Content-Security-Policy that allows nothing inline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, WebSocketRoute, expect, sync_playwright

from captures.engine.chromium import find_any_browser
from tests.e2e.stack import Stack

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'"
)
# A page whose answer went through `route.fulfill` counts as one of another network, which may not call this host.
SAME_NETWORK = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"
SOON_MS = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=find_any_browser() or None, args=["--no-sandbox", SAME_NETWORK]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def signed_in(oven: Stack, browser: Browser) -> Any:
    """The cookies of somebody who came by the one-time link."""
    context = browser.new_context()
    page = context.new_page()
    link = oven.manage("signin").strip().splitlines()[-1]
    page.goto(link)
    expect(page.locator("h1")).to_have_text("Oven")
    page.goto(link)
    expect(page.locator("h1")).to_contain_text("has been used or is too old")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def opened(oven: Stack, browser: Browser, signed_in: Any) -> Iterator[Callable[..., Page]]:
    """Opens live pages; afterwards no script of theirs may have complained."""
    complaints: list[str] = []
    contexts = []

    def guard(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})

    def open_page(before: Callable[[Page], None] = lambda page: None, **options: Any) -> Page:
        context = browser.new_context(storage_state=signed_in, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.route(f"{oven.base}/", guard)
        before(page)
        page.goto(f"{oven.base}/")
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # The browser itself reports answers that are refusals.
    assert [line for line in complaints if "status of 400" not in line] == []


@pytest.fixture
def page(opened: Callable[..., Page]) -> Page:
    return opened()


@pytest.fixture(autouse=True)
def nothing_left_running(oven: Stack) -> Iterator[None]:
    yield
    assert oven.post("/grab-clear").status_code == 200
    oven.until(lambda: not oven.get("/grab-status").json()["active"], limit_s=30)


def start(page: Page, piece: str, **fields: Any) -> None:
    """Fills in the form and sends it."""
    page.fill("#start [name=piece]", piece)
    for name, value in fields.items():
        if name == "format":
            page.select_option("#start [name=format]", value)
        else:
            page.fill(f"#start [name={name}]", str(value))
    with page.expect_response("**/live/start/grab"):
        page.click("#start-button")


def card(page: Page, section: str, piece: str) -> Locator:
    return page.locator(f"#{section}-list > li", has=page.get_by_text(piece, exact=True))


def count(page: Page, section: str) -> Locator:
    return page.locator(f"#{section}-title .count")


def test_a_grab_shows_its_frames_and_then_its_picture(page: Page) -> None:
    start(page, "anim~shown", width=128, height=64, duration=6, fps=20)
    running = card(page, "now", "anim~shown")
    expect(running).to_be_visible()
    expect(running.locator("img")).to_have_attribute("src", _starting("data:image/jpeg;base64,"), timeout=SOON_MS)
    box = running.locator("img").bounding_box()
    assert box and abs(box["width"] / box["height"] - 2) < 0.1  # the square preview in the file's own shape
    done = card(page, "done", "anim~shown")
    expect(done).to_be_visible(timeout=60_000)
    expect(running).to_have_count(0)
    expect(done.locator(".badge").nth(1)).to_have_text("128×64")
    expect(done.locator(".shot > img")).to_have_js_property("complete", True)
    assert done.locator(".shot > img").evaluate("image => image.naturalWidth") > 0
    done.hover()
    expect(done.locator(".moving")).to_have_attribute("src", _starting("/files/art/oven/grabs/"))
    page.mouse.move(0, 0)
    expect(done.locator(".moving")).to_have_count(0)


def test_a_film_plays_as_a_film_and_only_when_clicked_by_who_wants_no_motion(opened: Callable[..., Page]) -> None:
    page = opened(reduced_motion="reduce")
    start(page, "anim~film", width=64, height=64, duration=1, fps=10, format="mp4")
    done = card(page, "done", "anim~film")
    expect(done).to_be_visible(timeout=60_000)
    done.hover()
    page.wait_for_timeout(400)
    expect(done.locator("video")).to_have_count(0)
    done.locator(".play").click()
    expect(done.locator("video")).to_have_js_property("muted", True)
    expect(done.locator("video")).to_have_js_property("loop", True)
    done.locator(".play").click()
    expect(done.locator("video")).to_have_count(0)


def test_the_queue_falls_and_buttons_cancel(oven: Stack, page: Page) -> None:
    for number in range(2):
        start(page, f"anim~long{number}", width=128, height=128, duration=30, fps=20)
    expect(count(page, "now")).to_have_text("2", timeout=SOON_MS)
    for number in range(3):
        start(page, f"anim~wait{number}", width=64, height=64, duration=1, fps=5)
    expect(count(page, "next")).to_have_text("3")
    assert page.locator("#next-list .name").all_inner_texts() == ["anim~wait0", "anim~wait1", "anim~wait2"]
    assert page.locator("#next-list .place").all_inner_texts() == ["1", "2", "3"]

    card(page, "next", "anim~wait1").get_by_role("button", name="Cancel").click()
    expect(page.locator("#next-list .name")).to_have_text(["anim~wait0", "anim~wait2"])
    expect(card(page, "done", "anim~wait1")).to_have_attribute("data-state", "cancelled")

    for number in range(2):
        card(page, "now", f"anim~long{number}").get_by_role("button", name="Cancel").click()
    for piece, state in {
        "long0": "cancelled",
        "long1": "cancelled",
        "wait0": "complete",
        "wait2": "complete",
    }.items():
        expect(card(page, "done", f"anim~{piece}")).to_have_attribute("data-state", state, timeout=60_000)
    expect(count(page, "next")).to_have_text("0")
    expect(page.locator("#now-empty")).to_be_visible()


def test_an_error_stands_at_its_field(page: Page) -> None:
    start(page, "orbit", width=5000)
    expect(page.locator("#f-e-width")).to_have_text("5000 is not within 32 to 1000.")
    expect(page.locator("#start [name=width]")).to_be_focused()
    expect(page.locator("#start [name=width]")).to_have_attribute("aria-invalid", "true")
    page.fill("#start [name=width]", "64")
    expect(page.locator("#f-e-width")).to_have_text("")
    start(page, "site.com")
    expect(page.locator("#f-e-piece")).to_have_text("This names a web site, not a piece.")
    expect(page.locator("#start [name=piece]")).to_be_focused()


def test_fields_that_do_not_apply_are_off_and_the_command_follows(oven: Stack, page: Page) -> None:
    page.fill("#start [name=piece]", "it's $a/b")
    page.fill("#start [name=duration]", "2")
    address = f"{oven.base}/grab/webp/512/512/it%27s%20%24a%2Fb?duration=2000"
    expect(page.locator("#curl")).to_have_text(f"curl -L -o it-s-a-b.webp '{address}'")
    page.select_option("#start [name=format]", "png")
    for name in ("duration", "fps", "playbackFps", "quality"):
        expect(page.locator(f"#start [name={name}]")).to_be_disabled()
    expect(page.locator("#start [name=transparent]")).to_be_enabled()
    page.select_option("#start [name=format]", "mp4")
    expect(page.locator("#start [name=transparent]")).to_be_disabled()
    expect(page.locator("#start [name=duration]")).to_be_enabled()
    page.fill("#start [name=piece]", "https://example.org/?q='")
    expect(page.locator("#curl")).to_contain_text("""-d '{"piece":"https://example.org/?q='\\''","format":"mp4\"""")


def test_grab_again_answers_from_the_cache_or_afresh(page: Page) -> None:
    start(page, "anim~again", width=64, height=64, format="png")
    done = card(page, "done", "anim~again")
    expect(done).to_have_count(1, timeout=SOON_MS)
    done.get_by_role("button", name="Grab again:").click()
    expect(page.locator("#notices")).to_contain_text("from the cache")
    expect(done.locator(".badge", has_text="cached")).to_be_visible()
    done.get_by_role("button", name="More to do").click()
    page.get_by_role("menuitem", name="Grab again without the cache").click()
    expect(done).to_have_count(2, timeout=SOON_MS)


def test_hostile_names_are_text(page: Page) -> None:
    hostile = "https://127.0.0.1/<img src=x onerror=document.title='owned'><script>alert(1)</script>"
    start(page, hostile, width=64, height=64)
    failed = card(page, "done", hostile)
    expect(failed).to_have_attribute("data-state", "failed", timeout=SOON_MS)
    expect(failed.locator("h3")).to_have_text(hostile)
    expect(failed.locator(".none")).to_contain_text("cannot be grabbed")
    assert page.locator("img[src=x]").count() == 0
    page.reload()  # the same names by way of the page itself
    expect(card(page, "done", hostile)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert "owned" not in page.title()


def test_keys(page: Page) -> None:
    root = page.locator("html")
    for theme in ("light", "dark", "system"):
        page.keyboard.press("t")
        expect(root).to_have_attribute("data-theme", theme)
        assert page.evaluate("localStorage.t") == theme
    page.keyboard.press("t")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    page.keyboard.press("g")
    expect(page.locator("#start [name=piece]")).to_be_focused()
    page.keyboard.type("gt?r")  # while typing they are letters
    expect(page.locator("#start [name=piece]")).to_have_value("gt?r")
    page.locator("#start [name=piece]").blur()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    with page.expect_response("**/live/state"):
        page.keyboard.press("r")


def test_the_log_pauses_filters_and_clears(page: Page) -> None:
    lines = page.locator("#log-list li")
    start(page, "anim~logged", width=64, height=64, format="png")
    expect(lines.filter(has_text="anim~logged").first).to_be_visible(timeout=SOON_MS)
    expect(card(page, "done", "anim~logged")).to_be_visible(timeout=SOON_MS)
    page.select_option("#log-filter", "success")
    expect(page.locator("#log-list li:not([data-type=success])")).to_have_count(0)
    page.select_option("#log-filter", "")
    page.click("#log-pause")
    page.click("#log-clear")
    expect(lines).to_have_count(0)
    start(page, "anim~unseen", width=64, height=64, format="png")
    expect(page.locator("#log-pause")).to_contain_text("new", timeout=SOON_MS)
    expect(lines).to_have_count(0)
    page.click("#log-pause")
    expect(lines.filter(has_text="anim~unseen").first).to_be_visible()
    expect(lines.filter(has_text="anim~logged")).to_have_count(0)


def test_it_comes_back_after_the_socket_drops(oven: Stack, opened: Callable[..., Page]) -> None:
    sockets: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page = opened(lambda page: page.route_web_socket("**/ws/live", relay))
    link = page.locator("#link")
    sockets[0].close(code=1012)
    expect(link).to_have_attribute("data-state", "reconnecting")
    assert oven.get("/grab/png/64/64/anim~missed").status_code == 200
    expect(link).to_have_attribute("data-state", "live")
    expect(card(page, "done", "anim~missed")).to_be_visible()
    assert len(sockets) == 2
    start(page, "anim~after", width=64, height=64, format="png")
    expect(card(page, "done", "anim~after")).to_be_visible(timeout=SOON_MS)


def test_what_was_missed_is_there_again_within_two_seconds(oven: Stack, opened: Callable[..., Page]) -> None:
    missing: list[bool] = []

    def relay(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if missing else socket.send(message))

    page = opened(lambda page: page.route_web_socket("**/ws/live", relay))
    missing.append(True)
    assert oven.get("/grab/png/64/64/anim~unheard").status_code == 200
    page.wait_for_timeout(500)
    expect(card(page, "done", "anim~unheard")).to_have_count(0)
    missing.clear()  # the next message says after which number it comes
    expect(card(page, "done", "anim~unheard")).to_be_visible(timeout=2000)


def test_it_rests_while_hidden(oven: Stack, page: Page) -> None:
    link = page.locator("#link")
    _look(page, "hidden")
    expect(link).to_have_attribute("data-state", "paused")
    assert oven.get("/grab/png/64/64/anim~asleep").status_code == 200
    page.wait_for_timeout(500)
    expect(card(page, "done", "anim~asleep")).to_have_count(0)
    with page.expect_websocket():
        _look(page, "visible")
    expect(link).to_have_attribute("data-state", "live")
    expect(card(page, "done", "anim~asleep")).to_be_visible(timeout=2000)


def test_a_new_version_loads_the_page_again_once(opened: Callable[..., Page]) -> None:
    hellos: list[str] = []

    def lie(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def relay(message: str | bytes) -> None:
            text = message.decode() if isinstance(message, bytes) else message
            if '"hello"' in text:
                hellos.append(text)
                text = text.replace('"version": "', '"version": "99.')
            socket.send(text)

        server.on_message(relay)

    page = opened()
    page.route_web_socket("**/ws/live", lie)
    page.fill("#start [name=piece]", "half-typed")
    _look(page, "hidden")
    with page.expect_navigation():
        _look(page, "visible")
    expect(page.locator("#start [name=piece]")).to_have_value("half-typed")
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    page.wait_for_timeout(500)
    assert len(hellos) == 2


def test_it_says_when_somebody_is_signed_out(opened: Callable[..., Page]) -> None:
    page = opened()
    page.context.clear_cookies()
    page.keyboard.press("r")
    expect(page.locator("#link")).to_have_attribute("data-state", "signed-out")
    expect(page.get_by_role("link", name="sign in again")).to_be_visible()


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_sticks_out(opened: Callable[..., Page], width: int) -> None:
    page = opened(viewport={"width": width, "height": 900})
    start(page, "https://127.0.0.1/" + "long" * 120, width=64, height=64)
    expect(page.locator("#done-list > li").first).to_be_visible(timeout=SOON_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def _look(page: Page, state: str) -> None:
    """As if the tab was hidden or shown."""
    page.evaluate(
        """state => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def _starting(text: str) -> Any:
    return re.compile("^" + re.escape(text))
