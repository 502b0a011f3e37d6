"""OpenAPI of the bake routes, whose bodies are read leniently as the contract asks."""

from __future__ import annotations

from typing import Any

from bakes.models import URL_CHARS

_TEXT = {"type": "string"}
_CODE = {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$", "description": "The tape's code."}
_SLUG = {"type": "string", "maxLength": 200}


def _url(text: str) -> dict[str, Any]:
    return {"type": "string", "format": "uri", "maxLength": URL_CHARS, "description": text}


def _error(text: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["error"], "properties": {"error": _TEXT, "field": _TEXT}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _body(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_REPORT = "A report on a tape that waits for none, and comes without a token, is answered alike and changes nothing."

BAKE: dict[str, Any] = {
    **_body(
        ["mongoId", "slug", "code", "zipUrl", "callbackUrl", "callbackSecret"],
        mongoId={"type": "string", "maxLength": 64},
        slug=_SLUG,
        code=_CODE,
        zipUrl=_url("The tape, on a known origin (OVEN_TAPE_ORIGINS)."),
        callbackUrl=_url("Told of the end, on a known origin (OVEN_CALLBACK_ORIGINS)."),
        callbackSecret={"type": "string", "description": "The secret shared with this Oven."},
        metadata={"type": "object", "description": "Accepted, not used."},
    ),
    "responses": {
        200: {"description": "Accepted; the callback says how it ends. A bake of the same code is replaced."},
        400: _error("A field is missing or wrong: `field`, and `valid` values or bounds."),
        401: _error("The secret is wrong, or this Oven has none."),
    },
}
INCOMING: dict[str, Any] = {
    **_body(["code", "slug"], code=_CODE, slug=_SLUG, mongoId=_TEXT, details=_TEXT),
    "security": [{"bearer": []}],
    "responses": {
        200: {"description": "Shown as incoming for a minute."},
        400: _error("A field is missing or wrong."),
        401: _error("Sign in or send a bearer token with the scope `bake`."),
    },
}
STATUS: dict[str, Any] = {
    **_body(["code"], code=_CODE, status=_TEXT, details=_TEXT),
    "description": _REPORT,
    "responses": {200: {"description": "Taken note of."}, 400: _error("`code` is missing.")},
}
COMPLETE: dict[str, Any] = {
    **_body(
        ["code"], code=_CODE, success={"type": "boolean"}, error=_TEXT, slug=_TEXT, mp4Url=_TEXT, thumbnailUrl=_TEXT
    ),
    "description": f"{_REPORT} The addresses are not taken over: Oven knows its own.",
    "responses": {200: {"description": "Taken note of."}, 400: _error("`code` is missing.")},
}
