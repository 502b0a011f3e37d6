"""Tokens in the admin: made and rotated here, shown once. Who signed in, or tried to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from oven_site.access.models import ApiToken, Outcome, Scope, SignIn
from oven_site.dashboard.admin import EXPORTS, Exporting, HistoryAdmin, ago, audit, changelist_link


class ApiTokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiToken)
class ApiTokenAdmin(Exporting):
    form = ApiTokenForm
    list_display = (
        *("name", "hint", "scope_list", "chip", "created_by", "created_at", "expires_at", "rotated_at"),
        *("used", "acts"),
    )
    list_select_related = ("created_by",)
    list_filter = ("created_at", "expires_at")
    date_hierarchy = "created_at"
    search_fields = ("name", "hint")
    readonly_fields = ("hint", "created_by", "created_at", "last_used_at", "rotated_at", "previous_until")
    actions = ("rotate", *EXPORTS)
    export_hidden = ("digest", "previous_digest")

    @action(description="Rotate: a new secret, shown once", permissions=["change"])
    def rotate(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        for token in tokens:
            secret = token.rotate()
            token.save()
            audit(request, [token], "rotated")
            text = "The new secret of {}, shown only now: <code>{}</code>. The old one ends {}."
            ends = timezone.localtime(token.previous_until)
            end = f"at {ends:%Y-%m-%d %H:%M %Z}" if settings.OVEN_TOKEN_GRACE_S > 0 else "now"
            messages.success(request, format_html(text, token.name, secret, end))

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


CHIPS = {
    Outcome.SUCCESS: "success",
    Outcome.FAILURE: "danger",
    Outcome.REFUSED: "danger",
    Outcome.THROTTLED: "warning",
    Outcome.LOGOUT: "info",
}


@admin.register(SignIn)
class SignInAdmin(HistoryAdmin):
    list_display = ("when", "name", "chip", "how", "client", "agent")
    list_filter = ("outcome", "how")
    search_fields = ("name", "client")
    search_keys = ("name", "client")
    search_help_text = "Account or address, or how it begins"
    date_hierarchy = "at"
    fields = ("at", "user", "name", "outcome", "how", "client", "agent")

    @display(description="When", ordering="at")
    def when(self, row: SignIn) -> Any:
        return ago(row.at)

    @display(description="Outcome", label=CHIPS)
    def chip(self, row: SignIn) -> tuple[str, str]:
        return row.outcome, row.get_outcome_display()
