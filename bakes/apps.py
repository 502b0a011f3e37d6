from django.apps import AppConfig


class BakesConfig(AppConfig):
    name = "bakes"
    verbose_name = "Bakes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bakes import shapes
        from oven_site.health import alerts
        from oven_site.jobs import registry
        from oven_site.live import snapshot

        registry.register(
            registry.Kind(
                name="bake",
                model_label="bakes.Bake",
                pool="bake",
                runner="bakes.running.run",
                time_limit_s=900,
                related=("video", "thumbnail"),
                named="code",
                again="bakes.jobs.ask_again",
                housekeep="bakes.jobs.housekeep",
                keep_days=365,
                protect="bakes.jobs.retained",
            )
        )
        registry.register(
            registry.Kind(
                name="delivery",
                model_label="bakes.Delivery",
                pool="deliver",
                runner="bakes.delivering.run",
                time_limit_s=120,
                beside=16,
                keep_days=30,
                protect="bakes.jobs.retained_deliveries",
            )
        )
        alerts.provide("bakes.alerts.undelivered", "callbacks")
        snapshot.provide("bake", shapes.status_parts)
