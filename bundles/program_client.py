"""Programs, authors and paintings from the site, through the egress gate."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from urllib.parse import quote

from django.conf import settings

from bundles.engine.spec import Picture, Program
from oven.egress.client import Door, FetchError, background, fetch

PART = re.compile(r"[A-Za-z0-9@._~-]{1,120}")


class Site:
    """What the engine asks the site for; see `bundles.engine.spec.ProgramSite`."""

    def __init__(self, wait: Callable[[Future[bytes]], bytes] = lambda future: future.result()) -> None:
        self._wait = wait  # it may raise, to end the work
        self.origin = str(settings.OVEN_PIECE_ORIGIN)
        self._door = Door(origins=(self.origin,), max_bytes=8 << 20, connect_s=5, idle_s=10, total_s=15)

    def fetch_source(self, code: str) -> Program | None:
        data = self._json(f"/api/store-kidlisp?code={quote(code)}")
        if data is None or not isinstance(data.get("source"), str):
            return None
        author = data.get("handle") or (data.get("owner") or {}).get("handle") or self._handle(data.get("user"))
        return Program(source=data["source"], author=str(author or ""), user_code=data.get("userCode"))

    def fetch_image(self, code: str) -> Picture | None:
        data = self._json(f"/api/painting-code?code={quote(code)}")
        if data is None:
            return None
        slug, handle = str(data.get("slug") or ""), str(data.get("handle") or "anon")
        if not (PART.fullmatch(slug) and PART.fullmatch(handle)):
            return None
        folder = "" if handle == "anon" else f"@{handle.removeprefix('@')}/"
        png = self._get(f"/media/{folder}painting/{slug}.png")
        return Picture(png=png, handle=handle, slug=slug) if png else None

    def _handle(self, user: object) -> str:
        """The author's handle; a look-up that fails leaves the author unnamed."""
        if not isinstance(user, str) or not user:
            return ""
        try:
            data = self._json(f"/handle?for={quote(user)}")
        except FetchError:
            return ""
        return str((data or {}).get("handle") or "")

    def _json(self, path: str) -> dict[str, Any] | None:
        body = self._get(path)
        if body is None:
            return None
        try:
            data = json.loads(body)
        except ValueError:
            raise FetchError("not_json", f"The site's answer to {path} is not JSON.") from None
        return data if isinstance(data, dict) else None

    def _get(self, path: str) -> bytes | None:
        """None: the site says that there is no such thing. Raises FetchError."""
        try:
            return self._wait(background(fetch(self.origin + path, self._door)))
        except FetchError as error:
            if error.status == 404:
                return None
            raise
