from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "oven.jobs"
    label = "jobs"
    verbose_name = "Jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.jobs import bulk, registry
        from oven.jobs.models import BulkAction
        from oven.jobs.signals import jobs_ended

        registry.register(bulk.BulkRunner())
        jobs_ended.connect(bulk.action_ended, sender=BulkAction, dispatch_uid="jobs.bulk")
