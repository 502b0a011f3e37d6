"""Pinata, and services that speak its API: multipart to `pinFileToIPFS`, look-up by `pinList`."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.conf import settings

from oven.egress.client import Form, get, post
from pins.ipfs.backends import Content, Credentials, PinError, as_object, ask, door, profile, refused
from pins.ipfs.cid import BadCid, parse


class Pinata:
    def __init__(self, credentials: Credentials | None = None) -> None:
        own = Credentials(settings.OVEN_PINATA_JWT, settings.OVEN_PINATA_KEY, settings.OVEN_PINATA_SECRET)
        self._credentials = credentials or own
        self._base = settings.OVEN_PINATA_URL.rstrip("/")
        if not self._credentials:
            raise PinError(
                "no_credentials", "Neither OVEN_PINATA_JWT nor OVEN_PINATA_KEY and OVEN_PINATA_SECRET are set."
            )

    async def find(self, content: Content) -> str:
        """By the CID that we ask for, then by our name for it: the service may have made another CID of it."""
        for query in ({"hashContains": content.wanted}, {"metadata[name]": content.label}):
            url = f"{self._base}/data/pinList?{urlencode({'status': 'pinned', **query})}"
            reply = await ask(get(url, self._headers(), door(self._base)), self._credentials)
            if reply.status != 200:
                return ""
            rows = as_object(reply.text).get("rows")
            hashes = [str(row.get("ipfs_pin_hash")) for row in rows or [] if isinstance(row, dict)]
            if known := next((text for text in hashes if _is_one_of(text, content)), ""):
                return known
        return ""

    async def add(self, content: Content) -> str:
        fields = {
            "pinataMetadata": json.dumps({"name": content.label}),
            "pinataOptions": json.dumps({"cidVersion": profile().version}),
        }
        form = Form(content.path, content.filename, fields)
        url = f"{self._base}/pinning/pinFileToIPFS"
        reply = await ask(post(url, form, self._headers(), door(self._base)), self._credentials)
        refused(reply)
        return str(as_object(reply.text).get("IpfsHash", ""))

    def _headers(self) -> dict[str, str]:
        if self._credentials.token:
            return {"Authorization": f"Bearer {self._credentials.token}"}
        return {"pinata_api_key": self._credentials.key, "pinata_secret_api_key": self._credentials.secret}


def _is_one_of(text: str, content: Content) -> bool:
    try:
        return parse(text) in content.cids.values()
    except BadCid:
        return False
