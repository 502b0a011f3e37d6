from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "oven_site.dashboard"
    label = "dashboard"
    verbose_name = "Dashboard"
