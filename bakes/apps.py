from django.apps import AppConfig


class BakesConfig(AppConfig):
    name = "bakes"
    verbose_name = "Bakes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bakes import serializers
        from bakes.alerts import undelivered
        from bakes.runner import BakeRunner
        from bakes.webhook import DeliveryRunner
        from oven.events import snapshot
        from oven.jobs import registry
        from oven.ops.health import alerts

        registry.register(BakeRunner())
        registry.register(DeliveryRunner())
        alerts.provide(undelivered, "callbacks")
        snapshot.provide("bake", serializers.status_parts)
