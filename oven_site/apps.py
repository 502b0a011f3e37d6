from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "oven_site"
    verbose_name = "Oven"

    def ready(self) -> None:
        from oven_site import checks  # noqa: F401 - registers them
