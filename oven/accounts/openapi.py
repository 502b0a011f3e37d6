"""What every route's description says of throttles and of `Idempotency-Key`."""

from __future__ import annotations

from typing import Any

ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "field": {"type": "string"}},
    "required": ["error"],
}
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
TOO_MANY = {
    "description": "Asked too often; what is in the cache is answered at any time.",
    "headers": {"Retry-After": RETRY_AFTER},
    "content": {"application/json": {"schema": ERROR}},
}
CONFLICT = {
    "description": (
        "The Idempotency-Key was used for another body, or (with Retry-After) the same is being answered."
    ),
    "headers": {"Retry-After": RETRY_AFTER},
    "content": {"application/json": {"schema": ERROR}},
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Sent again with the same body within 24 hours, the request is answered again and not done again; "
        "such an answer says `Idempotent-Replayed: true`. What has failed may be tried again with the same key."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}


def describe(method: str, operation: dict[str, Any]) -> None:
    """Adds to an operation of the OpenAPI document what the middleware does for it."""
    responses = operation["responses"] = {str(code): found for code, found in operation["responses"].items()}
    responses.setdefault("429", TOO_MANY)
    if method.lower() == "post":
        operation["parameters"] = [*operation.get("parameters", []), KEY]
        responses.setdefault("409", CONFLICT)
