"""Fields of requests: read as leniently as the contract says, and described in the OpenAPI file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticUseDefault, core_schema

from oven.errors import BadRequest

MAX_LIST = 20


class Invalid(ValueError):
    """A field's value is wrong: the sentence that follows the field's name, and what would be right."""

    def __init__(self, message: str, valid: object = None) -> None:
        super().__init__(message)
        self.message, self.valid = message, valid


class Schema(BaseModel):
    """Named in camelCase by callers; unknown names are ignored.

    Not `ninja.Schema`, which wraps what it reads for ORM objects: that costs a microsecond a field.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        field_title_generator=lambda name, field: field.alias or to_camel(name),
    )

    @classmethod
    def names(cls) -> list[str]:
        """Return the names that callers use."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def read(cls, raw: Mapping[str, Any], **context: Any) -> Self:
        """Check what a caller sent. Raises BadRequest for the first wrong field, in the order of the class."""
        try:
            return cls.model_validate(raw if isinstance(raw, dict) else dict(raw), context=context)
        except ValidationError as error:
            raise _first_of(error) from None


def _first_of(error: ValidationError) -> BadRequest:
    first = error.errors(include_url=False, include_input=False)[0]
    field, cause = str(first["loc"][0]), first.get("ctx", {}).get("error")
    if isinstance(cause, BadRequest):
        return cause
    if isinstance(cause, Invalid):
        return BadRequest(field, f"{field}: {cause.message}", cause.valid)
    return BadRequest(field, f"{field}: {first['msg']}.")


def required(raw: Mapping[str, Any], *fields: str) -> None:
    """Raises BadRequest for the first field that is missing or empty."""
    for field in fields:
        if not raw.get(field):
            raise BadRequest(field, f"{field}: this field is needed.", list(fields))


def one_of(value: object, valid: Sequence[str], fold: bool = True) -> str:
    """Return the value as one of the texts, in lower case with `fold`. Raises Invalid."""
    text = str(value).lower() if fold else str(value)
    if text not in valid:
        raise Invalid(f"{str(value)[:20]!r} is not one of {', '.join(valid)}.", [str(name) for name in valid])
    return text


def listed(value: object) -> list[Any]:
    """Return a JSON list, or the names between commas. Raises Invalid."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if value is None or value == []:
        return []
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise Invalid("a list is needed.")
    return value


def is_on(value: object) -> bool:
    """Return whether a flag is set: true, or the text "true" or "1"."""
    return value is True or str(value).lower() in ("true", "1")


class Kind:
    """How a field is read and described: an annotation, as in `Annotated[int, Number(1, 100)]`."""

    def read(self, value: Any) -> Any:
        """Return what the field's type takes. Raises Invalid, or PydanticUseDefault."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return the JSON Schema of what callers should send. More than that is accepted."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.describe()


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number, or a text of one; null and the empty text are the default."""

    low: float
    high: float
    unit: str = ""
    whole: bool = True  # rounded

    def read(self, value: Any) -> float:
        if value is None or value == "":
            raise PydanticUseDefault
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not self.low <= number <= self.high:
            unit = f" {self.unit}" if self.unit else ""
            text = f"{str(value)[:20]} is not within {self.low:g} to {self.high:g}{unit}."
            raise Invalid(text, [self.low, self.high])
        return round(number) if self.whole else number

    def describe(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of a few texts; unless `blank` is false, null and the empty text are the default."""

    valid: tuple[str, ...]
    fold: bool = True  # in any case
    blank: bool = True

    def read(self, value: Any) -> str:
        if self.blank and (value is None or value == ""):
            raise PydanticUseDefault
        return one_of(value, self.valid, self.fold)

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "enum": [str(name) for name in self.valid]}


class Flag(Kind):
    """True for true and the texts "true" and "1", else false."""

    def read(self, value: Any) -> bool:
        return is_on(value)

    def describe(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Note(Kind):
    """Any value, as a text cut to `limit` characters. An empty value is the default."""

    limit: int

    def read(self, value: Any) -> str:
        if not value:
            raise PydanticUseDefault
        return str(value)[: self.limit]

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.limit}
