"""Opens the admin's lists through Django's test client, in the process that `bench.admin_lists` starts."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oven_site.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib import admin  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402
from unfold.admin import ModelAdmin  # noqa: E402
from unfold.sites import UnfoldAdminSite  # noqa: E402

from bench.admin_lists_fill import fill  # noqa: E402
from captures.models import Grab  # noqa: E402
from oven.jobs import filters, queries, registry  # noqa: E402
from oven.jobs.models import Attempt  # noqa: E402
from oven.storage.models import Artifact  # noqa: E402
from oven_site import urls  # noqa: E402

# --- the peer: the same columns and filters, on the same theme and the same tables and indexes ----------------------

stock = UnfoldAdminSite(name="stock")


@admin.register(Grab, site=stock)
class StockGrabs(ModelAdmin):
    list_display = ("piece", "state", "error_message", "lane", "source", "ended_at", "artifact", "created_at")
    list_filter = ("state", "format", "error_code", "source", "still_reason", "mode", "lane", "blank")
    search_fields = ("piece", "public_id", "capture_key")
    date_hierarchy = "created_at"
    list_select_related = ("artifact",)
    list_per_page = 20


@admin.register(Attempt, site=stock)
class StockAttempts(ModelAdmin):
    list_display = ("job_id", "number", "outcome", "error_code", "error_message", "worker", "started_at")
    list_filter = ("outcome", "error_code", "kind")
    search_fields = ("job_id",)
    date_hierarchy = "started_at"
    list_per_page = 20


@admin.register(Artifact, site=stock)
class StockArtifacts(ModelAdmin):
    list_display = ("key", "mime", "width", "bytes", "created_at", "expires_at")
    list_filter = ("store", "mime")
    search_fields = ("key", "sha256")
    date_hierarchy = "created_at"
    list_per_page = 20


urlpatterns = [path("admin/stock/", stock.urls), *urls.urlpatterns]

# --- pages ----------------------------------------------------------------------------------------------------------

GRABS, ATTEMPTS, ARTIFACTS = "captures/grab/", "jobs/attempt/", "artifacts/artifact/"
MONTH = "created_at__year=2025&created_at__month=3"
PAGES: dict[str, tuple[str, str]] = {
    "grabs: first": (GRABS, ""),
    "grabs: page 100": (GRABS, "p=100"),
    "grabs: page 5000 (the last that is counted)": (GRABS, "p=5000"),
    "grabs: oldest first": (GRABS, "o=9"),
    "grabs: state complete (94%)": (GRABS, "state__exact=complete"),
    "grabs: state failed (5%)": (GRABS, "state__exact=failed"),
    "grabs: state failed, page 2400": (GRABS, "state__exact=failed&p=2400"),
    "grabs: state queued (96 rows)": (GRABS, "state__exact=queued"),
    "grabs: code timeout": (GRABS, "error_code=timeout"),
    "grabs: code no_browser (50 rows)": (GRABS, "error_code=no_browser"),
    "grabs: source manual": (GRABS, "source=manual"),
    "grabs: source migration (20 rows)": (GRABS, "source=migration"),
    "grabs: format webp": (GRABS, "format__exact=webp"),
    "grabs: format mp4 (rare)": (GRABS, "format__exact=mp4"),
    "grabs: still flat (33 rows)": (GRABS, "still_reason=flat"),
    "grabs: mode realtime": (GRABS, "mode__exact=realtime"),
    "grabs: lane keep": (GRABS, "lane__exact=keep"),
    "grabs: black": (GRABS, "blank__exact=1"),
    "grabs: not black": (GRABS, "blank__exact=0"),
    "grabs: a year": (GRABS, "created_at__year=2025"),
    "grabs: a month": (GRABS, MONTH),
    "grabs: a day": (GRABS, MONTH + "&created_at__day=7"),
    "grabs: a month, failed": (GRABS, MONTH + "&state__exact=failed"),
    "grabs: failed, live": (GRABS, "state__exact=failed&source=live"),
    "grabs: complete, migration": (GRABS, "state__exact=complete&source=migration"),
    "grabs: search roz-1230 (a few names)": (GRABS, "q=roz-1230"),
    "grabs: search roz-1 (hundreds of names)": (GRABS, "q=roz-1"),
    "grabs: search roz (2,000 names)": (GRABS, "q=roz"),
    "grabs: search r (8,000 names)": (GRABS, "q=r"),
    "grabs: search r, page 40": (GRABS, "q=r&p=40"),
    "grabs: search roz, failed": (GRABS, "q=roz&state__exact=failed"),
    "grabs: search an id": (GRABS, "q={public_id}"),
    "grabs: search a key's beginning": (GRABS, "q={piece}_512x512_webp"),
    "grabs: search nothing that is there": (GRABS, "q=zzzz"),
    "grabs: one grab": (GRABS + "{pk}/change/", ""),
    "attempts: first": (ATTEMPTS, ""),
    "attempts: page 5000": (ATTEMPTS, "p=5000"),
    "attempts: failed": (ATTEMPTS, "outcome__exact=failed"),
    "attempts: code hung": (ATTEMPTS, "error_code=hung"),
    "attempts: a month": (ATTEMPTS, "started_at__year=2025&started_at__month=3"),
    "attempts: search an id": (ATTEMPTS, "q={public_id}"),
    "attempts: search roz": (ATTEMPTS, "q=roz"),
    "artifacts: first": (ARTIFACTS, ""),
    "artifacts: page 5000": (ARTIFACTS, "p=5000"),
    "artifacts: video/mp4": (ARTIFACTS, "mime=video/mp4"),
    "artifacts: a month": (ARTIFACTS, MONTH),
    "artifacts: search an id": (ARTIFACTS, "q={public_id}"),
    "artifacts: one file": (ARTIFACTS + "{pk}/change/", ""),
}
STOCK = (  # what the peer is asked for too
    *("grabs: first", "grabs: state failed (5%)", "grabs: code no_browser (50 rows)", "grabs: a month"),
    *("grabs: search roz-1230 (a few names)", "attempts: first", "artifacts: first"),
)


def main() -> None:
    options = json.loads(sys.argv[1])
    settings.ROOT_URLCONF = __name__
    call_command("migrate", verbosity=0)
    started = time.monotonic()
    fill(options["rows"])
    filled_s = round(time.monotonic() - started, 1)
    users = get_user_model().objects
    client = Client()
    client.force_login(users.filter(username="bench").first() or users.create_superuser("bench"))
    client.get("/admin/")
    gc.collect()
    gc.freeze()  # as the web process does when it has loaded everything
    middle = Grab.objects.get(pk=options["rows"] // 2)
    words = {"public_id": middle.public_id, "piece": middle.piece, "pk": str(middle.pk)}
    pages = [
        measure(client, name, where, query, words, options)
        for name, (where, query) in PAGES.items()
        if options["pages"] in name
    ]
    pages += [timed(name, call, options["count"]) for name, call in parts().items() if options["pages"] in name]
    print(json.dumps({"filled_s": filled_s, "version": version(), "bytes": size(), "pages": pages}))


def measure(client: Client, name: str, where: str, query: str, words: dict[str, str], options: Any) -> dict[str, Any]:
    where, query = where.format(**words), query.format(**words)
    found = times(client, f"/admin/{where}?{query}", options["count"])
    asked = options["peer_count"] if name in STOCK else 0
    peer = times(client, f"/admin/stock/{where}?{query}", asked) if asked else []
    print(
        f"{name}: {sorted(found)[len(found) // 2]:.0f} ms",
        f"(stock {min(peer):.0f})" if peer else "",
        file=sys.stderr,
    )
    return {"name": name, "ms": found, "stock_ms": peer}


def times(client: Client, url: str, count: int) -> list[float]:
    """Milliseconds of so many requests, after one that does not count."""
    found = []
    for _ in range(count + 1):
        started = time.perf_counter()
        answer = client.get(url)
        found.append(round((time.perf_counter() - started) * 1000, 2))
        assert answer.status_code == 200, f"{url}: {answer.status_code}"
    return found[1:]


def parts() -> dict[str, Any]:
    """What the live page and the status endpoints ask of the same table."""
    kind = registry.get("grab")
    return {
        "board: running": lambda: queries.running(kind),
        "board: waiting": lambda: queries.waiting(kind),
        "board: recent": lambda: queries.recent(kind, 48),
        "board: mean duration": lambda: queries.mean_duration_ms(kind),
        "live: done, all": lambda: filters.ended(filters.Filter()),
        "live: done, failed grabs": lambda: filters.ended(filters.Filter(kind="grab", state="failed")),
        "live: done, a piece": lambda: filters.ended(filters.Filter(kind="grab", piece="roz-12")),
    }


def timed(name: str, call: Any, count: int) -> dict[str, Any]:
    found = []
    for _ in range(count + 1):
        started = time.perf_counter()
        call()
        found.append(round((time.perf_counter() - started) * 1000, 2))
    print(f"{name}: {sorted(found[1:])[count // 2]:.1f} ms", file=sys.stderr)
    return {"name": name, "ms": found[1:], "stock_ms": []}


def version() -> str:
    query = "SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return f"{connection.vendor} {cursor.fetchone()[0]}"


def size() -> int:
    query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    with connection.cursor() as cursor:
        cursor.execute(query if connection.vendor == "sqlite" else "SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
