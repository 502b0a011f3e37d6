"""What a page did while it was captured: errors, console, network. Kept with the attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from captures.engine.cdp import Session
from captures.engine.gate import Passage

MAX_ENTRIES = 50
MAX_TEXT = 500
MAX_URL = 2000


class Evidence:
    """Listens to one page. Bounded: a page that logs for ever keeps only its first entries and a count."""

    def __init__(
        self,
        session: Session,
        passage: Passage | None = None,
        max_requests: int = 0,
        too_many: Callable[[], None] = lambda: None,
    ) -> None:
        self.status: int | None = None  # of the document
        self.url = ""  # of the document, after redirects
        self.mime_type = ""  # of the document
        self.page_errors: list[str] = []
        self.console_errors: list[str] = []
        self.failed_requests: list[str] = []
        self.dialogs = self.downloads = self.requests = 0
        self.remote: list[str] = []  # addresses that were asked for over the network
        self.document: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session, self._passage = session, passage
        self._max_requests, self._too_many = max_requests, too_many  # 0: any number
        self._sent = 0  # over the network
        self._urls: dict[str, str] = {}  # of requests under way, for the sentence about one that fails
        session.on("Runtime.exceptionThrown", self._exception)
        session.on("Runtime.consoleAPICalled", self._console)
        session.on("Log.entryAdded", self._log)
        session.on("Network.requestWillBeSent", self._request)
        session.on("Network.webSocketCreated", lambda event: _add(self.remote, event["url"]))
        session.on("Network.responseReceived", self._response)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.loadingFailed", self._failed)
        session.on("Page.javascriptDialogOpening", self._dialog)
        session.on("Page.downloadWillBegin", self._download)

    @property
    def errors(self) -> list[str]:
        """Return what went wrong in the page and on the network."""
        return [*self.page_errors, *self.console_errors, *self.failed_requests]

    def as_dict(self) -> dict[str, object]:
        return {
            "status": self.status,
            "url": self.url,
            "page_errors": self.page_errors,
            "console_errors": self.console_errors,
            "failed_requests": self.failed_requests,
            "requests": self.requests,
            "remote": self.remote,
            "dialogs": self.dialogs,
            "downloads": self.downloads,
            **({"gate": self._passage.notes()} if self._passage is not None else {}),
        }

    def _exception(self, event: dict[str, Any]) -> None:
        details = event["exceptionDetails"]
        _add(self.page_errors, details.get("exception", {}).get("description") or details.get("text", ""))

    def _console(self, event: dict[str, Any]) -> None:
        if event["type"] == "error":
            values = [str(arg.get("value", arg.get("description", ""))) for arg in event["args"]]
            _add(self.console_errors, " ".join(values))

    def _log(self, event: dict[str, Any]) -> None:
        if event["entry"]["level"] == "error":
            _add(self.console_errors, event["entry"]["text"])

    def _request(self, event: dict[str, Any]) -> None:
        self.requests += 1
        url = event["request"]["url"]
        if url.startswith(("http:", "https:", "ws:", "wss:")):
            _add(self.remote, url)
            self._sent += 1
            if self._sent == self._max_requests + 1 > 1:
                self._stop_all()
        if not url.startswith("data:"):
            self._urls[event["requestId"]] = url[:MAX_TEXT]

    def _stop_all(self) -> None:
        """A proxy does not see how many requests go through one encrypted connection; Chromium does."""
        self._too_many()
        answer = self._session.send("Network.setBlockedURLs", {"urls": ["*"]})
        answer.add_done_callback(lambda found: found.cancelled() or found.exception())

    def _response(self, event: dict[str, Any]) -> None:
        response = event["response"]
        if event["type"] == "Document" and self.status is None:
            self.status, self.url = response["status"], response["url"][:MAX_URL]
            self.mime_type = response.get("mimeType", "")[:MAX_TEXT]
            if not self.document.done():
                self.document.set_result(None)
        if response["status"] >= 400:
            _add(self.failed_requests, f"HTTP {response['status']} {response['url']}")

    def _finished(self, event: dict[str, Any]) -> None:
        self._urls.pop(event["requestId"], None)

    def _failed(self, event: dict[str, Any]) -> None:
        url = self._urls.pop(event["requestId"], "")
        _add(self.failed_requests, f"{event.get('errorText') or 'failed'} {url}")

    def _download(self, event: dict[str, Any]) -> None:
        self.downloads += 1

    def _dialog(self, event: dict[str, Any]) -> None:
        self.dialogs += 1
        answer = self._session.send("Page.handleJavaScriptDialog", {"accept": event["type"] == "beforeunload"})
        answer.add_done_callback(lambda found: found.cancelled() or found.exception())


def _add(entries: list[str], text: str) -> None:
    if len(entries) < MAX_ENTRIES:
        entries.append(text[:MAX_TEXT])
