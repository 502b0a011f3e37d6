"""The live page in a real browser, under a Content-Security-Policy that allows nothing inline."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.browser.jobs import done, fail, finish, waiting
from tests.browser.web import Web
from tests.e2e.live_pages import SOON_MS, Screens, card, start
from tests.harness.sizes import sampled

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'"
)


def guard(page: Page) -> None:
    """Serve the live page with the policy."""

    def answer(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, headers={**found.headers, "content-security-policy": POLICY})

    page.route(re.compile(r"^http://[^/]+/$"), answer)


@pytest.fixture
def opened(screens: Screens) -> Callable[..., Page]:
    """Opens live pages of their own under the policy."""

    def open_page(before: Callable[[Page], None] = lambda page: None, **options: Any) -> Page:
        return screens.open(before=lambda page: (guard(page), before(page))[0], fresh=True, **options)

    return open_page


@pytest.fixture
def page(screens: Screens) -> Page:
    return screens.open(before=guard)


def film() -> bytes:
    """One second of H.264."""
    output = io.BytesIO()
    with av.open(output, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(10):
            picture = Image.new("RGB", (64, 64), (25 * number, 80, 160))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return output.getvalue()


def test_a_film_plays_as_a_film_and_only_when_clicked_by_who_wants_no_motion(opened: Callable[..., Page]) -> None:
    page = opened()
    start(page, "anim~film", width=64, height=64, duration=1, fps=10, format="mp4")
    finish(waiting("anim~film"), film())
    shown = card(page, "done", "anim~film")
    expect(shown).to_be_visible()
    shown.hover()
    page.wait_for_timeout(400)
    expect(shown.locator("video")).to_have_count(0)
    shown.locator(".play").click()
    expect(shown.locator("video")).to_have_js_property("muted", True)
    expect(shown.locator("video")).to_have_js_property("loop", True)
    shown.locator(".play").click()
    expect(shown.locator("video")).to_have_count(0)


def test_the_one_time_link_works_once(oven: Web) -> None:
    link = oven.manage("signin", "--user", "once").strip().splitlines()[-1]
    first, second = (httpx.get(link, follow_redirects=False) for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (302, "/")
    assert second.status_code == 403
    assert "has been used or is too old" in second.text


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


def test_fields_that_do_not_apply_are_off_and_the_command_follows(oven: Web, page: Page) -> None:
    page.fill("#start [name=piece]", "it's $a/b")
    page.fill("#start [name=duration]", "2")
    address = f"{oven.base}/grab/webp/512/512/it%27s%20%24a%2Fb?duration=2000"
    expect(page.locator("#curl")).to_have_text(f"curl -L -o it-s-a-b.webp '{address}'")
    page.select_option("#start [name=format]", "png")
    for name in ("duration", "fps", "playbackFps", "quality"):
        expect(page.locator(f"#start [name={name}]")).to_be_disabled()
    expect(page.locator("#start [name=transparent]")).to_be_enabled()
    page.locator("#f-more").evaluate("more => more.open = true")
    page.fill("#start [name=seed]", "7")
    page.fill("#start [name=date]", "2026-01-31")
    page.select_option("#start [name=start]", "load")
    expect(page.locator("#curl")).to_contain_text("start=load&seed=7&date=2026-01-31")
    for name in ("seed", "date"):
        page.fill(f"#start [name={name}]", "")
    page.select_option("#start [name=start]", "auto")
    page.select_option("#start [name=format]", "mp4")
    expect(page.locator("#start [name=transparent]")).to_be_disabled()
    expect(page.locator("#start [name=duration]")).to_be_enabled()
    page.fill("#start [name=piece]", "https://example.org/?q='")
    expect(page.locator("#curl")).to_contain_text("""-d '{"piece":"https://example.org/?q='\\''","format":"mp4\"""")


def test_grab_again_answers_from_the_cache_or_afresh(page: Page) -> None:
    start(page, "anim~again", width=64, height=64, format="png")
    finish(waiting("anim~again"))
    shown = card(page, "done", "anim~again")
    expect(shown).to_have_count(1)
    shown.get_by_role("button", name="Grab again:").click()
    expect(page.locator("#notices")).to_contain_text("from the cache")
    expect(shown.locator(".badge", has_text="cached")).to_be_visible()
    shown.get_by_role("button", name="More to do").click()
    with page.expect_response("**/again"):
        page.get_by_role("menuitem", name="Grab again without the cache").click()
    finish(waiting("anim~again"))
    expect(shown).to_have_count(2)


@pytest.mark.exhaustive("test_live_roles.py has hostile names everywhere")
def test_hostile_names_are_text(page: Page) -> None:
    hostile = "https://127.0.0.1/<img src=x onerror=document.title='owned'><script>alert(1)</script>"
    start(page, hostile, width=64, height=64)
    fail(waiting(hostile), "bad_spec", f"{hostile}: this address cannot be grabbed.")
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
    finish(waiting("anim~logged"))
    expect(lines.filter(has_text="anim~logged").first).to_be_visible(timeout=SOON_MS)
    expect(card(page, "done", "anim~logged")).to_be_visible(timeout=SOON_MS)
    page.select_option("#log-filter", "success")
    expect(page.locator("#log-list li:not([data-type=success])")).to_have_count(0)
    page.select_option("#log-filter", "")
    page.click("#log-pause")
    page.click("#log-clear")
    expect(lines).to_have_count(0)
    start(page, "anim~unseen", width=64, height=64, format="png")
    finish(waiting("anim~unseen"))
    expect(page.locator("#log-pause")).to_contain_text("new", timeout=SOON_MS)
    expect(lines).to_have_count(0)
    page.click("#log-pause")
    expect(lines.filter(has_text="anim~unseen").first).to_be_visible()
    expect(lines.filter(has_text="anim~logged")).to_have_count(0)


def test_it_comes_back_after_the_socket_drops(oven: Web, opened: Callable[..., Page]) -> None:
    sockets: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page = opened(lambda page: page.route_web_socket("**/ws/live", relay))
    link = page.locator("#link")
    sockets[0].close(code=1012)
    expect(link).to_have_attribute("data-state", "reconnecting")
    done("anim~missed")
    expect(link).to_have_attribute("data-state", "live")
    expect(card(page, "done", "anim~missed")).to_be_visible()
    assert len(sockets) == 2
    start(page, "anim~after", width=64, height=64, format="png")
    finish(waiting("anim~after"))
    expect(card(page, "done", "anim~after")).to_be_visible(timeout=SOON_MS)


def test_what_was_missed_is_there_again_within_two_seconds(oven: Web, opened: Callable[..., Page]) -> None:
    missing: list[bool] = []

    def relay(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if missing else socket.send(message))

    page = opened(lambda page: page.route_web_socket("**/ws/live", relay))
    missing.append(True)
    done("anim~unheard")
    page.wait_for_timeout(500)
    expect(card(page, "done", "anim~unheard")).to_have_count(0)
    missing.clear()  # the next message says after which number it comes
    expect(card(page, "done", "anim~unheard")).to_be_visible(timeout=2000)


def test_it_rests_while_hidden(oven: Web, page: Page) -> None:
    link = page.locator("#link")
    _look(page, "hidden")
    expect(link).to_have_attribute("data-state", "paused")
    done("anim~asleep")
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


@pytest.mark.parametrize("width", sampled([390, 768, 1440], [], "test_live_roles.py has the narrowest"))
def test_nothing_sticks_out(opened: Callable[..., Page], width: int) -> None:
    page = opened(viewport={"width": width, "height": 900})
    address = f"https://127.0.0.1/{width}" + "long" * 120
    start(page, address, width=64, height=64)
    fail(waiting(address))
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
