"""Parameters of views that ninja describes and the view checks.

The contract fixes the order of checks (say, the token before the body), so ninja may not check first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from django.http import HttpRequest
from ninja.params import models

from oven.http.compat import json_body
from oven.http.fields import Schema, required

S = TypeVar("S", bound=Schema)


class Sent(Generic[S]):
    """What a caller sent for a Schema, not checked yet."""

    _source: type[models.Param]

    def __init__(self, schema: type[S], request: HttpRequest, path: dict[str, Any]) -> None:
        self._schema, self._request, self._path = schema, request, path

    if not TYPE_CHECKING:  # what ninja sees: the Schema, and where its values come from

        def __class_getitem__(cls, schema: Any) -> Any:
            if isinstance(schema, TypeVar):
                return super().__class_getitem__(schema)
            return Annotated[schema, cls._source(...)]

    def raw(self) -> dict[str, Any]:
        raise NotImplementedError

    def checked(self, *needed: str) -> S:
        """Raises BadRequest for the first of the `needed` fields that is missing or empty, or the first wrong one."""
        raw = self.raw()
        required(raw, *needed)
        return self._schema.read(raw)


class Query(Sent[S]):
    def raw(self) -> dict[str, Any]:
        return self._request.GET.dict()


class Path(Sent[S]):
    def raw(self) -> dict[str, Any]:
        return self._path


class Body(Sent[S]):
    """A JSON object; empty for any other type of content."""

    def raw(self) -> dict[str, Any]:
        """Raises BadRequest when it is malformed."""
        return json_body(self._request)


def _source(sent: type[Sent], base: type[models.ParamModel]) -> type[models.Param]:
    """Return the kind of ninja parameter that hands the view a `sent`."""

    class Unchecked(base):  # type: ignore[valid-type]
        @classmethod
        def resolve(cls, request: HttpRequest, api: Any, path_params: dict[str, Any]) -> Any:
            return {name: sent(field.annotation, request, path_params) for name, field in cls.model_fields.items()}

    class Source(models.Param):
        _model = Unchecked

        @classmethod
        def _param_source(cls) -> str:
            return sent.__name__.lower()

    return Source


Query._source = _source(Query, models.QueryModel)
Path._source = _source(Path, models.PathModel)
Body._source = _source(Body, models.BodyModel)
