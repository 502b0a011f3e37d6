"""The OpenAPI file: what ninja does not read from views and Schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from oven.http.fields import Schema


class Failure(Schema):
    error: Annotated[str, Field(description="What went wrong, in a sentence.")]


class FieldFailure(Failure):
    field: Annotated[str, Field(description="The parameter or key that is wrong.")]
    valid: Annotated[Any, Field(description="The values or bounds that are valid, where there are few.")] = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route may answer: in words, the Schema of its JSON, and its other types of content."""

    text: str
    schema: type[Schema] | None = None
    media: tuple[str, ...] = ()


def answers(found: Mapping[int, Answer], token: bool = False) -> dict[str, Any]:
    """Return the arguments of a route that describe its answers by status. `token`: it needs one, or a session."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    responses = {
        status: {
            "description": answer.text,
            **({"content": dict.fromkeys(answer.media, binary)} if answer.media else {}),
        }
        for status, answer in found.items()
    }
    return {
        "response": {status: answer.schema for status, answer in found.items()},
        "by_alias": True,
        "openapi_extra": {"responses": responses, **({"security": [{"bearer": []}]} if token else {})},
    }


# --- what middleware does for every route ---------------------------------------------------------------------------


class Headers(Schema):
    """Headers of every POST."""

    key: Annotated[
        str,
        Field(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[\\x21-\\x7e]+$",
            description="Sent again with the same body within 24 hours, the request is answered again and not done "
            "again; such an answer says `Idempotent-Replayed: true`. What has failed may be tried again with the "
            "same key.",
            examples=["4f9c1a52-0d7e-4c55-9a0f-6a1f0a0c9f11"],
        ),
    ]


def _again_later(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}},
        "content": {"application/json": {"schema": Failure.model_json_schema()}},
    }


TOO_MANY = _again_later("Too many requests. Cached results are not limited.")
CONFLICT = _again_later(
    "The Idempotency-Key was used for another body, or (with Retry-After) the same is being answered."
)


def describe(method: str, operation: dict[str, Any]) -> None:
    """Add to an operation what middleware does for it, and correct its parameters."""
    responses = operation["responses"] = {str(code): found for code, found in sorted(operation["responses"].items())}
    responses.setdefault("429", TOO_MANY)
    parameters = operation["parameters"] = list(operation.get("parameters", ()))
    if method.lower() == "post":
        responses.setdefault("409", CONFLICT)
        for name, schema in Headers.model_json_schema()["properties"].items():
            found = {"description": schema["description"], "examples": schema["examples"]}
            parameters.append({"in": "header", "name": name, "required": False, "schema": schema, **found})
    for parameter in parameters:
        if parameter["in"] == "path":  # where nothing can be left out
            parameter["required"] = True
            parameter["schema"].pop("default", None)
        example = parameter.pop("examples")[0]  # ninja has a list here, OpenAPI a map
        if parameter["required"]:
            parameter["example"] = example
        else:  # as `example` the page would send it with every request
            parameter["description"] += f" Example: `{json.dumps(example)}`."
