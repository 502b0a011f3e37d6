"""The admin's look and its side bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils import timezone


def _item(title: str, icon: str, url: str, permission: str = "") -> dict[str, Any]:
    """An entry for those who have the permission; by default, who may see the list that it leads to."""
    if not permission:
        app, _, model = url.removeprefix("admin:").removesuffix("_changelist").partition("_")
        permission = f"{app}.view_{model}"
    return {"title": title, "icon": icon, "link": reverse_lazy(url), "permission": _has(permission)}


def _only_if(setting: str, item: dict[str, Any]) -> dict[str, Any]:
    """An entry that is there only where something is configured."""
    allowed = item["permission"]
    return {**item, "permission": lambda request: bool(getattr(settings, setting)) and allowed(request)}


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    """Of the user's own menu. None: the theme shows its own."""
    if not settings.OVEN_PASSKEYS or not request.user.is_authenticated:
        return []
    own = [{"title": "Change password", "link": reverse_lazy("admin:password_change")}]
    mine = own if request.user.has_usable_password() else []
    return [*mine, {"title": "Passkeys", "link": reverse_lazy("passkeys")}]


def _has(permission: str) -> Callable[[Any], bool]:
    return lambda request: bool(request.user.has_perm(permission))


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Oven",
    "SITE_HEADER": "Oven",
    "SITE_SUBHEADER": lambda request: f"Times in {timezone.get_current_timezone_name()}",
    "SITE_SYMBOL": "local_fire_department",
    "SITE_URL": "/",
    "ACCOUNT": {"navigation": account_links},
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: "/static/oven/admin.css"],
    "SCRIPTS": [lambda request: "/static/oven/admin.js"],
    "COLORS": {
        "primary": {
            "50": "#fff7ed",
            "100": "#ffedd5",
            "200": "#fed7aa",
            "300": "#fdba74",
            "400": "#fb923c",
            "500": "#f97316",
            "600": "#c2570c",
            "700": "#a8450b",
            "800": "#9a3412",
            "900": "#7c2d12",
            "950": "#431407",
        }
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "items": [
                    {**_item("Live", "local_fire_department", "live", "jobs.watch"), "active": lambda request: False},
                    {**_item("Alerts", "notifications", "alerts", "jobs.watch"), "active": lambda request: False},
                ]
            },
            {
                "title": "Captures",
                "items": [
                    _item("Grabs", "photo_camera", "admin:captures_grab_changelist"),
                    _item("Cards", "gallery_thumbnail", "admin:captures_card_changelist"),
                    _item("Frozen pieces", "ac_unit", "admin:captures_frozenpiece_changelist"),
                    _item("Keeps", "keep", "admin:captures_keep_changelist"),
                    _item("Pins", "push_pin", "admin:captures_pin_changelist"),
                    {**_item("Gallery", "photo_library", "gallery", "jobs.watch"), "active": lambda request: False},
                    _item("Screenshot presets", "aspect_ratio", "admin:captures_screenshotpreset_changelist"),
                ],
            },
            {
                "title": "Bakes",
                "items": [
                    _item("Bakes", "movie", "admin:bakes_bake_changelist"),
                    _item("Deliveries", "send", "admin:bakes_delivery_changelist"),
                ],
            },
            {
                "title": "Bundles",
                "items": [
                    _item("Bundles", "deployed_code", "admin:bundles_bundle_changelist"),
                    _item("Core builds", "memory", "admin:bundles_corebuild_changelist"),
                ],
            },
            {
                "title": "Records",
                "items": [
                    _item("Bulk actions", "done_all", "admin:jobs_bulkaction_changelist"),
                    _item("Attempts", "history", "admin:jobs_attempt_changelist"),
                    _item("Artifacts", "folder_zip", "admin:artifacts_artifact_changelist"),
                    _item("Retention", "auto_delete", "admin:retention_retentionrule_changelist"),
                ],
            },
            {
                "title": "Access",
                "items": [
                    _item("Tokens", "key", "admin:access_apitoken_changelist"),
                    _item("Egress exceptions", "policy_alert", "admin:egress_egressexception_changelist"),
                    _item("Sign-ins", "login", "admin:access_signin_changelist"),
                    _only_if("OVEN_PASSKEYS", _item("Passkeys", "fingerprint", "admin:mfa_authenticator_changelist")),
                    _only_if(
                        "OVEN_OIDC_ISSUER",
                        _item("Identities", "badge", "admin:socialaccount_socialaccount_changelist"),
                    ),
                    _item("Users", "person", "admin:auth_user_changelist"),
                    _item("Groups", "group", "admin:auth_group_changelist"),
                    _item("Audit", "policy", "admin:admin_logentry_changelist"),
                    {
                        **_item("Queues", "stacks", "admin:django_rq_dashboard_changelist"),
                        "permission": lambda request: bool(request.user.is_superuser),
                    },
                ],
            },
        ],
    },
}
