"""Oven's door out in the shape that the library's requests have: every one of them is decided, and pinned.

No redirects, no proxies of the environment, JSON objects only, https only but for this machine.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Self
from urllib.parse import quote, urlencode

from allauth.socialaccount.providers.oauth2.client import OAuth2Error

from oven.accounts.login import config
from oven.egress.client import Door, FetchError, Reply, background, get, post

DOOR = Door(max_bytes=1 << 20, connect_s=5.0, idle_s=10.0, total_s=15.0, redirects=0)
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Unreachable(OAuth2Error):
    """There was no usable answer: the message is a sentence for the page. `refused`: the door did not let us out."""

    def __init__(self, message: str, refused: bool = False) -> None:
        super().__init__(message)
        self.message, self.refused = message, refused


class Response:
    """As much of a response as the library looks at."""

    headers = {"content-type": "application/json"}  # of token answers: whatever is no JSON is refused by `json`

    def __init__(self, reply: Reply) -> None:
        self.status_code, self.text = reply.status, reply.text
        self.content = f"HTTP {reply.status}"  # the library puts it into errors; the real one may hold a secret

    def raise_for_status(self) -> None:
        if self.status_code != 200:
            raise Unreachable(f"It answered HTTP {self.status_code}.")

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unreachable("What it answered is no JSON object.")
        return found


class Session:
    """`with Session() as session: session.get(url)`. Raises Unreachable."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Each request has had a connection of its own."""

    def get(self, url: str, headers: dict[str, str] | None = None, **_: Any) -> Response:
        return self.request("GET", url, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        data: Any = None,
        headers: dict[str, str] | None = None,
        auth: Any = None,
        **_: Any,
    ) -> Response:
        if not config.is_private_enough(url):
            raise Unreachable("It names an address that is not https.")
        sent = {**FORM, **(headers or {}), **_authorization(auth)}
        body = urlencode(data or {}).encode()
        try:
            asked = background(get(url, sent, DOOR) if method == "GET" else post(url, body, sent, DOOR))
            return Response(asked.result(DOOR.total_s + DOOR.connect_s))
        except FetchError as error:
            raise Unreachable(error.message, refused=error.code == "refused") from error


def _authorization(auth: Any) -> dict[str, str]:
    if auth is None:
        return {}
    pair = f"{quote(auth.username, safe='')}:{quote(auth.password, safe='')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
