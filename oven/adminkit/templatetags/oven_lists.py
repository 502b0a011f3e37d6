"""Lists of the admin, and the side bar next to them, without drawing the same again and again."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import get_script_prefix
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from oven.adminkit.row_cache import KEY

register = template.Library()
MENU, NAVIGATION = "unfold/helpers/actions_row.html", "unfold/helpers/app_list.html"
NAVIGATIONS = 500  # kept: one for each list and set of permissions
_navigations: dict[Any, SafeString] = {}


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
    with context.push(instance_pk=key):
        return SafeString(_theirs(context, MENU).render(context))  # nosec B703


@register.simple_tag(takes_context=True)
def navigation(context: Any) -> SafeString:
    """The theme's own side bar: rendered once for each place in it and what the viewer may see."""
    groups = context.get("sidebar_navigation")
    if not groups or context.get("sidebar_show_all_applications"):
        return SafeString(_theirs(context, NAVIGATION).render(context))  # nosec B703
    shown = tuple((bool(item["has_permission"]), bool(item["active"])) for group in groups for item in group["items"])
    key = (get_language(), get_script_prefix(), shown)
    if key not in _navigations:
        while len(_navigations) >= NAVIGATIONS:
            _navigations.pop(next(iter(_navigations)), None)
        _navigations[key] = SafeString(_theirs(context, NAVIGATION).render(context))  # nosec B703
    return _navigations[key]


def _theirs(context: Any, name: str) -> Any:
    """The theme's template that one of ours stands before."""
    ours = context.template.engine.get_template(name).origin
    return context.template.engine.find_template(name, skip=[ours])[0]
