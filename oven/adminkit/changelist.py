"""Lists of history that open as fast with a million rows as with a thousand.

What makes Django's own lists slow there, and what is done instead: rows are counted up to a ceiling; a page is found
in an index alone, and only its rows are read; filters offer the values that an index holds, found by jumping from one
to the next; the date hierarchy goes by the oldest and the newest row; a search looks up names and ids, and reads rows
only when so many match that the first page is found soon. Tables need the indexes of `oven.db.list_indexes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cached_property
from typing import Any

from django.contrib.admin.filters import AllValuesFieldListFilter, BooleanFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import BooleanField, DateField, Func, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from unfold.views import ChangeList

COUNT_CEILING = 100_000
MIXED_CEILING = 2_000  # of several filters together, which no index holds: their rows are read to be counted
VALUES_CEILING = 100  # of one filter: what callers may write freely could be anything
MATCHES = 5_000  # a search that finds no more is looked up by key, else the rows are read in the list's order
FEW = 500  # rows of a filter that are looked up by key when there are other filters
NEWEST = 20_000  # rows that are searched for a part of a text
GLANCES = 40  # pages of a list whose rows are read
LAST_CHARACTER = "\U0010ffff"

# --- counting and paging --------------------------------------------------------------------------------------------


class AtLeast(int):
    """A number that stands for itself and everything above."""

    def __str__(self) -> str:
        return f"{int(self)}+"


class CappedPaginator(Paginator):
    """Counts no further than a ceiling, and not at all where the number is `known`."""

    def __init__(self, *args: Any, ceiling: int | None = None, known: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ceiling = COUNT_CEILING if ceiling is None else ceiling
        self.known = known

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return len(self.object_list)
        if self.known is not None:
            return self.known
        found = self.object_list.order_by()[: self.ceiling].count()
        return AtLeast(found) if found == self.ceiling else found


class GlancingPaginator(CappedPaginator):
    """Counts no further than the page that is shown and whether there is one more."""

    def __init__(self, *args: Any, page: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last = min(max(1, page), GLANCES) * self.per_page

    @cached_property
    def keys(self) -> list[Any]:
        rows: Any = self.object_list
        return list(rows.values_list("pk", flat=True)[: self.last + 1])

    @cached_property
    def count(self) -> int:
        return AtLeast(self.last + 1) if len(self.keys) > self.last else len(self.keys)


class HistoryChangeList(ChangeList):
    """Finds the keys of a page first; offers the periods between the oldest and the newest row."""

    def get_ordering_field(self, field_name: Any) -> Any:
        """Nobody can ask for an order that no index holds."""
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        try:
            rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        except OverflowError as error:  # a year of 30 digits
            raise IncorrectLookupParameters(error) from error
        used = [spec for spec in self.filter_specs if getattr(spec, "used_parameters", None)]
        if self.get_filters_params():
            request.oven_found = None  # type: ignore[attr-defined]
        if len(used) < 2:
            return rows
        request.oven_ceiling = MIXED_CEILING  # type: ignore[attr-defined]
        few = self._rarest(request, used)
        return rows if few is None else rows.filter(pk__in=few)

    def _rarest(self, request: HttpRequest, used: list[Any]) -> list[Any] | None:
        """Keys of the rows of the filter that leaves few. A database that does not know which one that is may go by
        another, and read most of the table."""
        for spec in used:
            rows = spec.queryset(request, self.root_queryset.order_by())
            keys = list(rows.values_list("pk", flat=True)[: FEW + 1])
            if len(keys) <= FEW:
                return keys
        return None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.show_all and self.can_show_all:
            return
        rows = self.root_queryset.filter(pk__in=self._keys()).defer(*self.model_admin.list_defer)
        self.result_list = self.apply_select_related(rows).order_by(*self.queryset.query.order_by)

    def _keys(self) -> list[Any]:
        first = (self.page_num - 1) * self.list_per_page if self.multi_page else 0
        wanted = slice(first, first + self.list_per_page)
        if isinstance(self.paginator, GlancingPaginator):
            return self.paginator.keys[wanted]
        return list(self.queryset.values_list("pk", flat=True)[wanted])

    # --- the date hierarchy ---

    @cached_property
    def dates(self) -> dict[str, Any]:
        """What the date hierarchy's template shows: a link back, and years, months or days. Empty without rows."""
        name = self.date_hierarchy
        ends = self.root_queryset.order_by().values_list(name, flat=True)
        first, last = ends.order_by(name).first(), ends.order_by(f"-{name}").first()
        if first is None or last is None:
            return {}
        chosen = [self.params.get(f"{name}__{part}") for part in ("year", "month", "day")]
        try:
            return self._periods(_local_day(first), _local_day(last), [int(part) for part in chosen if part])
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    def _periods(self, first: date, last: date, chosen: list[int]) -> dict[str, Any]:
        asked = len(chosen)
        if not chosen and first.year == last.year:
            chosen = [first.year, first.month] if first.month == last.month else [first.year]
        choices = [self._choice(period) for period in periods(first, last, chosen)]
        if len(chosen) == 3:
            choices = [{"title": date_format(date(*chosen), "MONTH_DAY_FORMAT")}]
        return {"show": True, "choices": choices, "back": self._back(chosen[: asked - 1]) if asked else None}

    def _choice(self, period: list[int]) -> dict[str, str]:
        year, month, day = (*period, 1, 1)[:3]
        shown = date(year, month, day)
        titles = [str(year), date_format(shown, "YEAR_MONTH_FORMAT"), date_format(shown, "MONTH_DAY_FORMAT")]
        return {"link": self._link(period), "title": titles[len(period) - 1]}

    def _back(self, period: list[int]) -> dict[str, str]:
        if not period:
            return {"link": self._link([]), "title": "All dates"}
        return self._choice(period)

    def _link(self, period: list[int]) -> str:
        parts = zip(("year", "month", "day"), period, strict=False)
        wanted = {f"{self.date_hierarchy}__{part}": value for part, value in parts}
        return str(self.get_query_string(wanted, [f"{self.date_hierarchy}__"]))


def periods(first: date, last: date, chosen: list[int]) -> list[list[int]]:
    """The years, or the months of a year, or the days of a month, that lie between two days (both included)."""
    if not chosen:
        return [[year] for year in range(first.year, last.year + 1)]
    size = len(chosen) + 1
    low, high = [first.year, first.month, first.day][:size], [last.year, last.month, last.day][:size]
    found = [[*chosen, part] for part in range(1, (13 if size == 2 else 32))] if size <= 3 else []
    return [period for period in found if low <= period <= high and _exists(period)]


def _exists(period: list[int]) -> bool:
    try:
        date(*(*period, 1, 1)[:3])
    except ValueError:
        return False
    return True


def _local_day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


# --- filters --------------------------------------------------------------------------------------------------------


class SeenValuesFilter(AllValuesFieldListFilter):
    """Offers the values that the table holds; an index on the field must begin with it."""

    horizontal = False

    def __init__(self, field: Any, request: HttpRequest, params: Any, model: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, request, params, model, *args, **kwargs)
        self.lookup_choices: Any = seen_values(model, field.name)

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or "none"}


class FlagFilter(BooleanFieldListFilter):
    """Yes and no, asked in a way that SQLite answers from an index (to it, `WHERE flag` is any expression)."""

    horizontal = True

    def queryset(self, request: HttpRequest, rows: Any) -> Any:
        if self.lookup_val not in ("0", "1"):
            return super().queryset(request, rows)
        return rows.filter(**{f"{self.field_path}__in": [self.lookup_val == "1"]})


def seen_values(model: type[Model], name: str, using: str = "default") -> list[Any]:
    """The different values of a field, in order, by one step in its index for each."""
    connection = connections[using]
    field: Any = model._meta.get_field(name)
    table, column = (connection.ops.quote_name(text) for text in (model._meta.db_table, field.column))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE seen(value) AS (SELECT MIN({column}) FROM {table} UNION ALL "  # nosec B608
            f"SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > seen.value) FROM seen "
            f"WHERE seen.value IS NOT NULL) SELECT value FROM seen WHERE value IS NOT NULL LIMIT {VALUES_CEILING}"
        )
        return [value for (value,) in cursor.fetchall()]


# --- searching ------------------------------------------------------------------------------------------------------


def starts_with(rows: QuerySet[Any], name: str, text: str) -> Q:
    """A prefix, as the database finds it by index; case matters."""
    if connections[rows.db].vendor == "sqlite":  # its LIKE reads the whole table
        return Q(**{f"{name}__gte": text, f"{name}__lt": text + LAST_CHARACTER})
    return Q(**{f"{name}__startswith": text})


def among_keys(rows: QuerySet[Any], keys: Iterable[Any]) -> QuerySet[Any]:
    """Those rows; `oven_found` is how many, as long as nothing else filters them."""
    wanted = set(keys)
    found: Any = rows.filter(pk__in=wanted)
    found.oven_found = len(wanted)
    return found  # type: ignore[no-any-return]


class InOrder(Func):
    """A column whose index is not to be used, because it would lead to more rows than are wanted."""

    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)


def matching_keys(model: type[Model], names: tuple[str, ...], text: str) -> set[Any] | None:
    """Keys of the rows one of whose fields is the text, else starts with it. None: too many of them."""
    every = model._default_manager.order_by().values_list("pk", flat=True)
    exact = {pk for name in names for pk in every.filter(**{name: text})[:MATCHES]}
    if exact:
        return exact
    found: set[Any] = set()
    for name in names:
        found.update(every.filter(starts_with(every, name, text))[: MATCHES + 1])
        if len(found) > MATCHES:
            return None
    return found


def newest_keys(model: type[Model], names: tuple[str, ...], text: str) -> list[Any]:
    """Keys of the newest rows one of whose fields holds the text."""
    rows = model._default_manager.order_by()
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    wanted = Q(*(Q(**{f"{name}__icontains": text}) for name in names), _connector=Q.OR)
    return list(rows.filter(wanted, pk__gt=newest - NEWEST).values_list("pk", flat=True))


def cheap_filters(model: type[Model], filters: Any) -> list[Any]:
    """With those that go by an index in place of those that would read the whole table."""
    return [_cheap(model, name) if isinstance(name, str) and "__" not in name else name for name in filters]


def _cheap(model: type[Model], name: str) -> Any:
    field: Any = model._meta.get_field(name)
    if isinstance(field, BooleanField):
        return name, FlagFilter
    return name if field.choices or field.is_relation or isinstance(field, DateField) else (name, SeenValuesFilter)
