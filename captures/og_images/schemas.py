"""OpenAPI of the card routes, whose queries are read leniently as the contract asks."""

from __future__ import annotations

from typing import Any

from captures.og_images.serializers import VALID


def _query(name: str, text: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}


_FORCE = _query("force", "Make it again, from new captures (scope grab).", type="boolean", default=False)
LAYOUT = {"parameters": [_query("layout", "Unknown ones are read as mosaic.", type="string", default="mosaic")]}
FORCE = {"parameters": [_FORCE]}
CARD = {"parameters": [_query("layout", "Which card.", type="string", enum=VALID, default="featured"), _FORCE]}


def _error(text: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


PICTURE = {
    "responses": {
        200: {
            "description": "A picture that was just made. `X-Cache`, `ETag`.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        },
        302: {"description": "Where the picture lies. `X-Cache: STALE` when it is not of today."},
        304: {"description": "The caller has it already (`If-None-Match`)."},
        400: _error("The layout is unknown: `field`, `valid`."),
        401: _error("`force` needs a session or a bearer token."),
        500: _error("It could not be made, and there is none from before: `code`, `message`."),
        503: _error("The same of /kidlisp-backdrop.webp."),
        504: _error("Not ready in time: `statusUrl`."),
    }
}
