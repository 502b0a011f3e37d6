"""The ways to sign in beside the password, for the sign-in page."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse

from oven.accounts.login import config

register = template.Library()


@register.inclusion_tag("oven/admin/ways.html", takes_context=True)
def other_ways(context: Any) -> dict[str, Any]:
    """Nothing where nothing is configured."""
    request = context["request"]
    wanted = request.POST.get("next") or request.GET.get("next") or context.get("next", "")
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "oidc": settings.OVEN_OIDC_NAME if config.oidc_on() else "",
        "passkeys": config.passkeys_on(),
        "next": wanted,
        "begin": reverse("oidc-begin", query={"next": wanted}),
    }
