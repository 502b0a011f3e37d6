from django.apps import AppConfig


class BundlesConfig(AppConfig):
    name = "bundles"
    verbose_name = "Bundles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven_site.health import alerts, traffic
        from oven_site.jobs import registry

        alerts.provide("bundles.alerts.runtime", "core")
        traffic.waits("/bundle-html", "/pack-html", "/bundle-prewarm")
        registry.register(
            registry.Kind(
                name="core",
                model_label="bundles.CoreBuild",
                pool="bundle",
                runner="bundles.running.run_core",
                time_limit_s=300,
                named="version",
                regular="bundles.jobs.look_after",
                keep_rows=30,
                protect="bundles.jobs.retained_cores",
                keys=("still",),
                places=("art:oven/cores",),
            )
        )
        registry.register(
            registry.Kind(
                name="bundle",
                model_label="bundles.Bundle",
                pool="bundle",
                runner="bundles.running.run_bundle",
                time_limit_s=300,
                related=("artifact", "core"),
                named="piece",
                again="bundles.jobs.again",
                housekeep="bundles.jobs.housekeep",
                keep_days=30,
                keep_rows=100_000,
                protect="bundles.jobs.retained",
                keys=("poster",),
                places=("blobs:bundles",),
            )
        )
