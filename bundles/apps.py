from django.apps import AppConfig


class BundlesConfig(AppConfig):
    name = "bundles"
    verbose_name = "Bundles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bundles.alerts import runtime
        from bundles.runner import BundleRunner, CoreRunner
        from oven.jobs import registry
        from oven.ops.health import alerts, traffic

        alerts.provide(runtime, "core")
        traffic.waits("/bundle-html", "/pack-html", "/bundle-prewarm")
        registry.register(CoreRunner())
        registry.register(BundleRunner())
