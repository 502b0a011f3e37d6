"""OpenAPI of the bundle routes, whose queries are read leniently as the contract asks."""

from __future__ import annotations

from typing import Any

from bundles.engine.spec import LONGEST_NAME, PIECE_NAME, PROGRAM_CODE
from bundles.requests import DENSITY, FORMATS

_FLAG = {"type": "string", "enum": ["1", "true"]}
_QUERY: dict[str, dict[str, Any]] = {
    "piece": {"type": "string", "maxLength": LONGEST_NAME, "pattern": f"^{PIECE_NAME.pattern}$"},
    "code": {"type": "string", "maxLength": LONGEST_NAME, "pattern": f"^[$]?{PROGRAM_CODE.pattern}$"},
    "format": {"type": "string", "enum": list(FORMATS), "default": "html"},
    "inline": {**_FLAG, "description": "To be opened, not saved."},
    "nocompress": {**_FLAG, "description": "Without packing."},
    "nominify": {**_FLAG, "description": "Modules as they were written."},
    "nocache": {**_FLAG, "description": "Made anew (scope bundle)."},
    "density": {"type": "integer", "minimum": DENSITY[0], "maximum": DENSITY[1]},
    "mode": {"type": "string", "enum": ["device"], "description": "A small page with a frame on the live piece."},
}


def _error(text: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


BUNDLE: dict[str, Any] = {
    "parameters": [{"name": name, "in": "query", "schema": schema} for name, schema in _QUERY.items()],
    "responses": {
        200: {
            "description": "The bundle; with `format=stream` its progress as events, `complete` or `error` the last.",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        },
        400: _error("Neither piece nor code is named, or a field is wrong."),
        404: _error("There is no such piece or program."),
        500: _error("It could not be bundled: `code`."),
        503: _error("The queue is full: `Retry-After`."),
        504: _error("Not ready in time: `jobId`, `statusUrl`."),
    },
}
PREWARM: dict[str, Any] = {
    "security": [{"bearer": []}],
    "responses": {
        200: {"description": "The runtime is packed: `commit`, `elapsed` (ms), `fileCount`."},
        401: _error("Sign in or send a bearer token with the scope `bundle`."),
        500: _error("It could not be packed, or does not run offline: the last good one stays in service."),
    },
}
STATUS: dict[str, Any] = {"responses": {200: {"description": "The runtime in service, its sizes and warnings."}}}
