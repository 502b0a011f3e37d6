from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "oven.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.jobs import registry

        registry.register(
            registry.Kind(
                name="bulk",
                model_label="jobs.BulkAction",
                pool="deliver",
                runner="oven.jobs.bulk.run",
                time_limit_s=900,
                beside=2,
            )
        )
