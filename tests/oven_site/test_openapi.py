"""The OpenAPI file: every parameter is described, and all of them come from Schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from ninja.operation import Operation

from oven.errors import BadRequest
from oven.http.fields import Choice, Flag, Note, Number, Schema
from oven_site.api import api

FILE: dict[str, Any] = dict(api.get_openapi_schema())
BY_HAND = {"parameters", "requestBody"}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in FILE["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def inputs(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield name, JSON Schema and example of every parameter and of every key of the body."""
    for parameter in operation["parameters"]:
        schema, (example,) = parameter["schema"], parameter["schema"].get("examples", [None])
        assert str(example).lower() in str(parameter.get("example", parameter["description"])).lower()
        yield f"{parameter['in']} {parameter['name']}", schema, example
    if body := operation.get("requestBody"):
        name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for key, schema in FILE["components"]["schemas"][name]["properties"].items():
            yield f"body {key}", schema, schema.get("examples", [None])[0]


INPUTS = [
    pytest.param(schema, example, id=f"{route} {name}")
    for route, operation in operations()
    for name, schema, example in inputs(operation)
]


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether an example keeps to its own type, range and values."""
    kinds = {"string": str, "integer": int, "number": int | float, "boolean": bool, "array": list, "object": dict}
    within = not isinstance(value, int | float) or (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    )
    short = not isinstance(value, str) or len(value) <= schema.get("maxLength", 10_000)
    return isinstance(value, kinds[schema["type"]]) and within and short and value in schema.get("enum", [value])


@pytest.mark.parametrize(("schema", "example"), INPUTS)
def test_every_parameter_has_a_description_a_type_and_an_example(schema: dict[str, Any], example: Any) -> None:
    assert schema["description"].endswith(".")
    assert fits(example, schema)
    if "default" in schema:
        assert fits(schema["default"], schema)


def test_every_number_has_bounds() -> None:
    numbers = [(name, schema) for _, operation in operations() for name, schema, _ in inputs(operation)]
    found = {name for name, schema in numbers if schema["type"] in ("integer", "number") and "minimum" not in schema}
    assert found == set()


def test_no_route_describes_its_parameters_or_its_body_by_hand() -> None:
    found: list[Operation] = [
        operation
        for bound in api._get_bound_routers()
        for view in bound.path_operations.values()
        for operation in view.operations
    ]
    assert len(found) == len(list(operations()))
    assert [o.path for o in found if BY_HAND & set(o.openapi_extra or {})] == []


def test_names_are_shown_as_they_are_sent() -> None:
    """The page shows the title of a key, where there is one."""
    found = {
        (name, schema["title"])
        for _, operation in operations()
        for kind, name, schema in [(*full.split(), schema) for full, schema, _ in inputs(operation)]
        if kind == "body" and schema.get("title", name) != name
    }
    assert found == set()


# --- reading --------------------------------------------------------------------------------------------------------


class Sample(Schema):
    size: Annotated[int, Number(1, 10, "pixels")] = 5
    play_rate: Annotated[float, Number(0.5, 2, whole=False)] = 1.0
    kind: Annotated[str, Choice(("a", "b"))] = "a"
    loud: Annotated[bool, Flag()] = False
    note: Annotated[str, Note(3)] = ""


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, Sample()),
        ({"size": None, "playRate": "", "kind": "", "note": None}, Sample()),
        ({"size": "7.6", "playRate": "0.5"}, Sample(size=8, play_rate=0.5)),
        ({"kind": "B", "loud": "TRUE", "note": 12345}, Sample(kind="b", loud=True, note="123")),
        ({"loud": "yes", "other": []}, Sample()),
    ],
)
def test_fields_are_read_leniently(raw: dict[str, Any], expected: Sample) -> None:
    assert Sample.read(raw) == expected


@pytest.mark.parametrize(
    ("raw", "field", "message", "valid"),
    [
        ({"size": 11, "kind": "c"}, "size", "size: 11 is not within 1 to 10 pixels.", [1, 10]),
        ({"size": True}, "size", "size: True is not within 1 to 10 pixels.", [1, 10]),
        ({"playRate": "nan"}, "playRate", "playRate: nan is not within 0.5 to 2.", [0.5, 2]),
        ({"kind": ["a"]}, "kind", "kind: \"['a']\" is not one of a, b.", ["a", "b"]),
    ],
)
def test_the_first_wrong_field_is_named_as_callers_name_it(
    raw: dict[str, Any], field: str, message: str, valid: object
) -> None:
    with pytest.raises(BadRequest) as bad:
        Sample.read(raw)
    assert (bad.value.field, bad.value.message, bad.value.valid) == (field, message, valid)


def test_a_missing_field_without_a_default_is_named() -> None:
    class Needed(Schema):
        piece_name: str

    with pytest.raises(BadRequest, match=r"^pieceName: Field required"):
        Needed.read({})
