"""What browsers are told to refuse: a Content-Security-Policy for every page, and the nonces of templates.

`docs/THREAT_MODEL.md` says why each exception is there. The other protective headers are Django's own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loaders import app_directories, filesystem

from oven.storage import urls

HEADER = "Content-Security-Policy"
DATA_ONLY = "default-src 'none'; frame-ancestors 'none'"
TAG = re.compile(r"<(script|style)(?=[\s>])(?![^>]*\bnonce=)", re.IGNORECASE)
Policy = dict[str, str]


class PolicyMiddleware:
    """Sets the policy of pages and of JSON answers, unless the view has set one."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = await self.get_response(request)
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if HEADER not in response.headers and kind == "text/html":
            response.headers[HEADER] = page_policy(request.path_info, nonce)
        elif HEADER not in response.headers and kind == "application/json":
            response.headers[HEADER] = DATA_ONLY
        return response


def page_policy(path: str, nonce: str) -> str:
    """What a page may load: our own files, and pictures and videos from the stores."""
    found = dict.fromkeys(urls.public_origin(store) for store in ("art", "blobs"))
    origins = "".join(f" {origin}" for origin in found if origin)
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{nonce}'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "img-src": f"'self' data:{origins}",
        "media-src": f"'self'{origins}",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    first = path.strip("/").split("/")[0].lower()
    if first == "":
        own = f"'self' {settings.OVEN_BUNDLE_ORIGIN}"  # bundles, in sandboxes of their own
        policy["frame-src"] = own.strip()
    if first == "admin":
        policy["script-src"] += " 'unsafe-eval'"  # the theme's Alpine.js compiles the expressions of its templates
    if first in ("admin", "docs"):
        policy["style-src-attr"] = "'unsafe-inline'"
    return "; ".join(f"{name} {value}" for name, value in policy.items())


# --- nonces in templates --------------------------------------------------------------------------------------------


def with_nonces(source: str) -> str:
    """Gives every script and style of a template the request's nonce: of its source, never of what is filled in."""
    return TAG.sub(r'<\1 nonce="{{ request.csp_nonce }}"', source)


class FileLoader(filesystem.Loader):
    """Our own templates."""

    def get_contents(self, origin: Any) -> str:
        return with_nonces(super().get_contents(origin))


class AppLoader(app_directories.Loader):
    """Those of the libraries, which need no copies that grow old."""

    def get_contents(self, origin: Any) -> str:
        return with_nonces(super().get_contents(origin))
