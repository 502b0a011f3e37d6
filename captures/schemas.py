"""OpenAPI of the grab routes, whose bodies and queries are read leniently as the contract asks."""

from __future__ import annotations

from typing import Any

from captures import page_options
from captures import requests as bounds
from captures.engine.options import KEYS, MAX_HEIGHT
from captures.engine.spec import Format, Start

_FORMAT = {"type": "string", "enum": [f.value for f in Format], "default": "webp"}


def _range(kind: str, limits: tuple[float, float], default: object, text: str) -> dict[str, Any]:
    return {"type": kind, "minimum": limits[0], "maximum": limits[1], "default": default, "description": text}


_OPTIONS: dict[str, dict[str, Any]] = {
    "duration": _range("integer", bounds.DURATION_MS, 12000, "Captured span in milliseconds."),
    "fps": _range("number", bounds.FPS, 7.5, "Capture rate, frames a second."),
    "playbackFps": _range("number", bounds.FPS, 15, "Rate written into the file."),
    "density": _range(
        "number",
        bounds.DENSITY,
        1,
        "File pixels for each CSS pixel. Pieces also get it as the size of their art pixels.",
    ),
    "viewportScale": _range("number", bounds.DENSITY, None, "File pixels for each CSS pixel, instead of density."),
    "quality": _range("integer", bounds.QUALITY, 80, "Of WebP and MP4."),
    "transparent": {"type": "boolean", "default": False, "description": "Keep transparency (png, webp)."},
    "start": {
        "type": "string",
        "enum": [start.value for start in Start],
        "default": Start.AUTO.value,
        "description": "When the capture starts: `load` (the page's first picture), `ready` (its signal), `idle` "
        "(nothing of its first picture is on its way), or `auto` (ready, else idle for pages that send no signal).",
    },
    "at": _range("integer", bounds.AT_MS, None, "Milliseconds of the page's time from the start to the first frame."),
    "seed": _range("integer", bounds.SEED, None, "Math.random and crypto give the same numbers in every run."),
    "date": {
        "type": "string",
        "format": "date-time",
        "description": "Where the page's Date starts; now, if left out.",
    },
    "still": {
        "type": "string",
        "enum": [still.value for still in bounds.Stills],
        "default": bounds.Stills.AUTO.value,
        "description": "`never`: an animation even if every frame is the same.",
    },
    "cacheKey": {"type": "string", "maxLength": bounds.CACHE_KEY_CHARS, "description": "Told apart from others."},
    "source": {"type": "string", "default": "manual", "description": "Recorded; `keep` overtakes (scope grab)."},
    "keepId": {"type": "string", "description": "Recorded."},
    "skipCache": {"type": "boolean", "default": False, "description": "Capture anew (scope grab)."},
}
_FORMATS = {
    "type": "array",
    "items": {"type": "string", "enum": [f.value for f in Format]},
    "description": "Several files of one load of the page, instead of `format`; the answer says where they lie.",
}
_SIZES = {
    "type": "array",
    "items": {"type": "integer", "minimum": bounds.SIDE[0]},
    "maxItems": bounds.MAX_SIZES,
    "description": "Each of the formats in these widths (pixels, at most that of the capture; same aspect).",
}
_PAIRS = {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": page_options.MAX_PAIRS}
_ACTIONS = {
    "type": "array",
    "items": {"type": "string", "maxLength": page_options.MAX_TEXT},
    "maxItems": page_options.MAX_ACTIONS,
}
_TEXT = {"type": "string", "maxLength": page_options.MAX_TEXT}
_PAGE: dict[str, dict[str, Any]] = {
    "selector": {**_TEXT, "description": "Capture only the first element that matches this CSS selector."},
    "padding": _range("integer", page_options.PADDING, 0, "CSS pixels around that element."),
    "fullPage": {
        "type": "boolean",
        "default": False,
        "description": f"Capture the page's whole height, at most {MAX_HEIGHT} CSS pixels (warning `cut`). An "
        "animation is captured in a viewport of that height.",
    },
    "click": {**_ACTIONS, "description": "Selectors of elements to click, once the page is ready."},
    "press": {**_ACTIONS, "description": f"Keys to press after the clicks: one character, or {', '.join(KEYS)}."},
    "waitFor": {**_TEXT, "description": "Wait until this selector matches, or this expression is true."},
    "userAgent": {**_TEXT, "description": "What the browser calls itself."},
    "colorScheme": {"type": "string", "enum": list(page_options.COLOR_SCHEMES)},
    "timezone": {**_TEXT, "description": "As Europe/Berlin."},
    "locale": {**_TEXT, "description": "As de-DE."},
    "headers": {**_PAIRS, "description": "Sent with every request of the page, to whatever host."},
    "cookies": {**_PAIRS, "description": "Sent to the page's own host."},
}
_SIDE = _range("integer", bounds.SIDE, 512, "CSS pixels.")
_NOWAIT = {"type": "boolean", "default": False, "description": "A stand-in picture while the same capture is baking."}

POST_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["piece"],
                    "properties": {
                        "piece": {"type": "string", "maxLength": bounds.MAX_PIECE},
                        "format": _FORMAT,
                        "formats": _FORMATS,
                        "sizes": _SIZES,
                        "width": _SIDE,
                        "height": _SIDE,
                        **_OPTIONS,
                        **_PAGE,
                    },
                }
            }
        },
    },
    "security": [{"bearer": []}],
}
_SIGNATURE = {
    "exp": {"type": "integer", "description": "Of a signed address: when it ends, in seconds since the epoch."},
    "sig": {"type": "string", "description": "Of a signed address (`manage.py sign_url`): its HMAC-SHA256."},
}
GET_PARAMETERS = {
    "parameters": [
        *(
            {"name": name, "in": "query", "schema": schema}
            for name, schema in {**_OPTIONS, "nowait": _NOWAIT, **_SIGNATURE}.items()
        ),
    ]
}


def _error(text: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


_IMAGE = {f.mime: {"schema": {"type": "string", "format": "binary"}} for f in Format}
_OUTPUT = {
    **{name: {"type": "string"} for name in ("format", "url", "sha256")},
    **{name: {"type": "integer"} for name in ("width", "height", "bytes")},
}
_SEVERAL = {
    "type": "object",
    "description": "With `formats` or `sizes`.",
    "properties": {
        "grabId": {"type": "string"},
        "outputs": {"type": "array", "items": {"type": "object", "properties": _OUTPUT}},
        "warnings": {
            "type": "array",
            "items": {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}},
        },
    },
}
GRAB_RESPONSES = {
    "responses": {
        200: {
            "description": "The media. `X-Cache`, `X-Grab-Id`, and `X-Grab-Warnings` (codes of what may be "
            "missing or wrong); a stand-in has `X-Oven-Status`.",
            "content": {**_IMAGE, "application/json": {"schema": _SEVERAL}},
        },
        302: {"description": "Captured before: where it lies. `X-Cache: HIT`."},
        400: _error("A field is wrong: `field`, and `valid` values or bounds."),
        401: _error("Sign in or send a bearer token."),
        403: _error("The token lacks the scope; or the address would have to be signed for this `field`."),
        500: _error("The capture failed: `code`, `grabId`."),
        503: _error("The queue is full: `Retry-After`."),
        504: _error("Not ready in time: `grabId`, `statusUrl`."),
    }
}


def _query(name: str, kind: str, most: float, default: float, text: str) -> dict[str, Any]:
    schema = {"type": kind, "maximum": most, "default": default}
    return {"name": name, "in": "query", "schema": schema, "description": text}


ICON_PARAMETERS = {
    "parameters": [
        _query("frames", "integer", 60, 30, "Of .webp: how many there are; more are as many as the maximum."),
        _query("fps", "number", 30, 15, "Of .webp: how many a second are captured, and played."),
    ]
}
_FLAG = {"type": "boolean", "default": False}
SHOT_PARAMETERS = {
    "parameters": [
        {"name": "force", "in": "query", "schema": _FLAG, "description": "Capture anew (scope grab)."},
        {"name": "nowait", "in": "query", "schema": _FLAG, "description": "202 with the job, instead of waiting."},
        {"name": "download", "in": "query", "schema": _FLAG, "description": "As a file to be saved."},
    ]
}
PICTURE_RESPONSES = {
    "responses": {
        200: {"description": "The picture. `X-Cache: MISS`.", "content": _IMAGE},
        302: {"description": "Captured before: where it lies. `X-Cache: HIT`."},
        304: {"description": "The same as `If-None-Match` names."},
        **{status: GRAB_RESPONSES["responses"][status] for status in (400, 500, 503, 504)},
    }
}
