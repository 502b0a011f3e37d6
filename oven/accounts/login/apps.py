from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "oven.accounts.login"
    label = "identity"
    verbose_name = "Identity"

    def ready(self) -> None:
        from oven.accounts.login import checks  # noqa: F401 - registers them
