from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "oven_site.live"
    label = "live"
    verbose_name = "Live events"
