"""Passkeys and identities of all staff: administrators see who has which, and take one away that was lost."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from oven.accounts import roles
from oven.adminkit.base import EXPORTS, Exporting, ago

for model in (EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken):
    if admin.site.is_registered(model):  # the library's own pages: they can do what must not be done here
        admin.site.unregister(model)


class Removable(Exporting):
    """Rows that people make elsewhere, no more of them than there are people; they can be taken away here."""

    list_select_related = ("user",)
    actions = EXPORTS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="User", ordering="user__username")
    def who(self, row: Any) -> str:
        return str(row.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = bool(request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}"))
        return may and (obj is None or roles.may_manage(request.user, obj.user))


@admin.register(Authenticator)
class PasskeyAdmin(Removable):
    list_display = ("who", "name", "made", "used")
    sortable_by = ("made", "used")
    search_fields = ("user__username",)
    date_hierarchy = "created_at"
    fields = ("user", "name", "created_at", "last_used_at")
    readonly_fields = ("name",)
    export_hidden = ("data",)

    @display(description="Name")
    def name(self, row: Authenticator) -> str:
        return str(row.data.get("name", ""))

    @display(description="Added", ordering="created_at")
    def made(self, row: Authenticator) -> Any:
        return ago(row.created_at)

    @display(description="Last used", ordering="last_used_at")
    def used(self, row: Authenticator) -> Any:
        return ago(row.last_used_at)


@admin.register(SocialAccount)
class IdentityAdmin(Removable):
    """Which account belongs to whom at the identity provider."""

    list_display = ("who", "uid", "provider", "used")
    sortable_by = ("used",)
    search_fields = ("user__username", "uid")
    date_hierarchy = "last_login"
    fields = ("user", "provider", "uid", "extra_data", "date_joined", "last_login")

    @display(description="Last sign-in", ordering="last_login")
    def used(self, row: SocialAccount) -> Any:
        return ago(row.last_login)
