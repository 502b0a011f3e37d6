from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "oven_site.access"
    label = "access"
    verbose_name = "Access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from oven_site import checks  # noqa: F401 - registers them
        from oven_site.access import roles, signins

        post_migrate.connect(roles.fill, dispatch_uid="oven-roles")
        signins.connect()
