from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "oven_site.identity"
    label = "identity"
    verbose_name = "Identity"

    def ready(self) -> None:
        from oven_site.identity import checks  # noqa: F401 - registers them
