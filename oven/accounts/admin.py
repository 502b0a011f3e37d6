"""Accounts, groups, tokens, sign-ins and the audit log in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from oven.accounts import roles
from oven.accounts.models import ApiToken, Outcome, Scope, SignIn
from oven.adminkit.base import EXPORTS, Exporting, HistoryAdmin, ago, audit, changelist_link
from oven.adminkit.changelist import seen_values
from oven.numbers import whole


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


# --- accounts and groups --------------------------------------------------------------------------------------------

admin.site.unregister(User)
admin.site.unregister(Group)


FOR_SUPERUSERS = {"is_superuser", "user_permissions"}  # fields that only superusers may set


@admin.register(User)
class UserAdmin(BaseUserAdmin, ModelAdmin):
    """Accounts. Staff can grant only permissions that they have themselves: see `roles.may_manage`."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if request.user.is_superuser:
            return found
        hidden = FOR_SUPERUSERS if self.has_change_permission(request, obj) else {"user_permissions"}
        return [
            (title, {**options, "fields": tuple(name for name in options["fields"] if name not in hidden)})
            for title, options in found
        ]

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["queryset"] = roles.grantable_groups(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_superuser and FOR_SUPERUSERS & set(request.POST):
            raise PermissionDenied
        return super().changeform_view(request, *args, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or roles.may_manage(request.user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or roles.may_manage(request.user, obj))


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    """Groups. Staff can change only groups whose permissions they all have themselves."""

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            kwargs["queryset"] = roles.grantable(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within(request, obj)

    def _is_within(self, request: HttpRequest, group: Any) -> bool:
        return group is None or roles.grantable_groups(request.user).filter(pk=group.pk).exists()


# --- the audit log --------------------------------------------------------------------------------------------------

FLAG_CHIPS = {ADDITION: "success", CHANGE: "info", DELETION: "danger"}


class SeenUsersFilter(admin.SimpleListFilter):
    """Offer the users who appear in the log."""

    title = "user"
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        users = User.objects.filter(pk__in=seen_values(LogEntry, "user")).order_by("username")
        return [(str(user.pk), user.username) for user in users]

    def queryset(self, request: HttpRequest, rows: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = whole(self.value() or "", 9)
        return rows if chosen is None else rows.filter(user_id=chosen)


class SeenModelsFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        seen = [ContentType.objects.get_for_id(pk) for pk in seen_values(LogEntry, "content_type")]
        return sorted(((str(kind.pk), kind.name) for kind in seen), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, rows: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = whole(self.value() or "", 9)
        return rows if chosen is None else rows.filter(content_type_id=chosen)


@admin.register(LogEntry)
class AuditAdmin(HistoryAdmin):
    """Who changed what. Tokens appear as users of their name."""

    list_display = ("when", "who", "flag", "kind", "what", "message")
    list_display_links = ("when",)
    list_filter = (SeenUsersFilter, "action_flag", SeenModelsFilter)
    search_fields = ("object_repr", "change_message")
    search_keys = ("object_id", "object_repr")
    search_help_text = "Id, or how it begins; else a part of what was done, among the newest"
    date_hierarchy = "action_time"
    list_select_related = ("user", "content_type")
    fields = ("when", "who", "flag", "kind", "what", "object_id", "message")
    readonly_fields = ("when", "who", "flag", "kind", "what", "message")
    export_more = ("user__username", "content_type__model")

    @display(description="When", ordering="action_time")
    def when(self, entry: LogEntry) -> SafeString | str:
        return ago(entry.action_time)

    @display(description="Who")
    def who(self, entry: LogEntry) -> str:
        return str(entry.user)

    @display(description="Action", label=FLAG_CHIPS)
    def flag(self, entry: LogEntry) -> tuple[int, str]:
        return entry.action_flag, entry.get_action_flag_display()

    @display(description="Kind")
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name if entry.content_type else "–"

    @display(description="What")
    def what(self, entry: LogEntry) -> SafeString | str:
        url = entry.get_admin_url() if entry.object_id and not entry.is_deletion() else None
        return (
            format_html('<a class="oven-link" href="{}">{}</a>', url, entry.object_repr) if url else entry.object_repr
        )

    @display(description="Done")
    def message(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()
