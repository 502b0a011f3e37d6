"""Tokens in the admin: made and rotated here, shown once. Who signed in, or tried to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from oven_site.access.models import ApiToken, Outcome, Scope, SignIn
from oven_site.dashboard.admin import HistoryAdmin, ago, audit


class ApiTokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    form = ApiTokenForm
    list_display = (
        "name",
        "hint",
        "scope_list",
        "created_by",
        "created_at",
        "expires_at",
        "rotated_at",
        "last_used_at",
    )
    search_fields = ("name",)
    readonly_fields = ("hint", "created_by", "created_at", "last_used_at", "rotated_at", "previous_until")
    actions = ("rotate",)

    @action(description="Rotate: a new secret, shown once", permissions=["change"])
    def rotate(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        for token in tokens:
            secret = token.rotate()
            token.save()
            audit(request, [token], "rotated")
            text = "The new secret of {}, shown only now: <code>{}</code>. The old one ends {}."
            end = f"at {token.previous_until:%Y-%m-%d %H:%M} UTC" if settings.OVEN_TOKEN_GRACE_S > 0 else "now"
            messages.success(request, format_html(text, token.name, secret, end))

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


CHIPS = {Outcome.SUCCESS: "success", Outcome.FAILURE: "danger", Outcome.THROTTLED: "warning", Outcome.LOGOUT: "info"}


@admin.register(SignIn)
class SignInAdmin(HistoryAdmin):
    list_display = ("when", "name", "chip", "how", "client", "agent")
    list_filter = ("outcome", "how")
    search_fields = ("name", "client")
    fields = ("at", "user", "name", "outcome", "how", "client", "agent")

    @display(description="When", ordering="at")
    def when(self, row: SignIn) -> Any:
        return ago(row.at)

    @display(description="Outcome", label=CHIPS)
    def chip(self, row: SignIn) -> tuple[str, str]:
        return row.outcome, row.get_outcome_display()
