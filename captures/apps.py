from django.apps import AppConfig

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
        from captures import frozen, serializers
        from captures.og_images.runner import CardRunner
        from captures.runner import GrabRunner
        from oven.events import snapshot
        from oven.jobs import registry
        from oven.ops.health import traffic

        registry.register(GrabRunner())
        registry.register(CardRunner())
        registry.register_verb("unfreeze", frozen.unfreeze)
        snapshot.provide("grab", serializers.status_parts)
        snapshot.provide_frozen(serializers.frozen_list)
        traffic.waits(*WAITING)
