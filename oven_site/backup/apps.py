from django.apps import AppConfig


class BackupConfig(AppConfig):
    name = "oven_site.backup"
    label = "backup"
