from django.apps import AppConfig


class PinsConfig(AppConfig):
    name = "pins"
    verbose_name = "Pins"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from captures.models import Grab
        from oven.events import snapshot
        from oven.jobs import registry
        from oven.jobs.signals import jobs_ended
        from oven.ops.health import traffic
        from oven.storage import stores
        from pins import models, serializers
        from pins.runner import PinRunner

        registry.register(PinRunner())
        snapshot.provide("pin", serializers.status_parts)
        stores.protect(models.protected_artifacts)
        jobs_ended.connect(models.release_ended, sender=Grab, dispatch_uid="pins.release")
        traffic.waits("/grab-ipfs")
