from django.apps import AppConfig


class BackupConfig(AppConfig):
    name = "oven_site.backup"
    label = "backup"
    verbose_name = "Backup"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven_site.health import alerts

        alerts.provide("oven_site.backup.runs.alerts", "backup_old")
