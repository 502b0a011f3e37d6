from django.apps import AppConfig


class BundlesConfig(AppConfig):
    name = "bundles"
    verbose_name = "Bundles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.jobs import registry
        from oven.ops.health import alerts, traffic

        alerts.provide("bundles.alerts.runtime", "core")
        traffic.waits("/bundle-html", "/pack-html", "/bundle-prewarm")
        registry.register(
            registry.Kind(
                name="core",
                model_label="bundles.CoreBuild",
                pool="bundle",
                runner="bundles.runner.run_core",
                time_limit_s=300,
                named="version",
                regular="bundles.services.look_after",
                keep_rows=30,
                protect="bundles.services.retained_cores",
                keys=("still",),
                places=("art:oven/cores",),
            )
        )
        registry.register(
            registry.Kind(
                name="bundle",
                model_label="bundles.Bundle",
                pool="bundle",
                runner="bundles.runner.run_bundle",
                time_limit_s=300,
                related=("artifact", "core"),
                named="piece",
                again="bundles.services.again",
                housekeep="bundles.services.housekeep",
                keep_days=30,
                keep_rows=100_000,
                protect="bundles.services.retained",
                keys=("poster",),
                places=("blobs:bundles",),
            )
        )
