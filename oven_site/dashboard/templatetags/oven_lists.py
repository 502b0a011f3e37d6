"""Lists of the admin, without doing the same for each of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import template
from django.utils.safestring import SafeString
from unfold.templatetags import unfold_list

register = template.Library()
MENU = "unfold/helpers/actions_row.html"
KEY = "0ovenkey0"  # stands for a row's key: as a part of an address and of a name in a script


def headings_once() -> None:
    """The theme asks for all headings of a list again with every row; from now on it gets those of the first."""
    made = unfold_list.result_headers

    def result_headers(cl: Any) -> Iterator[Any]:
        if not hasattr(cl, "oven_headings"):
            cl.oven_headings = list(made(cl))
        return iter(cl.oven_headings)

    unfold_list.result_headers = result_headers


@register.simple_tag(takes_context=True)
def actions_of_row(context: Any) -> SafeString:
    """The theme's own menu of a row: rendered once for a page, as rows differ in their key only."""
    if not context.get("actions"):
        return SafeString("")
    key, cl = context["instance_pk"], context["cl"]
    if not isinstance(key, int):
        return _menu(context, key)
    if not hasattr(cl, "oven_menu"):
        cl.oven_menu = _menu(context, KEY)
    return SafeString(cl.oven_menu.replace(KEY, str(key)))  # nosec B703


def _menu(context: Any, key: Any) -> SafeString:
    ours = context.template.engine.get_template(MENU).origin
    theirs: Any = context.template.engine.find_template(MENU, skip=[ours])[0]
    with context.push(instance_pk=key):
        return SafeString(theirs.render(context))  # nosec B703
