"""Tokens in the admin: made here, shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from oven_site.access.models import ApiToken, Scope
from oven_site.dashboard.admin import EXPORTS, Exporting, ago, changelist_link


class ApiTokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiToken)
class ApiTokenAdmin(Exporting):
    form = ApiTokenForm
    list_display = ("name", "hint", "scope_list", "chip", "created_by", "created_at", "expires_at", "used", "acts")
    list_select_related = ("created_by",)
    list_filter = ("created_at", "expires_at")
    date_hierarchy = "created_at"
    search_fields = ("name", "hint")
    actions = EXPORTS
    export_hidden = ("digest",)

    @display(description="State", label={"valid": "success", "expired": "danger"})
    def chip(self, token: ApiToken) -> tuple[str, str]:
        return ("expired", "Expired") if token.expired else ("valid", "Valid")

    @display(description="Last used", ordering="last_used_at")
    def used(self, token: ApiToken) -> SafeString | str:
        return ago(token.last_used_at)

    @display(description="What it did")
    def acts(self, token: ApiToken) -> SafeString:
        return changelist_link(LogEntry, "Audit", user__username=f"token:{token.name}"[:150])

    @display(description="Scopes")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        secret = obj.renew()
        obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
        messages.success(request, format_html("The token, shown only now: <code>{}</code>", secret))
