"""OpenAPI of the routes of keeps."""

from __future__ import annotations

from typing import Any

from captures.schemas import POST_BODY
from pins.services import DEFAULTS, SIDES

_BODY = POST_BODY["requestBody"]["content"]["application/json"]["schema"]  # type: ignore[index]
_CHANGED: dict[str, Any] = {
    name: {**_BODY["properties"][name], "default": default} for name, default in DEFAULTS.items()
}
for _side in ("width", "height"):
    _CHANGED[_side] |= {"minimum": SIDES[0], "maximum": SIDES[1]}
_KEYS = {
    name: {"type": "string", "writeOnly": True, "description": "The caller's own at Pinata: used once, kept nowhere."}
    for name in ("pinataKey", "pinataSecret")
}


def _json(text: str, *keys: str) -> dict[str, Any]:
    schema = {"type": "object", "required": list(keys), "properties": {key: {} for key in keys}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


PIN = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {**_BODY, "properties": {**_BODY["properties"], **_CHANGED, **_KEYS}}}
        },
    },
    "security": [{"bearer": []}],
    "responses": {
        200: _json("Pinned.", "success", "ipfsUri", "ipfsCid", "piece", "format", "mimeType", "size"),
        400: _json("A field is wrong, or keys are missing.", "error", "field"),
        401: _json("Sign in or send a bearer token.", "error"),
        500: _json("The capture or the pin failed.", "success", "error", "code"),
        503: _json("The queue is full: `Retry-After`.", "success", "error"),
        504: _json("Not pinned in time; it goes on.", "success", "error", "code", "statusUrl"),
    },
}
REDIRECT = {
    "responses": {302: {"description": "Where the picture is."}, 404: _json("Nothing is kept.", "error", "hint")}
}
FILE = {
    "responses": {
        200: {"description": "The file. Its CID never names another one."},
        206: {"description": "A part of it."},
        304: {"description": "Nothing else can be there."},
        400: _json("This is no CID.", "error", "field"),
        404: _json("It is not kept here.", "error"),
    }
}
