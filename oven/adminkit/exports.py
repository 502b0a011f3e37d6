"""Rows of a list as CSV or JSON: streamed in pieces, so that a million take no more memory than a thousand.

Import/export libraries build the whole table before they send its first byte; this reads a piece, sends it, and finds
the next one by the last row's place in the list's order (no cursor or transaction is held open meanwhile).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Model, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

PIECE = 1000  # rows
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what makes a spreadsheet calculate

Row = tuple[Any, ...]
Writer = Callable[[list[Row], bool], str]  # rows, and whether they are the first ones


def response(rows: QuerySet[Any], columns: tuple[str, ...], form: str, date_field: str = "") -> StreamingHttpResponse:
    """`form` is "csv" or "json"; columns are named as they are looked up, `__` becoming a dot."""
    writer, mime = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json")}[form]
    text = writer(tuple(name.replace("__", ".") for name in columns))
    answer = StreamingHttpResponse(_streamed(pieces(rows, columns, date_field), text, form), content_type=mime)
    name = str(rows.model._meta.verbose_name_plural).replace(" ", "-")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{timezone.now():%Y%m%d-%H%M%S}.{form}"'
    answer["Cache-Control"] = "no-store"
    return answer


def columns_of(model: type[Model], hidden: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every column of the table, in its order."""
    return tuple(field.attname for field in model._meta.concrete_fields if field.attname not in hidden)


def pieces(rows: QuerySet[Any], columns: tuple[str, ...], date_field: str = "") -> Iterator[list[Row]]:
    """All rows, the newest first, a piece at a time."""
    order = [date_field, "pk"] if date_field else ["pk"]
    names = list(dict.fromkeys((*columns, *order)))
    rows = rows.order_by(*(f"-{name}" for name in order)).values_list(*names)
    after = Q()
    while found := list(rows.filter(after)[:PIECE]):
        yield [row[: len(columns)] for row in found]
        if len(found) < PIECE:
            return
        after = _older(date_field, dict(zip(names, found[-1], strict=True)))


def _older(date_field: str, last: dict[str, Any]) -> Q:
    if not date_field:
        return Q(pk__lt=last["pk"])
    moment = last[date_field]
    earlier = Q(**{f"{date_field}__lt": moment}) | Q(pk__lt=last["pk"])
    return Q(**{f"{date_field}__lte": moment}) & earlier


async def _streamed(found: Iterator[list[Row]], write: Writer, form: str) -> AsyncIterator[str]:
    """Reads in the request's own thread, as every query; writes in between."""
    step = sync_to_async(lambda: next(found, None))
    first = True
    while (rows := await step()) is not None:
        yield write(rows, first)
        first = False
    if first:
        yield write([], True)
    if form == "json":
        yield "\n]\n"


def as_csv(names: tuple[str, ...]) -> Writer:
    def write(rows: list[Row], first: bool) -> str:
        out = io.StringIO()
        sheet = csv.writer(out)
        if first:
            sheet.writerow(names)
        sheet.writerows([cell(value) for value in row] for row in rows)
        return out.getvalue()

    return write


def as_json(names: tuple[str, ...]) -> Writer:
    def write(rows: list[Row], first: bool) -> str:
        texts = [json.dumps(dict(zip(names, row, strict=True)), default=_plain, ensure_ascii=False) for row in rows]
        start = ("[\n" if first else ",\n") if texts or not first else "["
        return start + ",\n".join(texts)

    return write


def cell(value: Any) -> Any:
    """As it stands in a spreadsheet: times ISO 8601, JSON as text, and nothing that would be calculated."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else value
    text = _plain(value) if isinstance(value, date) else value
    text = text if isinstance(text, str) else json.dumps(text, default=_plain, ensure_ascii=False)
    return f"'{text}" if text.startswith(FORMULA) else text


def _plain(value: Any) -> str:
    return str(value.isoformat() if isinstance(value, date) else value)
