"""Retention rules in the admin: how long each kind is kept, and what that would delete now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from oven.adminkit.base import ago
from oven.ops.retention.models import RetentionRule
from oven.ops.retention.report import brief
from oven.ops.retention.targets import subjects


@admin.register(RetentionRule)
class RetentionRuleAdmin(ModelAdmin):
    """One rule a kind: they are changed, never added or taken away. Django's history says who changed what."""

    list_display = ("kind", "days", "rows", "last_pass")
    fields = ("kind", "keep_days", "keep_rows", "effect", "last_pass")
    readonly_fields = ("kind", "effect", "last_pass")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Keep days", ordering="keep_days")
    def days(self, rule: RetentionRule) -> str:
        return "for ever" if rule.keep_days is None else f"{rule.keep_days:,}"

    @display(description="Keep rows", ordering="keep_rows")
    def rows(self, rule: RetentionRule) -> str:
        return "any number" if rule.keep_rows is None else f"{rule.keep_rows:,}"

    @display(description="Last pass", ordering="passed_at")
    def last_pass(self, rule: RetentionRule) -> SafeString | str:
        return ago(rule.passed_at)

    @display(description="By these limits")
    def effect(self, rule: RetentionRule) -> str:
        """Says nothing of a kind whose app is not installed any more."""
        found = [subject for subject in subjects() if subject.name == rule.kind]
        return brief(found[0], rule) if found else "–"

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """With the values, old and new: a limit that was lowered may have cost history."""
        changes = [
            f"{form.fields[name].label}: {_said(form.initial.get(name))} → {_said(form.cleaned_data[name])}"
            for name in form.changed_data
        ]
        return "; ".join(changes) or super().construct_change_message(request, form, formsets, add)


def _said(value: int | None) -> str:
    return "no limit" if value is None else f"{value:,}"
