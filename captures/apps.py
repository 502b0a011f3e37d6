from django.apps import AppConfig


class CapturesConfig(AppConfig):
    name = "captures"
    verbose_name = "Captures"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from captures import shapes
        from oven_site.jobs import registry
        from oven_site.live import snapshot

        registry.register(
            registry.Kind(
                name="grab",
                model_label="captures.Grab",
                pool="capture",
                runner="captures.running.run",
                time_limit_s=150,
                related=("artifact",),
                named="piece",
                copies="captures.jobs.copies",
                housekeep="captures.jobs.housekeep",
                protect="captures.jobs.retained",
                keys=("poster",),
                pointers=("captures.FrozenPiece.preview",),
                places=("art:oven/grabs", "art:oven/posters", "art:oven/attempts"),
            )
        )
        registry.register_verb("unfreeze", "captures.jobs.unfreeze")
        registry.register(
            registry.Kind(
                name="card",
                model_label="captures.Card",
                named="layout",
                again="captures.cards.jobs.again",
                protect="captures.cards.jobs.retained",
                places=("art:og", "art:backdrop"),
                pool="deliver",
                runner="captures.cards.running.run",
                time_limit_s=300,
                related=("artifact",),
                beside=16,  # more than there can be: one of each layout and day, so that none holds up another kind
                regular="captures.cards.jobs.look_after",
            )
        )
        snapshot.provide("grab", shapes.status_parts)
        snapshot.provide_frozen(shapes.frozen_list)
