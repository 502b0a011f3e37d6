from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "oven.events"
    label = "live"
    verbose_name = "Live events"
