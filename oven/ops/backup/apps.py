from django.apps import AppConfig


class BackupConfig(AppConfig):
    name = "oven.ops.backup"
    label = "backup"
    verbose_name = "Backup"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.ops.backup import runs
        from oven.ops.health import alerts

        alerts.provide(runs.alerts, "backup_old")
