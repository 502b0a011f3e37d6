from django.apps import AppConfig


class AdminkitConfig(AppConfig):
    name = "oven.adminkit"
    label = "adminkit"
    verbose_name = "Admin"
