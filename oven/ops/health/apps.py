from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "oven.ops.health"
    label = "health"
    verbose_name = "Health"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oven.ops.health import checks  # noqa: F401 - registers them
