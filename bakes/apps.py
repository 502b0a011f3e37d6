from django.apps import AppConfig


class BakesConfig(AppConfig):
    name = "bakes"
    verbose_name = "Bakes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bakes import serializers
        from oven.events import snapshot
        from oven.jobs import registry
        from oven.ops.health import alerts

        registry.register(
            registry.Kind(
                name="bake",
                model_label="bakes.Bake",
                pool="bake",
                runner="bakes.runner.run",
                time_limit_s=900,
                related=("video", "thumbnail"),
                named="code",
                again="bakes.services.ask_again",
                housekeep="bakes.services.housekeep",
                keep_days=365,
                protect="bakes.services.retained",
            )
        )
        registry.register(
            registry.Kind(
                name="delivery",
                model_label="bakes.Delivery",
                pool="deliver",
                runner="bakes.webhook.run",
                time_limit_s=120,
                beside=16,
                keep_days=30,
                protect="bakes.services.retained_deliveries",
            )
        )
        alerts.provide("bakes.alerts.undelivered", "callbacks")
        snapshot.provide("bake", serializers.status_parts)
