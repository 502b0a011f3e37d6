from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RetentionConfig(AppConfig):
    name = "oven.ops.retention"
    label = "retention"
    verbose_name = "Retention"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.jobs import cleanup
        from oven.ops.retention import scheduler
        from oven.ops.retention.models import ensure_rules

        cleanup.register(scheduler.run)

        # Not a data migration: a kind that comes later gets its rule at the next `migrate`.
        post_migrate.connect(ensure_rules, sender=self, dispatch_uid="retention.rules")
