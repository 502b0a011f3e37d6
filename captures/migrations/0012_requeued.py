import django.db.models.deletion
from django.db import migrations, models


def requeued_from(model):
    return models.ForeignKey(
        blank=True,
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="requeued_as",
        to=model,
    )


def requeued_at():
    return models.DateTimeField(
        blank=True, editable=False, help_text="When a job that does the same was submitted.", null=True
    )


def mark_requeued(apps, schema_editor):
    model = apps.get_model("captures", "grab")
    newer = model.objects.filter(requeued_from=models.OuterRef("pk")).order_by("id").values("created_at")[:1]
    requeued = models.Exists(model.objects.filter(requeued_from=models.OuterRef("pk")))
    model.objects.filter(requeued).update(requeued_at=models.Subquery(newer))


class Migration(migrations.Migration):
    dependencies = [("captures", "0011_client_limits")]
    operations = [
        migrations.RenameField("grab", "again_of", "requeued_from"),
        migrations.AlterField("grab", "requeued_from", requeued_from("captures.grab")),
        migrations.AddField("grab", "requeued_at", requeued_at()),
        migrations.AddField("card", "requeued_from", requeued_from("captures.card")),
        migrations.AddField("card", "requeued_at", requeued_at()),
        migrations.AddField("pin", "requeued_from", requeued_from("captures.pin")),
        migrations.AddField("pin", "requeued_at", requeued_at()),
        migrations.RunPython(mark_requeued, migrations.RunPython.noop),
    ]
