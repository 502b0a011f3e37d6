"""A node of one's own with kubo's HTTP API: `add` with the profile spelled out, look-up by `pin/ls`."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings

from oven.egress.client import Form, Reply, post
from pins.ipfs.backends import Content, Credentials, PinError, as_object, ask, door, profile, refused


class Kubo:
    def __init__(self, credentials: Credentials | None = None) -> None:
        self._credentials = credentials or Credentials(token=settings.OVEN_KUBO_TOKEN)
        self._base = settings.OVEN_KUBO_URL.rstrip("/")
        if not self._base:
            raise PinError("no_credentials", "OVEN_KUBO_URL is not set.")

    async def find(self, content: Content) -> str:
        query = urlencode({"arg": content.wanted, "type": "recursive"})
        reply = await ask(self._listed(f"{self._base}/api/v0/pin/ls?{query}"), self._credentials)
        keys = as_object(reply.text).get("Keys") if reply.status == 200 else None
        return content.wanted if keys else ""

    async def _listed(self, url: str) -> Reply:
        """It says with a 500 that something is not pinned, which is no failure."""
        reply = await post(url, b"", self._headers(), door(self._base))
        missing = reply.status == 500 and "not pinned" in reply.text
        return Reply(404, reply.text, None) if missing else reply

    async def add(self, content: Content) -> str:
        wanted = profile()
        options = {
            "cid-version": wanted.version,
            "raw-leaves": str(wanted.raw_leaves).lower(),
            "chunker": f"size-{wanted.chunk}",
            "pin": "true",
            "quieter": "true",
        }
        url = f"{self._base}/api/v0/add?{urlencode(options)}"
        form = Form(content.path, content.filename)
        reply = await ask(post(url, form, self._headers(), door(self._base)), self._credentials)
        refused(reply)
        lines = [line for line in reply.text.splitlines() if line.strip()]
        return str(as_object(lines[-1] if lines else "").get("Hash", ""))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._credentials.token}"} if self._credentials.token else {}
