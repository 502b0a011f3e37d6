from django.apps import AppConfig


class EgressConfig(AppConfig):
    name = "oven.egress"
    label = "egress"
    verbose_name = "Egress"
    default_auto_field = "django.db.models.BigAutoField"
