"""What a page did while it was captured: errors, console, network. Kept with the attempt."""

from __future__ import annotations

import time

from playwright.async_api import ConsoleMessage, Dialog, Download, Page, Request, Response

MAX_ENTRIES = 50
MAX_TEXT = 500


class Evidence:
    """Listens to one page. Bounded: a page that logs for ever keeps only its first entries and a count."""

    def __init__(self, page: Page) -> None:
        self.status: int | None = None  # of the document
        self.url = ""  # of the document, after redirects
        self.page_errors: list[str] = []
        self.console_errors: list[str] = []
        self.failed_requests: list[str] = []
        self.dialogs = self.downloads = self.requests = 0
        self._open: set[Request] = set()
        self._quiet_since = time.monotonic()
        page.on("pageerror", lambda error: _add(self.page_errors, str(error)))
        page.on("console", self._console)
        page.on("request", self._request)
        page.on("requestfinished", self._settled)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.on("download", self._download)
        page.on("dialog", self._dialog)

    @property
    def inflight(self) -> int:
        return len(self._open)

    def as_dict(self) -> dict[str, object]:
        return {
            "status": self.status,
            "url": self.url,
            "page_errors": self.page_errors,
            "console_errors": self.console_errors,
            "failed_requests": self.failed_requests,
            "requests": self.requests,
            "dialogs": self.dialogs,
            "downloads": self.downloads,
        }

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            _add(self.console_errors, message.text)

    def _request(self, request: Request) -> None:
        self.requests += 1
        self._open.add(request)

    def _settled(self, request: Request) -> None:
        self._open.discard(request)

    def _failed(self, request: Request) -> None:
        self._open.discard(request)
        _add(self.failed_requests, f"{request.failure or 'failed'} {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            _add(self.failed_requests, f"HTTP {response.status} {response.url}")

    def _download(self, download: Download) -> None:
        self.downloads += 1

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs += 1
        await dialog.dismiss()


def _add(entries: list[str], text: str) -> None:
    if len(entries) < MAX_ENTRIES:
        entries.append(text[:MAX_TEXT])
