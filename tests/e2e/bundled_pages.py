"""Bundles in a real browser with the network off: where they run, and what they are not allowed to do there."""

from __future__ import annotations

import functools
import html
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Frame, Page

ONLY_SCRIPTS = "script-src 'unsafe-inline' blob:"
NOTHING_ELSE = f"default-src 'none'; {ONLY_SCRIPTS}"
PLACES = ("file", "policy", "strict policy", "sandbox", "sandbox with policy", "data")
FRAME = "<!doctype html><style>body {{ margin: 0 }} iframe {{ border: 0 }}</style><iframe width=256 height=256 {0}></iframe>"
LIMIT_MS = 20_000


@dataclass
class Opened:
    """An open bundle, with what it complained of and asked the network for."""

    page: Page
    frame: Page | Frame
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def wait(self, expression: str = "window.acPieceReady === true", limit_ms: int = LIMIT_MS) -> None:
        """Asks again and again: what Playwright itself waits with is refused by policies."""
        for _ in range(limit_ms // 25):
            if self.frame.evaluate(expression):
                return
            self.page.wait_for_timeout(25)
        text = self.frame.evaluate("document.body.innerText.slice(0, 500)")
        raise AssertionError(f"{expression} is not so: {self.errors} {text!r}")

    def evaluate(self, expression: str) -> Any:
        return self.frame.evaluate(expression)


def with_policy(page: str, policy: str) -> str:
    tag = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'
    return page.replace("<head>", f"<head>{tag}", 1)


def document_in(place: str, page: str) -> str:
    """The file that shows a bundle in a place."""
    match place:
        case "file":
            return page
        case "policy":
            return with_policy(page, ONLY_SCRIPTS)
        case "strict policy":
            return with_policy(page, NOTHING_ELSE)
        case "sandbox":
            return FRAME.format(f'sandbox="allow-scripts" srcdoc="{html.escape(page)}"')
        case "sandbox with policy":
            return FRAME.format(f'sandbox="allow-scripts" srcdoc="{html.escape(with_policy(page, NOTHING_ELSE))}"')
        case _:
            import base64

            data = base64.b64encode(page.encode()).decode()
            return FRAME.format(f'sandbox="allow-scripts" src="data:text/html;base64,{data}"')


@contextmanager
def opened(browser: Browser, page: bytes | str, folder: Path, place: str = "file") -> Iterator[Opened]:
    """Opens a bundle from a file, offline. Afterwards it must not have complained, nor asked for anything."""
    text = page.decode() if isinstance(page, bytes) else page
    file = folder / "bundle.html"
    file.write_text(document_in(place, text))
    context = browser.new_context(viewport={"width": 256, "height": 256}, offline=True)
    tab = context.new_page()
    found = Opened(tab, tab)
    tab.on("pageerror", lambda error: found.errors.append(str(error)))
    tab.on("console", lambda line: found.errors.append(line.text) if line.type == "error" else None)
    context.on("request", lambda request: found.requests.append(request.url))
    tab.goto(file.as_uri())
    found.frame = tab.frames[-1] if len(tab.frames) > 1 else tab
    try:
        yield found
    finally:
        context.close()
    own = ("blob:", "data:", "about:")
    asked = [url for url in found.requests if not url.startswith(own) and url != file.as_uri()]
    complaints = [error for error in found.errors if not _of_the_policy(error, place)]
    assert not asked, asked
    assert not complaints, complaints


def _of_the_policy(error: str, place: str) -> bool:
    """A piece may bring styles that a policy turns away, and the page then puts them up by script; a library may look
    whether there is an accelerometer, which a sandbox does not like."""
    if "policy" in place and "Applying inline style violates" in error:
        return True
    return "sandbox" in place and "Permissions policy violation: accelerometer" in error


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The origin of a server of a folder's files."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *_: object) -> None:
        pass
