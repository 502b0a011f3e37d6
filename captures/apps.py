from typing import Any

from django.apps import AppConfig

GRAB: dict[str, Any] = {
    "name": "grab",
    "model_label": "captures.Grab",
    "pool": "capture",
    "runner": "captures.running.run",
    "time_limit_s": 150,
    "related": ("artifact",),
    "named": "piece",
    "names": "captures.jobs.pieces_with",
    "copies": "captures.jobs.copies",
    "housekeep": "captures.jobs.housekeep",
    "protect": "captures.jobs.retained",
    "keys": ("poster",),
    "pointers": ("captures.FrozenPiece.preview",),
    "places": (
        *("art:oven/grabs", "art:oven/posters", "art:oven/attempts", "art:oven/icons"),
        *("art:oven/animated-icons", "art:oven/previews", "art:oven/app-screenshots", "art:oven/frozen"),
    ),
}
CARD: dict[str, Any] = {
    "name": "card",
    "model_label": "captures.Card",
    "pool": "deliver",
    "runner": "captures.cards.running.run",
    "time_limit_s": 300,
    "related": ("artifact",),
    "named": "layout",
    "again": "captures.cards.jobs.again",
    "protect": "captures.cards.jobs.retained",
    "places": ("art:og", "art:backdrop"),
    "beside": 16,  # more than there can be: one of each layout and day, so that none holds up another kind
    "regular": "captures.cards.jobs.look_after",
}
PIN: dict[str, Any] = {
    "name": "pin",
    "model_label": "captures.Pin",
    "pool": "deliver",
    "runner": "captures.keeps.running.run",
    "time_limit_s": 600,
    "related": ("grab", "kept"),
    "named": "piece",
    "again": "captures.keeps.jobs.pin_again",
    "places": ("art:ipfs",),
    "beside": 4,
}
# Routes that answer when a job has ended.
WAITING = (
    *("/grab", "/grab/<format>/<width>/<height>/<path:piece>", "/grab-ipfs"),
    *("/icon/<size>/<path:piece>", "/preview/<size>/<path:piece>"),
    *("/app-screenshots/<preset>/<path:piece>", "/app-screenshots/download/<path:piece>"),
    *("/kidlisp-og", "/notepat-og.png", "/kidlisp-backdrop", "/kidlisp-backdrop.webp"),
)


class CapturesConfig(AppConfig):
    name = "captures"
    verbose_name = "Captures"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from captures import shapes
        from captures.gallery import cards, icons
        from oven_site.health import traffic
        from oven_site.jobs import registry
        from oven_site.live import snapshot

        for kind in (GRAB, CARD, PIN):
            registry.register(registry.Kind(**kind))
        registry.register_verb("unfreeze", "captures.frozen.unfreeze")
        snapshot.provide("grab", shapes.status_parts)
        snapshot.provide_frozen(shapes.frozen_list)
        icons.provide_all()
        cards.provide_all()
        traffic.waits(*WAITING)
