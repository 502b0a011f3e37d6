"""What the theme makes anew with every row of a list, made once a page.

A cell is the theme's frame (its tag, classes, label, and the link to the row) around what a column says of a row. The
frames of a list's first row serve all others; where that cannot be known, the theme draws the row itself. What it
saves: `docs/decisions/024-by-hand.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, time
from functools import partial
from typing import Any, NamedTuple

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from unfold.templatetags import unfold_list

KEY = "0ovenkey0"  # stands for a row's key: as a part of an address and of a name in a script
_headings, _cells = unfold_list.result_headers, unfold_list.items_for_result


def once_a_page() -> None:
    """From now on the theme's lists are drawn by what is below."""
    unfold_list.result_headers = headings
    unfold_list.items_for_result = cells


def headings(cl: Any) -> Iterator[Any]:
    """A list's headings, which the theme asks for again with every row."""
    if not hasattr(cl, "oven_headings"):
        cl.oven_headings = list(_headings(cl))
    return iter(cl.oven_headings)


class Column(NamedTuple):
    """A list's column: what it says of a row, how that is shown, and the frame around it."""

    value: Callable[[Any], Any]
    shown: Callable[[Any], Any]
    opening: str
    closing: str

    def cell(self, row: Any) -> str:
        """Raises Unforeseen for a value that has another frame."""
        value = self.value(row)
        if isinstance(value, date | time):
            raise Unforeseen
        return f"{self.opening.replace(KEY, str(row.pk))}{conditional_escape(self.shown(value))}{self.closing}"


class Unforeseen(Exception):
    """The theme has to draw this row itself."""


def cells(cl: Any, row: Any, form: Any) -> Iterator[SafeString]:
    """The cells of one row, one after the other, as the theme would draw them."""
    drawn = None if form else _from_frames(cl, row)
    if drawn is None:
        yield from _cells(cl, row, form)
    else:
        yield SafeString(drawn)  # nosec B703


def _from_frames(cl: Any, row: Any) -> str | None:
    if not hasattr(cl, "oven_columns"):
        cl.oven_columns = _columns(cl, row)
    try:
        return "".join(column.cell(row) for column in cl.oven_columns) if cl.oven_columns else None
    except (Unforeseen, ObjectDoesNotExist):
        return None


def _columns(cl: Any, row: Any) -> list[Column]:
    """Learned from a row that the theme has drawn. Empty when one of them is not one of those known here."""
    try:
        if not isinstance(row.pk, int) or (cl.list_display_links is not None and not cl.list_display_links):
            return []
        drawn = zip(cl.list_display, _cells(cl, row, None), strict=True)
        return [Column(*_content(cl, name), *_frame(cl, name, str(cell), row.pk)) for name, cell in drawn]
    except Unforeseen:
        return []


def _content(cl: Any, name: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """What a column says of a row, and how the theme shows it. Raises Unforeseen for a kind that no list has."""
    empty = cl.model_admin.get_empty_value_display()
    try:
        field = cl.lookup_opts.get_field(name)
    except FieldDoesNotExist:
        attribute = getattr(cl.model_admin, str(name), None) if name != "__str__" else None
    else:
        if field.is_relation or field.auto_created:
            raise Unforeseen
        return partial(_field, name), partial(_field_shown, field, empty)
    if not callable(attribute) or any(getattr(attribute, special, False) for special in ("header", "dropdown")):
        raise Unforeseen
    empty = getattr(attribute, "empty_value_display", empty)
    if label := getattr(attribute, "label", False):
        return attribute, partial(_label_shown, label, empty)
    return attribute, partial(_value_shown, getattr(attribute, "boolean", False), empty)


def _field(name: str, row: Any) -> Any:
    return getattr(row, name)


def _field_shown(field: Any, empty: str, value: Any) -> Any:
    return unfold_list.display_for_field(value, field, empty)


def _label_shown(label: Any, empty: str, value: Any) -> Any:
    return unfold_list.display_for_label(value, empty, label)


def _value_shown(boolean: bool, empty: str, value: Any) -> Any:
    return unfold_list.display_for_value(value, empty, boolean)


def _frame(cl: Any, name: Any, cell: str, pk: int) -> tuple[str, str]:
    """What stands before and after a cell's content: its tag, and the link to the row where it has one."""
    end = cell.index(">") + 1
    closing = f"</{cell[1:3]}>"
    if name not in (cl.list_display_links or ()):
        return cell[:end], closing
    link, ours = cell[end : cell.index(">", end) + 1], f"/{pk}/change/"
    if ours not in link:
        raise Unforeseen
    return cell[:end] + link.replace(ours, f"/{KEY}/change/", 1), f"</a>{closing}"
