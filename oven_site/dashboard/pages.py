"""What every page for people carries besides its content."""

from __future__ import annotations

from django.http import HttpResponse

from oven_site.artifacts import stores


def page(response: HttpResponse) -> HttpResponse:
    """The answer under our content policy."""
    response.headers["Content-Security-Policy"] = content_policy()
    return response


def content_policy() -> str:
    """Nothing but our own files runs on our pages; pictures and videos may also come from the stores."""
    found = dict.fromkeys(stores.public_origin(store) for store in ("art", "blobs"))
    origins = "".join(f" {origin}" for origin in found if origin)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors 'none'; img-src 'self' data:{origins}; media-src 'self'{origins}"
    )
