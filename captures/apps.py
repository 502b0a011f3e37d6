from typing import Any

from django.apps import AppConfig

GRAB: dict[str, Any] = {
    "name": "grab",
    "model_label": "captures.Grab",
    "pool": "capture",
    "runner": "captures.runner.run",
    "time_limit_s": 150,
    "related": ("artifact",),
    "named": "piece",
    "names": "captures.services.pieces_with",
    "copies": "captures.services.copies",
    "housekeep": "captures.services.housekeep",
    "protect": "captures.services.retained",
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
    "runner": "captures.og_images.runner.run",
    "time_limit_s": 300,
    "related": ("artifact",),
    "named": "layout",
    "again": "captures.og_images.services.again",
    "protect": "captures.og_images.services.retained",
    "places": ("art:og", "art:backdrop"),
    "beside": 16,  # more than there can be: one of each layout and day, so that none holds up another kind
    "regular": "captures.og_images.services.look_after",
}
# Routes that answer when a job has ended.
WAITING = (
    *("/grab", "/grab/<format>/<width>/<height>/<path:piece>"),
    *("/icon/<size>/<path:piece>", "/preview/<size>/<path:piece>"),
    *("/app-screenshots/<preset>/<path:piece>", "/app-screenshots/download/<path:piece>"),
    *("/kidlisp-og", "/notepat-og.png", "/kidlisp-backdrop", "/kidlisp-backdrop.webp"),
)


class CapturesConfig(AppConfig):
    name = "captures"
    verbose_name = "Captures"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from captures import serializers
        from oven.events import snapshot
        from oven.jobs import registry
        from oven.ops.health import traffic

        for kind in (GRAB, CARD):
            registry.register(registry.Kind(**kind))
        registry.register_verb("unfreeze", "captures.frozen.unfreeze")
        snapshot.provide("grab", serializers.status_parts)
        snapshot.provide_frozen(serializers.frozen_list)
        traffic.waits(*WAITING)
