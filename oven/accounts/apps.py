from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "oven.accounts"
    label = "access"
    verbose_name = "Access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from oven.accounts import login_attempts, roles

        post_migrate.connect(roles.fill, dispatch_uid="oven-roles")
        login_attempts.connect()
