"""Exceptions in the admin: for administrators only; Django's history says who made, changed or ended which."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from oven.adminkit.base import ago
from oven.egress import exceptions
from oven.egress.models import EgressException


@admin.register(EgressException)
class EgressExceptionAdmin(ModelAdmin):
    list_display = ("pattern", "reason", "owner", "state", "expires_at", "last_used")
    search_fields = ("pattern", "reason", "owner__username")
    fields = ("pattern", "reason", "owner", "expires_at", "created_at", "last_used")
    readonly_fields = ("created_at", "last_used")
    list_select_related = ("owner",)

    @display(description="State", label={"open": "warning", "expired": "info"})
    def state(self, exception: EgressException) -> str:
        return "expired" if exception.expired else "open"

    @display(description="Last used", ordering="used_at")
    def last_used(self, exception: EgressException) -> SafeString | str:
        return ago(exception.used_at)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: EgressException, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        exceptions.forget()

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """With the values: a history that only says "changed" would not tell what was open when."""
        said = [f"{name}: {form.cleaned_data[name]}" for name in (form.fields if add else form.changed_data)]
        return "; ".join(said) or super().construct_change_message(request, form, formsets, add)
